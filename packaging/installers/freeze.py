"""The folder that every package is made from: the program, Python and Qt, as PyInstaller collects.

It is made in a bare Debian where that is possible, so that what happens to be installed here does
not get in; else with the Python that runs this. Either way packages come by hash from the locks,
PyInstaller's loader is compiled from its source archive, and the result depends on nothing but the
commit: two builds are equal byte by byte.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from installers import bare_root, elf, icu_data
from installers.job import Missing, Wrong

ROOT = Path(__file__).resolve().parents[2]
NAME = "wallet-gui"
RUNTIME_LOCK = "requirements.lock"
BUILD_LOCK = "packaging/requirements-build.lock"
# What a build depends on; tests, pictures and documents do not belong to it.
SOURCES = ("wallet_gui", "resources", "packaging", RUNTIME_LOCK, "pyproject.toml", "LICENSE")
# What of packaging/ the folder depends on; the rest is of the packages that are made from it.
OF_THE_FOLDER = (
    *("wallet_gui", "resources", RUNTIME_LOCK, BUILD_LOCK, "LICENSE", "packaging/wallet_gui.spec"),
    *("packaging/frozen_program.py", "packaging/build_engine.py", "packaging/licences"),
    *("packaging/dependencies.toml", "packaging/build.py"),
    # What is imported on the way: by build.py, by the spec, and by licences.py.
    *(f"packaging/installers/{name}.py" for name in ("bare_root", "elf", "freeze", "icu_data")),
    *(f"packaging/installers/{name}.py" for name in ("contents", "frozen_archive", "licences")),
    *(("packaging/macos",) if sys.platform == "darwin" else ()),
)
NOT_SOURCES = ("__pycache__", "screenshots", "*.pyc", "engine-*", ".engine-*", ".*.lock")
# The date of what has no commit, such as an unpacked archive of the sources.
DATE_WITHOUT_COMMIT = 1_790_000_000

# Pinned like all others, but not for the folder.
NOT_IN_THE_FOLDER = frozenset({"numpy"})  # the engine in C does its work
NOT_FOR_THE_FOLDER = frozenset({"ziglang"})  # compiles for other systems

# What the bare Debian gets. Those behind Python are for what is copied from it: libraries of X and
# Wayland that are small, and that not every desktop has.
ROOT_PACKAGES = (
    *("python3", "python3-venv", "libpython3.11", "gcc", "libc6-dev", "zlib1g-dev"),
    *("libglib2.0-0", "libxkbcommon0", "libxkbcommon-x11-0", "libwayland-cursor0"),
    *("libxcb-cursor0", "libxcb-icccm4", "libxcb-keysyms1", "libxcb-shape0", "libxcb-xkb1"),
    *("libxcb-randr0", "libxcb-sync1", "libxcb-xfixes0"),
)

COMPILE = [
    *("-O2", "-fPIE", "-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection"),
    *("-ffile-prefix-map=$HERE=.", "-fno-ident"),
]
LINK = [
    *("-pie", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,--build-id=none"),
    # Libraries are looked for here first, before LD_LIBRARY_PATH: only DT_RPATH is.
    *("-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/_internal"),
]
# What is changed in PyInstaller's loader: file, what stands there once, what takes its place.
LOADER_CHANGES = (
    (
        # It would set LD_LIBRARY_PATH and start itself once more; the path in the file does that.
        "pyi_main.c",
        " = PYI_PROCESS_LEVEL_PARENT_NEEDS_RESTART;\n#endif\n            }\n            break;",
        " = PYI_PROCESS_LEVEL_MAIN;\n#endif\n            }\n            break;",
    ),
    (
        # What a parent left in the environment is never believed: each process is the first.
        "pyi_main.c",
        "    if (!reset_environment) {\n        reset_environment = true;\n        env_var_value",
        "    reset_environment = true;\n    if (false) {\n        env_var_value",
    ),
)


# The date, the version and the sources


def version(root: Path = ROOT) -> str:
    """Return the version, which stands in one place."""
    text = (root / "wallet_gui" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError("wallet_gui/__init__.py has no version.")
    return found[1]


def epoch(root: Path = ROOT) -> int:
    """Return SOURCE_DATE_EPOCH in seconds: the environment's, else the date of the commit.

    Raises Wrong where there is a commit whose date cannot be read.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    if shutil.which("git") is not None and (root / ".git").exists():
        # Whoever builds as root reads a checkout of somebody else's, too: this alone runs nothing.
        trusted = f"safe.directory={root.resolve()}"
        asked = subprocess.run(
            ["git", "-c", trusted, "-C", str(root), "log", "-1", "--format=%ct"],
            capture_output=True,
            text=True,
            check=False,
        )
        if not asked.stdout.strip().isdigit():
            # Any other date would make other files than everybody else's, and say nothing.
            raise Wrong(
                f"git does not tell the date of the commit in {root}: {asked.stderr.strip()} Let "
                "git read it, or say it in SOURCE_DATE_EPOCH (git log -1 --format=%ct)."
            )
        return int(asked.stdout)
    return DATE_WITHOUT_COMMIT


