"""Passwords, Argon2id and the secret box."""

import json
import unicodedata
from typing import Literal

import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.keys import kdf, secret_box
from wallet_gui.keys.errors import CorruptSecretBox, NotEnoughMemory, PasswordWrong
from wallet_gui.keys.kdf import derive_key, derive_new_key, encode_password
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.sealing import (
    DEFAULT,
    REDUCED,
    SECRET,
    VIEW,
    KdfParameters,
    KdfRefused,
    NewerFormat,
    SealError,
    parse_box,
    seal_box,
)

PASSWORD = "correct horse"
CHEAP = KdfParameters(64, 1, 1)
SALT = bytes(range(16))
PAYLOAD = SecretPayload(bytes(range(16)), "english", bytes.fromhex("73c5da0a"), "regtest")


def sealed(password: str = PASSWORD, payload: SecretPayload = PAYLOAD) -> bytes:
    return secret_box.seal(password, payload, parameters=CHEAP, fallback=CHEAP, minimum=CHEAP)


@settings(deadline=None, max_examples=20)
@given(
    st.text(max_size=30),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(32, 300),
)
def test_argon2id_equals_the_reference(password: str, passes: int, lanes: int, memory: int) -> None:
    expected = hash_secret_raw(
        unicodedata.normalize("NFC", password).encode(),
        SALT,
        time_cost=passes,
        memory_cost=memory,
        parallelism=lanes,
        hash_len=32,
        type=Type.ID,
        version=19,
    )
    assert derive_key(password, SALT, KdfParameters(memory, passes, lanes)) == expected


@pytest.mark.slow
def test_the_default_cost_works_here() -> None:
    box = secret_box.seal("password", PAYLOAD)
    assert parse_box(box)[0].kdf in (DEFAULT, REDUCED)
    assert secret_box.open("password", box) == PAYLOAD


def test_one_password_on_every_keyboard() -> None:
    box = sealed("Grüße aus Köln — 密碼")
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
    for form in forms:
        typed = unicodedata.normalize(form, "Grüße aus Köln — 密碼")
        assert secret_box.open(typed, box, minimum=CHEAP) == PAYLOAD


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "correct hors",
        "correct horse ",
        " correct horse",
        "Correct horse",
        "correct  horse",
        "correct\u00a0horse",
        "correct horse\0",
        "c\u043errect horse",
    ],
)
def test_near_misses_do_not_open(wrong: str) -> None:
    with pytest.raises(PasswordWrong, match="password is wrong") as caught:
        secret_box.open(wrong, sealed(), minimum=CHEAP)
    assert wrong == "" or wrong not in str(caught.value)


def test_a_thousand_wrong_passwords_do_not_open() -> None:
    box = sealed()
    for number in range(1000):
        with pytest.raises(PasswordWrong):
            secret_box.open(f"correct horse{number}", box, minimum=CHEAP)


def test_passwords_that_are_no_text_are_refused_without_repeating_them() -> None:
    with pytest.raises(ValueError, match="cannot be stored") as caught:
        encode_password("hunter2\ud800")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


class RefusingArgon2id:
    """Refuses as the library does when the system gives no memory."""

    def __init__(self, limit_kib: int) -> None:
        self.limit_kib = limit_kib
        self.real = Argon2id

    def __call__(self, *, memory_cost: int, **options: int) -> "RefusingArgon2id":
        self.refused = memory_cost > self.limit_kib
        self.instance = self.real(memory_cost=memory_cost, **options)  # type: ignore[arg-type]
        return self

    def derive(self, password: bytes) -> bytes:
        if self.refused:
            raise MemoryError
        return self.instance.derive(password)


