import base64
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.release_keys import ReleaseSigner
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.release_signature import (
    MAX_KEYS,
    MAX_SIGNATURE_FILE,
    BadSignature,
    PublicKey,
    ReleaseKeys,
    Verified,
    verify,
)

# Made by minisign 0.11 of Debian: `minisign -G -W`, then `minisign -S` with and without `-l`.
PUBLIC_FILE = (
    "untrusted comment: minisign public key 452C8AB290925948\n"
    "RWRIWZKQsoosRdIAgSU7LTp3KyjCoGOsdCXT4PGDBdcq8ECEJhXkuRFG\n"
)
KEY = PublicKey.parse(PUBLIC_FILE)
OTHER = PublicKey.parse("RWTNTow0o9fcd2FXjFGISIw+Qc/2mGn5S9M5Mk4Es7D7O4xxUrnfvYW/")
DATA = b"A file that was signed, with a byte that is no text: \xff\n"
PREHASHED = """untrusted comment: untrusted words
RURIWZKQsoosRY9yYSy4Urg8BcDTLu9dIVbUim1W6Wls4OJFgtu2YQfEYxmxl02Al6Ht87Hf55lqCGsrfEUrnrYkwfgcfVOqPQk=
trusted comment: timestamp:1700000000 file:data
PY9lRww2o7C8AZY4hp1SqFSDmTKRg47DK3DoN5M1ED9Zmvh1Dy74YASuRDQhYeKeIdXNGyCSpjtimQQqbZe6Dw==
"""
LEGACY = """untrusted comment: signature from minisign secret key
RWRIWZKQsoosRZAPIYAaAXjqo5bi4ctHctmyByyKGq7j0dXgmtnr3JM7SUluA3zjfHW8TAZGz7LbYAwwNUS77ym44nB/Bi3IgAw=
trusted comment: old way
FRXCAus2JE9OVDqQKu1RnaMmUMFB+oFBWgeyLBac9x3kipAZk6UJEIDJHfMLIhj5FwFjPxm7Jk/StfE7B6oQBg==
"""
WITH_TABS = """untrusted comment: signature from minisign secret key
RURIWZKQsoosRY9yYSy4Urg8BcDTLu9dIVbUim1W6Wls4OJFgtu2YQfEYxmxl02Al6Ht87Hf55lqCGsrfEUrnrYkwfgcfVOqPQk=
trusted comment: timestamp:1795274292\tfile:data\thashed
IHoHbgMsB9I/47gngv1PN1Sv0KONc/5NcD8EIWYu4zPAQZZEIBtF2s6tzc2pAJX+KyP8H50uwoqb9IMT/FSsBA==
"""
OF_AN_EMPTY_FILE = """untrusted comment: signature from minisign secret key
RURIWZKQsoosRX5CubT/UkEM9PLLInrMxnoMgeQIwopx7AaE9K4mt6dY833R+liiwTAUL9DKC1BFiS9slczASHgSq9iKnBDa5wI=
trusted comment: \u00fcn\u00ef \u2713
1vF1/gSPeNXMzAAasb20lEXYd17zqUcdF1pLHO8Qd7l6JhetqUqTDHF4ARmgDYHrXHHpRlhRfmHgJIrqnVRoBA==
"""


@pytest.mark.parametrize(
    ("data", "signature", "comment"),
    [
        (DATA, PREHASHED, "timestamp:1700000000 file:data"),
        (DATA, LEGACY, "old way"),
        (DATA, WITH_TABS, "timestamp:1795274292\tfile:data\thashed"),
        (b"", OF_AN_EMPTY_FILE, "\u00fcn\u00ef \u2713"),
        (DATA, PREHASHED.replace("\n", "\r\n"), "timestamp:1700000000 file:data"),
        (DATA, PREHASHED.removesuffix("\n"), "timestamp:1700000000 file:data"),
    ],
    ids=["prehashed", "legacy", "tabs", "empty", "windows", "no last line end"],
)
def test_what_minisign_made_holds(data: bytes, signature: str, comment: str) -> None:
    assert verify(data, signature, (KEY,)) == Verified("452C8AB290925948", comment)
    assert verify(data, signature, (OTHER, KEY)).key_id == KEY.name


