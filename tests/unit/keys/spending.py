"""Builds wallets and PSBTs for tests of policy and signing."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives import script
from wallet_gui.primitives.params import MAINNET, ChainParams
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

ALL_TYPES = tuple(DescriptorType)


@dataclass
class Wallet:
    """A root key with its four accounts."""

    root: ExtendedPrivateKey
    params: ChainParams
    descriptors: list[Descriptor] = field(init=False)

    def __post_init__(self) -> None:
        self.descriptors = list(account_descriptors(self.root, self.params).values())

    @classmethod
    def of(cls, number: int, params: ChainParams = MAINNET) -> "Wallet":
        return cls(ExtendedPrivateKey.from_seed(number.to_bytes(32, "big"), params), params)

    def descriptor(self, kind: DescriptorType) -> Descriptor:
        return self.descriptors[ALL_TYPES.index(kind)]


@dataclass
class Coin:
    """An output of `kind` that pays us, in a transaction of its own."""

    kind: DescriptorType
    value_sat: int
    keychain: int = 0
    index: int = 0


def previous_transaction(script_pubkey: bytes, value_sat: int, salt: int) -> Transaction:
    source = random.Random(salt)
    spent = TxIn(OutPoint(source.randbytes(32), 0), b"", 0xFFFFFFFF, (b"\x01" * 64,))
    other = TxOut(5_000, script.p2wpkh(source.randbytes(20)))
    return Transaction(2, (spent,), (other, TxOut(value_sat, script_pubkey)), 0)


def spend(
    wallet: Wallet,
    coins: Sequence[Coin],
    payments: Sequence[tuple[bytes, int]],
    change: Sequence[Coin] = (),
    *,
    lock_time: int = 0,
    sequence: int = 0xFFFFFFFD,
    hints: bool = True,
) -> Psbt:
    """Return the PSBT that pays `payments` (script, sat), then `change`, from `coins`."""
    derived = [wallet.descriptor(coin.kind).derive(coin.index, coin.keychain) for coin in coins]
    previous = [
        previous_transaction(key.script_pubkey, coin.value_sat, number)
        for number, (coin, key) in enumerate(zip(coins, derived, strict=True))
    ]
    returns = [wallet.descriptor(coin.kind).derive(coin.index, coin.keychain) for coin in change]
    outputs = [TxOut(amount, script_pubkey) for script_pubkey, amount in payments]
    outputs += [
        TxOut(coin.value_sat, key.script_pubkey) for coin, key in zip(change, returns, strict=True)
    ]
    inputs = tuple(TxIn(OutPoint(tx.txid, 1), b"", sequence) for tx in previous)
    psbt = Psbt.from_unsigned_tx(Transaction(2, inputs, tuple(outputs), lock_time))
    for psbt_input, coin, key, tx in zip(psbt.inputs, coins, derived, previous, strict=True):
        psbt_input.non_witness_utxo = tx
        if coin.kind is not DescriptorType.PKH:
            psbt_input.witness_utxo = tx.outputs[1]
        psbt_input.redeem_script = key.redeem_script
        if not hints:
            continue
        if key.tap_internal_key is None:
            psbt_input.bip32_derivations[key.public_key] = key.key_path
        else:
            psbt_input.tap_internal_key = key.tap_internal_key
            psbt_input.tap_bip32_derivations[key.tap_internal_key] = ((), key.key_path)
    if hints:
        for psbt_output, key in zip(psbt.outputs[len(payments) :], returns, strict=True):
            if key.tap_internal_key is None:
                psbt_output.bip32_derivations[key.public_key] = key.key_path
            else:
                psbt_output.tap_internal_key = key.tap_internal_key
                psbt_output.tap_bip32_derivations[key.tap_internal_key] = ((), key.key_path)
    return psbt
