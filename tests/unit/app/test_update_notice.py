import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.release_keys import ReleaseSigner
from wallet_gui import __version__
from wallet_gui.app.update_notice import (
    MAX_SIZE,
    MAX_TEXT,
    Level,
    NotANotice,
    NoticeOfNewerFormat,
    UpdateNotice,
    Version,
    join,
    moment,
    read,
    read_signed,
)
from wallet_gui.release_signature import BadSignature

NOW = 1_795_000_000
NOTICE = UpdateNotice(
    version="0.2.0",
    date=NOW,
    page="https://example.org/wallet-gui/0.2.0",
    expires=NOW + 1000,
    sha256sums="ab" * 32,
    level=Level.SECURITY,
    revoked=("452C8AB290925948",),
    text="What is new.",
)
SIGNER = ReleaseSigner()


def changed(**fields: Any) -> bytes:
    value = {**json.loads(NOTICE.to_json()), **fields}
    return json.dumps({name: item for name, item in value.items() if item != "-"}).encode()


# Versions


@pytest.mark.parametrize(
    "texts",
    [("0.1.0", "0.1.1", "0.2a1", "0.2b1", "0.2b2", "0.2rc1", "0.2", "0.10.0", "1.0", "10.0")],
)
def test_versions_are_ordered_by_number(texts: tuple[str, ...]) -> None:
    versions = [Version.parse(text) for text in texts]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(texts)


def test_trailing_zeros_do_not_count() -> None:
    assert Version.parse("1.0") == Version.parse("1.0.0") == Version.parse("1.00.0")


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.", ".1", "v1.0", "1.0-rc1", "1.0.0.0.0", "1.99999", "1.0 ", "\u0661.0", "1.0rc"],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(NotANotice, match="no version"):
        Version.parse(text)


def test_the_version_of_this_program_can_be_compared() -> None:
    assert not replace(NOTICE, version=__version__).is_newer_than(__version__)
    assert replace(NOTICE, version="9999.0").is_newer_than(__version__)


# Notices


def test_what_is_written_is_read() -> None:
    assert read(NOTICE.to_json()) == NOTICE
    small = UpdateNotice("1.0", NOW, "https://example.org")
    assert read(small.to_json()) == small
    assert not small.is_expired(NOW * 2)
    assert NOTICE.is_expired(NOW + 1000)
    assert not NOTICE.is_expired(NOW + 999)


def test_unknown_fields_are_of_later_versions() -> None:
    assert read(changed(more={"a": 1})) == NOTICE


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"program": "other"}, "another program"),
        ({"program": "-"}, "another program"),
        ({"format": "-"}, "no format"),
        ({"format": True}, "no format"),
        ({"format": 0}, "no format"),
        ({"format": "1"}, "no format"),
        ({"level": 1}, "no format"),
        ({"version": "-"}, "no version"),
        ({"version": 1}, "no version"),
        ({"version": "latest"}, "no version"),
        ({"date": "-"}, "no date"),
        ({"date": NOW}, "no date"),
        ({"date": "2026-02-31T00:00:00Z"}, "no date"),
        ({"date": "2026-02-01"}, "no date"),
        ({"date": "2026-02-01T00:00:00+01:00"}, "no date"),
        ({"expires": "soon"}, "no date"),
        ({"expires": moment(NOW)}, "before its date"),
        ({"page": "-"}, "no page"),
        ({"page": "http://example.org"}, "no page"),
        ({"page": "https://user@example.org"}, "no page"),
        ({"page": "https://example.org/?a"}, "no page"),
        ({"page": "https://ex\u0430mple.org"}, "no page"),  # a Cyrillic letter
        ({"page": "https://example.org\nhttps://evil.example"}, "no page"),
        ({"page": "javascript:alert(1)"}, "no page"),
        ({"page": "file:///etc/passwd"}, "no page"),
        ({"page": "https://example.org/" + "a" * 200}, "no page"),
        ({"sha256sums": "AB" * 32}, "hash"),
        ({"sha256sums": 5}, "hash"),
        ({"revoked": "452C8AB290925948"}, "withdraws"),
        ({"revoked": ["452c8ab290925948"]}, "withdraws"),
        ({"revoked": ["452C8AB290925948"] * 17}, "withdraws"),
        ({"text": ["a"]}, "text"),
    ],
)
def test_a_wrong_field_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(NotANotice, match=words):
        read(changed(**fields))


