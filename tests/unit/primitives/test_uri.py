import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives import script
from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.params import MAINNET, NETWORKS, SIGNET, ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.uri import MAX_LABEL, MAX_MESSAGE, MAX_URI_BYTES, PaymentUri

# Stands in for the address of BIP21's examples, whose checksum is wrong.
PAYEE = "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"
SEGWIT = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def parse(text: str) -> PaymentUri:
    return PaymentUri.parse(text, MAINNET)


@pytest.mark.parametrize(
    ("text", "amount_sat", "label", "message"),
    [
        (f"bitcoin:{PAYEE}", None, "", ""),
        (f"bitcoin:{PAYEE}?label=Luke-Jr", None, "Luke-Jr", ""),
        (f"bitcoin:{PAYEE}?amount=20.3&label=Luke-Jr", 2_030_000_000, "Luke-Jr", ""),
        (
            f"bitcoin:{PAYEE}?amount=50&label=Luke-Jr&message=Donation%20for%20project%20xyz",
            5_000_000_000,
            "Luke-Jr",
            "Donation for project xyz",
        ),
        (
            f"bitcoin:{PAYEE}?somethingyoudontunderstand=50&somethingelseyoudontget=999",
            None,
            "",
            "",
        ),
    ],
)
def test_examples_of_bip21(text: str, amount_sat: int | None, label: str, message: str) -> None:
    uri = parse(text)
    assert uri.address == PAYEE
    assert uri.script_pubkey.hex().startswith("76a914")
    assert (uri.amount_sat, uri.label, uri.message) == (amount_sat, label, message)


@pytest.mark.parametrize("scheme", ["bitcoin:", "BITCOIN:", "Bitcoin:", "bItCoIn:"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert parse(scheme + SEGWIT).address == SEGWIT


def test_a_link_in_capitals_is_the_same_link() -> None:
    uri = parse(f"BITCOIN:{SEGWIT.upper()}?AMOUNT=0.001&LABEL=SHOP")
    assert uri == PaymentUri(SEGWIT, uri.script_pubkey, 100_000, "SHOP")
    assert uri.to_string() == f"bitcoin:{SEGWIT}?amount=0.001&label=SHOP"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "begins with bitcoin:"),
        (PAYEE, "begins with bitcoin:"),
        (f" bitcoin:{PAYEE}", "begins with bitcoin:"),
        (f"litecoin:{PAYEE}", "begins with bitcoin:"),
        ("bitcoin:", "holds no address"),
        ("bitcoin:?", "holds no address"),
        ("bitcoin:?amount=1", "holds no address"),
        (f"bitcoin:?bc={SEGWIT}", "holds no address"),
        (f"bitcoin://{PAYEE}", "address follows bitcoin:"),
        (f"bitcoin:{PAYEE} ", "not a valid address"),
        (f"bitcoin:{PAYEE}&amount=1", "not a valid address"),
        (f"bitcoin:{PAYEE}#fragment", "not a valid address"),
        (f"bitcoin:{PAYEE[:-1]}V", "checksum"),
        (f"bitcoin:%31{PAYEE[1:]}", "not a valid address"),
        ("bitcoin:tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "belongs to testnet4 or signet"),
        (f"bitcoin:{PAYEE}?req-somethingyoudontunderstand=50", "req-somethingyoudontunderstand"),
        (f"bitcoin:{PAYEE}?req-=1", "does not understand"),
        (f"bitcoin:{PAYEE}?REQ-new", "does not understand"),
        (f"bitcoin:{PAYEE}?%72eq-hidden=1", "req-hidden"),
        (f"bitcoin:{PAYEE}?req%2dhidden=1", "req-hidden"),
        (f"bitcoin:{PAYEE}?amount=1&amount=1", "\u201camount\u201d twice"),
        (f"bitcoin:{PAYEE}?amount=1&AMOUNT=2", "twice"),
        (f"bitcoin:{PAYEE}?amount=1&%61mount=2", "twice"),
        (f"bitcoin:{PAYEE}?x=1&x=2", "twice"),
        (f"bitcoin:{PAYEE}?=1", "no name"),
        (f"bitcoin:{PAYEE}?label=%", "not followed by two digits"),
        (f"bitcoin:{PAYEE}?label=%4", "not followed by two digits"),
        (f"bitcoin:{PAYEE}?label=100%25%zz", "not followed by two digits"),
        (f"bitcoin:{PAYEE}?label=%ff", "not valid UTF-8"),
        (f"bitcoin:{PAYEE}?label=%C3x%A9", "not valid UTF-8"),
        (f"bitcoin:{PAYEE}?label=%ed%a0%80", "not valid UTF-8"),
        (f"bitcoin:{PAYEE}?label=%c0%af", "not valid UTF-8"),
        (f"bitcoin:{PAYEE}?other=%ff", "not valid UTF-8"),
    ],
)
def test_malformed_links_are_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ParseError, match=sentence) as caught:
        parse(text)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "amount",
    [
        "", "1e2", "-1", "+1", "1_000", "50,000.00", "0,5", "1.", ".5", "1.123456789", "20.3X8",
        "21000001", "123456789", "1%0A", "%201", "\u0661", "%D9%A1", "0x10", "nan", "1 BTC", "1=1",
    ],
)  # fmt: skip
def test_amounts_follow_the_grammar_or_the_link_is_refused(amount: str) -> None:
    with pytest.raises(ParseError, match="amount in this payment link"):
        parse(f"bitcoin:{PAYEE}?amount={amount}")


