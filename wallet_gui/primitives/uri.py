"""Payment links: `bitcoin:` URIs, read strictly and written (BIP21, BIP321).

Reading one never pays anything; it fills a form that a person checks.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from wallet_gui.primitives.address import address_from_script, script_from_address
from wallet_gui.primitives.amount import format_btc, parse_btc
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.primitives.script import parse_witness_program
from wallet_gui.primitives.serialize import ParseError

MAX_URI_BYTES = 2048
MAX_LABEL = 120
MAX_MESSAGE = 400

_SCHEME = "bitcoin:"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE_RUN = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class PaymentUri:
    """A request for payment to one address.

    `amount_sat` is None when the payer chooses it. `label` (who is paid) and `message` (what for)
    are the payee's words: one line of plain text each, capped, and to be shown as such.
    """

    address: str
    script_pubkey: bytes
    amount_sat: int | None = None
    label: str = ""
    message: str = ""

    @classmethod
    def for_script(
        cls,
        script_pubkey: bytes,
        params: ChainParams,
        *,
        amount_sat: int | None = None,
        label: str = "",
        message: str = "",
    ) -> Self:
        """Ask for payment to a script.

        Raises `ParseError` when the script has no address or the words are too long for a link.
        """
        uri = cls(
            address=_address(script_pubkey, params),
            script_pubkey=script_pubkey,
            amount_sat=amount_sat,
            label=plain_text(label, MAX_LABEL),
            message=plain_text(message, MAX_MESSAGE),
        )
        if len(uri.to_string()) > MAX_URI_BYTES:
            raise ParseError(
                "Label and message are too long for a payment link; please shorten them."
            )
        return uri

    @classmethod
    def parse(cls, text: str, params: ChainParams) -> Self:
        """Read a payment link for the given network; raises `ParseError`.

        Scheme and keys are read in capitals too, as QR codes have them. A key may stand only once.
        Unknown keys are ignored (`r`, `pj` and other ways to pay among them), but one that begins
        with `req-` makes the link unpayable. An amount of zero asks for no amount.
        """
        _check_size(text)
        if text[: len(_SCHEME)].lower() != _SCHEME:
            raise ParseError("A payment link begins with bitcoin: and this text does not.")
        target, _, query = text[len(_SCHEME) :].partition("?")
        if not target:
            raise ParseError(
                "This payment link holds no address; ask the recipient for a Bitcoin address."
            )
        if target.startswith("/"):
            raise ParseError(
                "This payment link is malformed: the address follows bitcoin: at once."
            )
        fields = _parse_query(query)
        script_pubkey = script_from_address(target, params)
        amount_sat = None
        if "amount" in fields:
            try:
                amount_sat = parse_btc(fields["amount"]) or None
            except ParseError as error:
                raise ParseError(f"The amount in this payment link is malformed. {error}") from None
        return cls(
            # Written anew: the link may have the address in capitals.
            address=_address(script_pubkey, params),
            script_pubkey=script_pubkey,
            amount_sat=amount_sat,
            label=plain_text(fields.get("label", ""), MAX_LABEL),
            message=plain_text(fields.get("message", ""), MAX_MESSAGE),
        )

    def to_string(self) -> str:
        """Return the link as text, every reserved character of label and message escaped."""
        fields: list[str] = []
        if self.amount_sat is not None:
            fields.append(f"amount={format_btc(self.amount_sat, trim=True)}")
        if self.label:
            fields.append(f"label={quote(self.label, safe='')}")
        if self.message:
            fields.append(f"message={quote(self.message, safe='')}")
        return _SCHEME + self.address + ("?" + "&".join(fields) if fields else "")

    def to_qr_string(self) -> str:
        """Return the link for a QR code: in capitals, which are smaller there, where they may be.

        Keys and labels must keep their case, and so must Base58 (BIP173, BIP321).
        """
        text = self.to_string()
        is_bech32 = parse_witness_program(self.script_pubkey) is not None
        return text.upper() if is_bech32 and "?" not in text else text

    def __str__(self) -> str:
        return self.to_string()


def _address(script_pubkey: bytes, params: ChainParams) -> str:
    address = address_from_script(script_pubkey, params)
    if address is None:
        raise ParseError("This script has no address to ask for payment to.")
    return address


def _check_size(text: str) -> None:
    # UTF-8 is never shorter than the text, so a huge one is refused without encoding it.
    if len(text) > MAX_URI_BYTES or len(text.encode(errors="replace")) > MAX_URI_BYTES:
        raise ParseError(
            f"This payment link is longer than {MAX_URI_BYTES} bytes; ask for a shorter one."
        )


def _parse_query(query: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for item in query.split("&"):
        raw_key, _, raw_value = item.partition("=")
        # Keys are unescaped before they are judged, so that no escape hides a "req-".
        key = _unescape(raw_key).lower()
        if not key:
            if raw_value:
                raise ParseError("This payment link is malformed: a value has no name.")
            continue
        if key in fields:
            raise ParseError(
                f"This payment link says {_shown(key)} twice; ask the recipient for another one."
            )
        if key.startswith("req-"):
            raise ParseError(
                f"This payment link requires {_shown(key)}, which this wallet does not "
                "understand; ask the recipient for a plain address."
            )
        fields[key] = _unescape(raw_value)
    return fields


def _shown(key: str) -> str:
    return f"\u201c{plain_text(key, 40)}\u201d"


def _unescape(text: str) -> str:
    if _BROKEN_ESCAPE.search(text):
        raise ParseError("This payment link is damaged: a % is not followed by two digits.")
    try:
        return _ESCAPE_RUN.sub(
            lambda run: bytes.fromhex(run.group().replace("%", "")).decode("utf-8"), text
        )
    except UnicodeDecodeError:
        raise ParseError("This payment link is damaged: it is not valid UTF-8 text.") from None
