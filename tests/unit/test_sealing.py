"""Boxes and rows: whatever is altered is noticed, and nothing is reused."""

import hashlib
import hmac
import secrets

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.sealing import (
    DEFAULT,
    FLOOR,
    HEADER_SIZE,
    REDUCED,
    SECRET,
    VIEW,
    DamagedBox,
    KdfParameters,
    KdfRefused,
    NewerFormat,
    SealError,
    WrongKeyOrHeader,
    open_box,
    open_row,
    parse_box,
    seal_box,
    seal_row,
)

KEY = bytes(range(32))
SALT = bytes(range(16))
CHEAP = KdfParameters(64, 1, 1)


def sealed(plaintext: bytes = b"labels", kind: bytes = VIEW, key: bytes = KEY) -> bytes:
    return seal_box(key, kind, FLOOR, SALT, plaintext)


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=10_000), st.sampled_from([VIEW, SECRET]), st.binary(max_size=50))
def test_a_box_opens_to_what_was_sealed(plaintext: bytes, kind: bytes, following: bytes) -> None:
    box = sealed(plaintext, kind)
    header, total = parse_box(box + following)
    assert total == len(box)
    assert (header.kind, header.kdf, header.salt) == (kind, FLOOR, SALT)
    assert open_box(KEY, box) == plaintext


def test_the_size_tells_only_steps_of_4_kib() -> None:
    assert {len(sealed(bytes(size))) for size in range(0, 4093, 31)} == {HEADER_SIZE + 4096 + 16}
    assert len(sealed(bytes(4092))) == HEADER_SIZE + 4096 + 16
    assert len(sealed(bytes(4093))) == HEADER_SIZE + 8192 + 16


def test_every_flipped_bit_is_noticed() -> None:
    box = sealed(b"the labels of a wallet")
    for position in range(len(box) * 8):
        altered = bytearray(box)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises(SealError):
            open_box(KEY, bytes(altered))


def test_every_truncation_and_extension_is_noticed() -> None:
    box = sealed()
    for size in range(len(box)):
        with pytest.raises(DamagedBox):
            open_box(KEY, box[:size])
    with pytest.raises(DamagedBox):
        open_box(KEY, box + b"\0")


def test_a_wrong_key_and_a_damaged_payload_are_told_apart() -> None:
    box = sealed()
    with pytest.raises(WrongKeyOrHeader):
        open_box(secrets.token_bytes(32), box)
    altered = bytearray(box)
    altered[HEADER_SIZE + 5] ^= 1
    with pytest.raises(DamagedBox):
        open_box(KEY, bytes(altered))


def test_pieces_of_two_boxes_do_not_mix() -> None:
    view, other, secret = sealed(b"a"), sealed(b"b"), sealed(b"a", SECRET)
    with pytest.raises(DamagedBox):
        open_box(KEY, view[:HEADER_SIZE] + other[HEADER_SIZE:])
    with pytest.raises(DamagedBox):
        open_box(KEY, view[:HEADER_SIZE] + secret[HEADER_SIZE:])
    with pytest.raises(WrongKeyOrHeader):
        open_box(KEY, view.replace(b"view", b"secr", 1))


def test_equal_contents_give_unrelated_boxes_even_with_a_dead_random_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = sealed(), sealed()
    assert parse_box(first)[0].save_salt != parse_box(second)[0].save_salt
    assert first[HEADER_SIZE:] != second[HEADER_SIZE:]

    def zeros(count: int) -> bytes:
        return bytes(count)

    monkeypatch.setattr(secrets, "token_bytes", zeros)
    boxes = [sealed(bytes([n]), kind) for n in range(50) for kind in (VIEW, SECRET)]
    salts = {parse_box(box)[0].save_salt for box in boxes}
    assert len(salts) == 100
    rows = {seal_row(KEY, context, bytes([n]))[:32] for n in range(20) for context in (b"a", b"b")}
    assert len(rows) == 40


@pytest.mark.parametrize(
    "parameters",
    [
        KdfParameters(4 * 1024 * 1024 + 1, 4, 4),
        KdfParameters(64 * 1024, 65, 4),
        KdfParameters(64 * 1024, 0, 4),
        KdfParameters(64 * 1024, 3, 17),
        KdfParameters(64 * 1024, 3, 0),
        KdfParameters(0, 3, 1),
    ],
)
def test_impossible_parameters_are_refused_whatever_the_minimum(parameters: KdfParameters) -> None:
    with pytest.raises(KdfRefused):
        parameters.validate_for_reading(KdfParameters(0, 0, 0))


