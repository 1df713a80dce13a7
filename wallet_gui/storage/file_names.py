"""The endings of the files of a wallet."""

from typing import Final

WALLET_SUFFIX: Final = ".wallet"
CACHE_SUFFIX: Final = ".cache"
GENERATIONS: Final = (".1", ".2", ".3")
"""Earlier copies of a wallet file, the newest first."""
