import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.chain.facts import REPOSITORY, shared
from wallet_gui import curve
from wallet_gui.primitives import ellswift

TYPED_IN = json.loads((REPOSITORY / "tests/vectors/bip324.json").read_text())

SECRETS = st.integers(1, curve.ORDER - 1).map(lambda n: n.to_bytes(32, "big"))
ENTROPY = st.binary(min_size=32, max_size=32)


def rows(name: str, typed_in: str, *, official: bool) -> list[dict[str, str]]:
    if not official:
        found: list[dict[str, str]] = TYPED_IN[typed_in]
        return found
    with shared(f"vectors/bip-0324/{name}").open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("official", [False, True])
def test_decoding(*, official: bool) -> None:
    found = rows("ellswift_decode_test_vectors.csv", "decode", official=official)
    assert len(found) >= 7
    for row in found:
        encoding = bytes.fromhex(row["ellswift"])
        assert ellswift.decode(encoding).hex() == row["x"]
        assert curve.ellswift_decode(encoding).hex() == row["x"]


@pytest.mark.parametrize("official", [False, True])
def test_the_eight_ways_back(*, official: bool) -> None:
    found = rows("xswiftec_inv_test_vectors.csv", "inverse", official=official)
    assert len(found) >= 3
    for row in found:
        for case in range(8):
            t = ellswift.inverse(int(row["x"], 16), int(row["u"], 16), case)
            assert ("" if t is None else f"{t:064x}") == row[f"case{case}_t"]


@pytest.mark.parametrize("official", [False, True])
def test_shared_secrets(*, official: bool) -> None:
    found = rows("packet_encoding_test_vectors.csv", "packets", official=official)
    for row in found:
        secret = bytes.fromhex(row["in_priv_ours"])
        ours = bytes.fromhex(row["in_ellswift_ours"])
        theirs = bytes.fromhex(row["in_ellswift_theirs"])
        assert ellswift.decode(ours).hex() == row["mid_x_ours"]
        assert ellswift.decode(theirs).hex() == row["mid_x_theirs"]
        assert curve.public_key(secret)[1:].hex() == row["mid_x_ours"]
        for module in (ellswift.shared_secret, curve.ellswift_shared_secret):
            found_secret = module(secret, ours, theirs, is_initiator=row["in_initiating"] == "1")
            assert found_secret.hex() == row["mid_shared_secret"]


@settings(deadline=None, max_examples=15)
@given(SECRETS, SECRETS, ENTROPY, ENTROPY)
def test_both_implementations_and_both_sides_agree(
    one: bytes, other: bytes, first: bytes, second: bytes
) -> None:
    ours, theirs = ellswift.create(one, first), curve.ellswift_create(other, second)
    assert ellswift.decode(ours) == curve.ellswift_decode(ours) == curve.public_key(one)[1:]
    assert ellswift.decode(theirs) == curve.ellswift_decode(theirs) == curve.public_key(other)[1:]
    found = {
        module(secret, mine, others, is_initiator=is_initiator)
        for module in (ellswift.shared_secret, curve.ellswift_shared_secret)
        for secret, mine, others, is_initiator in (
            (one, ours, theirs, True),
            (other, theirs, ours, False),
        )
    }
    assert len(found) == 1


@settings(deadline=None, max_examples=30)
@given(st.binary(min_size=64, max_size=64))
def test_every_64_bytes_are_a_key(encoding: bytes) -> None:
    x = ellswift.decode(encoding)
    assert curve.check_x_only(x) == x
    assert curve.ellswift_decode(encoding) == x


def test_encodings_of_one_key_differ() -> None:
    secret = (7).to_bytes(32, "big")
    for create in (ellswift.create, curve.ellswift_create):
        made = {create(secret, bytes([i]) * 32) for i in range(8)}
        assert len(made) == 8
        assert {ellswift.decode(each) for each in made} == {curve.public_key(secret)[1:]}


def test_without_the_module_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (11).to_bytes(32, "big"), (12).to_bytes(32, "big")
    theirs = curve.ellswift_create(other)
    native = curve.ellswift_create(one)
    wanted = curve.ellswift_shared_secret(one, native, theirs, is_initiator=True)
    monkeypatch.setattr(curve, "_HAS_ELLSWIFT", False)
    assert curve.ellswift_decode(curve.ellswift_create(one)) == curve.public_key(one)[1:]
    assert curve.ellswift_shared_secret(one, native, theirs, is_initiator=True) == wanted


def test_lengths_are_checked() -> None:
    secret = (1).to_bytes(32, "big")
    key = curve.ellswift_create(secret)
    for wrong in (key[:-1], key + b"\0", b""):
        with pytest.raises(curve.CurveError):
            curve.ellswift_decode(wrong)
        with pytest.raises(curve.CurveError):
            curve.ellswift_shared_secret(secret, key, wrong, is_initiator=True)
    for bad in (bytes(32), secret[1:], curve.ORDER.to_bytes(32, "big")):
        with pytest.raises(curve.CurveError):
            curve.ellswift_create(bad)
        with pytest.raises(curve.CurveError):
            curve.ellswift_shared_secret(bad, key, key, is_initiator=True)
    with pytest.raises(curve.CurveError):
        curve.ellswift_create(secret, bytes(31))
