"""The options of `create` and `restore`."""

import argparse
from collections.abc import Callable
from typing import Final

LANGUAGES: Final = (
    "english",
    "spanish",
    "french",
    "italian",
    "portuguese",
    "czech",
    "turkish",
    "russian",
    "japanese",
    "korean",
    "chinese_simplified",
    "chinese_traditional",
)
"""The word lists of BIP39 that the vault has; its own list is behind the wall between the two."""


def add_create_options(parser: argparse.ArgumentParser, date: Callable[[str], int]) -> None:
    """Add what `create` takes; `date` reads a day as a Unix time."""
    _add_both(parser, date)
    parser.add_argument(
        "--words", type=int, choices=(12, 15, 18, 21, 24), default=12, help="default: 12"
    )
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        default="english",
        metavar="LANGUAGE",
        help=f"language of the words, default english; others: {', '.join(LANGUAGES[1:])}",
    )
    parser.add_argument(
        "--words-file",
        metavar="FILE",
        help="the vault writes the words into this new file instead of showing them",
    )
    parser.add_argument(
        "--dice",
        action="store_true",
        help="the vault asks for rolls of a die and mixes them into the random numbers",
    )
    parser.add_argument(
        "--dice-file", metavar="FILE", help='the vault reads the rolls here; "-" is stdin'
    )


def add_restore_options(parser: argparse.ArgumentParser, date: Callable[[str], int]) -> None:
    """Add what `restore` takes."""
    _add_both(parser, date)
    parser.add_argument(
        "--words-file", metavar="FILE", help='the vault reads the words here; "-" is stdin'
    )
    parser.add_argument(
        "--xprv",
        action="store_true",
        help="the vault asks for an extended private key (or descriptors with one) instead of "
        "words; --words-file names its file",
    )
    parser.add_argument(
        "--descriptor",
        metavar="FILE",
        help="the descriptor or file of the multisig of which the words are one cosigner's",
    )
    parser.add_argument(
        "--yes", action="store_true", help="do not ask whether the cosigners are right"
    )


def _add_both(parser: argparse.ArgumentParser, date: Callable[[str], int]) -> None:
    parser.add_argument(
        "--type",
        choices=("wpkh", "tr", "sh_wpkh", "pkh"),
        default="wpkh",
        help="kind of addresses: native SegWit, Taproot, wrapped SegWit, legacy",
    )
    parser.add_argument("--passphrase", action="store_true", help="the vault asks for a 25th word")
    parser.add_argument(
        "--birthday",
        type=date,
        metavar="DATE",
        help="nothing was paid to these words before this day, such as 2024-12-31",
    )
