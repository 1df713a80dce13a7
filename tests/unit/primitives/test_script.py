import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives import script
from wallet_gui.primitives.script import ScriptType, classify, dust_threshold
from wallet_gui.primitives.serialize import ParseError

KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
LONG_KEY = b"\x04" + bytes(64)
HASH20 = bytes(range(20))
HASH32 = bytes(range(32))


def multisig(required: bytes, keys: list[bytes], total: bytes) -> bytes:
    return required + b"".join(map(script.push, keys)) + total + b"\xae"


@pytest.mark.parametrize(
    ("built", "expected", "script_type"),
    [
        (script.p2pkh(HASH20), "76a914" + HASH20.hex() + "88ac", ScriptType.P2PKH),
        (script.p2sh(HASH20), "a914" + HASH20.hex() + "87", ScriptType.P2SH),
        (script.p2wpkh(HASH20), "0014" + HASH20.hex(), ScriptType.P2WPKH),
        (script.p2wsh(HASH32), "0020" + HASH32.hex(), ScriptType.P2WSH),
        (script.p2tr(HASH32), "5120" + HASH32.hex(), ScriptType.P2TR),
        (script.op_return(b"hello"), "6a0568656c6c6f", ScriptType.NULL_DATA),
        (script.witness_program(16, b"\x75\x1e"), "6002751e", ScriptType.WITNESS_UNKNOWN),
    ],
)
def test_what_is_built_is_recognised(built: bytes, expected: str, script_type: ScriptType) -> None:
    assert built.hex() == expected
    assert classify(built) is script_type


@pytest.mark.parametrize(
    ("data", "script_type"),
    [
        (b"", ScriptType.NONSTANDARD),
        (bytes.fromhex("51024e73"), ScriptType.WITNESS_UNKNOWN),  # pay to anchor
        (b"\x51\x28" + bytes(40), ScriptType.WITNESS_UNKNOWN),
        (b"\x51\x29" + bytes(41), ScriptType.NONSTANDARD),
        (b"\x51\x01" + bytes(1), ScriptType.NONSTANDARD),
        (b"\x52\x20" + bytes(32), ScriptType.WITNESS_UNKNOWN),
        (b"\x00\x15" + bytes(21), ScriptType.NONSTANDARD),
        (b"\x00\x14" + bytes(21), ScriptType.NONSTANDARD),
        (b"\x50\x20" + bytes(32), ScriptType.NONSTANDARD),
        (script.push(KEY) + b"\xac", ScriptType.P2PK),
        (script.push(LONG_KEY) + b"\xac", ScriptType.P2PK),
        (script.push(b"\x05" + KEY[1:]) + b"\xac", ScriptType.NONSTANDARD),
        (script.push(b"\x02" + LONG_KEY[1:]) + b"\xac", ScriptType.NONSTANDARD),
        (b"\x4c\x21" + KEY + b"\xac", ScriptType.NONSTANDARD),
        (b"\x6a", ScriptType.NULL_DATA),
        (b"\x6a\x50\x51\x4f\x00", ScriptType.NULL_DATA),
        (b"\x6a\x61", ScriptType.NONSTANDARD),
        (b"\x6a\x05abc", ScriptType.NONSTANDARD),
        (b"\x6a\x4d\xff", ScriptType.NONSTANDARD),
        (script.p2pkh(HASH20) + b"\x61", ScriptType.NONSTANDARD),
        (script.p2sh(HASH20)[:-1] + b"\x88", ScriptType.NONSTANDARD),
        (multisig(b"\x51", [KEY], b"\x51"), ScriptType.MULTISIG),
        (multisig(b"\x52", [KEY, LONG_KEY, KEY], b"\x53"), ScriptType.MULTISIG),
        (multisig(b"\x60", [KEY] * 16, b"\x60"), ScriptType.MULTISIG),
        (multisig(b"\x01\x11", [KEY] * 17, b"\x01\x11"), ScriptType.MULTISIG),
        (multisig(b"\x51", [KEY] * 20, b"\x01\x14"), ScriptType.MULTISIG),
        (multisig(b"\x51", [KEY] * 21, b"\x01\x15"), ScriptType.NONSTANDARD),
        (multisig(b"\x01\x01", [KEY], b"\x51"), ScriptType.NONSTANDARD),
        (multisig(b"\x53", [KEY, KEY], b"\x52"), ScriptType.NONSTANDARD),
        (multisig(b"\x00", [KEY], b"\x51"), ScriptType.NONSTANDARD),
        (multisig(b"\x51", [KEY], b"\x52"), ScriptType.NONSTANDARD),
        (multisig(b"\x51", [KEY[:-1]], b"\x51"), ScriptType.NONSTANDARD),
        (b"\x51\x51\xae", ScriptType.NONSTANDARD),
        (b"\x51\x61\x51\xae", ScriptType.NONSTANDARD),
        (b"\x02\x51\xae", ScriptType.NONSTANDARD),
        (b"\x51\x51\x51\x01\xae", ScriptType.NONSTANDARD),
        (b"\x4b\xae", ScriptType.NONSTANDARD),
    ],
)
def test_types_as_core_tells_them_apart(data: bytes, script_type: ScriptType) -> None:
    assert classify(data) is script_type


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (script.p2pkh, 20),
        (script.p2sh, 20),
        (script.p2wpkh, 20),
        (script.p2wsh, 32),
        (script.p2tr, 32),
    ],
)
def test_lengths_are_checked_when_building(build: object, size: int) -> None:
    assert callable(build)
    for wrong in (0, size - 1, size + 1, 33):
        with pytest.raises(ValueError, match=f"{size} bytes"):
            build(bytes(wrong))