def test_another_key_is_named() -> None:
    with pytest.raises(BadSignature, match="452C8AB290925948, which is none of those"):
        verify(DATA, PREHASHED, (OTHER,))
    with pytest.raises(BadSignature, match="none of those"):
        verify(DATA, PREHASHED, ())


def test_another_key_of_the_same_id_does_not_help() -> None:
    with pytest.raises(BadSignature, match="does not match"):
        verify(DATA, PREHASHED, (replace(OTHER, key_id=KEY.key_id),))
    # But does not get in the way of the right one.
    keys = (replace(OTHER, key_id=KEY.key_id), KEY)
    assert verify(DATA, PREHASHED, keys).key_id == KEY.name


# Every changed byte


@pytest.mark.parametrize("signature", [PREHASHED, LEGACY], ids=["prehashed", "legacy"])
def test_every_changed_byte_of_the_file_is_refused(signature: str) -> None:
    for place in range(len(DATA)):
        changed = bytearray(DATA)
        changed[place] ^= 1
        with pytest.raises(BadSignature, match="does not match"):
            verify(bytes(changed), signature, (KEY,))
    for other in (DATA[:-1], DATA + b"\n", b"", b"\xef\xbb\xbf" + DATA):
        with pytest.raises(BadSignature, match="does not match"):
            verify(other, signature, (KEY,))


@pytest.mark.parametrize("signature", [PREHASHED, LEGACY], ids=["prehashed", "legacy"])
def test_every_changed_character_of_the_signature_is_refused(signature: str) -> None:
    start = signature.index("\n")  # what stands before is called untrusted and is never shown
    for place in range(start, len(signature) - 1):
        for character in {chr(ord(signature[place]) ^ 1), "A", "=", "\n", " ", "\u00e9"}:
            if character == signature[place]:
                continue
            changed = signature[:place] + character + signature[place + 1 :]
            with pytest.raises(BadSignature):
                verify(DATA, changed, (KEY,))
        with pytest.raises(BadSignature):
            verify(DATA, signature[:place] + signature[place + 1 :], (KEY,))
        with pytest.raises(BadSignature):
            verify(DATA, signature[:place], (KEY,))


