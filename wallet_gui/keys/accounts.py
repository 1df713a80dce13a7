"""From a root key to the accounts of a wallet (BIP44, 45, 48, 49, 84, 86)."""

from collections.abc import Iterable
from typing import Final

from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.descriptors.xpub import HARDENED, KeyOrigin
from wallet_gui.keys.imported import AccountKey, OutsideAccount, Root
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import ChainParams

PURPOSE: Final = {
    DescriptorType.PKH: 44,
    DescriptorType.SH_WPKH: 49,
    DescriptorType.WPKH: 84,
    DescriptorType.TR: 86,
}

COSIGNER_PURPOSE: Final = 48
COSIGNER_SCRIPT: Final = {MultisigType.SH_WSH: 1, MultisigType.WSH: 2}
"""The last step of a cosigner's path 48h/coin'/account'/SCRIPT' (BIP48)."""

BIP45_PURPOSE: Final = 45


def cosigner_path(kind: MultisigType, params: ChainParams, account: int = 0) -> tuple[int, ...]:
    """Return the path of a cosigner's account key (BIP48; BIP45 for P2SH, which has no accounts).

    ValueError for an account out of 0..2^31-1.
    """
    if not 0 <= account < HARDENED:
        raise ValueError("account numbers go from 0 to 2147483647")
    if kind is MultisigType.SH:
        return (BIP45_PURPOSE + HARDENED,)
    steps = (COSIGNER_PURPOSE, params.coin_type, account, COSIGNER_SCRIPT[kind])
    return tuple(step + HARDENED for step in steps)


def cosigner_key(
    root: Root, params: ChainParams, kind: MultisigType, account: int = 0
) -> KeyExpression:
    """Return what the other cosigners need to know: [fingerprint/path]xpub.

    `root` must be of the network `params`, ValueError otherwise. Raises OutsideAccount when it is
    the key of another account.
    """
    _check_root(root, params)
    path = cosigner_path(kind, params, account)
    return KeyExpression(KeyOrigin(root.fingerprint, path), root.derive(path).neuter())


def own_keys(root: Root, descriptor: Descriptor) -> tuple[KeyExpression, ...]:
    """Return the keys of a descriptor that come from `root`.

    None at all when one of them claims our fingerprint and is another key, or one that the account
    key in the place of a master key cannot make.
    """
    fingerprint = root.fingerprint
    claimed = [key for key in descriptor.keys if key.fingerprint == fingerprint]
    for expression in claimed:
        key, origin = expression.key, expression.origin
        if isinstance(key, bytes) or origin is None:
            return ()
        try:
            ours = root.derive(origin.path)
        except OutsideAccount:
            return ()
        if (ours.public_key, ours.chain_code) != (key.public_key, key.chain_code):
            return ()
    return tuple(claimed)


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
    _check_root(root, params)
    descriptors = {}
    for kind in types:
        path = account_path(kind, params, account)
        origin = KeyOrigin(root.fingerprint, path)
        xpub = root.derive(path).neuter()
        descriptors[kind] = Descriptor.account(kind, params, origin, xpub)
    return descriptors


def _check_root(root: Root, params: ChainParams) -> None:
    if not isinstance(root, AccountKey) and root.depth != 0:
        raise ValueError("accounts are derived from a master key")
    if root.version != params.xprv_version:
        raise ValueError("the master key is for another network")
