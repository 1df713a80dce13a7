"""What the view box of a wallet file holds, as canonical JSON with a format number.

Everything here is irreplaceable but secret-free: what the wallet is, which addresses were given
away, labels, requests, frozen coins, own transactions not yet buried, the person's settings for
this wallet. Canonical means: one state has one text, so equal states are equal bytes.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Self, TypeVar

from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.storage.errors import NewerFormat
from wallet_gui.wallet.changes import (
    Keychain,
    OwnTransaction,
    PaymentRequest,
    ViewChange,
    WalletDescription,
)

FORMAT: Final = 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ViewState:
    """The whole content of a view box. `settings` are JSON values, kept as they are."""

    description: WalletDescription
    view: ViewChange = field(default_factory=ViewChange)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def merge(self, change: ViewChange) -> Self:
        """Return the state after a wallet's staged change."""
        return replace(self, view=self.view.merge(change).settled())

    def encode(self) -> bytes:
        """Return canonical JSON in UTF-8; ValueError for text that is not valid Unicode."""
        view = self.view.settled()
        value = {
            "format": FORMAT,
            "description": {
                **asdict(self.description),
                "cache_key": self.description.cache_key.hex(),
            },
            "revealed": sorted([*key, index] for key, index in view.revealed.items()),
            "labels": sorted([*key, text] for key, text in view.labels.items()),
            "requests": [
                asdict(request) for _, request in sorted(view.requests.items()) if request
            ],
            "frozen": sorted([hash_to_hex(coin.txid), coin.vout] for coin in view.frozen),
            "own_transactions": sorted(
                [hash_to_hex(txid), base64.b64encode(own.raw).decode(), own.created]
                for txid, own in view.own_transactions.items()
                if own is not None
            ),
            "settings": dict(self.settings),
        }
        return json.dumps(
            value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote. Raises NewerFormat, or ParseError for anything else."""
        value = _object(_json(data))
        version = _number(value.pop("format", None))
        if version > FORMAT:
            raise NewerFormat(
                "This wallet was saved by a newer version of the program. Update the program; "
                "the file was left as it is."
            )
        if version != FORMAT:
            raise ParseError("The wallet's view has an unknown format.")
        settings = _object(value.pop("settings", None))
        description = _description(_object(value.pop("description", None)))
        readers: dict[str, Callable[[list[Any]], dict[Any, Any]]] = {
            "revealed": _revealed,
            "labels": _labels,
            "requests": _requests,
            "frozen": _frozen,
            "own_transactions": _own_transactions,
        }
        if value.keys() != readers.keys():
            raise ParseError("The wallet's view has other parts than expected.")
        parts = {name: read(_list(value[name])) for name, read in readers.items()}
        if any(len(parts[name]) != len(value[name]) for name in parts):
            raise ParseError("The wallet's view names something twice.")
        return cls(description, ViewChange(**parts), settings)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        raise ParseError("The wallet's view is not valid JSON.") from None


def _typed(value: Any, kind: type[T]) -> T:
    if type(value) is not kind:  # bool is no number here
        raise ParseError("The wallet's view has a value of the wrong type.")
    return value


def _object(value: Any) -> dict[str, Any]:
    return _typed(value, dict)


def _list(value: Any, length: int | None = None) -> list[Any]:
    items = _typed(value, list)
    if length is not None and len(items) != length:
        raise ParseError("The wallet's view has a list of the wrong length.")
    return items


def _number(value: Any) -> int:
    number = _typed(value, int)
    if not 0 <= number < 1 << 63:
        raise ParseError("The wallet's view has a number out of range.")
    return number


def _text(value: Any) -> str:
    return _typed(value, str)


def _keychain(value: Any) -> Keychain:
    try:
        return Keychain(_number(value))
    except ValueError:
        raise ParseError("The wallet's view names an unknown keychain.") from None


def _exact_keys(value: dict[str, Any], cls: type[Any]) -> None:
    if value.keys() != set(cls.__dataclass_fields__):
        raise ParseError(f"The wallet's view has a {cls.__name__} with other fields.")


def _description(value: dict[str, Any]) -> WalletDescription:
    _exact_keys(value, WalletDescription)
    birthday = value["birthday_time"]
    try:
        cache_key = bytes.fromhex(_text(value["cache_key"]))
    except ValueError:
        raise ParseError("The wallet's view has a damaged cache key.") from None
    if len(cache_key) != 32:
        raise ParseError("The wallet's view has a cache key of the wrong length.")
    try:
        return WalletDescription(
            name=_text(value["name"]),
            network=_text(value["network"]),
            descriptors=tuple(_text(item) for item in _list(value["descriptors"])),
            active=_number(value["active"]),
            fingerprint=_text(value["fingerprint"]),
            birthday_time=None if birthday is None else _number(birthday),
            cache_key=cache_key,
            has_secrets=_typed(value["has_secrets"], bool),
        )
    except ParseError:
        raise
    except ValueError as error:
        raise ParseError(str(error)) from None


def _revealed(items: list[Any]) -> dict[tuple[int, Keychain], int]:
    rows = [_list(item, 3) for item in items]
    return {(_number(row[0]), _keychain(row[1])): _number(row[2]) for row in rows}


def _labels(items: list[Any]) -> dict[tuple[str, str], str]:
    rows = [_list(item, 3) for item in items]
    return {(_text(row[0]), _text(row[1])): _text(row[2]) for row in rows}


def _requests(items: list[Any]) -> dict[tuple[int, Keychain, int], PaymentRequest]:
    requests = [_request(_object(item)) for item in items]
    return {request.key: request for request in requests}


def _request(value: dict[str, Any]) -> PaymentRequest:
    _exact_keys(value, PaymentRequest)
    amount, expires = value["amount_sat"], value["expires"]
    return PaymentRequest(
        keychain=_keychain(value["keychain"]),
        index=_number(value["index"]),
        descriptor_index=_number(value["descriptor_index"]),
        label=_text(value["label"]),
        amount_sat=None if amount is None else _number(amount),
        message=_text(value["message"]),
        created=_number(value["created"]),
        expires=None if expires is None else _number(expires),
    )


def _frozen(items: list[Any]) -> dict[OutPoint, bool]:
    rows = [_list(item, 2) for item in items]
    return {OutPoint(hash_from_hex(_text(row[0])), _number(row[1])): True for row in rows}


def _own_transactions(items: list[Any]) -> dict[bytes, OwnTransaction]:
    rows = [_list(item, 3) for item in items]
    return {
        hash_from_hex(_text(row[0])): OwnTransaction(_base64(row[1]), _number(row[2]))
        for row in rows
    }


def _base64(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError):
        raise ParseError("The wallet's view has a damaged transaction.") from None
