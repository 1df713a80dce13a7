import json
import struct
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import messages
from wallet_gui.transfer.messages import (
    REPLIES,
    REQUESTS,
    STDIN,
    BackupChecked,
    Cancelled,
    ChangePassword,
    CheckBackup,
    CreateWallet,
    DrillWords,
    Failed,
    FailureKind,
    HeadlessOptions,
    KnownIndex,
    Message,
    PasswordChanged,
    Progress,
    PsbtSigned,
    RestoreWallet,
    ShowWords,
    SignPsbt,
    UnlockWallet,
    WalletCreated,
    WalletUnlocked,
    WordsDrilled,
    WordsShown,
)
from wallet_gui.transfer.pipe import (
    MAX_FRAME,
    FrameDecoder,
    decode,
    encode,
    reply_decoder,
    request_decoder,
)

VIEW_KEY = bytes(range(200, 232))
ALL = (*REQUESTS, *REPLIES)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=16)
u31 = st.integers(0, 2**31 - 1)
headless = st.none() | st.builds(
    HeadlessOptions, text, text, text, text, st.booleans(), st.booleans(), text
)
key = st.binary(min_size=32, max_size=32)
known_index = st.builds(KnownIndex, u31, st.integers(0, 1), u31)
types = st.lists(text, max_size=4).map(tuple)
time = st.none() | st.integers(0, 2**40)
flag = st.booleans()
scale = st.integers(80, 200)

any_message: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        CreateWallet,
        *(text, text, text, text, u31, types, u31, flag, time, text, headless, scale, flag),
    ),
    st.builds(
        RestoreWallet,
        *(text, text, text, types, u31, flag, time, text, headless, scale, text, text),
    ),
    st.builds(ShowWords, text, text, headless, scale),
    st.builds(UnlockWallet, text, flag, text, headless, scale),
    st.builds(
        SignPsbt,
        text,
        text,
        key,
        st.lists(known_index, max_size=3).map(tuple),
        text,
        headless,
        scale,
    ),
    st.builds(ChangePassword, text, flag, text, headless, scale),
    st.builds(CheckBackup, text, text, flag, text, headless, scale),
    st.builds(DrillWords, text, flag, text, headless, scale),
    st.builds(BackupChecked, flag, text, types, flag),
    st.builds(WordsDrilled, flag, text, u31, st.lists(u31, max_size=3).map(tuple), flag, flag),
    st.builds(WalletCreated, text, key),
    st.builds(WalletUnlocked, text, key),
    st.builds(PasswordChanged, text, key),
    st.builds(PsbtSigned, text),
    st.builds(WordsShown),
    st.builds(Cancelled),
    st.builds(Failed, st.sampled_from(FailureKind), text),
    st.builds(Progress, text, st.none() | st.floats(0, 1)),
)


def frame(payload: bytes) -> bytes:
    return struct.pack("<I", len(payload)) + payload


def object_of(message: Message) -> dict[str, Any]:
    value = json.loads(encode(message)[4:])
    assert isinstance(value, dict)
    return value


def framed_json(value: Any) -> bytes:
    return frame(json.dumps(value).encode())


def test_every_message_class_is_sent_one_way_only() -> None:
    assert set(REQUESTS) == set(get_args(messages.Request))
    assert not set(REQUESTS) & set(REPLIES)


@given(any_message)
@settings(deadline=None)
def test_round_trip(message: Message) -> None:
    assert decode(encode(message), ALL) == message


@given(st.lists(any_message, max_size=4), st.lists(st.integers(1, 50), max_size=30))
@settings(deadline=None, max_examples=50)
def test_same_messages_however_the_bytes_are_split(sent: list[Message], sizes: list[int]) -> None:
    stream = b"".join(encode(message) for message in sent)
    decoder: FrameDecoder[Message] = FrameDecoder(ALL)
    received: list[Message] = []
    for size in sizes:
        received += decoder.receive_data(stream[:size])
        stream = stream[size:]
    received += decoder.receive_data(stream)
    decoder.receive_eof()
    assert received == sent


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_payload_is_a_message_or_a_parse_error(payload: bytes) -> None:
    try:
        message = decode(frame(payload), ALL)
    except ParseError:
        return
    assert decode(encode(message), ALL) == message


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@given(any_message, st.data())
@settings(deadline=None)
def test_any_field_value_is_accepted_as_itself_or_refused(
    message: Message, data: st.DataObject
) -> None:
    value = object_of(message)
    name = data.draw(st.sampled_from(sorted(value)))
    value[name] = data.draw(json_value)
    try:
        read = decode(framed_json(value), ALL)
    except ParseError:
        return
    written = object_of(read)
    # 0 and 0.0 are the same fraction; everything else comes back as it was read.
    assert written == value


@pytest.mark.parametrize("name", ["path", "psbt_base64", "request_digest", "known_indexes", "type"])
def test_missing_field_is_refused(name: str) -> None:
    value = object_of(SignPsbt("/w/a.wallet", "cHNidA==", bytes(32)))
    del value[name]
    with pytest.raises(ParseError):
        decode(framed_json(value), REQUESTS)


