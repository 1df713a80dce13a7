"""Restoring a wallet from an extended private key: what is read, and what a person compares."""

from typing import Final

from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.keys.accounts import account_descriptors, own_keys
from wallet_gui.keys.imported import AccountKey, ImportedKeys, account_of, describe
from wallet_gui.primitives.params import ChainParams, by_name
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import RestoreWallet
from wallet_gui.vault.errors import BadRequest

_KIND_NAMES: Final = {
    DescriptorType.PKH: "Legacy (pkh)",
    DescriptorType.SH_WPKH: "Wrapped SegWit (sh_wpkh)",
    DescriptorType.WPKH: "Native SegWit (wpkh)",
    DescriptorType.TR: "Taproot (tr)",
}
WHAT: Final = "The extended private key"


def read_keys(text: str, request: RestoreWallet) -> ImportedKeys:
    """Read what was pasted, for the network of the request. Raises BadRequest."""
    params = by_name(request.network)
    try:
        keys = ImportedKeys.parse(text, params)
    except ParseError as error:
        raise BadRequest(str(error)) from None
    if not request.descriptor:
        wallet_descriptors(keys, params, request.script_types, request.account)
    return keys


def wallet_descriptors(
    keys: ImportedKeys, params: ChainParams, script_types: tuple[str, ...], account: int
) -> tuple[Descriptor, ...]:
    """Return the descriptors of the wallet that the keys are of. Raises BadRequest.

    What came with the key decides: descriptors, then the script type that its form or path stands
    for; a master key has every type, and `script_types` and `account` choose.
    """
    root = keys.root
    if keys.descriptors:
        if not all(own_keys(root, descriptor) for descriptor in keys.descriptors):
            raise BadRequest("These descriptors do not come from the private key in them.")
        if not all(descriptor.is_account for descriptor in keys.descriptors):
            raise BadRequest("These descriptors do not tell receive addresses from change.")
        return keys.descriptors
    if isinstance(keys.kind, MultisigType):
        raise BadRequest(
            "This is one cosigner's key of a multisig wallet. Paste the wallet's descriptor with "
            "the private key in it, or restore it with the multisig's descriptor."
        )
    kinds = tuple(DescriptorType[name.upper()] for name in script_types)
    if isinstance(keys.kind, DescriptorType):
        kinds = (keys.kind,)
    if isinstance(root, AccountKey):
        return account_of(root, kinds, params)
    derived = account_descriptors(root, params, account, kinds)
    return tuple(derived[kind] for kind in kinds)


def kind_name(descriptor: Descriptor) -> str:
    """Return what people call the kind of a descriptor's addresses."""
    kind = descriptor.type
    if isinstance(kind, MultisigType):
        return f"Multisig, {descriptor.required} of {len(descriptor.keys)} ({kind.name.lower()})"
    return _KIND_NAMES[kind]


def summary(keys: ImportedKeys, descriptors: tuple[Descriptor, ...]) -> str:
    """Return what a person compares with the program that the key comes from; nothing secret."""
    lines = [describe(keys.root)]
    for descriptor in descriptors:
        lines += ["", f"  {kind_name(descriptor)}", f"  First address {descriptor.first_address}"]
    return "\n".join([*lines, *(f"\n{notice}" for notice in keys.notices)])
