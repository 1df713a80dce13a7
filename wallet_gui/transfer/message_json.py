"""Messages as JSON, strictly read: each field by its annotation and its declared limits."""

import base64
import binascii
import json
import math
import types
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.message_limits import MAX_ITEMS, MAX_PATH

M = TypeVar("M")
_INT_BOUND = 1 << 63


def to_json(message: Any) -> bytes:
    """Write a message as one UTF-8 JSON object with its class name under "type".

    Raises ParseError when a field breaks its own limits (a sentence that is too long, say).
    """
    value = {"type": type(message).__name__, **_object_to_json(message)}
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise ParseError(
            "A file name or text has characters that are not valid Unicode; rename the file."
        ) from None


def from_json(data: bytes, expected: tuple[type[M], ...]) -> M:
    """Read one message that is of one of the `expected` classes; raises ParseError otherwise."""
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        # json's own message quotes the text around the error; it may hold the view key.
        raise ParseError("A message of the vault pipe is not valid JSON.") from None
    if not isinstance(value, dict):
        raise ParseError("A message of the vault pipe is not a JSON object.")
    name = value.pop("type", None)
    for cls in expected:
        if name == cls.__name__:
            return _object_from_json(cls, value)
    raise ParseError("A message of the vault pipe is of a kind that is not expected here.")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ParseError("A message of the vault pipe names a field twice.")
    return unique


def _refuse_constant(_text: str) -> Any:
    raise ParseError("A message of the vault pipe has a number that is not finite.")


def _object_to_json(value: Any) -> dict[str, Any]:
    hints = get_type_hints(type(value))
    return {
        item.name: _to_json(hints[item.name], getattr(value, item.name), item)
        for item in fields(value)
    }


def _object_from_json(cls: type[M], raw: Any) -> M:
    if not isinstance(raw, dict):
        raise ParseError(f"{cls.__name__} in a message of the vault pipe is not an object.")
    hints = get_type_hints(cls)
    items = fields(cls)  # type: ignore[arg-type]  # every message is a dataclass
    if raw.keys() != {item.name for item in items}:
        raise ParseError(f"{cls.__name__} in a message of the vault pipe has other fields.")
    return cls(**{item.name: _from_json(hints[item.name], raw[item.name], item) for item in items})


def _refused(item: Any) -> ParseError:
    # Only the field's name: its value may be the view key.
    return ParseError(f"The field {item.name} of a message of the vault pipe is not acceptable.")


def _check_size(size: int, item: Any) -> None:
    if not item.metadata.get("min", 0) <= size <= item.metadata.get("max", MAX_PATH):
        raise _refused(item)


def _optional(kind: Any) -> Any:
    """`X` for the annotation `X | None`, else None."""
    if get_origin(kind) in (types.UnionType, Union):
        (inner,) = [part for part in get_args(kind) if part is not types.NoneType]
        return inner
    return None


def _to_json(kind: Any, value: Any, item: Any) -> Any:
    inner = _optional(kind)
    if inner is not None:
        return None if value is None else _to_json(inner, value, item)
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple) or len(value) > MAX_ITEMS:
            raise _refused(item)
        return [_to_json(get_args(kind)[0], part, item) for part in value]
    if is_dataclass(kind):
        if type(value) is not kind:
            raise _refused(item)
        return _object_to_json(value)
    if kind is bytes:
        if not isinstance(value, bytes):
            raise _refused(item)
        _check_size(len(value), item)
        return base64.b64encode(value).decode()
    return _checked_plain(kind, value, item)


def _from_json(kind: Any, raw: Any, item: Any) -> Any:
    inner = _optional(kind)
    if inner is not None:
        return None if raw is None else _from_json(inner, raw, item)
    if get_origin(kind) is tuple:
        if not isinstance(raw, list) or len(raw) > MAX_ITEMS:
            raise _refused(item)
        return tuple(_from_json(get_args(kind)[0], part, item) for part in raw)
    if isinstance(kind, type) and is_dataclass(kind):
        return _object_from_json(kind, raw)
    if kind is bytes:
        return _bytes_from_base64(raw, item)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        try:
            return kind(raw)
        except ValueError:
            raise _refused(item) from None
    return _checked_plain(kind, raw, item)


def _bytes_from_base64(raw: Any, item: Any) -> bytes:
    if not isinstance(raw, str):
        raise _refused(item)
    try:
        value = base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        raise _refused(item) from None
    if base64.b64encode(value).decode() != raw:  # several spellings of the same bytes
        raise _refused(item)
    _check_size(len(value), item)
    return value


def _checked_plain(kind: Any, value: Any, item: Any) -> Any:
    """Text, whole number, truth value or fraction, as itself; bool is no number here."""
    if kind is float and type(value) is int:
        value = float(value) if abs(value) <= 1 else math.nan
    if isinstance(kind, type) and issubclass(kind, StrEnum) and type(value) is kind:
        return value.value
    if type(value) is not kind:
        raise _refused(item)
    if kind is str:
        _check_size(len(value), item)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise _refused(item)
    if kind is int:
        least, most = (
            item.metadata.get("min", -_INT_BOUND),
            item.metadata.get("max", _INT_BOUND - 1),
        )
        if not least <= value <= most:
            raise _refused(item)
    if kind is float and not math.isfinite(value):
        raise _refused(item)
    return value
