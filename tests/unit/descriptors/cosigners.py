"""Sixteen cosigners on regtest, and multisig wallets of the first ones."""

from wallet_gui.descriptors.descriptor import Descriptor, MultisigType
from wallet_gui.descriptors.xpub import HARDENED, KeyOrigin
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import REGTEST

ROOTS = [ExtendedPrivateKey.from_seed(bytes([n]) * 32, REGTEST) for n in range(1, 17)]
PATH = (48 + HARDENED, 1 + HARDENED, HARDENED, 2 + HARDENED)
COSIGNERS = [(KeyOrigin(root.fingerprint, PATH), root.derive(PATH).neuter()) for root in ROOTS]


def wallet_of(kind: MultisigType, required: int, total: int) -> Descriptor:
    """A sortedmulti wallet of the first `total` cosigners."""
    return Descriptor.multisig(kind, REGTEST, required, COSIGNERS[:total])