def test_amounts_may_be_escaped_needlessly() -> None:
    assert parse(f"bitcoin:{PAYEE}?amount=%31%2E5").amount_sat == 150_000_000


def test_an_amount_of_zero_asks_for_none() -> None:
    assert parse(f"bitcoin:{PAYEE}?amount=0.00").amount_sat is None


def test_other_ways_to_pay_are_ignored() -> None:
    uri = parse(
        f"bitcoin:{SEGWIT}?r=https://example.com/i&pj=https://example.com/pj&lightning=LNBC1&"
    )
    assert uri == PaymentUri(SEGWIT, uri.script_pubkey)


def test_labels_are_plain_text_and_capped() -> None:
    uri = parse(f"bitcoin:{PAYEE}?label=%E2%80%AEevil%0A%00x+y&message=<b>%C3%A9</b>")
    assert uri.label == "evil x+y"
    assert uri.message == "<b>\u00e9</b>"
    uri = parse(f"bitcoin:{PAYEE}?label={'a' * 500}&message={'b' * 1000}")
    assert len(uri.label) == MAX_LABEL
    assert len(uri.message) == MAX_MESSAGE


def test_the_address_of_bip21_itself_has_a_wrong_checksum() -> None:
    with pytest.raises(ParseError, match="checksum"):
        parse("bitcoin:175tWpb8K1S7NmH4Zx6rewF9WQrcZv245W")


def test_long_links_are_refused_by_their_bytes() -> None:
    head = f"bitcoin:{PAYEE}?x="
    assert parse(head + "a" * (MAX_URI_BYTES - len(head))).address == PAYEE
    with pytest.raises(ParseError, match="longer than 2048 bytes"):
        parse(head + "a" * (MAX_URI_BYTES - len(head) + 1))
    with pytest.raises(ParseError, match="longer than 2048 bytes"):
        parse(head + "\u00e9" * 1020)
    with pytest.raises(ParseError, match="longer than 2048 bytes"):
        parse("bitcoin:" + "a" * 50_000_000)


def test_an_unknown_required_key_is_shown_harmlessly() -> None:
    with pytest.raises(ParseError) as caught:
        parse(f"bitcoin:{PAYEE}?req-%E2%80%AE%0A{'z' * 500}=1")
    assert "\u202e" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_request_is_written_with_everything_escaped() -> None:
    uri = PaymentUri.for_script(
        script.p2wpkh(bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")),
        MAINNET,
        amount_sat=1,
        label="50% & more?",
        message="caf\u00e9=#1\n",
    )
    assert str(uri) == (
        f"bitcoin:{SEGWIT}?amount=0.00000001&label=50%25%20%26%20more%3F&message=caf%C3%A9%3D%231"
    )
    assert parse(str(uri)) == uri


def test_requests_that_cannot_be_written() -> None:
    with pytest.raises(ParseError, match="no address"):
        PaymentUri.for_script(script.op_return(b"x"), MAINNET)
    with pytest.raises(ParseError, match="too long for a payment link"):
        PaymentUri.for_script(script.p2tr(bytes(32)), MAINNET, message="\U0001f600" * 400)


def test_qr_codes_get_capitals_where_nothing_is_lost() -> None:
    assert parse(f"bitcoin:{SEGWIT}").to_qr_string() == f"BITCOIN:{SEGWIT.upper()}"
    for text in (f"bitcoin:{PAYEE}", f"bitcoin:{SEGWIT}?amount=1"):
        assert parse(text).to_qr_string() == text


@settings(deadline=None)
@given(
    st.builds(script.witness_program, st.integers(1, 16), st.binary(min_size=2, max_size=40))
    | st.binary(min_size=20, max_size=20).map(script.p2pkh),
    st.sampled_from(list(NETWORKS.values())),
    st.none() | st.integers(1, MAX_MONEY),
    st.text(max_size=30),
    st.text(max_size=60),
)
def test_round_trip(
    data: bytes, params: ChainParams, amount_sat: int | None, label: str, message: str
) -> None:
    uri = PaymentUri.for_script(data, params, amount_sat=amount_sat, label=label, message=message)
    assert PaymentUri.parse(uri.to_string(), params) == uri
    assert PaymentUri.parse(uri.to_qr_string(), params) == uri


@settings(deadline=None, max_examples=300)
@given(
    st.text(max_size=60)
    | st.text(st.characters(), max_size=60).map(f"bitcoin:{PAYEE}?".__add__)
    | st.text("amountlbe-rq=&?%0123456789.,aF", max_size=60).map(f"bitcoin:{PAYEE}?".__add__)
)
def test_any_text_is_a_link_or_a_parse_error(text: str) -> None:
    try:
        uri = parse(text)
    except ParseError:
        return
    assert uri.address == PAYEE
    assert uri.amount_sat is None or 0 < uri.amount_sat <= MAX_MONEY
    assert parse(uri.to_string()) == uri


def test_the_network_decides() -> None:
    uri = PaymentUri.parse("bitcoin:tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", SIGNET)
    assert uri.address.startswith("tb1")
