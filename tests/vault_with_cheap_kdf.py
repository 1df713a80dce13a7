"""The real vault with the cheapest password check that the program still reads.

For tests that start processes: `VaultClient(command=CHEAP_VAULT)`. It takes a fifth of a second
instead of seconds; everything else is the product's own entry. With KNOWN_WORDS_VAULT new wallets
get KNOWN_WORDS (of twelve), so that a test which only sees the window can type them back. Nothing
in the product's arguments or environment can do either, which is why it is a script of its own.
"""

import hashlib
import sys
from pathlib import Path
from typing import Final

from wallet_gui.sealing import FLOOR
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.process import main

CHEAP_VAULT: Final = (sys.executable, str(Path(__file__).resolve()))
"""The command for `VaultClient(command=...)`; files that it writes open in the real program."""

KNOWN_WORDS_VAULT: Final = (*CHEAP_VAULT, "--known-words")
KNOWN_WORDS: Final = (
    "tone require rotate always globe predict push health spare offer service knock"
)


class KnownEntropy:
    """Gives the same bytes in each process, and others at each call."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, size: int) -> bytes:
        self._calls += 1
        return hashlib.shake_256(b"known words %d" % self._calls).digest(size)


def run(arguments: list[str]) -> int:
    cost = PasswordCost(preferred=FLOOR, fallback=FLOOR)
    if arguments[:1] == ["--known-words"]:
        return main(arguments[1:], cost, KnownEntropy())
    return main(arguments, cost)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
