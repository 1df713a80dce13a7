import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.fake_chain import ANYONE, FakeChain
from wallet_gui.chain.filters import build, filter_items
from wallet_gui.chain.p2p.filter_evidence import (
    PROOFS,
    Finding,
    judge,
    likely_script,
    nested_script,
    scripts_of,
)
from wallet_gui.curve import taproot_output_key
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.hashes import hash160, sha256, tagged_hash
from wallet_gui.primitives.script import p2pkh, p2sh, p2tr, p2wpkh, p2wsh, push
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

COIN = OutPoint(b"\x01" * 32, 0)
KEY = b"\x02" + b"\x11" * 32
SIGNATURE = b"\x30\x44" + b"\x22" * 0x44 + b"\x01"
SCRIPT = b"\x21" + KEY + b"\xac"
X_ONLY = bytes.fromhex("d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d")
VECTORS = Path(__file__).parents[3] / "vectors"


def spent(script_sig: bytes = b"", *witness: bytes) -> TxIn:
    return TxIn(COIN, script_sig, witness=tuple(witness))


def test_the_usual_ways_to_spend() -> None:
    assert likely_script(spent(b"", SIGNATURE, KEY)) == p2wpkh(hash160(KEY))
    assert likely_script(spent(b"", SIGNATURE, SCRIPT)) == p2wsh(sha256(SCRIPT))
    assert likely_script(spent(push(SIGNATURE) + push(KEY))) == p2pkh(hash160(KEY))
    assert likely_script(spent(push(SIGNATURE) + push(SCRIPT))) == p2sh(hash160(SCRIPT))
    for program in (p2wpkh(hash160(KEY)), p2wsh(sha256(SCRIPT))):
        nested = spent(push(program), SIGNATURE, KEY)
        assert nested_script(nested) == likely_script(nested) == p2sh(hash160(program))


def test_a_taproot_script_path_with_and_without_annex() -> None:
    leaf = tagged_hash("TapLeaf", b"\xc0" + bytes([len(SCRIPT)]) + SCRIPT)
    step = b"\x33" * 32
    root = tagged_hash("TapBranch", min(leaf, step) + max(leaf, step))
    output_key, parity = taproot_output_key(X_ONLY, root)
    control = bytes([0xC0 | parity]) + X_ONLY + step
    expected = p2tr(output_key)
    assert likely_script(spent(b"", SIGNATURE, SCRIPT, control)) == expected
    assert likely_script(spent(b"", SIGNATURE, SCRIPT, control, b"\x50annex")) == expected
    odd = bytes([control[0] ^ 1]) + control[1:]
    assert likely_script(spent(b"", SIGNATURE, SCRIPT, odd)) is None
    future = bytes([0xC2 | parity]) + control[1:]
    assert likely_script(spent(b"", SIGNATURE, SCRIPT, future)) is None


def test_what_shows_nothing() -> None:
    assert likely_script(spent(b"", b"\x44" * 64)) is None  # taproot key path
    assert likely_script(spent(b"", b"\x44" * 65, b"\x50annex")) is None
    assert likely_script(spent(push(SIGNATURE))) is None  # P2PK
    assert likely_script(spent(b"\x00" + push(SIGNATURE) * 2)) is None  # bare multisig
    assert likely_script(spent(push(b"a preimage"))) is None
    assert likely_script(spent()) is None
    assert nested_script(spent(push(p2wpkh(bytes(20))))) is None  # without a witness
    assert nested_script(spent(push(SIGNATURE), KEY)) is None


@settings(deadline=None)
@given(st.binary(max_size=80), st.lists(st.binary(max_size=100), max_size=4))
def test_any_input_has_a_script_or_none(script_sig: bytes, witness: list[bytes]) -> None:
    found = likely_script(spent(script_sig, *witness))
    assert found is None or len(found) in {22, 23, 25, 34}


def block_with(*inputs: TxIn) -> Block:
    chain = FakeChain()
    spend = Transaction(2, inputs, (TxOut(1, ANYONE), TxOut(0, b"\x6a\x01\x01")), 0)
    child = Transaction(2, (TxIn(OutPoint(spend.txid, 0)),), (TxOut(1, b"\x51"),), 0)
    return chain.mine(spend, child, to=SCRIPT)


def finding(block: Block, *scripts: bytes, known: dict[OutPoint, bytes] | None = None) -> Finding:
    items = filter_items(block, [])
    data = build(block, [*items, *scripts]).data
    return judge(data, block, scripts_of(block, known))


def test_an_honest_filter_and_each_kind_of_lie() -> None:
    block = block_with(spent(b"", SIGNATURE, KEY))
    mine = p2wpkh(hash160(KEY))
    assert finding(block, mine) is Finding.POSSIBLE
    assert finding(block, mine, known={COIN: mine}) is Finding.EXACT
    assert finding(block) is Finding.UNLIKELY
    # The coin may be of a kind without rules: no proof, unless we know it.
    assert finding(block, ANYONE + b"\x01") is Finding.UNLIKELY
    assert finding(block, known={COIN: mine}) is Finding.TOO_FEW
    assert finding(block, b"\x53" * 9, known={COIN: mine}) is Finding.OMISSION
    assert finding(block, mine, b"\x53" * 9) is Finding.TOO_MANY
    scripts = scripts_of(block)
    assert scripts.certain == {ANYONE, b"\x51", SCRIPT}  # no OP_RETURN; the coinbase too
    assert judge(b"\x05\xff\xff", block, scripts) is Finding.MALFORMED
    assert judge(b"", block, scripts) is Finding.MALFORMED
    assert judge(b"\x00", block, scripts) is Finding.TOO_FEW
    exact = build(block, [*filter_items(block, []), mine]).data
    assert judge(exact + b"\x00", block, scripts) is Finding.MALFORMED


def test_each_script_that_is_left_out_is_missed() -> None:
    block = block_with(spent(push(p2wpkh(hash160(KEY))), SIGNATURE, KEY))
    scripts = scripts_of(block)
    items = sorted(scripts.certain)
    assert p2sh(hash160(p2wpkh(hash160(KEY)))) in items  # nested: certain
    for left_out in items:
        kept = [item for item in items if item != left_out]
        made = _filter_of(block, [*kept, b"\x53" * 9])
        assert judge(made, block, scripts) is Finding.OMISSION
        assert judge(_filter_of(block, kept), block, scripts) is Finding.TOO_FEW
    assert judge(_filter_of(block, items), block, scripts) is Finding.EXACT


def _filter_of(block: Block, items: list[bytes]) -> bytes:
    empty = Block(block.header, ())
    return build(empty, items).data


def test_no_official_filter_is_ever_refuted() -> None:
    # BIP158's own file; its blocks spend coins of many kinds.
    _, *rows = json.loads((VECTORS / "bip158.json").read_text("utf-8"))
    for row in rows:
        block = Block.parse(bytes.fromhex(row[2]))
        found = judge(bytes.fromhex(row[5]), block, scripts_of(block))
        assert found in {Finding.POSSIBLE, Finding.EXACT}
        assert found not in PROOFS
