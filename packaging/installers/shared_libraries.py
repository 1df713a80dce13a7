"""Which shared libraries a frozen folder takes from the system it runs on."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from installers.job import Missing

_NEEDED = re.compile(r"^\s+NEEDED\s+(\S+)$", re.MULTILINE)
_GLIBC = re.compile(r"\bGLIBC_(\d+(?:\.\d+)+)\b")


@dataclass(frozen=True)
class Needs:
    """Sonames that no file of the folder has, and the newest version of glibc's symbols used."""

    sonames: frozenset[str]
    glibc: tuple[int, ...]


def is_elf(path: Path) -> bool:
    """Whether a file is an executable or a shared library of Linux."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def outside(tree: Path) -> Needs:
    """Read what the files of `tree` ask the dynamic loader for; raises Missing without objdump."""
    objdump = shutil.which("objdump")
    if objdump is None:
        raise Missing("objdump is not installed: please install Debian's package binutils.")
    present = {path.name for path in tree.rglob("*")}
    files = [path for path in sorted(tree.rglob("*")) if path.is_file() and is_elf(path)]
    if not files:
        raise ValueError(f"{tree} holds no program.")
    shown = subprocess.run(
        [objdump, "--private-headers", *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "C"},
    ).stdout
    versions = [tuple(map(int, text.split("."))) for text in _GLIBC.findall(shown)]
    return Needs(frozenset(_NEEDED.findall(shown)) - present, max(versions, default=()))
