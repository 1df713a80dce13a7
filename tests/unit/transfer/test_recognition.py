import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transfer.ur_vectors import vectors
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.recognition import Kind, check, recognise, recognise_bytes

PSBT = bytes.fromhex(vectors()["psbt"]["hex"])
XPUB = vectors()["hdkey"]["xpub"]


def signed_transaction() -> bytes:
    """The genesis coinbase of mainnet, as in block 0."""
    return bytes.fromhex(
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff"
        "001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e"
        "6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104"
        "678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51e"
        "c112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"wpkh({XPUB}/<0;1>/*)", Kind.DESCRIPTOR),
        (f"wpkh([11223344/84h/1h/0h]{XPUB})#abcdefgh", Kind.DESCRIPTOR),
        ("wsh(or_d(pk(a),older(5)))", Kind.DESCRIPTOR),
        (f"wpkh({XPUB})\ntr({XPUB})", Kind.ACCOUNT),
        (XPUB, Kind.XPUB),
        (f"[11223344/84h/1'/0H]{XPUB}", Kind.XPUB),
        (f"{XPUB}/0/*", Kind.XPUB),
        ("z" + XPUB[1:], Kind.XPUB),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Kind.PAYMENT),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", Kind.PAYMENT),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", Kind.PAYMENT),
        ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", Kind.PAYMENT),
        ("bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4?amount=1", Kind.PAYMENT),
        ("BITCOIN:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", Kind.PAYMENT),
        ('{"xfp": "11223344"}', Kind.JSON),
        ("{not json}", Kind.TEXT),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", Kind.TEXT),
        ("hello", Kind.TEXT),
        ("00", Kind.TEXT),
        ("12 34\n56", Kind.TEXT),
        ("\u202eabc", Kind.TEXT),
        ("wpkh(\n)", Kind.TEXT),
        ('{"a":' * 50_000, Kind.TEXT),
        ("a meeting at ten, in the house of the one who asked for it", Kind.TEXT),
    ],
)
def test_text_is_recognised(text: str, kind: Kind) -> None:
    assert recognise(f" {text}\n") == (kind, text.encode())
    assert recognise_bytes(text.encode()) == (kind, text.encode())


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(PSBT).decode(),
        base64.encodebytes(PSBT).decode(),
        PSBT.hex(),
        PSBT.hex().upper(),
    ],
)
def test_psbt_is_recognised(text: str) -> None:
    assert recognise(text) == (Kind.PSBT, PSBT)
    assert recognise_bytes(PSBT) == (Kind.PSBT, PSBT)


def test_transaction_is_recognised() -> None:
    transaction = signed_transaction()
    assert recognise(transaction.hex()) == (Kind.TRANSACTION, transaction)
    assert recognise(transaction.hex().upper()) == (Kind.TRANSACTION, transaction)
    assert recognise_bytes(transaction) == (Kind.TRANSACTION, transaction)
    lines = "\n".join(transaction.hex()[i : i + 76] for i in range(0, 2 * len(transaction), 76))
    assert recognise(lines) == (Kind.TRANSACTION, transaction)
    assert recognise(transaction.hex() + "00")[0] is Kind.TEXT


def test_other_bytes_are_bytes() -> None:
    for data in (b"\xff\xfe", b"a\0b", b"\0"):
        assert recognise_bytes(data) == (Kind.BINARY, data)


@pytest.mark.parametrize(
    "text",
    [
        "shield group erode awake lock sausage cash glare wave crew flame glove",
        "  Shield group erode awake lock sausage\ncash glare wave crew flame GLOVE ",
        " ".join(["abandon"] * 23 + ["art"]),
        " ".join(["\u3042\u3044\u3053\u304f\u3057\u3093"] * 12),
        (
            "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3"
            "TGtRBeJgk33yuGBxrMPHi"
        ),
        (
            "wpkh(tprv8ZgxMBicQKsPd9TeAdPADNnSyH9SSUUbTVeFszDE23Ki6TBB5nCefAdHkK8Fm3qMQR6sHwA56zqRmKmxn"
            "HTVfUbZSpAuT8VECbmbZxcbRNd/0/*)"
        ),
        "KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617",
        "0000" * 11 + "0003",
        "2047" * 24,
        " ".join(["0001"] * 12),
    ],
)
def test_secrets_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ParseError, match="vault only") as refused:
        recognise(text)
    assert text.split(maxsplit=1)[0] not in str(refused.value)
    with pytest.raises(ParseError):
        recognise_bytes(text.encode())


@pytest.mark.parametrize(
    "text", ["", " \n", "cHNidP8BAA*", "cHNidPABAA==", "cHNidP", "\ud800", "x" * 10_000_001]
)
def test_broken_text_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        recognise(text)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Kind.PSBT, b"psbt"),
        (Kind.TRANSACTION, b"\x01\x00"),
        (Kind.TRANSACTION, PSBT),
        (Kind.JSON, b"{"),
        (Kind.JSON, b"\xff"),
        (Kind.JSON, b"[" * 200_000),
        (Kind.TEXT, b"\xff"),
        (Kind.BINARY, bytes(10_000_001)),
    ],
)
def test_data_of_another_kind_are_refused(kind: Kind, data: bytes) -> None:
    with pytest.raises(ParseError):
        check(kind, data)


@given(st.text(max_size=100) | st.text("0123456789abcdefABCDEF", max_size=100))
@settings(deadline=None)
def test_any_text_has_a_kind_or_is_refused(text: str) -> None:
    try:
        kind, data = recognise(text)
    except ParseError:
        return
    check(kind, data)


@given(st.binary(max_size=100))
@settings(deadline=None)
def test_any_bytes_have_a_kind_or_are_refused(data: bytes) -> None:
    try:
        kind, found = recognise_bytes(data)
    except ParseError:
        return
    check(kind, found)
