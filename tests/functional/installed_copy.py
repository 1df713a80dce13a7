"""A copy of the program as it is installed, with release keys of the test: started as processes."""

import asyncio
import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE
from tests.release_keys import ReleaseSigner
from tests.sandbox.contact_guard import FOLDER

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a process ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


@dataclass
class InstalledCopy:
    """The package with its resources inside, as a wheel has them; `data` is its data directory."""

    folder: Path
    authority: Path
    signer: ReleaseSigner = field(default_factory=ReleaseSigner)

    def __post_init__(self) -> None:
        package = self.folder / "wallet_gui"
        left = shutil.ignore_patterns("__pycache__", "*.c", "*.h")
        shutil.copytree(REPOSITORY / "wallet_gui", package, ignore=left)
        shutil.copytree(REPOSITORY / "resources", package / "resources")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def trust(self, url: str) -> None:
        """Build the test's key in, and where its notice lies."""
        text = f"# of a test\nnotice {url}\nkey {self.signer.public.to_text()} tests\n"
        path = self.folder / "wallet_gui" / "resources" / "release-keys.txt"
        path.write_text(text, encoding="utf-8")

    def environment(self, *, is_guarded: bool = True) -> dict[str, str]:
        """`--offline` has a guard of its own and tries whether it holds: there, no other."""
        guard = [str(FOLDER)] if is_guarded else []
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*guard, str(self.folder)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "QT_QPA_PLATFORM": "offscreen",
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder / "xdg"),
            "SSL_CERT_FILE": str(self.authority),
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wallet_gui", *arguments),
            cwd=self.folder,
            env=self.environment(is_guarded="--offline" not in arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str) -> Ended:
        process = await self.start(*arguments, "--data-dir", str(self.data))
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        return Ended(process.returncode or 0, out.decode(), err.decode())
