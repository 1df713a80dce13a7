"""Debian packages that are unpacked into the user's cache, to be started and not to be installed.

Only the standard library is imported: these programs are fetched before there is anything else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

# Run by root, apt would download as a user of its own, who cannot reach a private folder.
APT = ("-q", "-o", "APT::Sandbox::User=root")

# The exit status that says so; a program that fails otherwise is a fault, for which no test is
# skipped.
UNAVAILABLE = 3


class NotFetched(Exception):
    """A program of apt or dpkg did not succeed; the text is its name and its last words."""


def cache_directory(name: str) -> Path:
    """Return the folder of that name in the program's part of the user's cache."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(root) if root.startswith("/") else Path.home() / ".cache"
    return base / "wallet-gui" / name


@contextlib.contextmanager
def fetching_alone(target: Path) -> Iterator[None]:
    """Wait until no other process fetches the same; a lock that ends with the process."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def put_in_place(target: Path) -> Iterator[tuple[Path, Path]]:
    """Give a folder to work in and one to fill, which becomes `target`: whole, or not at all."""
    with tempfile.TemporaryDirectory(prefix=f"{target.name}-", dir=target.parent) as name:
        work = Path(name)
        finished = work / "finished"
        finished.mkdir()
        yield work, finished
        if target.exists():
            shutil.rmtree(target)
        finished.rename(target)


def unpack(packages: Sequence[str], options: Sequence[str], work: Path, into: Path) -> None:
    """Download packages, checked by apt, and unpack them. Raises NotFetched."""
    downloads = work / "downloads"
    downloads.mkdir()
    run(["apt-get", *options, "download", *packages], cwd=downloads)
    for package in sorted(downloads.glob("*.deb")):
        run(["dpkg", "-x", str(package), str(into)])


def run(command: Sequence[str], cwd: Path | None = None) -> str:
    """Return what a program printed, in English. Raises NotFetched."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, check=True, env=environment
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        last = [line for line in said.splitlines() if line.strip()]
        reason = last[-1].strip() if last else str(error)
        raise NotFetched(f"{command[0]}: {reason}") from error
    return done.stdout
