"""What .deb and .rpm have in common: who made it, which releases there were, and its documents."""

from __future__ import annotations

import gzip
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from installers import changelog, desktop_files
from installers.changelog import Entry
from installers.job import Job

MAINTAINER = "The Wallet GUI developers <maintainers@wallet-gui.invalid>"
# How to read a wallet file without this program.
DOCUMENTS = ("wallet-file-format.md", "recover_wallet.py")


def sortable_version(version: str) -> str:
    """Return the version so that dpkg and rpm sort a pre-release before its release (0.2.0~rc1)."""
    return re.sub(r"\.?(a|b|rc|dev)(?=\d)", r"~\1", version)


def releases(job: Job) -> list[Entry]:
    """Return the releases, the newest first; a version that is in no list yet is one of them."""
    entries = changelog.entries()
    if job.version not in {entry.version for entry in entries}:
        today = datetime.fromtimestamp(job.epoch, UTC).date().isoformat()
        entries.insert(0, Entry(job.version, today, ("Built from the sources.",)))
    return entries


def day_of(entry: Entry) -> datetime:
    """Return the beginning of the day of a release."""
    return datetime.fromisoformat(entry.date).replace(tzinfo=UTC)


def place_documents(documents: Path) -> None:
    """Copy into the folder what a person may need who has lost the program."""
    documents.mkdir(parents=True, exist_ok=True)
    for name in DOCUMENTS:
        shutil.copyfile(desktop_files.ROOT / "packaging" / name, documents / name)


def compress(path: Path) -> None:
    """Replace a file by itself in gzip, the same from whatever system and Python.

    RFC 1952: neither name nor time is in the header, and the system is "unknown" (255): Python 3.11
    and 3.12 write their own there, 3.13 does not.
    """
    packed = bytearray(gzip.compress(path.read_bytes(), 9, mtime=0))
    packed[9] = 255
    path.with_name(path.name + ".gz").write_bytes(packed)
    path.unlink()
