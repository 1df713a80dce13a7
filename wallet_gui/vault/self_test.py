"""What the vault of an installed program proves when it is asked: its arithmetic and its dice."""

import secrets
from typing import Final

from wallet_gui.keys import vectors as key_vectors
from wallet_gui.keys.seed import new_entropy
from wallet_gui.transfer.messages import SelfTested
from wallet_gui.vault.creation import Entropy
from wallet_gui.wallet import vectors as public_vectors
from wallet_gui.wallet.vectors import disagreement

_DRAWS: Final = 256


def answer(entropy: Entropy) -> SelfTested:
    """Run the official vectors of everything that this process does with keys.

    `entropy` is what new wallets of this process are made of; it must be the system's generator
    and nothing in between (a wallet that took another one lost its owners' money, security.md A1).
    Raises BrokenRandomSource when it gives constant or repeated bytes.
    """
    vectors = {**public_vectors.VECTORS, **key_vectors.VECTORS}
    wrong = disagreement(vectors)
    if wrong:
        return SelfTested((), f"This build computes {wrong} wrongly. Do not use it.")
    if entropy is not secrets.token_bytes:
        return SelfTested((), "New wallets would not be made of the system's random numbers.")
    new_entropy(256, entropy)
    if len({entropy(16) for _ in range(_DRAWS)}) != _DRAWS:
        return SelfTested((), "The system's random numbers repeat themselves. Make no wallet here.")
    return SelfTested((*vectors, "random numbers of the system"))
