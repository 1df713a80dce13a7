"""Builds the native engine: with this system's compiler, or with ziglang for other systems.

    python3 packaging/build_engine.py                  where it is missing or out of date
    python3 packaging/build_engine.py --force
    python3 packaging/build_engine.py --target all --output dist/engine   with ziglang

The result of the first lies beside the sources, where the loader finds it; nothing but a compiler
is needed. The second needs `pip install ziglang` (a build tool only, 0.16 or newer) and makes a
library for each system that releases are made for. Without a compiler the program uses NumPy.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "wallet_gui" / "chain" / "native"

# Compiled once for each level, and once.
KERNELS = ("sha256_lanes", "match")
PLAIN = ("sha256", "dispatch", "runs", "transaction", "block", "candidates")
INSTRUCTIONS = "sha256_instructions"

COMMON = ["-std=c99", "-O3", "-fvisibility=hidden", "-fno-strict-aliasing", "-Wall", "-Wextra"]
V3 = ["-mavx2", "-mfma", "-mbmi", "-mbmi2", "-mlzcnt", "-mmovbe", "-mpopcnt"]
V4 = [
    *V3,
    *("-mavx512f", "-mavx512bw", "-mavx512cd", "-mavx512dq", "-mavx512vl"),
    "-mprefer-vector-width=512",
]
LEVELS = {"x64": {"portable": [], "v3": V3, "v4": V4}}
SHA = {"x64": ["-msha", "-msse4.1"], "arm64": ["-mcpu=generic+crypto"]}

# Name in file names -> zig's name. The floor of glibc is that of the oldest system with wheels.
TARGETS = {
    "linux-x64": "x86_64-linux-gnu.2.17",
    "linux-arm64": "aarch64-linux-gnu.2.17",
    "darwin-x64": "x86_64-macos.11.0",
    "darwin-arm64": "aarch64-macos.11.0",
    "win32-x64": "x86_64-windows-gnu",
    "win32-arm64": "aarch64-windows-gnu",
}
SUFFIXES = {"linux": "so", "darwin": "dylib", "win32": "dll"}
MACHINES = {"amd64": "x64", "x86_64": "x64", "arm64": "arm64", "aarch64": "arm64"}


class BuildFailed(Exception):
    """The engine could not be built; the text says why."""


class NoCompiler(BuildFailed):
    """There is nothing to build with, which is no fault."""


def this_target() -> str:
    """Name this system and processor as the loader does."""
    machine = platform.machine().lower()
    system = sys.platform if sys.platform in SUFFIXES else "linux"
    return f"{system}-{MACHINES.get(machine, machine)}"


def library_name(target: str) -> str:
    """Return the file name of a target's library."""
    return f"engine-{target}.{SUFFIXES[target.split('-', maxsplit=1)[0]]}"


def fingerprint() -> str:
    """Hash everything that the library depends on."""
    digest = hashlib.sha256()
    for path in [*sorted(SOURCES.glob("*.[ch]")), Path(__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_current(path: Path) -> bool:
    """Tell whether a library was built from the present sources."""
    return path.exists() and f"engine-source:{fingerprint()}".encode() in path.read_bytes()


def find_compiler() -> list[str] | None:
    """Return the command of a C compiler that has GCC's vector types; None where there is none."""
    chosen = os.environ.get("CC")
    if chosen:
        return shlex.split(chosen)
    # GCC for Windows places vectors on a stack that is not aligned for them (GCC bug 54412).
    for name in ("clang",) if sys.platform == "win32" else ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if found is not None:
            return [found]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


def source_flag() -> str:
    """Return the compiler's option by which the library knows what it was built from."""
    return f'-DENGINE_SOURCE="engine-source:{fingerprint()}"'


def jobs(machine: str) -> list[tuple[str, str, list[str]]]:
    """List what is compiled: source, name of the object, options."""
    made = [(name, name, SHA.get(machine, [])) for name in (INSTRUCTIONS,)]
    made += [(name, name, []) for name in PLAIN]
    for level, options in LEVELS.get(machine, {"portable": []}).items():
        made += [(name, f"{name}_{level}", [*options, f"-DLEVEL={level}"]) for name in KERNELS]
    return made


def build(compiler: list[str], target: str, output: Path) -> None:
    """Compile and link, and put the library in its place at once; raise BuildFailed."""
    system, machine = target.split("-", 1)
    flags = [*COMMON, *([] if system == "win32" else ["-fPIC"]), source_flag()]
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        objects, commands = [], []
        for source, made, options in jobs(machine):
            objects.append(str(Path(folder, f"{made}.o")))
            path = str(SOURCES / f"{source}.c")
            commands.append([*compiler, *flags, *options, "-c", path, "-o", objects[-1]])
        all_at_once(commands)
        library = Path(folder, output.name)
        link = [*compiler, "-shared", "-O2", "-s" if system != "darwin" else "-Wl,-x", *objects]
        if system == "linux":  # tables of addresses are filled at once and cannot be written then
            link += ["-Wl,-z,relro", "-Wl,-z,now"]
        all_at_once([[*link, "-o", str(library)]])
        # A copy on the same disk takes the old one's place in one step: a program that has it
        # open keeps what it has.
        beside = output.with_name(f".{output.name}.{os.getpid()}")
        shutil.copyfile(library, beside)
        beside.replace(output)


def all_at_once(commands: list[list[str]]) -> None:
    """Run the compiler for each file, as many at a time as there are processors."""
    waiting = list(commands)
    running: list[subprocess.Popen[str]] = []
    failure = ""
    while (waiting and not failure) or running:
        while waiting and not failure and len(running) < (os.cpu_count() or 1):
            try:
                running.append(
                    subprocess.Popen(
                        waiting.pop(0),
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        text=True,
                    )
                )
            except OSError as error:
                failure = str(error)
        if running:
            process = running.pop(0)
            said, _ = process.communicate()
            if process.returncode != 0:
                failure = failure or said or f"The compiler ended with {process.returncode}."
    if failure:
        raise BuildFailed(failure)


def build_here(*, force: bool = False) -> Path | None:
    """Bring this system's library up to date; return its path if it was built anew.

    Raises NoCompiler or BuildFailed.
    """
    target = this_target()
    output = SOURCES / library_name(target)
    if not force and is_current(output):
        return None
    compiler = find_compiler()
    if compiler is None:
        raise NoCompiler("There is no C compiler here: the slower engine in NumPy is used.")
    build(compiler, target, output)
    return output


def main() -> int:
    """Build; returns the exit status."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--force", action="store_true", help="build though nothing changed")
    arguments.add_argument("--quiet", action="store_true", help="say only what was done")
    arguments.add_argument("--target", choices=[*TARGETS, "all"], help="build with ziglang")
    arguments.add_argument("--output", type=Path, default=ROOT / "dist" / "engine")
    options = arguments.parse_args()
    try:
        if options.target is None:
            built = build_here(force=options.force)
            if built is not None:
                print(f"The native engine is built: {built.name}.")
            elif not options.quiet:
                print("The native engine is up to date.")
            return 0
        for target in TARGETS if options.target == "all" else [options.target]:
            zig = [sys.executable, "-m", "ziglang", "cc", "-target", TARGETS[target]]
            build(zig, target, options.output / library_name(target))
            size = (options.output / library_name(target)).stat().st_size
            print(f"{library_name(target)} {size / 1000:.0f} kB")
    except NoCompiler as reason:
        if not options.quiet:
            print(reason)
    except BuildFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