def test_unknown_field_is_refused() -> None:
    value = object_of(UnlockWallet("/w/a.wallet"))
    value["password"] = "hunter2"
    with pytest.raises(ParseError) as caught:
        decode(framed_json(value), REQUESTS)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path", 7),
        ("path", None),
        ("path", "x" * 4097),
        ("path", "\ud800"),
        ("headless", {}),
        ("headless", []),
        ("headless", "stdin"),
        ("known_indexes", {}),
        ("known_indexes", [[0, 0, 0]]),
        ("known_indexes", [{"descriptor_index": True, "keychain": 0, "index": 1}]),
        ("known_indexes", [{"descriptor_index": 0, "keychain": 0, "index": 1 << 63}]),
        ("known_indexes", [{"descriptor_index": 0, "keychain": 0, "index": 1.0}]),
        ("text_scale", 79),
        ("text_scale", 201),
        ("text_scale", 100.0),
        ("text_scale", None),
        ("request_digest", ""),
        ("request_digest", "AAAA"),
        ("request_digest", "A" * 43 + "!"),
        ("request_digest", "A" * 42 + "B="),
        ("request_digest", [0] * 32),
    ],
)
def test_mistyped_field_is_refused(name: str, value: Any) -> None:
    fields = object_of(SignPsbt("/w/a.wallet", "cHNidA==", bytes(32)))
    decode(framed_json(fields), REQUESTS)
    fields[name] = value
    with pytest.raises(ParseError):
        decode(framed_json(fields), REQUESTS)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"Cancelled"',
        b"{}",
        b'{"type":null}',
        b'{"type":"Cancelled","type":"Cancelled"}',
        b'{"type":"Cancelled"} ,',
        b'{"type":"Object"}',
        b'{"type":"Progress","step":"","fraction":NaN}',
        b'{"type":"Progress","step":"","fraction":1e400}',
        b'{"type":"Progress","step":"","fraction":1.5}',
        b'{"type":"Progress","step":"","fraction":-1}',
        b'{"type":"Progress","step":"","fraction":' + b"9" * 5000 + b"}",
        b'{"type":"Progress","step":"","fraction":"0.5"}',
        b'{"type":"Failed","kind":"unheard_of","sentence":""}',
        b'{"type":"Failed","kind":{},"sentence":""}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_bad_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(ParseError):
        decode(frame(payload), ALL)


def test_too_large_frame_is_refused_from_its_length_alone() -> None:
    decoder = request_decoder()
    with pytest.raises(ParseError, match="too large"):
        decoder.receive_data(struct.pack("<I", MAX_FRAME + 1))


def test_decoder_stays_broken_after_an_error() -> None:
    decoder = reply_decoder()
    with pytest.raises(ParseError):
        decoder.receive_data(frame(b"garbage"))
    with pytest.raises(ParseError, match="out of step"):
        decoder.receive_data(encode(Cancelled()))
    with pytest.raises(ParseError):
        decoder.receive_eof()


def test_end_inside_a_message_is_an_error() -> None:
    decoder = reply_decoder()
    assert decoder.receive_data(encode(Cancelled())[:-1]) == []
    with pytest.raises(ParseError, match="inside a message"):
        decoder.receive_eof()


def test_each_side_reads_only_what_the_other_may_send() -> None:
    with pytest.raises(ParseError, match="not expected"):
        request_decoder().receive_data(encode(WalletUnlocked("/w/a.wallet", VIEW_KEY)))
    with pytest.raises(ParseError, match="not expected"):
        reply_decoder().receive_data(encode(UnlockWallet("/w/a.wallet")))


@pytest.mark.parametrize("cls", [WalletCreated, WalletUnlocked, PasswordChanged])
def test_view_key_is_not_in_any_text_form(cls: type[WalletUnlocked]) -> None:
    message = cls("/w/a.wallet", VIEW_KEY)
    for shown in (repr(message), str(message), f"{message}"):
        assert "view_key" not in shown
        assert repr(VIEW_KEY)[2:-1] not in shown


def test_view_key_is_not_in_the_error_of_a_damaged_reply() -> None:
    whole = encode(WalletUnlocked("/w/a.wallet", VIEW_KEY))[4:]
    encoded_key = whole.split(b'"view_key":"')[1][:20].decode()
    for end in range(len(whole)):
        with pytest.raises(ParseError) as caught:
            decode(frame(whole[:end]), REPLIES)
        assert encoded_key not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "message",
    [
        WalletUnlocked("/w/a.wallet", bytes(31)),
        Failed(FailureKind.DISK, "x" * 2001),
        UnlockWallet("/w/\udcff.wallet"),
        replace(UnlockWallet("/w/a.wallet"), path=b"bytes"),  # type: ignore[arg-type]
        CreateWallet("/w", "a", "regtest", script_types=["wpkh"]),  # type: ignore[arg-type]
    ],
)
def test_own_mistakes_are_refused_before_they_are_sent(message: Message) -> None:
    with pytest.raises(ParseError):
        encode(message)


def test_no_message_has_room_for_a_secret() -> None:
    secret_words = ("password", "passphrase", "word", "seed", "xprv", "mnemonic", "entropy")
    allowed = {
        "password_file",
        "new_password_file",
        "words_file",
        "passphrase_file",
        "word_count",
        "use_passphrase",
        "has_passphrase",
    }
    for cls in (*ALL, HeadlessOptions):
        for name in cls.__dataclass_fields__:
            assert name in allowed or not any(word in name for word in secret_words), (cls, name)


def test_wire_form_is_what_the_contract_says() -> None:
    written = encode(ChangePassword("/w/ä.wallet", headless=HeadlessOptions(password_file=STDIN)))
    assert struct.unpack("<I", written[:4]) == (len(written) - 4,)
    assert json.loads(written[4:].decode()) == {
        "type": "ChangePassword",
        "path": "/w/ä.wallet",
        "lock_held": False,
        "appearance": "system",
        "text_scale": 100,
        "headless": {
            "password_file": "stdin",
            "new_password_file": "prompt",
            "words_file": "prompt",
            "passphrase_file": "prompt",
            "dice_file": "prompt",
            "assume_yes": False,
            "accept_high_fee": False,
        },
    }