def test_every_bit_of_the_decoded_signatures_counts() -> None:
    lines = PREHASHED.split("\n")
    for line in (1, 3):
        packed = base64.b64decode(lines[line])
        for bit in range(8 * len(packed)):
            changed = bytearray(packed)
            changed[bit // 8] ^= 1 << bit % 8
            text = "\n".join(
                base64.b64encode(changed).decode() if number == line else old
                for number, old in enumerate(lines)
            )
            with pytest.raises(BadSignature):
                verify(DATA, text, (KEY,))


def test_the_same_bytes_have_one_spelling() -> None:
    # The last letter before "=" has two spare bits; a decoder that drops them takes four texts.
    changed = PREHASHED.replace("fVOqPQk=", "fVOqPQl=")
    assert base64.b64decode(changed.split("\n")[1]) == base64.b64decode(PREHASHED.split("\n")[1])
    with pytest.raises(BadSignature, match="damaged"):
        verify(DATA, changed, (KEY,))


def test_a_signature_of_the_hash_is_none_of_the_file() -> None:
    # The two ways must not be taken for each other: the algorithm's letters are not signed.
    with pytest.raises(BadSignature, match="does not match"):
        verify(DATA, PREHASHED.replace("RUR", "RWR", 1), (KEY,))
    with pytest.raises(BadSignature, match="does not match"):
        verify(DATA, LEGACY.replace("RWR", "RUR", 1), (KEY,))


def test_a_signature_with_the_order_of_the_curve_added_is_refused() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    lines = PREHASHED.split("\n")
    packed = base64.b64decode(lines[1])
    scalar = int.from_bytes(packed[42:], "little") + order
    assert scalar < 2**256
    lines[1] = base64.b64encode(packed[:42] + scalar.to_bytes(32, "little")).decode()
    with pytest.raises(BadSignature, match="does not match"):
        verify(DATA, "\n".join(lines), (KEY,))


def test_the_trusted_comment_belongs_to_this_file() -> None:
    signer = ReleaseSigner()
    first, second = signer.sign(b"one", "first"), signer.sign(b"two", "second")
    moved = first.split("\n")[:2] + second.split("\n")[2:]
    with pytest.raises(BadSignature, match="does not match"):
        verify(b"one", "\n".join(moved), (signer.public,))


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\u202e", "\u2028", "\x85", "\r", "\x7f"])
def test_a_comment_that_would_move_what_is_printed_is_refused(character: str) -> None:
    signer = ReleaseSigner()
    with pytest.raises(BadSignature, match="damaged"):
        verify(b"data", signer.sign(b"data", f"a{character}b"), (signer.public,))


def test_a_signature_file_is_small() -> None:
    signer = ReleaseSigner()
    with pytest.raises(BadSignature, match="damaged"):
        verify(b"data", signer.sign(b"data", "a" * 1025), (signer.public,))
    with pytest.raises(BadSignature, match="damaged"):
        verify(b"data", "untrusted comment: " + "a" * MAX_SIGNATURE_FILE, (signer.public,))


@settings(deadline=None)
@given(st.binary(max_size=300), st.text(max_size=40))
def test_what_is_signed_is_verified(data: bytes, comment: str) -> None:
    signer = ReleaseSigner()
    comment = "".join(letter for letter in comment if letter.isprintable())
    for legacy in (False, True):
        signature = signer.sign(data, comment, legacy=legacy)
        assert verify(data, signature, (signer.public,)).trusted_comment == comment


@settings(deadline=None)
@given(st.text(max_size=400), st.binary(max_size=40))
@example("\n\n\n", b"")
@example("untrusted comment: \nRUQ=\ntrusted comment: \n=", b"")
def test_any_text_is_refused_with_a_sentence(text: str, data: bytes) -> None:
    with pytest.raises(BadSignature) as caught:
        verify(data, text, (KEY,))
    assert str(caught.value).endswith(".")


# Keys


def test_a_key_is_read_from_its_file_and_its_line() -> None:
    assert PublicKey.parse(PUBLIC_FILE.split("\n")[1]) == KEY
    assert PublicKey.parse(KEY.to_text()) == KEY
    assert KEY.name == "452C8AB290925948"
    # Of another key minisign prints 114BD0A8D601364, a digit less.
    other = PublicKey.parse("RWRkE2CNCr0UAe+Y5A5Fc/2HrVEiVyQzGfSTaQVl5Ap7PfUDwZPLtNlR")
    assert other.name == "0114BD0A8D601364"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RWRIWZKQsoosRdIAgSU7LTp3KyjCoGOsdCXT4PGDBdcq8ECEJhXkuRF",
        "RURIWZKQsoosRdIAgSU7LTp3KyjCoGOsdCXT4PGDBdcq8ECEJhXkuRFG",  # ED is no kind of key
        KEY.to_text() + "\n" + OTHER.to_text(),
        "\u00e9" + KEY.to_text()[1:],
        "RWRIWZKQsoosRdIAgSU7LTp3KyjCoGOs dCXT4PGDBdcq8ECEJhXkuRFG",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="not a public key"):
        PublicKey.parse(text)


def test_release_keys_are_read() -> None:
    text = (
        "# a comment\n\nnotice https://example.org/wallet-gui/notice.json\n"
        f"  key {KEY.to_text()} First Maintainer, 2026\r\nkey {OTHER.to_text()}\n"
    )
    keys = ReleaseKeys.parse(text)
    assert keys == ReleaseKeys("https://example.org/wallet-gui/notice.json", (KEY, OTHER))
    assert keys.offers_updates


