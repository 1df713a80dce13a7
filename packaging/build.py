"""Builds the packages; needs nothing but Python and, for some of them, programs that it names.

    python3 packaging/build.py folder            what all packages are made from
    python3 packaging/build.py tar deb rpm appimage windows dmg sbom sums
    python3 packaging/build.py all               what can be made on this system
    python3 packaging/build.py twice [TARGET...]  two builds of the same commit, compared

They are written to `dist/`. What they are made from, and what is made on the way, lies in
`build/packages/`; the folder is made anew when anything that it depends on has changed. The exit
status is 3 when a program or a right is missing here, and 1 for anything else that went wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from installers import bare_root, freeze
from installers.job import Job, Missing

if sys.platform != "win32":
    import fcntl

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "packages"

# Target -> module; its `build(job)` writes one artefact.
MODULES = {
    "tar": "tarball",
    "deb": "deb",
    "rpm": "rpm",
    "appimage": "appimage",
    "windows": "windows",
    "dmg": "dmg",
    "sbom": "sbom",
    "sums": "sums",
}
# Windows' is frozen by its own Python, on this system; checksums are of what is there.
WITHOUT_FOLDER = {"windows", "sums"}
# What is compared when nothing is named. Checksums are those of all that was made before.
TWICE = ("folder", "tar", "deb", "rpm", "appimage")
ALL = {
    "linux": ("folder", "tar", "deb", "rpm", "appimage", "sbom", "sums"),
    "win32": ("windows", "sums"),
    "darwin": ("dmg", "sums"),
}


def main(arguments: list[str] | None = None) -> int:
    """Build what is asked for; returns the exit status."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    targets = options.targets
    if "all" in targets:
        targets = [*ALL.get(sys.platform, ALL["linux"]), *targets]
    order = ["folder", *MODULES]
    if "twice" in targets:
        wanted = [name for name in order if name in targets]
        # Two copies of the sources, in each of which this command builds.
        twice = importlib.import_module("installers.twice")
        return int(twice.main(wanted or list(TWICE), options.output.resolve()))
    try:
        with _alone():
            for target in [name for name in order if name in targets]:
                print(_build(target, options))
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 3
    except subprocess.CalledProcessError as error:
        print("\n".join([str(error), *getattr(error, "__notes__", [])]), file=sys.stderr)
        return 1
    return 0


def folder(
    *, here: bool = False, reuse: bool = False, release_keys: Path | None = None, work: Path = WORK
) -> Path:
    """Return the frozen folder, made anew when what it depends on has changed. Raises Missing.

    `here` makes it with the Python that runs this, though a bare Debian could be made. `reuse`
    takes one of the same sources though it carries the date of another commit.
    """
    place = work / "folder" / freeze.NAME
    stamp = work / "folder" / "made-from"
    keys = b"" if release_keys is None else release_keys.read_bytes()
    seconds = freeze.epoch()
    made_from = freeze.digest(names=freeze.OF_THE_FOLDER, more=[keys, str(here).encode()])
    known, _, date = stamp.read_text().partition(" ") if stamp.exists() else ("", "", "")
    if known == made_from and (reuse or date == str(seconds)) and place.exists():
        return place
    stamp.unlink(missing_ok=True)
    temporary = _fresh(work / "folder" / "work")
    way = freeze.here
    if not here:
        try:
            bare_root.require()
            way = freeze.in_bare_root
        except Missing as reason:
            print(f"{reason} The folder is made with this Python instead.", file=sys.stderr)
    where = "with this Python" if way is freeze.here else "in a bare Debian"
    print(f"The folder is made {where}.", file=sys.stderr, flush=True)
    way(place, temporary, seconds, release_keys)
    shutil.rmtree(temporary)
    stamp.write_text(f"{made_from} {seconds}")
    return place


def artefact(
    target: str, tree: Path, output: Path, work: Path = WORK, *, release_keys: Path | None = None
) -> Path:
    """Make one package of a frozen folder; returns where it is. Raises Missing."""
    try:
        module = importlib.import_module(f"installers.{MODULES[target]}")
    except ModuleNotFoundError as error:
        raise Missing(f"{target} cannot be built: there is no module {error.name}.") from error
    output.mkdir(parents=True, exist_ok=True)
    own = _fresh(work / target)
    job = Job(tree, output, own, freeze.version(), freeze.epoch(), release_keys)
    made: Path = module.build(job)
    shutil.rmtree(own, ignore_errors=True)
    return made


def _build(target: str, options: argparse.Namespace) -> Path:
    output: Path = options.output.resolve()
    if target in WITHOUT_FOLDER:
        tree = WORK / "folder" / freeze.NAME
    else:
        tree = folder(here=options.here, reuse=options.reuse, release_keys=options.release_keys)
    if target == "folder":
        return tree
    stamp = output / f".{target}.made-from"
    # Keys of a test must never be taken for those of a release.
    keys = b"" if options.release_keys is None else options.release_keys.read_bytes()
    made_from = freeze.digest(more=[keys, str(options.here).encode(), str(tree).encode()])
    known, _, name = stamp.read_text().partition(" ") if stamp.exists() else ("", "", "")
    if options.reuse and known == made_from and (output / name).is_file():
        return output / name
    made = artefact(target, tree, output, release_keys=options.release_keys)
    if options.reuse:
        stamp.write_text(f"{made_from} {made.name}")
    if target == "sums" and options.key is not None:
        sums = importlib.import_module("installers.sums")
        job = Job(tree, output, WORK, freeze.version(), freeze.epoch())
        sums.sign(job, options.key, builder=options.builder)
    return made


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other build works in the same folder; the system ends that with the process."""
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fresh(path: Path) -> Path:
    bare_root.unmount_below(path)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "targets", nargs="+", metavar="TARGET", choices=["folder", *MODULES, "all", "twice"]
    )
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR")
    parser.add_argument("--here", action="store_true", help="build with this Python")
    parser.add_argument(
        "--reuse", action="store_true", help="take what was made of the same sources before"
    )
    parser.add_argument("--release-keys", type=Path, metavar="FILE", help="keys that are built in")
    parser.add_argument("--key", type=Path, metavar="FILE", help="sign SHA256SUMS with this key")
    parser.add_argument("--builder", default="", metavar="NAME", help="whose signature it is")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
