"""Signed messages against the official vectors of BIP322, and legacy ones of other programs."""

import base64
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.chain.facts import shared
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction, TxOut
from wallet_gui.wallet import messages
from wallet_gui.wallet.messages import MAX_SIGNATURE, MessageVerdict, verify

FILES = ("basic-test-vectors.json", "generated-test-vectors.json")
VALID, INVALID, INCONCLUSIVE = (
    MessageVerdict.VALID,
    MessageVerdict.INVALID,
    MessageVerdict.INCONCLUSIVE,
)

# trezor-firmware, tests of signmessage: m/0 of the mnemonic of twelve times "all".
TREZOR_TEXT = "This is an example of a signed message."
TREZOR = (
    "9e23edf0e4e47ff1dec27f32cd78c50e74ef018ee8a6adf35ae17c7a9b0dd96f"
    "48b493fd7dbab03efb6f439c6383c9523b3bbc5f1a7d158a6af90ab154e9be80"
)
PKH, NESTED, WPKH = (
    "14LmW5k4ssUrtbAB4255zdqv3b4w1TuX9e",
    "3CwYaeWxhpXXiHue3ciQez1DLaTEAXcKa1",
    "bc1qyjjkmdpu7metqt5r36jf872a34syws33s82q2j",
)
# Electrum, tests/test_bitcoin.py: a compressed and an uncompressed key.
ELECTRUM = (
    (
        "15hETetDmcXm1mM4sEf7U2KXC9hDHFMSzz",
        "Chancellor on brink of second bailout for banks",
        "H/9jMOnj4MFbH3d7t4yCQ9i7DgZU/VZ278w3+ySv2F4yIsdqjsc5ng3kmN8OZAThgyfCZOQxZCWza9V5XzlVY0Y=",
    ),
    (
        "1GPHVTY8UD9my6jyP4tb2TYJwUbDetyNC6",
        "Electrum",
        "G84dmJ8TKIDKMT9qBRhpX2sNmR0y5t+POcYnFFJCs66lJmAs3T8A6Sbpx7KA6yTQ9djQMabwQXRrDomOkIKGn18=",
    ),
)


@cache
def vectors(kind: str) -> list[dict[str, Any]]:
    found = []
    for name in FILES:
        found += json.loads(shared(f"vectors/bip-0322/{name}").read_text()).get(kind, [])
    return found


def judge(case: dict[str, Any], signature: str) -> messages.MessageCheck:
    return verify(case["address"], case["message"], signature, MAINNET)


def trezor(header: int) -> str:
    return base64.b64encode(bytes((header,)) + bytes.fromhex(TREZOR)).decode()


def test_the_virtual_transactions_are_the_official_ones() -> None:
    cases = vectors("tx_hashes")
    assert len(cases) == 3
    for case in cases:
        spent = messages.to_spend(case["message"], script_from_address(case["address"], MAINNET))
        assert messages.message_hash(case["message"]).hex() == case["message_hash"]
        assert hash_to_hex(spent.txid) == case["to_spend_tx_hash"]
        assert hash_to_hex(messages.to_sign(spent).txid) == case["to_sign_tx_hash"]


def test_official_simple_signatures_are_valid() -> None:
    cases = vectors("simple")
    assert len(cases) == 8
    for case in cases:
        for signature in case["bip322_signatures"]:
            assert judge(case, signature).verdict is VALID, case
            # Programs from before 2.0.0 write no prefix.
            assert judge(case, signature.removeprefix("smp")).verdict is VALID


def test_official_full_signatures_are_valid_where_we_know_the_script() -> None:
    cases = vectors("full")
    assert len(cases) == 10
    for case in cases:
        has_conditions = case["type"].endswith("time-lock")
        for signature in case["bip322_signatures"]:
            check = judge(case, signature)
            assert check.verdict is (INCONCLUSIVE if has_conditions else VALID), case
            locks = int(case["lock_time"]), int(case["sequence"])
            assert (check.lock_time, check.sequence) == locks
            assert judge(case, signature.removeprefix("ful")) == check
            if not has_conditions:
                assert "from block 2,016 on" in check.sentence
                assert "at least 2,016 blocks old" in check.sentence


def test_official_proofs_of_funds_prove_the_address_but_no_coins() -> None:
    cases = vectors("proof_of_funds")
    assert len(cases) == 3
    for case in cases:
        (signature,) = case["bip322_signatures"]
        check = judge(case, signature)
        assert check.verdict is INCONCLUSIVE
        assert check.sentence.startswith("The address signed this message.")
        assert judge({**case, "message": "another"}, signature).verdict is INVALID


def test_official_errors_are_never_valid() -> None:
    cases = vectors("error")
    assert len(cases) == 36
    for case in cases:
        if case["signature"]:
            assert judge(case, case["signature"]).verdict is INVALID, case
        else:
            with pytest.raises(ParseError, match="missing"):
                judge(case, "")


