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
from installers.job import Job, Missing, Wrong

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
    try:
        if "twice" in targets:
            # Two copies of the sources, in each of which this command builds.
            twice = importlib.import_module("installers.twice")
            wanted = [name for name in order if name in targets] or list(TWICE)
            return int(twice.main(wanted, options.output.resolve()))
        with _alone():
            for target in [name for name in order if name in targets]:
                print(_build(target, options))
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 3
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1
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
    # One that was made for want of a bare Debian is never taken for one that was made in there.
    reason = "" if here else _why_not_in_bare_root()
    in_root = not here and not reason
    python = "" if in_root else sys.version
    made_from = freeze.digest(names=freeze.OF_THE_FOLDER, more=[keys, python.encode()])
    known, _, date = stamp.read_text().partition(" ") if stamp.exists() else ("", "", "")
    if known == made_from and (reuse or date == str(seconds)) and place.exists():
        return place
    stamp.unlink(missing_ok=True)
    temporary = _fresh(work / "folder" / "work")
    if reason:
        print(f"{reason} The folder is made with this Python instead.", file=sys.stderr)
    where = "in a bare Debian" if in_root else "with this Python"
    print(f"The folder is made {where}.", file=sys.stderr, flush=True)
    way = freeze.in_bare_root if in_root else freeze.here
    way(place, temporary, seconds, release_keys)
    shutil.rmtree(temporary)
    stamp.write_text(f"{made_from} {seconds}")
    return place


def _why_not_in_bare_root() -> str:
    try:
        bare_root.require()
    except Missing as reason:
        return str(reason)
    return ""


def artefact(
    target: str, tree: Path, output: Path, work: Path = WORK, *, release_keys: Path | None = None
) -> Path:
    """Make one package of a frozen folder; returns where it is. Raises Missing, Wrong."""
    module = importlib.import_module(f"installers.{MODULES[target]}")
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
    if target == "sums":
        return _sums(Job(tree, output, WORK, freeze.version(), freeze.epoch()), options)
    stamp = output / f".{target}.made-from"
    made_from = freeze.digest(more=_besides_sources(target, tree, options))
    known, _, name = stamp.read_text().partition(" ") if stamp.exists() else ("", "", "")
    if options.reuse and known == made_from and (output / name).is_file():
        return output / name
    stamp.unlink(missing_ok=True)  # what is there now is of no sources until it is whole
    made = artefact(target, tree, output, release_keys=options.release_keys)
    if options.reuse:
        stamp.write_text(f"{made_from} {made.name}")
    return made


def _besides_sources(target: str, tree: Path, options: argparse.Namespace) -> list[bytes]:
    """Return what else an artefact depends on."""
    # Keys of a test must never be taken for those of a release, nor Windows' Python of a test.
    keys = b"" if options.release_keys is None else options.release_keys.read_bytes()
    if target == "windows":
        return [keys, importlib.import_module("installers.windows_python").python_key().encode()]
    made_from = tree.parent / "made-from"
    return [keys, str(tree).encode(), made_from.read_bytes() if made_from.exists() else b""]


def _sums(job: Job, options: argparse.Namespace) -> Path:
    """Write the sums of what is there, and have them signed.

    Alone and with a key it signs those that are there already: a draft's, in which more stands than
    one builder has made.
    """
    sums = importlib.import_module("installers.sums")
    job.output.mkdir(parents=True, exist_ok=True)
    written: Path = job.output / sums.NAME
    if options.key is None or set(options.targets) != {"sums"} or not written.exists():
        written = sums.build(job)
    if options.key is not None:
        for name in sums.compare(job):
            print(f"{name} is not here, so it was not compared.", file=sys.stderr)
        sums.sign(job, options.key, builder=options.builder)
    return written


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
    options = parser.parse_args(arguments)
    if "twice" in options.targets:
        given = vars(options).keys() - {"targets", "output"}
        if any(getattr(options, name) for name in given):
            parser.error("twice builds as releases are built: it takes no option but --output")
    elif (options.key or options.builder) and not {"sums", "all"} & set(options.targets):
        parser.error("--key and --builder are for the target sums")
    elif options.builder and not options.key:
        parser.error("--builder says whose --key it is")
    return options


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
