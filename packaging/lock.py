"""Writes the hash locks anew from pyproject.toml; needs uv.

Versions younger than a week are left alone: that is how long a poisoned release tends to live.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNTIME_LOCK = "requirements.lock"
TEST_LOCK = "packaging/requirements-test.lock"
BUILD_LOCK = "packaging/requirements-build.lock"
COMPILE = [
    *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-emit-index-url", "--no-header", "--exclude-newer", "1 week"),
]


def main() -> int:
    """Compile the locks; arguments (such as --upgrade) go to uv."""
    runtime = ["pyproject.toml", "--output-file", RUNTIME_LOCK]
    tests = [
        *("--group", "pyproject.toml:dev", "--constraint", RUNTIME_LOCK),
        *("--output-file", TEST_LOCK),
    ]
    # Built where the packages of the first are installed too, so it may not contradict them.
    build = [
        *("--group", "pyproject.toml:build", "--constraint", RUNTIME_LOCK),
        *("--output-file", BUILD_LOCK),
    ]
    for files in (runtime, tests, build):
        subprocess.run([*COMPILE, *files, *sys.argv[1:]], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
