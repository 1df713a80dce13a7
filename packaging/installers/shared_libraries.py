"""Which shared libraries a frozen folder takes from the system it runs on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from installers import elf

# How a file's table of names has the versions of the symbols that it uses.
_GLIBC = re.compile(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)")


@dataclass(frozen=True)
class Needs:
    """Sonames that no file of the folder has, and the newest version of glibc's symbols used."""

    sonames: frozenset[str]
    glibc: tuple[int, ...]


def outside(tree: Path) -> Needs:
    """Read what the files of `tree` ask the dynamic loader for; ValueError without any program."""
    files = elf.files(tree)
    if not files:
        raise ValueError(f"{tree} holds no program.")
    present = {path.name for path in tree.rglob("*")}
    needed: set[str] = set()
    versions: set[tuple[int, ...]] = set()
    for path in files:
        needed.update(elf.needed(path))
        for found in _GLIBC.findall(path.read_bytes()):
            versions.add(tuple(map(int, found.split(b"."))))
    return Needs(frozenset(needed - present), max(versions, default=()))
