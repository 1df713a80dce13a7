"""The twelve rules of signing, each with what it refuses."""

import dataclasses
from collections.abc import Callable

import pytest

from tests.unit.keys.spending import ALL_TYPES, Coin, Wallet, previous_transaction, spend
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.descriptors.xpub import HARDENED
from wallet_gui.keys.errors import PolicyRefused
from wallet_gui.keys.ownership import SEARCHED
from wallet_gui.keys.policy import Limits, OutputKind, assess, check, digest
from wallet_gui.primitives import script
from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.params import MAINNET, REGTEST, SIGNET, TESTNET4
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

PKH, SH_WPKH, WPKH, TR = ALL_TYPES
WALLET = Wallet.of(1)
STRANGER = script.p2wpkh(b"\x07" * 20)
DER = bytes.fromhex("3006020101020101")


def ordinary(kind: DescriptorType = WPKH) -> Psbt:
    """Two coins of 100,000 and 50,000 sat; 100,000 paid, 49,000 back, 1,000 of fee."""
    coins = [Coin(kind, 100_000, 0, 3), Coin(kind, 50_000, 1, 2)]
    return spend(WALLET, coins, [(STRANGER, 100_000)], [Coin(kind, 49_000, 1, 4)])


def with_transaction(psbt: Psbt, **changes: object) -> Psbt:
    psbt.tx = dataclasses.replace(psbt.tx, **changes)  # type: ignore[arg-type]
    return psbt


def refused(psbt: Psbt, sentence: str, limits: Limits | None = None) -> None:
    with pytest.raises(PolicyRefused, match=sentence):
        check(psbt, WALLET.descriptors, MAINNET, limits)


@pytest.mark.parametrize("kind", ALL_TYPES)
@pytest.mark.parametrize("hints", [True, False])
def test_an_ordinary_payment_passes(kind: DescriptorType, hints: bool) -> None:  # noqa: FBT001
    coins = [Coin(kind, 100_000, 0, 3), Coin(kind, 50_000, 1, 2)]
    psbt = spend(WALLET, coins, [(STRANGER, 100_000)], [Coin(kind, 49_000, 1, 4)], hints=hints)
    result = assess(psbt, WALLET.descriptors, MAINNET)
    assert result.fee_sat == 1_000
    assert result.payments_sat == 100_000
    assert result.outputs == (OutputKind.PAYMENT, OutputKind.CHANGE)
    assert [own and (own.keychain, own.index) for own in result.inputs] == [(0, 3), (1, 2)]
    assert [output.value_sat for output in result.spent] == [100_000, 50_000]
    assert result.warnings == ()


# 1 The spent script is derived from our descriptors.


def test_1_a_script_that_is_not_ours_is_never_ours_by_claim() -> None:
    psbt = ordinary()
    tx = previous_transaction(STRANGER, 100_000, 99)
    psbt.inputs[0].non_witness_utxo = tx
    psbt.inputs[0].witness_utxo = tx.outputs[1]
    inputs = (TxIn(OutPoint(tx.txid, 1), b"", 0xFFFFFFFD), psbt.tx.inputs[1])
    refused(with_transaction(psbt, inputs=inputs), "Input 1 claims to be this wallet's")


def test_1_coins_of_others_are_refused_unless_allowed() -> None:
    psbt = spend(WALLET, [Coin(WPKH, 100_000)], [(STRANGER, 90_000)])
    other = Wallet.of(2)
    with pytest.raises(PolicyRefused, match="None of the coins"):
        check(psbt, other.descriptors, MAINNET)
    mixed = ordinary()
    tx = previous_transaction(STRANGER, 50_000, 99)
    mixed.inputs[1].non_witness_utxo, mixed.inputs[1].witness_utxo = tx, tx.outputs[1]
    mixed.inputs[1].bip32_derivations.clear()
    inputs = (mixed.tx.inputs[0], TxIn(OutPoint(tx.txid, 1), b"", 0xFFFFFFFD))
    mixed = with_transaction(mixed, inputs=inputs)
    refused(mixed, "coins of somebody else, as input 2")
    result = assess(mixed, WALLET.descriptors, MAINNET, Limits(allow_foreign_inputs=True))
    assert result.inputs[0] is not None
    assert result.inputs[1] is None


def test_1_foreign_scripts_beside_our_input_are_refused() -> None:
    psbt = ordinary()
    psbt.inputs[0].witness_script = b"\x51"
    refused(psbt, "Input 1 comes with a script")
    psbt = ordinary(SH_WPKH)
    psbt.inputs[1].redeem_script = b"\x00\x14" + bytes(20)
    refused(psbt, "Input 2 comes with a script")


