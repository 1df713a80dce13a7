"""Finds an OpenSSH server for the tests, or unpacks Debian's into the user's cache.

Prints where things are, as JSON. In order: `$SSHD`, the installed one, the cached one. When there
is none, Debian's `openssh-server` is downloaded from the mirror that this machine already uses and
unpacked into a private folder: installing the package would start a service that lets people in.
With it come nss_wrapper and pam_wrapper, which let a test have accounts and passwords of its own
without touching the machine's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("openssh-server", "libnss-wrapper", "libpam-wrapper")
WRAPPERS = ("libnss_wrapper.so", "libpam_wrapper.so", "pam_matrix.so")


class SshdUnavailable(Exception):
    """No sshd can be had here; the text is a sentence for the person."""


def cache_directory() -> Path:
    """Return the folder that holds what was unpacked."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(root) if root.startswith("/") else Path.home() / ".cache"
    return base / "wallet-gui" / "sshd"


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
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target.parent / "sshd.lock"):
            if not is_complete(find()):  # another process may have fetched it while we waited
                try:
                    _download(target)
                except SshdUnavailable as unavailable:
                    problem = str(unavailable)
                    print(problem, file=sys.stderr)
        found = find()
    if "sshd" not in found:
        raise SshdUnavailable(
            f"No OpenSSH server was found. {problem} Install openssh-server or set SSHD to the "
            "program's path."
        )
    return found


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(target: Path) -> None:
    """Build the folder beside `target`, then rename it: it is there whole or not at all."""
    with tempfile.TemporaryDirectory(prefix="sshd-", dir=target.parent) as name:
        work = Path(name)
        # Run by root, apt would download as a user of its own, who cannot reach a private folder.
        options = ["-q", "-o", "APT::Sandbox::User=root"]
        try:
            packages = _missing(options)
        except SshdUnavailable:
            # The machine has no lists of packages yet: private ones do.
            for folder in ("lists/partial", "archives/partial"):
                (work / folder).mkdir(parents=True)
            options += ["-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}"]
            options += ["-o", "Acquire::Languages=none"]
            _run(["apt-get", *options, "update"])
            packages = _missing(options)
        print(f"Fetching for the tests: {' '.join(packages)}.", file=sys.stderr)
        downloads = work / "downloads"
        downloads.mkdir()
        _run(["apt-get", *options, "download", *packages], cwd=downloads)
        finished = work / "finished"
        finished.mkdir()
        for package in sorted(downloads.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(finished)])
        if target.exists():
            shutil.rmtree(target)
        finished.rename(target)


def _missing(options: list[str]) -> list[str]:
    """Return those packages that installing ours would add to this machine."""
    simulated = _run(
        ["apt-get", *options, "install", "--simulate", "--no-install-recommends", *PACKAGES]
    )
    added = []
    for line in simulated.splitlines():
        words = line.split()
        # "Inst name (version …)"; with "[version]" it is there already and would be renewed.
        if words[:1] == ["Inst"] and not words[2].startswith("["):
            added.append(words[1])
    return added


def _run(command: list[str], cwd: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, check=True, env=environment
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        last = [line for line in said.splitlines() if line.strip()]
        reason = last[-1].strip() if last else str(error)
        raise SshdUnavailable(f"It could not be fetched ({command[0]}: {reason}).") from error
    return done.stdout


def main() -> int:
    """Print what is there; 1 and a sentence on standard error when there is no sshd."""
    try:
        print(json.dumps(obtain()))
    except SshdUnavailable as unavailable:
        print(unavailable, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
