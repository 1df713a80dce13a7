"""Prints the Debian packages that building all packages takes, as packaging/run.py lists them."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


# The compiler of the loader, and pip, which brings the packages of Windows.
BESIDES = ("python3-venv", "python3-pip", "gcc", "libc6-dev", "zlib1g-dev")


def main() -> None:
    """Print the names on one line."""
    programs = runpy.run_path(str(ROOT / "packaging" / "run.py"))["PACKAGE_PROGRAMS"]
    print(*sorted({*programs.values(), *BESIDES}))


if __name__ == "__main__":
    main()
