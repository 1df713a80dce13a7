"""Being one of several cosigners: the agreed descriptor, looked at and checked."""

from typing import Final

from wallet_gui.descriptors.account_import import account_descriptor
from wallet_gui.descriptors.descriptor import Descriptor, MultisigType
from wallet_gui.keys.accounts import cosigner_key, own_keys
from wallet_gui.keys.imported import OutsideAccount, Root, describe
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.vault.errors import BadRequest

AGREE: Final = "Is this the wallet that all cosigners agreed on?"


def agreed_descriptor(text: str, params: ChainParams) -> Descriptor:
    """Read the descriptor of a multisig wallet that a new file is to be of. Raises BadRequest."""
    try:
        descriptor = account_descriptor(text, params)
    except ParseError as error:
        raise BadRequest(f"This is no multisig wallet that can be joined. {error}") from None
    if not descriptor.is_multisig:
        raise BadRequest("This descriptor is of one key; a multisig wallet has several.")
    if not descriptor.is_sorted:
        raise BadRequest(
            "The keys of this multisig stand in a fixed order (multi). New wallets sort them "
            "(sortedmulti), since a restored wallet would depend on the order; such a one can "
            "only be watched here."
        )
    return descriptor


def check_network(words: str, multisig: str) -> None:
    """Refuse to join with the words of another network's wallet. Raises BadRequest."""
    if words != multisig:
        raise BadRequest(f"The words are of a wallet for {words}, the multisig is for {multisig}.")


def check_ours(descriptor: Descriptor, root: Root) -> None:
    """Make sure that these words can sign for the wallet. Raises BadRequest."""
    if not own_keys(root, descriptor):
        raise BadRequest(
            "None of the keys in this multisig comes from this wallet's words, or one only "
            "pretends to. Compare the cosigners' keys; nothing was made."
        )


def cosigners_text(descriptor: Descriptor, root: Root) -> str:
    """Return what a person compares with the other cosigners before agreeing."""
    ours = set(own_keys(root, descriptor))
    total = len(descriptor.keys)
    lines = [
        f"Multisig wallet: {descriptor.required} of {total} signatures, {descriptor.type.name}",
        "",
    ]
    for number, key in enumerate(descriptor.keys, start=1):
        whose = "  (this wallet)" if key in ours else ""
        lines += [f"  Key {number}{whose}", f"    {key}"]
    lines += ["", f"  First address {descriptor.first_address}"]
    return "\n".join(lines)


def exported_key(root: Root, params: ChainParams, script_type: str, account: int) -> str:
    """Return [fingerprint/path]xpub for a multisig of that kind. Raises BadRequest."""
    known = {kind.name.lower(): kind for kind in MultisigType}
    if script_type not in known:
        raise BadRequest(f"Choose the kind of multisig from {', '.join(sorted(known))}.")
    try:
        return str(cosigner_key(root, params, known[script_type], account))
    except OutsideAccount:
        raise BadRequest(
            f"Only one key was imported into this wallet ({describe(root)}), and this kind of "
            "multisig needs another account. Use a wallet that was made from words, or import the "
            "master key."
        ) from None
    except ValueError:
        raise BadRequest("Account numbers go from 0 to 2147483647.") from None
