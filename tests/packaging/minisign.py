"""Runs the real minisign with keys that are made for one test and have no password."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class MinisignKey:
    """A key pair as minisign's own files."""

    secret: Path
    public: Path

    @property
    def text(self) -> str:
        """The public key in base64, as `minisign -P` takes it."""
        return self.public.read_text().splitlines()[1]

    def sign(self, path: Path, signature: Path, comment: str) -> None:
        """Sign a file, prehashed."""
        run("-S", "-s", self.secret, "-m", path, "-x", signature, "-t", comment)

    def accepts(self, path: Path, signature: Path | None = None) -> bool:
        """Whether minisign itself verifies a signature with this key."""
        more = ("-x", signature) if signature else ()
        return run("-V", "-q", "-m", path, "-p", self.public, *more, check=False) == 0


def make_key(folder: Path, name: str) -> MinisignKey:
    """Make a key pair; skips the test where there is no minisign."""
    if shutil.which("minisign") is None:
        pytest.skip("minisign is not installed (Debian: minisign)")
    key = MinisignKey(folder / f"{name}.key", folder / f"{name}.pub")
    run("-G", "-W", "-s", key.secret, "-p", key.public)
    return key


def run(*arguments: str | Path, check: bool = True) -> int:
    """Run minisign; returns its exit status."""
    done = subprocess.run(
        ["minisign", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.returncode