def test_memory_is_at_least_eight_times_the_lanes() -> None:
    KdfParameters(64, 1, 8).validate_for_reading(CHEAP)
    with pytest.raises(KdfRefused):
        KdfParameters(63, 1, 8).validate_for_reading(KdfParameters(1, 1, 1))


def test_weak_parameters_need_an_explicit_minimum() -> None:
    for parameters in (DEFAULT, REDUCED, FLOOR):
        parameters.validate_for_reading()
    for weak in (KdfParameters(64 * 1024 - 1, 3, 1), KdfParameters(512 * 1024, 2, 4), CHEAP):
        with pytest.raises(KdfRefused):
            weak.validate_for_reading()
        with pytest.raises(KdfRefused):
            seal_box(KEY, VIEW, weak, SALT, b"")
    box = seal_box(KEY, VIEW, CHEAP, SALT, b"x", minimum=CHEAP)
    assert open_box(KEY, box, minimum=CHEAP) == b"x"
    with pytest.raises(KdfRefused):
        parse_box(box)
    with pytest.raises(KdfRefused):
        open_box(KEY, box)


def test_a_newer_format_is_named_as_such() -> None:
    box = bytearray(sealed())
    box[8] = 2
    with pytest.raises(NewerFormat, match="newer version"):
        open_box(KEY, bytes(box))


def test_an_enormous_length_is_refused_before_anything_is_allocated() -> None:
    box = bytearray(sealed())
    box[HEADER_SIZE - 36 : HEADER_SIZE - 32] = b"\xff\xff\xff\xff"
    with pytest.raises(DamagedBox):
        parse_box(bytes(box))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_box_or_a_seal_error(data: bytes) -> None:
    with pytest.raises(SealError):
        open_box(KEY, data)
    with pytest.raises(SealError):
        open_box(KEY, b"WGUI-BOX\1\0\1\0view" + data)
    with pytest.raises(DamagedBox):
        open_row(KEY, b"", data)


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_keys_and_salts_have_exact_sizes(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        seal_box(bytes(size), VIEW, FLOOR, SALT, b"")
    with pytest.raises(ValueError, match="32 bytes"):
        open_box(bytes(size), sealed())
    with pytest.raises(ValueError, match="32 bytes"):
        seal_row(bytes(size), b"", b"")
    with pytest.raises(ValueError, match="32 bytes"):
        open_row(bytes(size), b"", b"")
    if size != 16:
        with pytest.raises(ValueError, match="16 bytes"):
            seal_box(KEY, VIEW, FLOOR, bytes(size), b"")


def test_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        seal_box(KEY, b"abcd", FLOOR, SALT, b"")


def test_the_layout_can_be_opened_with_standard_tools() -> None:
    # Follows the module's description with hashlib and hmac only, as a recovery tool would.
    box = sealed(b"recover me", SECRET)
    save_salt, clear, payload = box[44:76], box[:112], box[112:]
    assert box[28:44] == SALT
    extracted = hmac.digest(save_salt, KEY, hashlib.sha256)
    info = b"wallet-gui box payload secr"
    key = hmac.digest(extracted, info + b"\x01", hashlib.sha256)
    framed = ChaCha20Poly1305(key).decrypt(bytes(12), payload, clear)
    assert framed[4 : 4 + int.from_bytes(framed[:4], "little")] == b"recover me"


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=2000), st.binary(max_size=50))
def test_a_row_opens_only_in_its_place(plaintext: bytes, context: bytes) -> None:
    row = seal_row(KEY, context, plaintext)
    assert open_row(KEY, context, row) == plaintext
    assert (len(row) - 48) % 256 == 0
    with pytest.raises(DamagedBox):
        open_row(KEY, context + b"x", row)
    with pytest.raises(DamagedBox):
        open_row(bytes(32), context, row)


def test_every_flipped_bit_of_a_row_is_noticed() -> None:
    row = seal_row(KEY, b"tx", b"row")
    for position in range(len(row) * 8):
        altered = bytearray(row)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises(DamagedBox):
            open_row(KEY, b"tx", bytes(altered))
    for size in range(len(row)):
        with pytest.raises(DamagedBox):
            open_row(KEY, b"tx", row[:size])


def test_rows_never_share_a_one_time_key() -> None:
    rows = [seal_row(KEY, b"tx", b"same") for _ in range(2000)]
    assert len({row[:32] for row in rows}) == len(rows)