@pytest.mark.parametrize("fields", [{"format": 2}, {"level": "apocalypse"}])
def test_a_notice_for_later_versions_is_told_apart(fields: dict[str, Any]) -> None:
    with pytest.raises(NoticeOfNewerFormat, match="too old to read"):
        read(changed(**fields))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"program": "wallet-gui", "program": "wallet-gui"}',
        b'{"format": NaN}',
        b'{"format": 1.0}',
        b"[" * 10_000,
        b"1" * 5_000,
    ],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(NotANotice):
        read(body)


def test_the_text_is_one_plain_line() -> None:
    notice = read(changed(text="<b>a</b>\n\u202eb\x00\x1b[31m" + "c" * 5000))
    assert notice.text.startswith("<b>a</b> b[31m")
    assert len(notice.text) <= MAX_TEXT
    assert notice.text.isprintable()


# Signed ones


COMMENT = "wallet-gui 0.2.0 update notice"


def signed(body: bytes, signer: ReleaseSigner = SIGNER, comment: str = COMMENT) -> bytes:
    return join(signer.sign(body, comment), body)


def test_a_signed_notice_is_read() -> None:
    result = read_signed(signed(NOTICE.to_json()), SIGNER.keys().keys)
    assert result.notice == NOTICE
    assert result.key_id == SIGNER.public.name


def test_the_signature_comes_first() -> None:
    # Also of what would be refused for its content: nothing of it is looked at.
    with pytest.raises(BadSignature):
        read_signed(signed(b"{", ReleaseSigner()), SIGNER.keys().keys)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!DOCTYPE html><html>\n\n\n\n\n\n<title>Sign in</title>",
        b"HTTP/1.1 302\n" * 10,
        NOTICE.to_json(),
        bytes(MAX_SIZE),
        b"\n\n\n\n" + NOTICE.to_json(),
        bytes(MAX_SIZE + 1),
    ],
)
def test_what_is_no_notice_at_all_is_no_forgery(data: bytes) -> None:
    # A network that wants a sign-in is no attack; the loud sentence is for what claims to be ours.
    with pytest.raises(NotANotice):
        read_signed(data, SIGNER.keys().keys)


def test_every_changed_byte_is_refused() -> None:
    data = signed(NOTICE.to_json())
    start = data.index(b"\n")  # the untrusted comment is never shown
    for place in range(start + 1, len(data)):
        spoilt = bytearray(data)
        spoilt[place] ^= 1
        with pytest.raises((BadSignature, NotANotice)):
            read_signed(bytes(spoilt), SIGNER.keys().keys)
        with pytest.raises((BadSignature, NotANotice)):
            read_signed(data[:place], SIGNER.keys().keys)
    with pytest.raises(BadSignature):
        read_signed(data + b" ", SIGNER.keys().keys)
    with pytest.raises(BadSignature):
        read_signed(data.replace(b"\n", b"\r\n"), SIGNER.keys().keys)


def test_a_signed_list_of_hashes_is_no_notice() -> None:
    # The same key signs both; one must not be taken for the other.
    sums = b"ab" * 32 + b"  wallet-gui_0.2.0_amd64.deb\n"
    with pytest.raises(NotANotice, match="cannot be read"):
        read_signed(signed(sums), SIGNER.keys().keys)


@pytest.mark.parametrize(
    "comment",
    ["", "wallet-gui 0.2.0 SHA256SUMS", "wallet-gui 0.3.0 update notice", COMMENT + " ", "a test"],
)
def test_a_signature_for_something_else_is_none_for_a_notice(comment: str) -> None:
    with pytest.raises(BadSignature, match="something else"):
        read_signed(signed(NOTICE.to_json(), comment=comment), SIGNER.keys().keys)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises((BadSignature, NotANotice)) as caught:
        read_signed(data, SIGNER.keys().keys)
    assert str(caught.value).endswith(".")


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    ),
    st.sampled_from(["version", "date", "page", "expires", "sha256sums", "level", "revoked"]),
)
def test_any_signed_json_is_a_notice_or_refused(value: object, field: str) -> None:
    body = json.dumps({**json.loads(NOTICE.to_json()), field: value}).encode()
    try:
        read(body)
    except NotANotice:
        return