@pytest.mark.parametrize(("version", "size"), [(-1, 20), (17, 20), (1, 1), (1, 41)])
def test_impossible_witness_programs_are_not_built(version: int, size: int) -> None:
    with pytest.raises(ValueError, match="not a witness program"):
        script.witness_program(version, bytes(size))


# Source: Core src/test/script_tests.cpp and src/script/script.h CScriptNum::serialize.
@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, ""),
        (1, "01"),
        (-1, "81"),
        (16, "10"),
        (127, "7f"),
        (-127, "ff"),
        (128, "8000"),
        (-128, "8080"),
        (255, "ff00"),
        (256, "0001"),
        (-255, "ff80"),
        (32767, "ff7f"),
        (32768, "008000"),
        (709632, "00d40a"),
        (0x7FFFFFFF, "ffffff7f"),
        (-0x80000000, "0000008080"),
    ],
)
def test_script_numbers(number: int, encoded: str) -> None:
    assert script.encode_script_number(number).hex() == encoded


@settings(deadline=None)
@given(st.integers(-(2**70), 2**70))
def test_script_numbers_are_shortest_and_mean_what_they_say(number: int) -> None:
    data = script.encode_script_number(number)
    magnitude = int.from_bytes(data, "little")
    if data and data[-1] & 0x80:
        assert number == -(magnitude - (0x80 << 8 * (len(data) - 1)))
    else:
        assert number == magnitude
    if data and not data[-1] & 0x7F:
        assert len(data) > 1
        assert data[-2] & 0x80


@pytest.mark.parametrize(
    ("size", "head"),
    [(2, "02"), (75, "4b"), (76, "4c4c"), (255, "4cff"), (256, "4d0001"), (65536, "4e00000100")],
)
def test_pushes_are_the_shortest(size: int, head: str) -> None:
    data = b"\xaa" * size
    assert script.push(data) == bytes.fromhex(head) + data


def test_pushes_of_small_numbers_are_opcodes() -> None:
    assert script.push(b"") == b"\x00"
    assert script.push(b"\x00") == b"\x01\x00"
    assert [script.push(bytes((n,)))[0] for n in range(1, 17)] == list(range(0x51, 0x61))
    assert script.push(b"\x11") == b"\x01\x11"
    assert script.push(b"\x81") == b"\x4f"


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_pushes_round_trip(items: list[bytes]) -> None:
    data = b"".join(map(script.push, items))
    assert script.parse_pushes(data) == tuple(items)


def test_pushes_only() -> None:
    assert script.parse_pushes(b"\x4f\x51\x60\x00") == (b"\x81", b"\x01", b"\x10", b"")
    with pytest.raises(ParseError, match="opcode 0x76"):
        script.parse_pushes(b"\x01a\x76")
    with pytest.raises(ParseError, match="opcode 0x50"):
        script.parse_pushes(b"\x50")


@pytest.mark.parametrize("data", ["02aa", "4c", "4c02aa", "4d01", "4d0200aa", "4effffffff", "4e00"])
def test_a_push_beyond_the_end_is_refused(data: str) -> None:
    with pytest.raises(ParseError, match="end too early"):
        list(script.iterate(bytes.fromhex(data)))


def test_walking_a_script() -> None:
    assert list(script.iterate(script.p2pkh(HASH20))) == [
        (script.OP_DUP, None),
        (script.OP_HASH160, None),
        (20, HASH20),
        (script.OP_EQUALVERIFY, None),
        (script.OP_CHECKSIG, None),
    ]
    assert list(script.iterate(b"\x00\x51")) == [(script.OP_0, b""), (script.OP_1, None)]


# Source: Core src/policy/policy.cpp, its comment and test/functional/wallet_basic figures.
@pytest.mark.parametrize(
    ("output_script", "threshold"),
    [
        (script.p2pkh(HASH20), 546),
        (script.p2sh(HASH20), 540),
        (script.p2wpkh(HASH20), 294),
        (script.p2wsh(HASH32), 330),
        (script.p2tr(HASH32), 330),
        (bytes.fromhex("51024e73"), 240),
        (script.push(KEY) + b"\xac", 576),
        (script.op_return(b"x" * 80), 0),
        (b"\x51" * 253, 3 * (8 + 3 + 253 + 148)),
        (b"\x51" * 10_001, 0),
    ],
)
def test_dust_is_what_core_calls_so(output_script: bytes, threshold: int) -> None:
    assert dust_threshold(output_script) == threshold


def test_op_return_is_told_by_its_first_byte() -> None:
    assert script.is_op_return(b"\x6a\x61broken")
    assert not script.is_op_return(b"\x00\x6a")
    assert not script.is_op_return(b"")


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=120))
def test_any_bytes_have_a_type(data: bytes) -> None:
    script_type = classify(data)
    witness = script.parse_witness_program(data)
    if witness is not None:
        assert script.witness_program(*witness) == data
    if script_type is ScriptType.NULL_DATA:
        assert script.is_op_return(data)
    assert dust_threshold(data) >= 0
    try:
        items = list(script.iterate(data))
    except ParseError:
        return
    assert sum(len(pushed or b"") for _, pushed in items) <= len(data)
