"""Prints the Debian packages that building all packages takes, as packaging/run.py lists them."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Print the names on one line."""
    programs = runpy.run_path(str(ROOT / "packaging" / "run.py"))["PACKAGE_PROGRAMS"]
    print(*sorted({*programs.values(), "python3-venv", "gcc", "libc6-dev", "zlib1g-dev"}))


if __name__ == "__main__":
    main()
