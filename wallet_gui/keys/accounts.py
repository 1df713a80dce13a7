"""From a root key to the accounts of a wallet (BIP44, 49, 84, 86)."""

from collections.abc import Iterable
from typing import Final

from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.descriptors.xpub import HARDENED, KeyOrigin
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import ChainParams

PURPOSE: Final = {
    DescriptorType.PKH: 44,
    DescriptorType.SH_WPKH: 49,
    DescriptorType.WPKH: 84,
    DescriptorType.TR: 86,
}


def account_path(kind: DescriptorType, params: ChainParams, account: int = 0) -> tuple[int, ...]:
    """Return purpose'/coin'/account' as steps. ValueError for an account out of 0..2^31-1."""
    if not 0 <= account < HARDENED:
        raise ValueError("account numbers go from 0 to 2147483647")
    return (PURPOSE[kind] + HARDENED, params.coin_type + HARDENED, account + HARDENED)


def account_descriptors(
    root: ExtendedPrivateKey,
    params: ChainParams,
    account: int = 0,
    types: Iterable[DescriptorType] = tuple(DescriptorType),
) -> dict[DescriptorType, Descriptor]:
    """Return the public descriptors KIND([fingerprint/path]xpub/<0;1>/*) of one account.

    `root` must be the master key, of the network `params`; ValueError otherwise.
    """
    if root.depth != 0:
        raise ValueError("accounts are derived from a master key")
    if root.version != params.xprv_version:
        raise ValueError("the master key is for another network")
    descriptors = {}
    for kind in types:
        path = account_path(kind, params, account)
        origin = KeyOrigin(root.fingerprint, path)
        xpub = root.derive(path).neuter()
        descriptors[kind] = Descriptor.account(kind, params, origin, xpub)
    return descriptors
