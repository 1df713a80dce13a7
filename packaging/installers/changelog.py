"""Reads packaging/changelog.md, from which the packages and the software centres are told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "changelog.md"
_HEADING = re.compile(r"## (?P<version>\d\S*) \((?P<date>\d{4}-\d{2}-\d{2})\)")


@dataclass(frozen=True)
class Entry:
    """A release: its version, its day as 2026-11-21, and one line of plain text per change."""

    version: str
    date: str
    lines: tuple[str, ...]


def entries() -> list[Entry]:
    """Return the releases, the newest first; raises ValueError naming a line out of form."""
    return parse(FILE.read_text(encoding="utf-8"))


def parse(text: str) -> list[Entry]:
    """Read a title, then per release a heading `## VERSION (YEAR-MONTH-DAY)` and its list.

    A change is a line that starts with "- "; indented lines go on with it.
    """
    found: list[tuple[str, str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("# "):
            continue
        heading = _HEADING.fullmatch(line.rstrip())
        if heading is not None:
            day = date.fromisoformat(heading["date"]).isoformat()
            found.append((heading["version"], day, []))
        elif found and line.startswith("- "):
            found[-1][2].append(line[2:].strip())
        elif found and found[-1][2] and line.startswith("  "):
            found[-1][2][-1] += " " + line.strip()
        else:
            raise ValueError(f"{FILE.name}, line {number}, is no release and no change: {line!r}")
    return [Entry(version, day, tuple(lines)) for version, day, lines in found]
