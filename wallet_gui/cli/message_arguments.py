"""The grammar of the message command, apart from what it does: it is read to explain a command."""

import argparse
from collections.abc import Callable
from typing import Final

FORMATS: Final = ("legacy", "simple", "full")
"""Values of wallet.messages.MessageFormat."""


def add_parser(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the grammar of the command."""
    parser = add("message", "sign a message with an address of yours, or verify one of anybody")
    parser.add_argument("action", metavar="ACTION", choices=("sign", "verify"), help="sign, verify")
    parser.add_argument("address", metavar="ADDRESS", help="the address that signs or has signed")
    parser.add_argument("text", nargs="?", metavar="MESSAGE", help="the message; or use --file")
    parser.add_argument(
        "--file", metavar="FILE", help='read the message from a file, as it is; "-" is stdin'
    )
    parser.add_argument("--signature", default="", help="verify: the signature (base64)")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="sign: legacy (BIP137), simple or full (BIP322); default: what the address uses",
    )
    parser.add_argument(
        "--partial",
        default="",
        metavar="PSBT",
        help="sign: what other cosigners of the multisig returned for the same message",
    )
    parser.add_argument("--yes", action="store_true", help="sign: do not ask before signing")