def test_less_memory_is_taken_when_the_system_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, less = KdfParameters(128, 1, 1), KdfParameters(64, 1, 1)
    assert not derive_new_key("x", SALT, usual, less).reduced
    monkeypatch.setattr(kdf, "Argon2id", RefusingArgon2id(100))
    new = derive_new_key("x", SALT, usual, less)
    assert (new.reduced, new.parameters) == (True, less)
    assert new.key == derive_key("x", SALT, less)
    box = secret_box.seal("x", PAYLOAD, parameters=usual, fallback=less, minimum=CHEAP)
    assert parse_box(box, minimum=CHEAP)[0].kdf == less
    monkeypatch.setattr(kdf, "Argon2id", RefusingArgon2id(10))
    with pytest.raises(NotEnoughMemory, match="Close other programs"):
        derive_new_key("x", SALT, usual, less)
    with pytest.raises(NotEnoughMemory):
        secret_box.open("x", box, minimum=CHEAP)


def test_impossible_costs_are_refused_before_anything_is_allocated() -> None:
    with pytest.raises(KdfRefused):
        derive_key("x", SALT, KdfParameters(2**32 - 1, 4, 4))
    with pytest.raises(ValueError, match="16 bytes"):
        derive_key("x", bytes(8), CHEAP)


def test_weak_boxes_need_an_explicit_minimum() -> None:
    with pytest.raises(KdfRefused):
        secret_box.seal("x", PAYLOAD, parameters=CHEAP, fallback=CHEAP)
    with pytest.raises(CorruptSecretBox, match="less than this program accepts"):
        secret_box.open("correct horse", sealed())


