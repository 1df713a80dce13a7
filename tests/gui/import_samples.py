"""Keys and exports of wallets that exist only in tests."""

from wallet_gui.app import imports
from wallet_gui.app.imports import ImportLook
from wallet_gui.descriptors.descriptor import DescriptorType, MultisigType
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.keys.accounts import account_descriptors, cosigner_key
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import REGTEST, ChainParams


def root(number: int, params: ChainParams = REGTEST) -> ExtendedPrivateKey:
    return ExtendedPrivateKey.from_seed(bytes([number]) * 32, params)


def descriptor(
    number: int = 1, params: ChainParams = REGTEST, kind: DescriptorType = DescriptorType.WPKH
) -> str:
    return str(account_descriptors(root(number, params), params, types=(kind,))[kind])


def account(number: int = 1, params: ChainParams = REGTEST) -> str:
    """All four kinds of addresses, and the keys for multisig, as an offline computer shows them."""
    lines = [str(item) for item in account_descriptors(root(number, params), params).values()]
    lines.append(f"wsh(cosigner({cosigner(number, params)}))")
    return "\n".join(lines)


def cosigner(
    number: int, params: ChainParams = REGTEST, kind: MultisigType = MultisigType.WSH
) -> KeyExpression:
    return cosigner_key(root(number, params), params, kind)


def xpub(number: int = 1, params: ChainParams = REGTEST) -> str:
    """An extended key that does not say what it is for."""
    return root(number, params).derive("m/84h/1h/0h").neuter().serialize()


def shared(params: ChainParams = REGTEST, required: int = 2, total: int = 3) -> ImportLook:
    keys = [cosigner(number, params) for number in range(1, total + 1)]
    return imports.together(MultisigType.WSH, params, required, keys)


WORDS = " ".join(["abandon"] * 11 + ["about"])
