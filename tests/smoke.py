"""Starts the smoke test of a program, from source or packaged, and reads what it says."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.patience import PATIENCE
from tests.sandbox.contact_guard import PYTHON_PATH

REPOSITORY: Final = Path(__file__).resolve().parents[1]
FROM_SOURCE: Final = (sys.executable, "-m", "wallet_gui")
CHECKS: Final = (
    *("fonts", "icons", "checkpoints", "curve", "vectors", "engine", "QR codes", "SSH"),
    *("releases", "vault", "wallet", "window"),
)
"""What the online program checks, in this order, before the peers."""

_LINE: Final = re.compile(r"(?P<name>.+?): (?P<verdict>ok|FAILED)(?:, \d+ ms)?(?: \((.*)\)|: (.*))")


@dataclass(frozen=True)
class Told:
    """What one run said: `found` by check, in order, and the `problems` among them."""

    status: int
    found: dict[str, str]
    problems: dict[str, str]
    last: str
    stderr: str

    @property
    def is_good(self) -> bool:
        return self.status == 0 and not self.problems and self.last.startswith("All checks passed")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment in which this user owns nothing but `home`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("QT_", "XDG_", "WAYLAND_", "DISPLAY"))
    }
    for name in ("data", "temporary", "runtime"):
        (home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_RUNTIME_DIR": str(home / "runtime"),
        "TMPDIR": str(home / "temporary"),
        "QT_QPA_PLATFORM": "offscreen",
        "PYTHONPATH": PYTHON_PATH,
        **more,
    }


def smoke_test(
    *arguments: str,
    env: Mapping[str, str],
    command: Sequence[str] = FROM_SOURCE,
    seconds: float = PATIENCE,
) -> Told:
    """Run it to its end."""
    done = subprocess.run(
        [*command, "--smoke-test", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env=dict(env),
        timeout=seconds,
    )
    *lines, last = done.stdout.splitlines() or [""]
    found, problems = {}, {}
    for line in lines:
        told = _LINE.fullmatch(line)
        assert told is not None, done.stdout
        if told["verdict"] == "ok":
            found[told["name"]] = told[3]
        else:
            problems[told["name"]] = told[4]
    return Told(done.returncode, found, problems, last, done.stderr)
