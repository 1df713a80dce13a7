"""Builds everything twice, under circumstances that have nothing in common, and compares.

The sources are copied to two places; the builds differ in path, umask, time zone, language, name of
the user and of the machine, in the hour, and in the bare Debian, which is made anew for each: one
that was kept may lack what Debian has repaired since. What is written must not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from installers import bare_root, freeze
from installers.differences import Difference, differences
from installers.job import Missing

PLACE = Path("build") / "twice"
# Where build.py has the frozen folder, which is compared too.
FOLDER = Path("build") / "packages" / "folder" / freeze.NAME
MISSING = 3  # build.py's exit status for a program that is not there


@dataclass(frozen=True)
class Circumstances:
    """Under what a build runs. `place` is below the folder of both builds."""

    name: str
    place: str
    umask: str
    machine: str
    environment: dict[str, str] = field(default_factory=dict)


FIRST = Circumstances(
    name="first",
    place="1/wallet-gui",
    umask="022",
    machine="first",
    environment={"TZ": "UTC", "LC_ALL": "C.UTF-8", "USER": "root", "LOGNAME": "root"},
)
SECOND = Circumstances(
    name="second",
    place="the-second-one/in a place with another name/sources",
    umask="077",
    machine="another-machine.example",
    environment={
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
        "LANGUAGE": "ar",
        "USER": "somebody-else",
        "LOGNAME": "somebody-else",
        "COLUMNS": "40",
    },
)


@dataclass(frozen=True)
class Built:
    """What a build left: the frozen folder, if there is one, and the packages."""

    folder: Path
    output: Path

    def artefacts(self) -> dict[str, Path]:
        """Return what is to be compared, by name."""
        found = {path.name: path for path in self.output.iterdir() if path.name[0] != "."}
        if self.folder.is_dir():
            found["folder"] = self.folder
        return found


def main(targets: Sequence[str], output: Path, root: Path = freeze.ROOT) -> int:
    """Build the targets twice and compare; returns the exit status: 1 for any difference.

    What is the same is put into `output`.
    """
    work = root / PLACE
    bare_root.unmount_below(work)  # what a killed build has left
    _clear(work)
    try:
        first = build(FIRST, targets, work, root, new_roots=True)
        second = build(SECOND, targets, work, root, new_roots=True)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return MISSING
    except subprocess.CalledProcessError as error:
        print(f"The build did not succeed: {error}", file=sys.stderr)
        return 1
    found = report(compare(first, second), first)
    if not found:
        output.mkdir(parents=True, exist_ok=True)
        for path in first.artefacts().values():
            if path.is_file():
                shutil.copy2(path, output / path.name)
        _clear(work)
    return int(found)


def build(
    circumstances: Circumstances,
    targets: Sequence[str],
    work: Path,
    root: Path = freeze.ROOT,
    *,
    new_roots: bool = False,
) -> Built:
    """Build under these circumstances, from a copy of the sources below `work`.

    Raises Missing and CalledProcessError, as build.py ends.
    """
    sources = work / circumstances.place
    _clear(sources)
    freeze.copy_sources(sources, root)
    built = Built(sources / FOLDER, work / circumstances.name)
    _clear(built.output)
    built.output.mkdir()
    settings = _environment(circumstances, work, root)
    if new_roots:
        settings["XDG_CACHE_HOME"] = str(_new_cache(work / "cache"))
    script = ["umask", circumstances.umask, "&&", "exec", '"$@"']
    line = [sys.executable, "-I", str(sources / "packaging" / "build.py"), *targets]
    line = ["sh", "-c", " ".join(script), "sh", *line, "--output", str(built.output)]
    if os.geteuid() == 0 and shutil.which("unshare") and shutil.which("hostname"):
        named = f'hostname "{circumstances.machine}" && exec "$@"'
        line = ["unshare", "--uts", "sh", "-c", named, "sh", *line]
    print(f"The {circumstances.name} build begins.", file=sys.stderr, flush=True)
    begun = time.monotonic()
    done = subprocess.run(
        line, env=settings, check=False, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    if done.returncode == MISSING:
        raise Missing("Nothing can be compared, because a build needs what is not here.")
    done.check_returncode()
    taken = round(time.monotonic() - begun)
    print(f"The {circumstances.name} build took {taken} s.", file=sys.stderr, flush=True)
    return built


def compare(first: Built, second: Built) -> dict[str, list[Difference]]:
    """Return the differences by artefact; an empty list for one that is the same in both."""
    here, there = first.artefacts(), second.artefacts()
    found: dict[str, list[Difference]] = {}
    for name in sorted(here.keys() | there.keys()):
        if name not in here or name not in there:
            found[name] = [Difference(name, "was written by one build only")]
        else:
            found[name] = differences(here[name], there[name])
    if not found:
        found["nothing"] = [Difference("nothing", "was written by either build")]
    return found


def report(found: dict[str, list[Difference]], built: Built) -> bool:
    """Print what is the same and what is not; tells whether anything is not."""
    for name, those in found.items():
        path = built.artefacts().get(name)
        if not those:
            is_file = path is not None and path.is_file()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path and is_file else ""
            print(f"same     {name}  {digest}".rstrip())
            continue
        print(f"DIFFERS  {name}")
        for difference in those:
            print(f"         {difference}")
    return any(found.values())


def _environment(circumstances: Circumstances, work: Path, root: Path) -> dict[str, str]:
    """Return this environment with the circumstances in it, and without what is Python's."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    for name in ("LANG", "LANGUAGE", "COLUMNS"):
        kept.pop(name, None)
    home = work / f"home-{circumstances.name}"
    home.mkdir(parents=True, exist_ok=True)
    cache = bare_root.cache_directory().parent.parent
    return {
        "XDG_CACHE_HOME": str(cache),
        **kept,
        # pip's own settings are found by the name of the home folder; they say where its index is.
        **_pip_file(),
        "HOME": str(home),
        "SOURCE_DATE_EPOCH": str(freeze.epoch(root)),
        **circumstances.environment,
    }


def _pip_file() -> dict[str, str]:
    for name in (".config/pip/pip.conf", ".pip/pip.conf"):
        if (Path.home() / name).exists() and "PIP_CONFIG_FILE" not in os.environ:
            return {"PIP_CONFIG_FILE": str(Path.home() / name)}
    return {}


def _new_cache(cache: Path) -> Path:
    """Make a cache without any root in it, but with the packages that pip checks by their hash."""
    _clear(cache)
    own = cache / "wallet-gui"
    own.mkdir(parents=True)
    packages = bare_root.cache_directory().parent / "pip"
    packages.mkdir(parents=True, exist_ok=True)
    (own / "pip").symlink_to(packages)
    return cache


def _clear(path: Path) -> None:
    if path.exists():
        bare_root.remove(path)  # refuses while something is mounted in there
