"""Keys and descriptors as uniform resources carry them, from and to the text that people know.

Both generations are read: `crypto-hdkey`, `crypto-output`, `crypto-account` (BCR-2020-007, -010,
-015), which every device speaks and which are the ones written, and `hdkey`, `output-descriptor`,
`account-descriptor` (BCR-2023-010, -019) with their larger tags. An account is text with one
descriptor a line, without the steps below the account; the key for a multisig, which no script
is made of yet, stands as wsh(cosigner(KEY)), as in BCR-2020-010.
"""

import re
from collections.abc import Sequence
from typing import Final, cast

from wallet_gui.descriptors.xpub import (
    HARDENED,
    MAX_DEPTH,
    ExtendedKeyFields,
    ExtendedPublicKey,
    KeyOrigin,
    format_path,
    is_private_key_text,
    parse_step,
)
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.cbor import Tagged, Value

PRIVATE_DATA_REFUSED: Final = (
    "This code holds recovery words or a private key. It was not kept. Words are typed into the "
    "vault only, and whoever sees this code can take the coins: do not show it to a camera."
)
MAX_LINES: Final = 100
_MAX_SOURCE: Final = 5_000
_MAX_KEYS: Final = 20

_HDKEY, _KEYPATH, _COIN_INFO, _ECKEY, _OUTPUT = 303, 304, 305, 306, 308
# The same things under the numbers of 2023.
_NEWER: Final = 40_000
_NAMES: Final = {
    400: "sh",
    401: "wsh",
    402: "pk",
    403: "pkh",
    404: "wpkh",
    405: "combo",
    406: "multi",
    407: "sortedmulti",
    408: "raw",
    409: "tr",
    410: "cosigner",
}
_TAGS: Final = {name: tag for tag, name in _NAMES.items()}
_MULTI: Final = (406, 407)
_WRAPPERS: Final = ("sh", "wsh")
_PLACEHOLDER = re.compile(r"@([0-9]{1,3})", re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7e]+", re.ASCII)
_FUNCTION = re.compile(r"([a-z]{2,11})\((.*)\)", re.ASCII)
_KEY_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)
_BRANCH = re.compile(r"<([0-9]{1,10});([0-9]{1,10})>", re.ASCII)


def _tag(value: Value) -> tuple[int, Value]:
    """Return a tag, those of 2023 as the older ones, and what it stands before."""
    if not isinstance(value, Tagged):
        return 0, value
    newer = value.tag - _NEWER
    return (newer if _HDKEY <= newer <= 311 else value.tag), value.value


def _map(value: Value) -> dict[int, Value]:
    if not isinstance(value, dict):
        raise _broken()
    return value


def _broken() -> ParseError:
    return ParseError("The key or descriptor in this code is not written as its format asks.")


# --- reading


def key_text(value: Value, fingerprint: bytes | None = None) -> str:
    """Return the key expression of an hdkey: [origin]xpub/children, or a public key in hex.

    `fingerprint` (4 bytes) is the master key's where the key itself does not say it. Raises
    ParseError, also for a private key.
    """
    tag, value = _tag(value)
    fields = _map(value)
    if fields.get(1) is True or fields.get(2) is True:
        raise ParseError(PRIVATE_DATA_REFUSED)
    key, chain_code = fields.get(3), fields.get(4)
    if not isinstance(key, bytes):
        raise _broken()
    if len(key) == 33 and key[0] == 0:
        raise ParseError(PRIVATE_DATA_REFUSED)
    if tag == _ECKEY or (chain_code is None and 7 not in fields):
        if len(key) not in (32, 33, 65):
            raise _broken()
        return key.hex()
    if len(key) != 33 or not isinstance(chain_code, bytes) or len(chain_code) != 32:
        raise _broken()
    origin = _path_fields(fields.get(6))
    steps = _steps(origin.get(1, []))
    path = tuple(step for step in steps if isinstance(step, int))
    if len(path) != len(steps):
        raise _broken()
    source = _fingerprint(origin.get(2)) or fingerprint
    depth = origin.get(3, len(path))
    if not isinstance(depth, int) or not len(path) <= depth <= MAX_DEPTH:
        raise _broken()
    parent = _fingerprint(fields.get(8))
    if parent is None and depth == 1 and len(path) == 1:
        parent = source
    xpub = ExtendedKeyFields(
        _version(fields.get(5)),
        depth,
        parent if parent is not None and depth else bytes(4),
        path[-1] if path else 0,
        chain_code,
        key,
    ).to_base58()
    ExtendedPublicKey.parse(xpub)  # the point is on the curve, and a master key has no parent
    start = str(KeyOrigin(source, path)) if source is not None else ""
    return start + xpub + _children_text(_path_fields(fields.get(7)))