def sources(root: Path = ROOT, names: Sequence[str] = SOURCES) -> list[Path]:
    """List the files that a build depends on, in order."""
    return sorted(
        path
        for name in names
        for path in ([root / name] if (root / name).is_file() else (root / name).rglob("*"))
        if path.is_file() and not _is_left_out(path.relative_to(root))
    )


def digest(root: Path = ROOT, *, names: Sequence[str] = SOURCES, more: Iterable[bytes] = ()) -> str:
    """Return a hash of everything that a build depends on."""
    found = hashlib.sha256()
    for path in sources(root, names):
        found.update(str(path.relative_to(root)).encode() + b"\0")
        found.update(hashlib.sha256(path.read_bytes()).digest())
    for part in more:
        found.update(hashlib.sha256(part).digest())
    return found.hexdigest()


def copy_sources(target: Path, root: Path = ROOT, *, release_keys: Path | None = None) -> None:
    """Copy what a build depends on, with other release keys if a file of them is given."""
    for path in sources(root):
        place = target / path.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    if release_keys is not None:
        shutil.copyfile(release_keys, target / "resources" / "release-keys.txt")


def _is_left_out(path: Path) -> bool:
    return any(Path(part).match(pattern) for part in path.parts for pattern in NOT_SOURCES)


# The two ways


def in_bare_root(target: Path, work: Path, seconds: int, release_keys: Path | None = None) -> None:
    """Make the folder `target` in a bare Debian; raises Missing where there can be none."""
    bare_root.require()
    root = bare_root.create(work / "root", include=ROOT_PACKAGES)
    inside = root / "build"
    copy_sources(inside / "source", release_keys=release_keys)
    cache = bare_root.cache_directory().parent / "pip"
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with bare_root.mounted(root, {cache: "var/cache/pip"}):
            settings = {
                **bare_root.use_host_network(root),
                "PIP_CACHE_DIR": "/var/cache/pip",
                "SOURCE_DATE_EPOCH": str(seconds),
            }
            bare_root.run(
                root,
                ["python3", "/build/source/packaging/build.py", "folder", "--here"],
                env=settings,
                cwd="/",
                stdout=sys.stderr,
                stderr=None,
            )
        made = inside / "source" / "build" / "packages" / "folder" / NAME
        _move(made, target)
    finally:
        bare_root.remove(root)


