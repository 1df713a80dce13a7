"""The updater: adds to a PSBT what the wallet knows of its own coins and addresses (BIP174)."""

from collections.abc import Iterable

from wallet_gui.descriptors.descriptor import DerivedKey, Descriptor
from wallet_gui.primitives import base58
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput, PsbtOutput
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import TxOut
from wallet_gui.wallet.errors import WalletError
from wallet_gui.wallet.wallet import Wallet


def update(wallet: Wallet, psbt: Psbt) -> Psbt:
    """Return a copy with previous transactions, scripts and key paths of what is the wallet's.

    Nothing in it is replaced: raises WalletError where it says something else than the wallet
    knows, so that a lie about a coin shows here.
    """
    known = Psbt.from_unsigned_tx(psbt.tx)
    describe(wallet, known)
    finished = [psbt_input.is_final for psbt_input in psbt.inputs]
    for index, is_final in enumerate(finished):
        if is_final:
            # BIP174 keeps of a final input only what it spends.
            known.inputs[index] = known.inputs[index].without_signing_data()
    try:
        updated = psbt.combine(known)
        for index in range(len(updated.inputs)):
            if updated.inputs[index].has_utxo:
                updated.utxo(index)
    except ParseError as error:
        raise WalletError(
            f"This PSBT says something else about the wallet's coins than is known. {error}"
        ) from error
    # Combining takes version 0 to state every sequence number; an updater states none.
    for updated_input, psbt_input in zip(updated.inputs, psbt.inputs, strict=True):
        updated_input.states_sequence = psbt_input.states_sequence
    updated.modifiable = psbt.modifiable
    return updated


def describe(wallet: Wallet, psbt: Psbt) -> None:
    """Say of each own input and output where it comes from; others are left as they are."""
    descriptors = []
    for psbt_input, tx_input in zip(psbt.inputs, psbt.tx.inputs, strict=True):
        coin = wallet.owned_output(tx_input.prevout)
        if coin is None:
            continue
        descriptor = wallet.descriptors[coin.place.descriptor_index]
        descriptors.append(descriptor)
        # In full for taproot too: any signer can then check every amount (CVE-2020-14199).
        psbt_input.non_witness_utxo = wallet.transaction(coin.outpoint.txid)
        if descriptor.has_witness:
            psbt_input.witness_utxo = TxOut(coin.value_sat, coin.script_pubkey)
        _describe(psbt_input, descriptor.derive(coin.place.index, coin.place.keychain))
    for psbt_output, tx_output in zip(psbt.outputs, psbt.tx.outputs, strict=True):
        place = wallet.place_of(tx_output.script_pubkey)
        if place is not None:
            descriptor = wallet.descriptors[place.descriptor_index]
            _describe(psbt_output, descriptor.derive(place.index, place.keychain))
    _name_cosigners(psbt, descriptors)


def _describe(part: PsbtInput | PsbtOutput, key: DerivedKey) -> None:
    """Add scripts and the paths of all keys, so that every cosigner recognises its own."""
    part.redeem_script = key.redeem_script
    part.witness_script = key.witness_script
    if key.tap_internal_key is not None:
        part.tap_internal_key = key.tap_internal_key
        part.tap_bip32_derivations[key.tap_internal_key] = ((), key.key_path)
        return
    part.bip32_derivations.update(key.keys)


def _name_cosigners(psbt: Psbt, descriptors: Iterable[Descriptor]) -> None:
    """Add the extended keys of multisig: devices check by them who the cosigners are (BIP174)."""
    for descriptor in descriptors:
        if not descriptor.is_multisig:
            continue
        for expression in descriptor.keys:
            key, origin = expression.key, expression.origin
            # A path of another length than the key's depth would be malformed.
            if isinstance(key, bytes) or origin is None or len(origin.path) != key.depth:
                continue
            raw = base58.decode_check(key.serialize())
            psbt.xpubs[raw] = KeyPath(origin.fingerprint, origin.path)