def _version(value: Value | None) -> bytes:
    if value is None:
        return MAINNET.xpub_version
    tag, value = _tag(value)
    if tag not in (0, _COIN_INFO):
        raise _broken()
    fields = _map(value)
    match fields.get(1, 0), fields.get(2, 0):
        case 0, 0:
            return MAINNET.xpub_version
        case ((0 | 1), 1):
            return REGTEST.xpub_version
        case _:
            raise ParseError("This key is for another currency than Bitcoin.")


def _path_fields(value: Value | None) -> dict[int, Value]:
    if value is None:
        return {}
    tag, value = _tag(value)
    if tag not in (0, _KEYPATH):
        raise _broken()
    return _map(value)


def _fingerprint(value: Value | None) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
        raise _broken()
    return value.to_bytes(4, "big")


def _steps(value: Value) -> list[int | str]:
    """Read the components of a path: numbers with HARDENED added, "*" and "<0;1>" as text."""
    if not isinstance(value, list):
        raise _broken()
    steps: list[int | str] = []
    rest = list(value)
    while rest:
        match rest:
            case [[int() as first, False, int() as second, False], *rest]:
                steps.append(f"<{_index(first)};{_index(second)}>")
            case [[], bool() as is_hardened, *rest]:
                steps.append("*h" if is_hardened else "*")
            case [int() as index, bool() as is_hardened, *rest]:
                steps.append(_index(index) + (HARDENED if is_hardened else 0))
            case _:
                raise _broken()
        if len(steps) > MAX_DEPTH:
            raise _broken()
    return steps


def _index(value: int) -> int:
    if isinstance(value, bool) or not 0 <= value < HARDENED:
        raise _broken()
    return value


def _children_text(fields: dict[int, Value]) -> str:
    return "".join(
        f"/{step if isinstance(step, str) else format_path([step])}"
        for step in _steps(fields.get(1, []))
    )


def output_text(value: Value, fingerprint: bytes | None = None) -> str:
    """Return the descriptor of a crypto-output or output-descriptor; raise ParseError."""
    tag, inner = _tag(value)
    if tag == _OUTPUT:
        return output_text(inner, fingerprint)
    if isinstance(value, dict):
        return _from_source(value, fingerprint)
    name = _NAMES.get(tag)
    if name is None:
        raise ParseError("This descriptor has a part that this program does not know.")
    if tag in _MULTI:
        return f"{name}({_multi_text(_map(inner), fingerprint)})"
    if name == "raw":
        if not isinstance(inner, bytes):
            raise _broken()
        return f"raw({inner.hex()})"
    inner_tag = _tag(inner)[0]
    if inner_tag not in (_HDKEY, _ECKEY):
        return f"{name}({output_text(inner, fingerprint)})"
    key = key_text(inner, fingerprint)
    # The accounts of 2020 have the bare key of a multisig here.
    return f"{name}(cosigner({key}))" if name in _WRAPPERS else f"{name}({key})"


def _multi_text(fields: dict[int, Value], fingerprint: bytes | None) -> str:
    required, keys = fields.get(1), fields.get(2)
    if not isinstance(required, int) or not isinstance(keys, list) or len(keys) > _MAX_KEYS:
        raise _broken()
    if not 1 <= required <= len(keys):
        raise _broken()
    return ",".join([str(int(required)), *(key_text(key, fingerprint) for key in keys)])


def _from_source(fields: dict[int, Value], fingerprint: bytes | None) -> str:
    source, keys = fields.get(1), fields.get(2, [])
    if not isinstance(source, str) or not isinstance(keys, list) or len(keys) > _MAX_KEYS:
        raise _broken()
    if len(source) > _MAX_SOURCE or not _PRINTABLE.fullmatch(source):
        raise _broken()
    texts = [key_text(key, fingerprint) for key in keys]

    def key(match: re.Match[str]) -> str:
        if int(match[1]) >= len(texts):
            raise _broken()
        return texts[int(match[1])]

    if len(_PLACEHOLDER.findall(source)) > _MAX_KEYS:
        raise _broken()
    return _PLACEHOLDER.sub(key, source)


def account_text(value: Value) -> str:
    """Return the descriptors of an account, one a line; raise ParseError."""
    fields = _map(_tag(value)[1])
    fingerprint, outputs = _fingerprint(fields.get(1)), fields.get(2)
    if fingerprint is None or not isinstance(outputs, list) or not 1 <= len(outputs) <= MAX_LINES:
        raise _broken()
    master = fingerprint if any(fingerprint) else None
    return "\n".join(output_text(output, master) for output in outputs)


