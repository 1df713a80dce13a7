"""Fuzzes the native engine under AddressSanitizer and UndefinedBehaviorSanitizer.

    python -m tests.fuzz.fuzz_engine --minutes 30 [--seed 1]

Runs rounds with ascending seeds until the time is over, and prints what each came to. The test
suite runs one short round.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from tests.fuzz import corpus
from tests.unit.chain.engines import build_script

FOLDER = Path(__file__).parent
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
# Take long to compile, and are the same source as one that is looked at closely.
SLOW = {"sha256_lanes_v3", "sha256_lanes_v4"}
WRAPPED = ["-Wl,--wrap=malloc", "-Wl,--wrap=calloc"]


class NoSanitizers(Exception):
    """The compiler cannot make such a program here; the text says why."""


class Crashed(Exception):
    """The engine did something it must not; the text is what the sanitizers said."""


def build(folder: Path) -> Path:
    """Compile the harness with all of the engine; raise NoSanitizers."""
    script = build_script()
    compiler = script.find_compiler()
    if compiler is None:
        raise NoSanitizers("There is no C compiler.")
    _check_sanitizers(compiler, folder)
    program = folder / "harness"
    objects = _compile(script, compiler, folder)
    source = str(FOLDER / "harness.c")
    subprocess.run(
        [*compiler, *_flags(script), source, *objects, *WRAPPED, "-o", str(program)], check=True
    )
    return program


def _flags(script: ModuleType) -> list[str]:
    return ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", *SANITIZERS, script.source_flag()]


def _compile(script: ModuleType, compiler: list[str], folder: Path) -> list[str]:
    commands, objects = [], []
    for source, made, options in script.jobs(script.this_target().split("-", 1)[1]):
        if source == "block":
            continue  # the harness includes it
        output = str(folder / f"{made}.o")
        path = str(script.SOURCES / f"{source}.c")
        flags = _flags(script)
        if made in SLOW:
            flags.append("-fno-sanitize=undefined")
        commands.append([*compiler, *flags, *options, "-c", path, "-o", output])
        objects.append(output)
    script.all_at_once(commands)
    return objects


def _check_sanitizers(compiler: list[str], folder: Path) -> None:
    source = folder / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    program = str(folder / "empty")
    command = [*compiler, *SANITIZERS, *WRAPPED, str(source), "-o", program]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0 or subprocess.run([program], check=False).returncode != 0:
        raise NoSanitizers(f"The compiler's sanitizers do not work here. {made.stderr.strip()}")


def run(program: Path, seeds: Path, iterations: int, seed: int) -> str:
    """Run one round and return what it came to; raise Crashed."""
    settings = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run(
        [str(program), str(seeds), str(iterations), str(seed)],
        capture_output=True,
        text=True,
        env=settings,
        check=False,
    )
    if done.returncode != 0:
        raise Crashed(f"seed {seed}, {iterations} iterations\n{done.stderr}")
    return done.stdout.strip()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--iterations", type=int, default=30_000, help="of each round")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        program = build(folder)
        seeds = folder / "corpus"
        seeds.write_bytes(corpus.serialized())
        end = time.monotonic() + options.minutes * 60
        seed = options.seed
        while time.monotonic() < end:
            print(f"seed {seed}: {run(program, seeds, options.iterations, seed)}", flush=True)
            seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