# 2 Amounts are proven by previous transactions.


@pytest.mark.parametrize("kind", [PKH, SH_WPKH, WPKH])
def test_2_the_previous_transaction_must_be_there(kind: DescriptorType) -> None:
    psbt = ordinary(kind)
    psbt.inputs[1].witness_utxo = psbt.utxo(1)
    psbt.inputs[1].non_witness_utxo = None
    refused(psbt, "Input 2 comes without its previous transaction")


def test_2_taproot_alone_needs_no_previous_transactions() -> None:
    psbt = ordinary(TR)
    for psbt_input in psbt.inputs:
        psbt_input.non_witness_utxo = None
    check(psbt, WALLET.descriptors, MAINNET)
    mixed = spend(WALLET, [Coin(TR, 100_000), Coin(WPKH, 50_000)], [(STRANGER, 149_000)])
    check(mixed, WALLET.descriptors, MAINNET)
    mixed.inputs[0].non_witness_utxo = None
    refused(mixed, "Input 1 comes without its previous transaction")


def test_2_a_lying_previous_transaction_is_refused() -> None:
    psbt = ordinary()
    psbt.inputs[0].non_witness_utxo = previous_transaction(psbt.utxo(0).script_pubkey, 10**8, 77)
    refused(psbt, "another transaction than the one it spends")
    psbt = ordinary()
    psbt.inputs[0].witness_utxo = TxOut(90_000, psbt.utxo(0).script_pubkey)
    refused(psbt, "missing or contradicts itself")
    psbt = ordinary()
    psbt.inputs[0].witness_utxo = psbt.inputs[0].non_witness_utxo = None
    refused(psbt, "missing or contradicts itself")
    psbt = ordinary()
    beyond = (TxIn(OutPoint(psbt.tx.inputs[0].prevout.txid, 9)), psbt.tx.inputs[1])
    refused(with_transaction(psbt, inputs=beyond), "missing or contradicts itself")


# 3 Amounts and fee are worked out, not believed.


def test_3_paying_out_more_than_is_spent_is_refused() -> None:
    psbt = ordinary()
    outputs = (TxOut(100_000, STRANGER), TxOut(50_001, psbt.tx.outputs[1].script_pubkey))
    refused(with_transaction(psbt, outputs=outputs), "pays out more than it spends")


# 4 Signature hash types.


