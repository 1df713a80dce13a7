"""Attack PSBTs for the vault, of B1 to B12 of the catalogue, each with the sentence it gets."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.unit.keys.spending import ALL_TYPES, Coin, Wallet, previous_transaction, spend
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.descriptors.xpub import HARDENED
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.transaction import OutPoint, TxIn, TxOut

PKH, SH_WPKH, WPKH, TR = ALL_TYPES
WALLET = Wallet.of(1)
PAYEE = script.p2wpkh(b"\x07" * 20)
THIEF = script.p2wpkh(b"\x66" * 20)


def honest(*kinds: DescriptorType) -> Psbt:
    """Two coins of 100,000 and 50,000 sat; 100,000 paid, 49,000 back, 1,000 of fee."""
    first, second = (*kinds, *kinds)[:2] if kinds else (WPKH, WPKH)
    coins = [Coin(first, 100_000, 0, 3), Coin(second, 50_000, 1, 2)]
    return spend(WALLET, coins, [(PAYEE, 100_000)], [Coin(first, 49_000, 1, 4)])


def changed(psbt: Psbt, **fields: object) -> Psbt:
    psbt.tx = dataclasses.replace(psbt.tx, **fields)  # type: ignore[arg-type]
    return psbt


def output_to(psbt: Psbt, number: int, tx_output: TxOut) -> Psbt:
    outputs = list(psbt.tx.outputs)
    outputs[number] = tx_output
    return changed(psbt, outputs=tuple(outputs))


@dataclass(frozen=True)
class Attack:
    """What an attacker hands to the one who signs, and the sentence that answers it."""

    name: str
    make: Callable[[], Psbt]
    sentence: str


def attacks() -> Iterator[Attack]:
    yield from hidden_fees()
    yield from lies_about_coins()
    yield from open_signatures()
    yield from foreign_things()
    yield from impossible_transactions()


def hidden_fees() -> Iterator[Attack]:
    for kind in (WPKH, SH_WPKH):

        def without_proof(kind: DescriptorType = kind) -> Psbt:
            # CVE-2020-14199: the amounts of two coins are swapped over two rounds of signing.
            psbt = honest(kind)
            for index, psbt_input in enumerate(psbt.inputs):
                psbt_input.witness_utxo = TxOut(50_000, psbt.utxo(index).script_pubkey)
                psbt_input.non_witness_utxo = None
            return psbt

        yield Attack(
            f"B1 {kind.name} amounts without proof",
            without_proof,
            "Input 1 comes without its previous transaction, so its amount could be a lie that "
            "hides a huge fee. Export the transaction again, with previous transactions included.",
        )

    def one_of_two() -> Psbt:
        psbt = honest()
        psbt.inputs[1].non_witness_utxo = None
        return psbt

    yield Attack("B1 one of two", one_of_two, "Input 2 comes without its previous transaction")

    def taproot_beside_older() -> Psbt:
        psbt = honest(TR, WPKH)
        psbt.inputs[0].non_witness_utxo = None
        return psbt

    yield Attack(
        "B1 taproot beside an older kind",
        taproot_beside_older,
        "Input 1 comes without its previous transaction",
    )


def lies_about_coins() -> Iterator[Attack]:
    def lying_witness_utxo() -> Psbt:
        psbt = honest()
        psbt.inputs[0].witness_utxo = TxOut(90_000, psbt.utxo(0).script_pubkey)
        return psbt

    yield Attack(
        "B2 two statements about a coin",
        lying_witness_utxo,
        "What input 1 spends is missing or contradicts itself",
    )

    def other_script() -> Psbt:
        psbt = honest()
        psbt.inputs[1].witness_utxo = TxOut(50_000, THIEF)
        return psbt

    yield Attack("B2 two scripts of a coin", other_script, "What input 2 spends is missing or con")

    def other_transaction() -> Psbt:
        psbt = honest()
        psbt.inputs[0].non_witness_utxo = previous_transaction(
            psbt.utxo(0).script_pubkey, 10**8, 77
        )
        return psbt

    yield Attack(
        "B3 another previous transaction",
        other_transaction,
        "Input 0 of the PSBT spends another transaction than the one that comes with it.",
    )

    def no_such_output() -> Psbt:
        psbt = honest()
        first, second = psbt.tx.inputs
        prevout = OutPoint(first.prevout.txid, 9)
        return changed(psbt, inputs=(dataclasses.replace(first, prevout=prevout), second))

    yield Attack(
        "B3 an output that is not there",
        no_such_output,
        "Input 0 of the PSBT spends an output that its transaction does not have.",
    )

    def impossible_amount() -> Psbt:
        psbt = honest(TR)
        for psbt_input in psbt.inputs:
            psbt_input.non_witness_utxo = None
        psbt.inputs[0].witness_utxo = TxOut(MAX_MONEY + 1, psbt.utxo(0).script_pubkey)
        return psbt

    yield Attack("B6 a coin above 21 million", impossible_amount, "What input 1 spends is missing")


def open_signatures() -> Iterator[Attack]:
    for hash_type in (0x02, 0x03, 0x81, 0x82, 0x83, 0x00000101, 0xFFFFFFFF):
        for kind in (PKH, WPKH, TR):

            def asks(hash_type: int = hash_type, kind: DescriptorType = kind) -> Psbt:
                psbt = honest(kind)
                psbt.inputs[1].sighash_type = hash_type
                return psbt

            yield Attack(
                f"B4 {kind.name} asked to sign {hash_type:#x}",
                asks,
                "Input 2 asks for a signature that would let others change the transaction (its "
                "hash type is not ALL).",
            )

    def single_without_output() -> Psbt:
        # SINGLE beyond the last output signs the number one: a blank cheque.
        coins = [Coin(PKH, 100_000, 0, index) for index in range(3)]
        psbt = spend(WALLET, coins, [(PAYEE, 299_000)])
        psbt.inputs[2].sighash_type = sighash.SINGLE
        return psbt

    yield Attack("B4 SINGLE without an output", single_without_output, "Input 3 asks for a signat")

    def already_signed() -> Psbt:
        psbt = honest()
        key = next(iter(psbt.inputs[0].bip32_derivations))
        psbt.inputs[0].partial_sigs[key] = bytes.fromhex("3006020101020101") + b"\x82"
        return psbt

    yield Attack("B4 signed by another type", already_signed, "Input 1 asks for a signature that")


def foreign_things() -> Iterator[Attack]:
    def claimed_input() -> Psbt:
        psbt = honest()
        tx = previous_transaction(THIEF, 100_000, 99)
        psbt.inputs[0].non_witness_utxo, psbt.inputs[0].witness_utxo = tx, tx.outputs[1]
        second = psbt.tx.inputs[1]
        return changed(psbt, inputs=(TxIn(OutPoint(tx.txid, 1), b"", 0xFFFFFFFD), second))

    yield Attack(
        "B5 a coin that claims to be ours",
        claimed_input,
        "Input 1 claims to be this wallet's, but its script does not come from the wallet's keys.",
    )

    def joined() -> Psbt:
        # As a payjoin proposal looks (B10): a coin of the receiver's beside ours.
        psbt = claimed_input()
        psbt.inputs[0].bip32_derivations.clear()
        return psbt

    yield Attack(
        "B10 a payjoin proposal",
        joined,
        "The transaction also spends coins of somebody else, as input 1. Transactions with other "
        "people's coins are not signed.",
    )

    def ransom_script() -> Psbt:
        psbt = honest(SH_WPKH)
        psbt.inputs[0].redeem_script = script.p2wpkh(b"\x66" * 20)
        return psbt

    yield Attack("B5 another redeem script", ransom_script, "Input 1 comes with a script that is")

    def other_coin() -> Psbt:
        psbt = honest()
        ((key, path),) = psbt.inputs[0].bip32_derivations.items()
        steps = (path.path[0], 1 + HARDENED, *path.path[2:])
        psbt.inputs[0].bip32_derivations[key] = KeyPath(path.fingerprint, steps)
        return psbt

    yield Attack(
        "B12 made for test coins",
        other_coin,
        "This transaction was made for another network than mainnet.",
    )


def impossible_transactions() -> Iterator[Attack]:
    def same_coin_twice() -> Psbt:
        psbt = honest()
        psbt.inputs[1] = psbt.inputs[0]
        return changed(psbt, inputs=(psbt.tx.inputs[0], psbt.tx.inputs[0]))

    yield Attack(
        "B6 CVE-2018-17144", same_coin_twice, "The transaction spends the same coin twice."
    )
    amounts = {
        "CVE-2010-5139": (MAX_MONEY, MAX_MONEY),
        "overflow of 64 bits": (2**63 - 1, 2**63 - 1),
        "negative": (-1, 1),
        "most negative": (-(2**63), 0),
        "above 21 million": (MAX_MONEY + 1, 0),
    }
    for name, pair in amounts.items():

        def impossible(pair: tuple[int, int] = pair) -> Psbt:
            return changed(honest(), outputs=tuple(TxOut(amount, PAYEE) for amount in pair))

        yield Attack(
            f"B6 {name}",
            impossible,
            "The transaction pays out more than the 21 million BTC that exist.",
        )

    def from_nothing() -> Psbt:
        return output_to(honest(), 0, TxOut(150_000, PAYEE))

    yield Attack(
        "B6 more out than in", from_nothing, "The transaction pays out more than it spends"
    )

    def without_outputs() -> Psbt:
        psbt = honest()
        psbt.outputs.clear()
        return changed(psbt, outputs=())

    yield Attack("B6 zero outputs", without_outputs, "The transaction has no inputs or no outputs.")

    def all_to_the_miner() -> Psbt:
        return output_to(honest(), 1, TxOut(1, PAYEE))

    yield Attack("B6 all to the miner", all_to_the_miner, "is more than 25 % of the amount")


ATTACKS = list(attacks())
