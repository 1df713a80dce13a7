"""The grammar of the verify command, apart from what it does: it is read to explain a command."""

import argparse
from collections.abc import Callable
from pathlib import Path


def add_parser(
    add: Callable[[str, str], argparse.ArgumentParser], count: Callable[[str], int]
) -> None:
    """Add the grammar of the command; `count` reads a whole number."""
    parser = add("verify", "check a downloaded release of this program against its signature")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="what was downloaded")
    parser.add_argument(
        "--sums",
        type=Path,
        metavar="SHA256SUMS",
        help="the release's list of hashes, its signatures beside it; default: SHA256SUMS beside "
        "the file",
    )
    parser.add_argument(
        "--at-least",
        type=count,
        default=1,
        metavar="N",
        help="ask for the signatures of so many different keys; default: 1",
    )
    parser.add_argument(
        "--signed-by",
        action="append",
        default=[],
        metavar="KEY",
        help="believe this public key of minisign too (its file, or the line RW...), besides those "
        "that are built in; worth as much as the place that it is from",
    )