# --- writing


def key_value(text: str, *, with_children: bool = True) -> dict[int, Value]:
    """Return the crypto-hdkey of a key expression ([origin]xpub/children); raise ParseError."""
    origin = None
    if text.startswith("["):
        bracket, closing, text = text.partition("]")
        origin = KeyOrigin.parse(bracket + closing)
    xpub, *children = text.split("/")
    if is_private_key_text(xpub):
        raise ParseError(PRIVATE_DATA_REFUSED)
    key = ExtendedPublicKey.parse(xpub)
    fields: dict[int, Value] = {3: key.public_key, 4: key.chain_code}
    if key.version != MAINNET.xpub_version:
        fields[5] = Tagged(_COIN_INFO, {2: 1})
    fields[6] = Tagged(_KEYPATH, _origin_value(key, origin))
    if children and with_children:
        fields[7] = Tagged(_KEYPATH, {1: _children_value(children)})
    if key.depth > 1 or (key.depth == 1 and origin is not None):
        fields[8] = int.from_bytes(key.parent_fingerprint, "big")
    return fields


def _origin_value(key: ExtendedPublicKey, origin: KeyOrigin | None) -> dict[int, Value]:
    source = origin.fingerprint if origin else None
    path = origin.path if origin else (key.child_number,) if key.depth else ()
    if origin is None and key.depth == 1:
        source = key.parent_fingerprint
    fields: dict[int, Value] = {1: _components(path)}
    if source is not None and any(source):
        fields[2] = int.from_bytes(source, "big")
    if key.depth != len(path) or not path:
        fields[3] = key.depth
    return fields


def _components(path: Sequence[int]) -> list[Value]:
    components: list[Value] = []
    for step in path:
        components += [step % HARDENED, step >= HARDENED]
    return components


def _children_value(steps: Sequence[str]) -> list[Value]:
    components: list[Value] = []
    for step in steps:
        branch = _BRANCH.fullmatch(step)
        if branch is not None:
            first, second = parse_step(branch[1]), parse_step(branch[2])
            components.append([first, False, second, False])
        elif step == "*":
            components += [[], False]
        else:
            components += _components([parse_step(step)])
    return components


def output_value(text: str, *, with_children: bool = True) -> Tagged:
    """Return the crypto-output of a descriptor; a #checksum is left out. Raises ParseError."""
    if len(text) > _MAX_SOURCE:
        raise ParseError("This descriptor is too long for a QR code.")
    return _output_value(text.strip().partition("#")[0], with_children)


def _output_value(text: str, with_children: bool) -> Tagged:  # noqa: FBT001
    function = _FUNCTION.fullmatch(text)
    if function is None or function[1] not in _TAGS or function[1] == "raw":
        raise ParseError(
            "This descriptor cannot be written as a UR. Show it as BBQr or as one code of text."
        )
    name, argument = function[1], function[2]
    tag = _TAGS[name]
    if tag in _MULTI:
        required, *keys = argument.split(",")
        if not required.isascii() or not required.isdigit() or not 1 <= len(keys) <= _MAX_KEYS:
            raise _broken()
        values = [_key_expression(key, with_children) for key in keys]
        return Tagged(tag, {1: int(required), 2: cast("list[Value]", values)})
    if _FUNCTION.fullmatch(argument):
        return Tagged(tag, _output_value(argument, with_children))
    return Tagged(tag, _key_expression(argument, with_children))


def _key_expression(text: str, with_children: bool) -> Tagged:  # noqa: FBT001
    if _KEY_HEX.fullmatch(text) and len(text) in (64, 66):
        return Tagged(_ECKEY, {3: bytes.fromhex(text)})
    return Tagged(_HDKEY, key_value(text, with_children=with_children))


def account_value(text: str) -> dict[int, Value]:
    """Return the crypto-account of descriptors of one master key, one a line.

    Raises ParseError, also when they are of several, or a key does not say where it is from.
    """
    lines = text.split()
    fingerprints = set(re.findall(r"\[([0-9a-fA-F]{8})", text.lower()))
    if len(fingerprints) != 1 or not 1 <= len(lines) <= MAX_LINES:
        raise ParseError(
            "An account is shown as a UR only if all its keys come from one master key and say so."
        )
    outputs: list[Value] = [output_value(line, with_children=False) for line in lines]
    return {1: int(fingerprints.pop(), 16), 2: outputs}