@settings(deadline=None)
@given(
    st.sampled_from([16, 20, 24, 28, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    st.sampled_from(["english", "japanese"]),
    st.none() | st.binary(min_size=4, max_size=4),
    st.sampled_from(["", "mainnet", "regtest"]),
)
def test_payloads_round_trip(
    entropy: bytes, language: str, fingerprint: bytes | None, network: str
) -> None:
    payload = SecretPayload(entropy, language, fingerprint, network, ("tr", "wpkh"), 7)
    assert SecretPayload.decode(payload.encode()) == payload
    assert payload.needs_passphrase is (fingerprint is not None)


def test_the_box_holds_neither_words_nor_stretched_seed() -> None:
    seed = PAYLOAD.seed()
    contents = PAYLOAD.encode()
    assert set(json.loads(contents)) == {
        "format",
        "entropy",
        "language",
        "network",
        "script_types",
        "account",
        "passphrase_fingerprint",
        "imported_keys",
        "descriptors",
        "imported_xprv",
    }
    assert seed.words.encode() not in contents
    assert seed.stretched().hex().encode() not in contents
    assert PAYLOAD.seed("25th").passphrase == "25th"


def test_a_multisig_holds_the_agreed_descriptor_instead_of_script_types() -> None:
    payload = SecretPayload(bytes(16), script_types=(), descriptors=("wsh(sortedmulti(...))",))
    assert SecretPayload.decode(payload.encode()) == payload
    with pytest.raises(ValueError, match="either script types or agreed"):
        SecretPayload(bytes(16), script_types=("wpkh",), descriptors=("wsh(...)",))
    with pytest.raises(ValueError, match="either script types or agreed"):
        SecretPayload(bytes(16), script_types=())


def test_boxes_of_older_formats_are_read_and_become_format_3() -> None:
    # As version 1 wrote it, byte for byte.
    old = (
        b'{"account":0,"entropy":"000102030405060708090a0b0c0d0e0f","format":1,"imported_keys":[],'
        b'"language":"english","network":"regtest","passphrase_fingerprint":"73c5da0a",'
        b'"script_types":["wpkh"]}'
    )
    payload = SecretPayload.decode(old)
    assert payload == PAYLOAD
    assert json.loads(payload.encode())["format"] == 3
    with_more = old.replace(b'"account"', b'"descriptors":[],"account"')
    with pytest.raises(CorruptSecretBox):
        SecretPayload.decode(with_more)
    second = with_more.replace(b'"format":1', b'"format":2')
    assert SecretPayload.decode(second) == PAYLOAD
    with pytest.raises(CorruptSecretBox):
        SecretPayload.decode(second.replace(b'"format"', b'"imported_xprv":"","format"'))


def test_reprs_hide_everything() -> None:
    assert repr(PAYLOAD) == "<SecretPayload>"
    new = derive_new_key("x", SALT, CHEAP, CHEAP)
    assert new.key.hex() not in repr(new)
    assert repr(new.key) not in repr(new)


@given(st.binary(max_size=300))
def test_any_contents_are_a_payload_or_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptSecretBox):
        SecretPayload.decode(data)


@pytest.mark.parametrize(
    "change",
    [
        {"entropy": "00"},
        {"entropy": 5},
        {"entropy": "zz" * 16},
        {"language": "klingon"},
        {"language": []},
        {"network": None},
        {"passphrase_fingerprint": "00"},
        {"imported_keys": ["L1"]},
        {"imported_keys": None},
        {"format": 0},
        {"format": "1"},
        {"format": None},
        {"more": 1},
        {"script_types": []},
        {"script_types": "wpkh"},
        {"script_types": ["wsh"]},
        {"script_types": ["tr", "tr"]},
        {"script_types": [["tr"]]},
        {"account": -1},
        {"account": 1 << 31},
        {"account": "0"},
        {"account": True},
        {"descriptors": None},
        {"descriptors": ["wsh(...)"]},
        {"descriptors": [5], "script_types": []},
        {"descriptors": ["x" * 10_001], "script_types": []},
        {"format": True},
    ],
)
def test_altered_contents_are_corrupt(change: dict[str, object]) -> None:
    contents = {**json.loads(PAYLOAD.encode()), **change}
    with pytest.raises(CorruptSecretBox, match="older copy"):
        SecretPayload.decode(json.dumps(contents).encode())


def test_a_newer_format_is_refused_as_such() -> None:
    contents = {**json.loads(PAYLOAD.encode()), "format": 4, "more": []}
    with pytest.raises(NewerFormat, match="newer version"):
        SecretPayload.decode(json.dumps(contents).encode())


def test_values_are_checked_when_they_are_made() -> None:
    with pytest.raises(ValueError, match="entropy"):
        SecretPayload(bytes(15))
    with pytest.raises(ValueError, match="word list"):
        SecretPayload(bytes(16), "klingon")
    with pytest.raises(ValueError, match="4 bytes"):
        SecretPayload(bytes(16), "english", b"abc")


def test_damage_is_told_from_a_wrong_password() -> None:
    box = bytearray(sealed())
    box[-1] ^= 1
    with pytest.raises(CorruptSecretBox, match="damaged"):
        secret_box.open("correct horse", bytes(box), minimum=CHEAP)
    with pytest.raises(CorruptSecretBox):
        secret_box.open("correct horse", bytes(sealed())[:-1], minimum=CHEAP)
    with pytest.raises(CorruptSecretBox):
        secret_box.open("correct horse", b"", minimum=CHEAP)
    view = seal_box(derive_key("correct horse", SALT, CHEAP), VIEW, CHEAP, SALT, b"", minimum=CHEAP)
    with pytest.raises(CorruptSecretBox, match="not the part"):
        secret_box.open("correct horse", view, minimum=CHEAP)


def test_a_new_salt_with_each_password() -> None:
    salts = {parse_box(sealed(), minimum=CHEAP)[0].salt for _ in range(20)}
    assert len(salts) == 20
    assert parse_box(sealed(), minimum=CHEAP)[0].kind == SECRET


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 8 * 4224 - 1))
def test_flipped_bits_never_open(position: int) -> None:
    box = bytearray(sealed())
    position %= len(box) * 8
    box[position // 8] ^= 1 << position % 8
    # A flipped bit in the KDF's memory could ask for gigabytes; the bound here keeps it small.
    if 16 <= position // 8 < 28:
        return
    with pytest.raises((PasswordWrong, CorruptSecretBox, SealError)):
        secret_box.open("correct horse", bytes(box), minimum=CHEAP)