def here(target: Path, work: Path, seconds: int, release_keys: Path | None = None) -> None:
    """Make the folder `target` with the Python that runs this; raises Missing without gcc."""
    if sys.platform.startswith("linux"):
        _compiler()
    source = work / "source"
    copy_sources(source, release_keys=release_keys)
    python = _environment(work / "venv", source)
    if sys.platform.startswith("linux"):
        _compile_loader(python, work / "loader", source)
    settings = _settings(seconds)
    _run([python, "packaging/build_engine.py"], cwd=source, env=settings)
    _run(
        [
            *(python, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level=WARN"),
            *(f"--distpath={work / 'dist'}", f"--workpath={work / 'pyinstaller'}"),
            str(source / "packaging" / "wallet_gui.spec"),
        ],
        cwd=source,
        env=settings,
    )
    made = work / "dist" / ("Wallet GUI.app" if sys.platform == "darwin" else NAME)
    _finish(made, python, source, settings)
    _move(made, target)


# Steps of `here`


def _environment(venv: Path, source: Path) -> str:
    """Make a virtual environment of what the locks say, and nothing else; returns its Python."""
    _run([sys.executable, "-m", "venv", str(venv)])
    python = str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    for lock, left_out in ((RUNTIME_LOCK, NOT_IN_THE_FOLDER), (BUILD_LOCK, NOT_FOR_THE_FOLDER)):
        wanted = venv / Path(lock).name
        wanted.write_text(without(source / lock, left_out), encoding="utf-8")
        _run(
            [
                *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--no-input", "--no-compile", "--require-hashes", "--only-binary", ":all:"),
                *("-r", str(wanted)),
            ]
        )
    return python


def without(lock: Path, names: frozenset[str]) -> str:
    """Return a lock without some of its packages."""
    entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
    kept = [entry for entry in entries if entry.split("==", 1)[0] not in names]
    return "\n".join(kept) + "\n"


def _compile_loader(python: str, folder: Path, source: Path) -> None:
    """Compile PyInstaller's loader and put it in the place of the one that came in the wheel."""
    folder.mkdir()
    lock = (source / BUILD_LOCK).read_text(encoding="utf-8")
    entry = next(part for part in re.split(r"\n(?=\S)", lock) if part.startswith("pyinstaller=="))
    (folder / "pyinstaller.lock").write_text(entry + "\n", encoding="utf-8")
    _run(
        [
            *(python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            # What the archive asks for to be read is in the lock, and so already here.
            *("--no-input", "--no-deps", "--no-build-isolation", "--no-binary", ":all:"),
            *("--require-hashes", "-r", str(folder / "pyinstaller.lock"), "-d", str(folder)),
        ]
    )
    archive = next(folder.glob("pyinstaller-*.tar.gz"))
    with tarfile.open(archive) as file:
        file.extractall(folder)  # noqa: S202 - pip has checked its hash
    loader = folder / archive.name.removesuffix(".tar.gz") / "bootloader"
    for name, old, new in LOADER_CHANGES:
        path = loader / "src" / name
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{name} of this PyInstaller is not what LOADER_CHANGES was made for.")
        path.write_text(text.replace(old, new), encoding="utf-8")
    settings = {
        **os.environ,
        # waf splits them as a shell does, and the folder's name may have blanks.
        "CFLAGS": shlex.join(option.replace("$HERE", str(loader)) for option in COMPILE),
        "LINKFLAGS": shlex.join(LINK),
    }
    _run([python, "waf", "configure", "build_release"], cwd=loader, env=settings)
    built = loader / "build" / "release" / "run"
    place = subprocess.run(
        [python, "-c", "import PyInstaller as p; print(p.HOMEPATH, p.PLATFORM, sep='|')"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    home, platform = place.split("|")
    shutil.copyfile(built, Path(home) / "PyInstaller" / "bootloader" / platform / "run")


def _settings(seconds: int) -> dict[str, str]:
    """Return the environment of PyInstaller: what could differ from build to build is fixed."""
    # An own folder of what it has stripped before, or a library of another Python would get in.
    settings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PYINSTALLER_", "LD_", "QT_"))
    }
    return {
        **settings,
        "SOURCE_DATE_EPOCH": str(seconds),
        "PYTHONHASHSEED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
    }


def _finish(folder: Path, python: str, source: Path, settings: dict[str, str]) -> None:
    """Do what PyInstaller does not: names of places, rights, and the texts of licences."""
    _tidy_metadata(folder / "_internal")
    if sys.platform.startswith("linux"):
        for path in folder.rglob("libicudata.so.*"):
            if not path.is_symlink():
                work = folder.parent / "icu"
                work.mkdir()
                icu_data.trim(path, work, _compiler())
        for path in elf.files(folder):
            elf.look_inside_first(path)
    licences = source / "packaging" / "installers" / "licences.py"
    if licences.exists():
        _run([python, str(licences), str(folder)], env=settings)
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            runs = path.is_dir() or path.name == NAME or path.suffix in {".exe", ".dll"}
            path.chmod(0o755 if runs else 0o644)


def _compiler() -> str:
    found = shutil.which("gcc") or shutil.which("cc")
    if found is None:
        raise Missing("The loader is compiled here: gcc is needed (apt-get install gcc libc6-dev).")
    return found


def _tidy_metadata(inside: Path) -> None:
    """Leave of the packages' records only what a program may ask for: name and version.

    How and from where they were installed is no part of the program.
    """
    for folder in inside.glob("*.dist-info"):
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            elif path.name != "METADATA":
                path.unlink()


def _move(made: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(made, target)


def _run(
    command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None
) -> None:
    # What they print is for the person who builds; the standard output is for the result.
    subprocess.run(command, cwd=cwd, env=env, stdout=sys.stderr, check=True)
