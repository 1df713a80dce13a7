"""Finds a bitcoind for the playground and the tests, or takes Debian's own into the user's cache.

Prints the path of the program. In order: `$BITCOIND`, `bitcoind` on the PATH, the cached one. When
there is none, and the machine has apt, Debian's `bitcoin-knots` and the libraries that it needs are
downloaded from the mirror that this machine already uses, checked by apt against Debian's keyring,
and unpacked into a private folder. Nothing is installed, and no privilege is needed.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

# Python adds a script's folder by itself, but not where PYTHONSAFEPATH is set, as for the tests.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import private_packages
from private_packages import NotFetched

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The release that has the package, and its backports, which have a newer one at times.
SUITES = ("trixie", "trixie-backports")
# bitcoind with every library that it loads, the C library included: the folder stands by itself,
# so that the same files run on Debian 12, whose own libraries are too old.
PACKAGES = (
    "bitcoin-knots",
    "libc6",
    "libstdc++6",
    "libgcc-s1",
    "libevent-core-2.1-7t64",
    "libevent-extra-2.1-7t64",
    "libevent-pthreads-2.1-7t64",
    "libsqlite3-0",
    "libzmq5",
    "libsodium23",
    "libpgm-5.3-0t64",
    "libnorm1t64",
    "libgssapi-krb5-2",
    "libkrb5-3",
    "libk5crypto3",
    "libkrb5support0",
    "libcom-err2",
    "libkeyutils1",
    "libbsd0",
    "libmd0",
    "libssl3t64",
)
OTHER_WAYS = (
    "Install Bitcoin Core or Bitcoin Knots and put bitcoind on the PATH, "
    "or set BITCOIND to the program's path."
)
# The launcher replaces itself (exec), so that the caller's process id is bitcoind's own.
LAUNCHER = """#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
exec "$here/{loader}" --library-path "$here/{libraries}" "$here/{program}" "$@"
"""


class BitcoindUnavailable(Exception):
    """No bitcoind can be had here; the text is a sentence for the person."""


def cache_directory() -> Path:
    """Return the folder that holds the downloaded bitcoind."""
    return private_packages.cache_directory("bitcoind")


def find() -> Path | None:
    """Return the bitcoind that is there, without downloading anything.

    Raises BitcoindUnavailable when `$BITCOIND` names something that cannot be run.
    """
    named = os.environ.get("BITCOIND")
    if named:
        found = shutil.which(named)
        if found is None:
            raise BitcoindUnavailable(
                f"BITCOIND is set to {named!r}, which is not a program. Correct or unset it."
            )
        return Path(found).absolute()
    on_path = shutil.which("bitcoind")
    if on_path is not None:
        return Path(on_path).absolute()
    cached = cache_directory() / "bitcoind"
    return cached if os.access(cached, os.X_OK) else None


def obtain() -> Path:
    """Return a bitcoind, downloading Debian's when there is none.

    Raises BitcoindUnavailable with a sentence that says what to do instead.
    """
    found = find()
    if found is not None:
        return found
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise BitcoindUnavailable(
                f"No bitcoind was found and there is no {tool} here. " + OTHER_WAYS
            )
    if not KEYRING.exists():
        raise BitcoindUnavailable(
            f"No bitcoind was found, and without Debian's keyring ({KEYRING}) a download could not "
            "be checked. " + OTHER_WAYS
        )
    target = cache_directory()
    with private_packages.fetching_alone(target):
        found = find()  # another process may have fetched it while we waited
        if found is None:
            try:
                _download(target)
            except NotFetched as error:
                raise BitcoindUnavailable(
                    f"bitcoind could not be fetched ({error}). " + OTHER_WAYS
                ) from error
            found = target / "bitcoind"
    return found


def _mirror() -> str:
    """Return the address of the Debian mirror that this machine is set up for."""
    listed = private_packages.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(COMPONENT)", "Created-By: Packages"]
    )
    for line in listed.splitlines():
        site, _, component = line.partition(" ")
        if component == "main" and site.rstrip("/").endswith("/debian"):
            return site
    raise BitcoindUnavailable(
        "No bitcoind was found, and apt is not set up with a Debian mirror here. " + OTHER_WAYS
    )


def _download(target: Path) -> None:
    mirror = _mirror()
    print("Fetching bitcoind (Debian's bitcoin-knots, about 25 MB).", file=sys.stderr)
    with private_packages.put_in_place(target) as (work, finished):
        options = _private_apt(work, mirror)
        private_packages.run(["apt-get", *options, "update"])
        private_packages.unpack(PACKAGES, options, work, finished)
        _write_launcher(finished)
        private_packages.run([str(finished / "bitcoind"), "-version"])


def _private_apt(work: Path, mirror: str) -> list[str]:
    """Return apt options that leave the system's own lists, cache and state untouched."""
    for folder in ("lists/partial", "archives/partial", "parts"):
        (work / folder).mkdir(parents=True)
    sources = work / "sources.list"
    sources.write_text(
        "".join(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in SUITES)
    )
    status = work / "status"
    status.touch()
    settings = {
        "Dir::State": work,
        "Dir::State::Lists": work / "lists",
        "Dir::State::Status": status,
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": work / "parts",
        "Acquire::Languages": "none",
    }
    options = list(private_packages.APT)
    for key, value in settings.items():
        options += ["-o", f"{key}={value}"]
    return options


def _write_launcher(folder: Path) -> None:
    loaders = sorted(folder.glob("usr/lib/*/ld-linux-*.so.*")) or sorted(
        folder.glob("lib/*/ld-linux-*.so.*")
    )
    program = folder / "usr/bin/bitcoind"
    if not loaders or not program.exists():
        raise BitcoindUnavailable(
            "Debian's bitcoind package is not laid out as expected. " + OTHER_WAYS
        )
    libraries = loaders[0].parent
    launcher = folder / "bitcoind"
    launcher.write_text(
        LAUNCHER.format(
            loader=loaders[0].relative_to(folder),
            libraries=libraries.relative_to(folder),
            program=program.relative_to(folder),
        )
    )
    launcher.chmod(0o755)


def main() -> int:
    """Print the path of a bitcoind; 3 and a sentence on standard error when there is none."""
    try:
        print(obtain())
    except BitcoindUnavailable as unavailable:
        print(unavailable, file=sys.stderr)
        return private_packages.UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
