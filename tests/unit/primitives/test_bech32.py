import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives import bech32
from wallet_gui.primitives.bech32 import Encoding
from wallet_gui.primitives.serialize import ParseError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "bech32.json").read_text(encoding="utf-8")
)
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
V0 = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
V1 = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(text, Encoding.BECH32) for text in VECTORS["valid_bech32"]]
    + [(text, Encoding.BECH32M) for text in VECTORS["valid_bech32m"]],
)
def test_valid_strings(text: str, encoding: Encoding) -> None:
    hrp, values, found = bech32.decode(text)
    assert found is encoding
    assert bech32.encode(hrp, values, encoding) == text.lower()


@pytest.mark.parametrize("text", VECTORS["invalid_bech32"] + VECTORS["invalid_bech32m"])
def test_invalid_strings(text: str) -> None:
    with pytest.raises(ParseError):
        bech32.decode(text)


@pytest.mark.parametrize(("address", "script"), VECTORS["valid_addresses"])
def test_valid_addresses(address: str, script: str) -> None:
    hrp = address[:2].lower()
    version, program = bech32.decode_segwit(hrp, address)
    data = bytes.fromhex(script)
    assert program == data[2:]
    assert data[0] == (version + 0x50 if version else 0)
    assert bech32.encode_segwit(hrp, version, program) == address.lower()


@pytest.mark.parametrize(("address", "reason"), VECTORS["invalid_addresses"])
def test_invalid_addresses(address: str, reason: str) -> None:
    for hrp in ("bc", "tb", "bcrt"):
        with pytest.raises(ParseError):
            bech32.decode_segwit(hrp, address)


def test_another_prefix_is_refused() -> None:
    with pytest.raises(ParseError, match="does not begin with tb1"):
        bech32.decode_segwit("tb", V0)


@pytest.mark.parametrize(
    ("version", "size"), [(-1, 20), (17, 20), (0, 19), (0, 33), (1, 1), (1, 41), (16, 0)]
)
def test_what_no_address_can_carry_is_not_written(version: int, size: int) -> None:
    with pytest.raises(ParseError):
        bech32.encode_segwit("bc", version, bytes(size))


def test_where_a_foreign_character_stands_is_said() -> None:
    with pytest.raises(ParseError, match="position 5 "):
        bech32.decode(V0[:4] + "b" + V0[5:])
    with pytest.raises(ParseError, match="position 5 "):
        bech32.decode(V0[:4] + "\u0435" + V0[5:])


@pytest.mark.parametrize("address", [V0, V1])
def test_no_single_wrong_character_is_accepted(address: str) -> None:
    for position in range(len(address)):
        for character in CHARSET + "bio1" + CHARSET.upper():
            wrong = address[:position] + character + address[position + 1 :]
            if wrong != address:
                with pytest.raises(ParseError):
                    bech32.decode_segwit("bc", wrong)


@pytest.mark.parametrize("address", [V0, V1])
def test_no_four_wrong_characters_are_accepted(address: str) -> None:
    rng = random.Random(173)
    for _ in range(10_000):
        characters = list(address)
        for position in rng.sample(range(3, len(address)), rng.randint(2, 4)):
            characters[position] = rng.choice(CHARSET.replace(characters[position], ""))
        with pytest.raises(ParseError):
            bech32.decode_segwit("bc", "".join(characters))


@pytest.mark.parametrize("address", [V0, V1])
def test_swapped_missing_and_doubled_characters_are_refused(address: str) -> None:
    for i in range(len(address)):
        swapped = address[:i] + address[i + 1 : i + 2] + address[i] + address[i + 2 :]
        missing = address[:i] + address[i + 1 :]
        doubled = address[:i] + address[i] + address[i:]
        for wrong in {swapped, missing, doubled} - {address}:
            with pytest.raises(ParseError):
                bech32.decode_segwit("bc", wrong)


def test_q_before_a_final_p_does_not_lengthen_an_address() -> None:
    # BIP350: Bech32 accepts these insertions; the two lengths of version 0, which are twenty
    # characters apart, catch all but exactly twenty.
    tried = 0
    for i in range(400):
        address = bech32.encode_segwit("bc", 0, i.to_bytes(20, "big"))
        if not address.endswith("p"):
            continue
        tried += 1
        for count in [*range(1, 20), 21, 22]:
            longer = address[:-1] + "q" * count + "p"
            assert bech32.decode(longer)[2] is Encoding.BECH32
            with pytest.raises(ParseError):
                bech32.decode_segwit("bc", longer)
    assert tried > 3


segwit = st.integers(0, 16).flatmap(
    lambda version: st.tuples(
        st.just(version),
        st.binary(min_size=2, max_size=40)
        if version
        else st.binary(min_size=20, max_size=20) | st.binary(min_size=32, max_size=32),
    )
)


@settings(deadline=None)
@given(st.sampled_from(["bc", "tb", "bcrt"]), segwit)
def test_address_round_trip(hrp: str, witness: tuple[int, bytes]) -> None:
    address = bech32.encode_segwit(hrp, *witness)
    assert bech32.decode_segwit(hrp, address) == witness
    assert bech32.decode_segwit(hrp, address.upper()) == witness


@settings(deadline=None)
@given(segwit, st.data())
def test_mutations_of_any_address_are_refused(
    witness: tuple[int, bytes], data: st.DataObject
) -> None:
    address = bech32.encode_segwit("bc", *witness)
    places = data.draw(
        st.sets(st.integers(3, len(address) - 1), min_size=1, max_size=4), label="places"
    )
    characters = list(address)
    for place in places:
        characters[place] = data.draw(
            st.sampled_from(CHARSET.replace(characters[place], "")), label="character"
        )
    mutated = "".join(characters)
    with pytest.raises(ParseError):
        bech32.decode_segwit("bc", mutated)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_bits_round_trip(data: bytes) -> None:
    assert bech32.values_to_bytes(bech32.bytes_to_values(data)) == data


@settings(deadline=None)
@given(st.text(max_size=95) | st.text(CHARSET + "1", max_size=95).map("bc1".__add__))
def test_any_text_is_an_address_or_a_parse_error(text: str) -> None:
    try:
        version, program = bech32.decode_segwit("bc", text)
    except ParseError:
        return
    assert bech32.encode_segwit("bc", version, program) == text.lower()
