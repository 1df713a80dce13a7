"""The package for Fedora, openSUSE and their relatives, built by rpmbuild of the frozen folder."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from installers import desktop_files, system_package, tool_root
from installers.job import Job

SPEC = desktop_files.DATA / "rpm" / "wallet-gui.spec"
LICENCE = desktop_files.ROOT / "LICENSE"
MAINTAINER = system_package.MAINTAINER
rpm_version = system_package.sortable_version
OWN_LICENCE = "MIT"


def build(job: Job) -> Path:
    """Write wallet-gui-VERSION-1.x86_64.rpm.

    Raises Missing where no bare Debian can be made.
    """
    target = job.output / f"wallet-gui-{job.version}-1.x86_64.rpm"
    job.output.mkdir(parents=True, exist_ok=True)
    with tool_root.entered(job.work) as root:
        place = tool_root.inside(root)
        lay_out(job.tree, place / "tree")
        # As in Fedora; and of a library that can be started besides (Qt's first) rpm sees what it
        # needs only when it may be.
        tool_root.settle(place / "tree", job.epoch, libraries=0o755)
        (place / SPEC.name).write_text(spec(job), encoding="utf-8")
        line = ["rpmbuild", "-bb", "--quiet", f"--define=_topdir {tool_root.PLACE}/rpmbuild"]
        tool_root.run(root, [*line, f"{tool_root.PLACE}/{SPEC.name}"], job.epoch)
        (made,) = place.glob("rpmbuild/RPMS/x86_64/*.rpm")
        shutil.copyfile(made, target)
    return target


def lay_out(tree: Path, folder: Path) -> None:
    """Make the files as they are installed."""
    usr = folder / "usr"
    tool_root.place_program(tree, usr)
    desktop_files.place(usr / "share")
    system_package.compress(usr / "share/man/man1/wallet-gui.1")
    system_package.place_documents(usr / "share/doc/wallet-gui")
    licences = usr / "share/licenses/wallet-gui"
    licences.mkdir(parents=True)
    shutil.copyfile(LICENCE, licences / "LICENSE")


def spec(job: Job) -> str:
    """Return the specification with what it leaves open filled in."""
    given = {
        "wallet_version": rpm_version(job.version),
        "wallet_license": licences(job.tree),
        "wallet_root": f"{tool_root.PLACE}/tree",
        "wallet_bundled": bundled_pattern(job.tree),
    }
    text = SPEC.read_text(encoding="utf-8").replace("%{wallet_changelog}", _changelog(job))
    address = desktop_files.HOMEPAGE
    text = text.replace("@HOMEPAGE@\n", f"URL:            {address}/\n" if address else "")
    return "".join(f"%global {name} {value}\n" for name, value in given.items()) + text


def licences(tree: Path) -> str:
    """Return the licences of all that is in the package, as one SPDX expression, ours first.

    They are listed in the frozen folder (installers/licences.py), with their texts.
    """
    listed = tree / "_internal" / "licences" / "contents.json"
    found: set[str] = set()
    if listed.exists():
        for part in json.loads(listed.read_text(encoding="utf-8"))["parts"]:
            for thing in (part, *part["inside"]):
                for licence in _said(thing):
                    found |= _conditions(licence)
    return " AND ".join([OWN_LICENCE, *sorted(found - {OWN_LICENCE})])


def _said(thing: dict[str, Any]) -> list[str]:
    """Return what is said of a part's licence, by us or by its own bill of materials."""
    listed = thing.get("licenses") or []
    said = [entry.get("expression") or entry.get("license", {}).get("id", "") for entry in listed]
    return [text for text in (thing.get("licence", ""), *said) if text]


def _conditions(licence: str) -> set[str]:
    """Divide an expression into what holds at the same time; a choice stays one, in brackets."""
    found = set()
    for text in re.split(r" AND (?![^(]*\))", licence):
        choices = sorted(text.strip("()").split(" OR "))
        found.add(f"({' OR '.join(choices)})" if len(choices) > 1 else choices[0])
    return found


def bundled_pattern(tree: Path) -> str:
    """Return the pattern (POSIX, extended) of what is not asked of the system.

    These are the shared libraries that the folder has itself: rpm writes what a file needs as
    `libname.so.1(VERSION)(64bit)`.
    """
    names = sorted({path.name for path in tree.rglob("*") if ".so" in path.name})
    escaped = (re.sub(r"([.+])", r"[\1]", name) for name in names)
    return "^(" + "|".join(escaped) + ")[(]"


def _changelog(job: Job) -> str:
    """Return the releases in rpm's form, the newest first."""
    parts = []
    for entry in system_package.releases(job):
        day = system_package.day_of(entry)
        parts.append(f"* {day:%a %b %d %Y} {MAINTAINER} - {rpm_version(entry.version)}-1")
        # A percent sign would begin a macro.
        parts += ["- " + line.replace("%", "%%") for line in entry.lines]
        parts.append("")
    return "\n".join(parts)