@pytest.mark.parametrize("text", ["", "# nothing\n", "notice https://example.org/n\n"])
def test_without_a_key_nothing_is_offered(text: str) -> None:
    assert not ReleaseKeys.parse(text).offers_updates
    assert not ReleaseKeys.parse(f"key {KEY.to_text()}").offers_updates


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://example.org/n", True),
        ("https://127.0.0.1:8443/wallet-gui/notice-1.json", True),
        ("http://" + "a2" * 28 + ".onion/notice.json", True),
        ("https://" + "a2" * 28 + ".onion/notice.json", True),
        ("http://example.org/n", False),
        ("http://short.onion/n", False),
        ("ftp://example.org/n", False),
        ("https://example.org", False),
        ("https://user@example.org/n", False),
        ("https://example.org/n?q=1", False),
        ("https://example.org/n#f", False),
        ("https://EXAMPLE.org/n", False),
        ("https://example.org/a b", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_a_notice_lies_at_a_plain_https_address(url: str, taken: bool) -> None:  # noqa: FBT001
    if taken:
        assert ReleaseKeys.parse(f"notice {url}").notice_url == url
    else:
        with pytest.raises(ParseError, match="Line 1"):
            ReleaseKeys.parse(f"notice {url}")


@pytest.mark.parametrize(
    "text",
    [
        "key",
        "key nonsense",
        "keys RWRI",
        "notice https://a.b/c\nnotice https://a.b/d",
        f"key {KEY.to_text()}\n" * (MAX_KEYS + 1),
        "\ufeff# a comment",
    ],
)
def test_a_line_that_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match=r"^Line \d+ of the release keys"):
        ReleaseKeys.parse(text)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_release_keys_or_an_error(text: str) -> None:
    try:
        ReleaseKeys.parse(text)
    except ParseError:
        return


# The program whose format it is


@pytest.fixture(scope="module")
def minisign() -> str:
    found = shutil.which("minisign")
    if found is None:
        pytest.skip("minisign is not installed (Debian package minisign)")
    return found


@pytest.mark.parametrize("way", [[], ["-l"], ["-c", "a", "-t", "b c"]], ids=str)
def test_minisign_signs_and_this_verifies(minisign: str, tmp_path: Path, way: list[str]) -> None:
    public, secret, file = tmp_path / "k.pub", tmp_path / "k.sec", tmp_path / "file"
    subprocess.run([minisign, "-G", "-W", "-p", public, "-s", secret], check=True, timeout=60)
    file.write_bytes(bytes(range(256)) * 5)
    subprocess.run([minisign, "-S", "-s", secret, "-m", file, *way], check=True, timeout=60)
    signature = (tmp_path / "file.minisig").read_text(encoding="utf-8")
    key = PublicKey.parse(public.read_text(encoding="utf-8"))
    assert f" {key.name.lstrip('0')}\n" in public.read_text(encoding="utf-8")
    verified = verify(file.read_bytes(), signature, (key,))
    assert verified.key_id == key.name
    assert f"trusted comment: {verified.trusted_comment}\n" in signature
    with pytest.raises(BadSignature, match="does not match"):
        verify(file.read_bytes() + b"!", signature, (key,))


@pytest.mark.parametrize("legacy", [False, True])
def test_minisign_verifies_what_the_tests_sign(
    minisign: str,
    tmp_path: Path,
    legacy: bool,  # noqa: FBT001
) -> None:
    signer = ReleaseSigner()
    file = tmp_path / "file"
    file.write_bytes(b"data")
    (tmp_path / "file.minisig").write_text(signer.sign(b"data", "of the tests", legacy=legacy))
    command = [minisign, "-V", "-m", str(file), "-P", signer.public.to_text()]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "of the tests" in answer.stdout
    file.write_bytes(b"date")
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1


def test_the_same_key_always_makes_the_same_signature() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert ReleaseSigner(key).sign(b"x", "y") == ReleaseSigner(key).sign(b"x", "y")
