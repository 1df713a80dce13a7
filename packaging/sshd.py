"""Finds an OpenSSH server for the tests, or unpacks Debian's into the user's cache.

Prints where things are, as JSON. In order: `$SSHD`, the installed one, the cached one. When there
is none, Debian's `openssh-server` is downloaded from the mirror that this machine already uses and
unpacked into a private folder: installing the package would start a service that lets people in.
With it come nss_wrapper and pam_wrapper, which let a test have accounts and passwords of its own
without touching the machine's.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

# Python adds a script's folder by itself, but not where PYTHONSAFEPATH is set, as for the tests.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import private_packages
from private_packages import NotFetched

PACKAGES = ("openssh-server", "libnss-wrapper", "libpam-wrapper")
WRAPPERS = ("libnss_wrapper.so", "libpam_wrapper.so", "pam_matrix.so")


class SshdUnavailable(Exception):
    """No sshd can be had here; the text is a sentence for the person."""


def cache_directory() -> Path:
    """Return the folder that holds what was unpacked."""
    return private_packages.cache_directory("sshd")


def find() -> dict[str, str]:
    """Return what is there: "sshd", the wrappers, and "libraries", the folders for the loader."""
    found: dict[str, str] = {}
    cache = cache_directory()
    named = os.environ.get("SSHD")
    installed = [named, shutil.which("sshd"), "/usr/sbin/sshd"]
    for candidate in (*installed, str(cache / "usr/sbin/sshd")):
        if candidate and os.access(candidate, os.X_OK):
            found["sshd"] = str(Path(candidate).absolute())  # it starts itself again by its path
            break
    for name in WRAPPERS:
        for folder in (cache / "usr/lib", Path("/usr/lib")):
            matches = sorted(folder.glob(f"*-linux-*/{name}")) or sorted(
                folder.glob(f"*-linux-*/*/{name}")
            )
            if matches:
                found[name] = str(matches[0])
                break
    folders = [*cache.glob("usr/lib/*-linux-*"), *cache.glob("lib/*-linux-*")]
    found["libraries"] = ":".join(str(folder) for folder in sorted(folders))
    return found


def is_complete(found: dict[str, str]) -> bool:
    """Whether nothing has to be downloaded."""
    return all(name in found for name in ("sshd", *WRAPPERS))


def obtain() -> dict[str, str]:
    """Return what there is, after downloading what is missing.

    Raises SshdUnavailable when there is no sshd; the wrappers may be missing.
    """
    found = find()
    problem = ""
    if not is_complete(found) and shutil.which("apt-get") and shutil.which("dpkg"):
        target = cache_directory()
        with private_packages.fetching_alone(target):
            if not is_complete(find()):  # another process may have fetched it while we waited
                try:
                    _download(target)
                except NotFetched as error:
                    problem = f"It could not be fetched ({error})."
                    print(problem, file=sys.stderr)
        found = find()
    if "sshd" not in found:
        raise SshdUnavailable(
            f"No OpenSSH server was found. {problem} Install openssh-server or set SSHD to the "
            "program's path."
        )
    return found


def _download(target: Path) -> None:
    with private_packages.put_in_place(target) as (work, finished):
        options = list(private_packages.APT)
        try:
            packages = _missing(options)
        except NotFetched:
            # The machine has no lists of packages yet: private ones do.
            for folder in ("lists/partial", "archives/partial"):
                (work / folder).mkdir(parents=True)
            options += ["-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}"]
            options += ["-o", "Acquire::Languages=none"]
            private_packages.run(["apt-get", *options, "update"])
            packages = _missing(options)
        print(f"Fetching for the tests: {' '.join(packages)}.", file=sys.stderr)
        private_packages.unpack(packages, options, work, finished)


def _missing(options: list[str]) -> list[str]:
    """Return those packages that installing ours would add to this machine."""
    simulated = private_packages.run(
        ["apt-get", *options, "install", "--simulate", "--no-install-recommends", *PACKAGES]
    )
    added = []
    for line in simulated.splitlines():
        words = line.split()
        # "Inst name (version …)"; with "[version]" it is there already and would be renewed.
        if words[:1] == ["Inst"] and not words[2].startswith("["):
            added.append(words[1])
    return added


def main() -> int:
    """Print what is there; 3 and a sentence on standard error when there is no sshd."""
    try:
        print(json.dumps(obtain()))
    except SshdUnavailable as unavailable:
        print(unavailable, file=sys.stderr)
        return private_packages.UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