@pytest.mark.parametrize("hash_type", [2, 3, 0x81, 0x82, 0x83, 4, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [WPKH, TR])
def test_4_unusual_hash_types_are_refused(kind: DescriptorType, hash_type: int) -> None:
    psbt = ordinary(kind)
    psbt.inputs[1].sighash_type = hash_type
    refused(psbt, "Input 2 asks for a signature that would let others change")


def test_4_signatures_with_unusual_hash_types_are_refused() -> None:
    psbt = ordinary()
    key = next(iter(psbt.inputs[0].bip32_derivations))
    psbt.inputs[0].partial_sigs[key] = DER + b"\x83"
    refused(psbt, "hash type is not ALL")
    psbt = ordinary(TR)
    psbt.inputs[0].tap_key_sig = bytes(64) + b"\x02"
    refused(psbt, "hash type is not ALL")


def test_4_all_and_default_are_accepted_where_they_belong() -> None:
    for kind, hash_type in ((WPKH, 1), (PKH, 1), (TR, 1), (TR, 0)):
        psbt = ordinary(kind)
        psbt.inputs[0].sighash_type = hash_type
        check(psbt, WALLET.descriptors, MAINNET)
    psbt = ordinary()
    psbt.inputs[0].sighash_type = 0
    refused(psbt, "only taproot coins")


# 5 Outputs are classified by deriving them again.


def classify(psbt: Psbt, limits: Limits | None = None) -> tuple[OutputKind, ...]:
    return assess(psbt, WALLET.descriptors, MAINNET, limits).outputs


def test_5_false_change_is_a_payment_with_a_warning() -> None:
    psbt = ordinary()
    outputs = (psbt.tx.outputs[0], TxOut(49_000, script.p2wpkh(b"\x08" * 20)))
    psbt = with_transaction(psbt, outputs=outputs)
    result = assess(psbt, WALLET.descriptors, MAINNET)
    assert result.outputs == (OutputKind.PAYMENT, OutputKind.PAYMENT)
    assert result.payments_sat == 149_000
    assert "Output 2 claims to come back" in result.warnings[0]


def test_5_a_false_path_to_our_own_script_still_finds_it_or_not() -> None:
    psbt = ordinary()
    key, path = next(iter(psbt.outputs[1].bip32_derivations.items()))
    psbt.outputs[1].bip32_derivations[key] = KeyPath(path.fingerprint, (*path.path[:-1], 77))
    assert classify(psbt) == (OutputKind.PAYMENT, OutputKind.CHANGE)
    far = spend(
        WALLET,
        [Coin(WPKH, 150_000)],
        [(STRANGER, 100_000)],
        [Coin(WPKH, 49_000, 1, SEARCHED + 5)],
        hints=False,
    )
    assert classify(far) == (OutputKind.PAYMENT, OutputKind.PAYMENT)


@pytest.mark.parametrize(
    ("keychain", "index", "known", "kind"),
    [
        (1, 104, 4, OutputKind.CHANGE),
        (1, 105, 4, OutputKind.OWN_UNUSUAL),
        (0, 104, 4, OutputKind.OWN),
        (0, 105, 4, OutputKind.OWN_UNUSUAL),
        (1, 2**31 - 1, 4, OutputKind.OWN_UNUSUAL),
        (1, 1_003, None, OutputKind.CHANGE),
        (1, 1_004, None, OutputKind.OWN_UNUSUAL),
    ],
)
def test_5_own_outputs_far_away_are_unusual(
    keychain: int, index: int, known: int | None, kind: OutputKind
) -> None:
    psbt = spend(
        WALLET,
        [Coin(WPKH, 150_000, 0, 3)],
        [(STRANGER, 100_000)],
        [Coin(WPKH, 49_000, keychain, index)],
    )
    limits = None
    if known is not None:
        number = ALL_TYPES.index(WPKH)
        limits = Limits(known_indexes={(number, 0): known, (number, 1): known})
    assert classify(psbt, limits) == (OutputKind.PAYMENT, kind)


def test_5_data_and_other_accounts() -> None:
    coins = [Coin(WPKH, 150_000)]
    payments = [(script.op_return(b"hello"), 0), (STRANGER, 100_000)]
    psbt = spend(WALLET, coins, payments, [Coin(TR, 49_000, 1, 0)])
    assert classify(psbt) == (OutputKind.DATA, OutputKind.PAYMENT, OutputKind.CHANGE)
    only = [WALLET.descriptor(WPKH)]
    result = assess(psbt, only, MAINNET)
    assert result.outputs == (OutputKind.DATA, OutputKind.PAYMENT, OutputKind.PAYMENT)


# 6 Fee limits.


def test_6_fees_above_the_limits_need_confirmation() -> None:
    confirmed = Limits(fee_confirmed=True)
    quarter = spend(WALLET, [Coin(WPKH, 125_000)], [(STRANGER, 100_000)])
    check(quarter, WALLET.descriptors, MAINNET)
    more = spend(WALLET, [Coin(WPKH, 125_001)], [(STRANGER, 100_000)])
    refused(more, "more than 25 % of the amount")
    check(more, WALLET.descriptors, MAINNET, confirmed)
    absurd = spend(WALLET, [Coin(WPKH, 10**9)], [(STRANGER, 10**9 - 1_500_000)])
    refused(absurd, "absurdly high")
    check(absurd, WALLET.descriptors, MAINNET, confirmed)


def test_6_change_does_not_make_a_fee_look_small() -> None:
    change = [Coin(WPKH, 10**8, 1, 0)]
    psbt = spend(WALLET, [Coin(WPKH, 10**8 + 1_300)], [(STRANGER, 1_000)], change)
    refused(psbt, "more than 25 %")
    to_ourselves = spend(WALLET, [Coin(WPKH, 10**8 + 300)], [], change)
    check(to_ourselves, WALLET.descriptors, MAINNET)


def test_6_the_rate_uses_the_signed_size() -> None:
    psbt = ordinary()
    result = assess(psbt, WALLET.descriptors, MAINNET)
    assert result.vsize == 208  # two p2wpkh inputs, two p2wpkh outputs


# 7 No duplicates, sums, at least one output.


def test_7_duplicates_and_impossible_amounts_are_refused() -> None:
    psbt = ordinary()
    twice = (psbt.tx.inputs[0], psbt.tx.inputs[0])
    psbt.inputs[1] = psbt.inputs[0]
    refused(with_transaction(psbt, inputs=twice), "same coin twice")
    for amounts in ((MAX_MONEY, 1), (MAX_MONEY + 1, 0), (-1, 10)):
        psbt = ordinary()
        outputs = tuple(TxOut(amount, STRANGER) for amount in amounts)
        refused(with_transaction(psbt, outputs=outputs), "21 million")
    rich = [Coin(WPKH, MAX_MONEY), Coin(WPKH, 1, 0, 1)]
    refused(spend(WALLET, rich, [(STRANGER, MAX_MONEY)]), "spends more than the 21 million")


def test_7_empty_and_malformed_transactions_are_refused() -> None:
    empty: Callable[[], Psbt] = lambda: Psbt(Transaction(2, (), (), 0), [], [])  # noqa: E731
    refused(empty(), "no inputs or no outputs")
    psbt = ordinary()
    psbt.outputs.clear()
    refused(psbt, "does not describe each")
    psbt = ordinary()
    psbt.outputs.clear()
    refused(with_transaction(psbt, outputs=()), "no inputs or no outputs")
    psbt = ordinary()
    signed = (TxIn(psbt.tx.inputs[0].prevout, b"\x51"), psbt.tx.inputs[1])
    refused(with_transaction(psbt, inputs=signed), "already carries signatures")
    psbt = ordinary()
    coinbase = (TxIn(OutPoint(bytes(32), 0xFFFFFFFF)), psbt.tx.inputs[1])
    refused(with_transaction(psbt, inputs=coinbase), "newly mined")


# 8 Unusual timing is shown.


def test_8_unusual_timing_is_a_warning() -> None:
    coins, payments = [Coin(WPKH, 150_000)], [(STRANGER, 140_000)]

    def warnings(**timing: int) -> tuple[str, ...]:
        psbt = spend(WALLET, coins, payments, **timing)  # type: ignore[arg-type]
        return assess(psbt, WALLET.descriptors, MAINNET).warnings

    assert warnings(lock_time=850_000) == ()
    assert "certain date" in warnings(lock_time=1_800_000_000)[0]
    assert "some time after" in warnings(sequence=144)[0]


# 9 What was approved is what is signed.


def test_9_the_approved_digest_must_match() -> None:
    psbt = ordinary()
    approved = Limits(approved_digest=digest(psbt))
    check(psbt, WALLET.descriptors, MAINNET, approved)
    for change in (
        {"lock_time": 5},
        {"version": 1},
        {"outputs": (psbt.tx.outputs[1], psbt.tx.outputs[0])},
    ):
        changed = ordinary()
        changed.outputs.reverse() if "outputs" in change else None
        refused(with_transaction(changed, **change), "not the transaction that was shown", approved)
    asked = ordinary()
    asked.inputs[0].sighash_type = 1
    refused(asked, "not the transaction that was shown", approved)


def test_9_the_digest_covers_the_amounts() -> None:
    first, second = ordinary(TR), ordinary(TR)
    for psbt in (first, second):
        for psbt_input in psbt.inputs:
            psbt_input.non_witness_utxo = None
    second.inputs[0].witness_utxo = TxOut(100_001, first.utxo(0).script_pubkey)
    assert digest(first) != digest(second)


# 11 The network.


def test_11_another_network_is_refused() -> None:
    for params in (REGTEST, SIGNET, TESTNET4):
        with pytest.raises(PolicyRefused, match=f"not for {params.name}"):
            check(ordinary(), WALLET.descriptors, params)
    wallet = Wallet.of(1, REGTEST)
    origin = wallet.descriptors[2].origin
    assert origin is not None
    path = (84 + HARDENED, HARDENED, HARDENED)
    wrong_coin = Descriptor.account(
        WPKH, REGTEST, dataclasses.replace(origin, path=path), wallet.descriptors[2].xpub
    )
    psbt = spend(wallet, [Coin(WPKH, 100_000)], [(STRANGER, 90_000)])
    check(psbt, wallet.descriptors, REGTEST)
    with pytest.raises(PolicyRefused, match="not for regtest"):
        check(psbt, [wrong_coin], REGTEST)


def test_11_key_paths_of_another_network_are_refused() -> None:
    psbt = ordinary()
    key, path = next(iter(psbt.inputs[0].bip32_derivations.items()))
    psbt.inputs[0].bip32_derivations[key] = KeyPath(
        path.fingerprint, (path.path[0], 1 + HARDENED, *path.path[2:])
    )
    refused(psbt, "made for another network than mainnet")


def test_sentences_name_no_secret() -> None:
    with pytest.raises(PolicyRefused) as caught:
        check(ordinary(), Wallet.of(2).descriptors, MAINNET)
    assert WALLET.root.secret.hex() not in str(caught.value)
    assert str(caught.value).endswith(".")