@pytest.mark.parametrize(("address", "message", "signature"), ELECTRUM)
def test_signatures_of_electrum(address: str, message: str, signature: str) -> None:
    assert verify(address, message, signature, MAINNET).verdict is VALID
    assert verify(address, message + " ", signature, MAINNET).verdict is INVALID
    spread = f"{signature[:40]}\n{signature[40:]} "
    assert verify(f" {address}\n", message, spread, MAINNET).verdict is VALID


@pytest.mark.parametrize(
    ("header", "good"),
    [
        (0x20, {PKH, NESTED, WPKH}),  # Core, and what Electrum writes for each kind
        (0x24, {NESTED}),
        (0x28, {WPKH}),
        (0x1C, set()),  # an uncompressed key is another address
        (0x21, set()),  # another recovery id is another key
    ],
)
def test_header_bytes_of_trezor_and_others(header: int, good: set[str]) -> None:
    for address in (PKH, NESTED, WPKH):
        check = verify(address, TREZOR_TEXT, trezor(header), MAINNET)
        assert check.verdict is (VALID if address in good else INVALID)


def test_a_recoverable_signature_is_never_one_of_several_keys() -> None:
    for address in (
        "bc1pss0zhytly75awhm6x2hhvd5lnzv3vssgrf9axfheq8ldyzn88ges79fler",
        "bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9",
    ):
        check = verify(address, TREZOR_TEXT, trezor(0x20), MAINNET)
        assert check.verdict is INVALID
        assert "BIP322" in check.sentence


def full_case() -> tuple[dict[str, Any], Transaction]:
    case = next(case for case in vectors("full") if case["type"] == "p2wpkh")
    text = case["bip322_signatures"][0].removeprefix("ful")
    return case, Transaction.parse(base64.b64decode(text))


def test_a_transaction_that_pays_somebody_is_no_signature() -> None:
    case, tx = full_case()
    paying = Transaction(
        tx.version, tx.inputs, (TxOut(0, b"\x6a"), TxOut(1, b"\x51")), tx.lock_time
    )
    for other in (
        paying,
        Transaction(tx.version, tx.inputs, (TxOut(1, b"\x6a"),), tx.lock_time),
        Transaction(tx.version, tx.inputs * 2, tx.outputs, tx.lock_time),
    ):
        assert judge(case, messages.write_full(other)).verdict is INVALID


def test_an_unknown_version_is_inconclusive_at_best() -> None:
    case, tx = full_case()
    other = Transaction(1, tx.inputs, tx.outputs, tx.lock_time)
    # The signature commits to the version.
    assert judge(case, messages.write_full(other)).verdict is INVALID


@pytest.mark.parametrize("signature", ["x", "smp", "ful", "pof", "smpAA==", "smp" + "A" * 64])
def test_what_is_no_signature_gets_a_sentence(signature: str) -> None:
    check = verify(WPKH, "x", signature, MAINNET)
    assert check.verdict is INVALID
    assert check.sentence.endswith(".")


def test_addresses_of_other_networks_and_endless_texts_are_refused() -> None:
    with pytest.raises(ParseError, match="belongs to mainnet"):
        verify(WPKH, "x", "smpAA==", REGTEST)
    with pytest.raises(ParseError, match="too long"):
        verify(WPKH, "x", "A" * (MAX_SIGNATURE + 1), MAINNET)
    with pytest.raises(ParseError, match="too long"):
        verify(WPKH, "x" * (messages.MAX_CHECKED + 1), "AA==", MAINNET)
    with pytest.raises(ParseError, match="Unicode"):
        messages.legacy_digest("\ud800")


@settings(deadline=None)
@given(
    address=st.sampled_from(
        (PKH, NESTED, WPKH, "bc1pss0zhytly75awhm6x2hhvd5lnzv3vssgrf9axfheq8ldyzn88ges79fler")
    ),
    prefix=st.sampled_from(("", "smp", "ful", "pof")),
    data=st.binary(max_size=200),
)
def test_any_bytes_are_judged_and_never_valid(address: str, prefix: str, data: bytes) -> None:
    text = prefix + base64.b64encode(data).decode()
    assert verify(address, "x", text or "=", MAINNET).verdict is not VALID


@settings(deadline=None, max_examples=300)
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7), choice=st.integers(0, 30))
def test_no_flipped_bit_stays_valid(position: int, bit: int, choice: int) -> None:
    cases = [*vectors("simple"), *vectors("full")]
    case = cases[choice % len(cases)]
    signature = case["bip322_signatures"][0]
    prefix = signature[:3] if signature[:3] in {"smp", "ful"} else ""
    data = bytearray(base64.b64decode(signature.removeprefix(prefix)))
    data[position % len(data)] ^= 1 << bit
    changed = prefix + base64.b64encode(data).decode()
    assert judge(case, changed).verdict is not VALID
