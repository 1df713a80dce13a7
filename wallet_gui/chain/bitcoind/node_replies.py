"""Reads what a node answered: hashes, heights, bytes. What has another shape is a bad reply."""

from typing import Any, Final

from wallet_gui.chain.bitcoind.problems import NodeProblem, RpcError, bad_reply
from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex

MAX_HEIGHT: Final = 100_000_000
_HASH_DIGITS: Final = 64

shown = hash_to_hex


def field(value: Any, name: str) -> Any:
    """Give a field of an object; a bad reply where there is none."""
    if not isinstance(value, dict) or name not in value:
        raise bad_reply(f"the answer has no {name}")
    return value[name]


def entries(value: Any, name: str) -> list[Any]:
    """Take a list."""
    if not isinstance(value, list):
        raise bad_reply(f"{name} is not a list")
    return value


def height(value: Any, name: str = "height") -> int:
    """Take a height of 0 or more; True is no number."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_HEIGHT:
        raise bad_reply(f"{name} is not a height")
    return value


def block_hash(value: Any, name: str = "hash") -> bytes:
    """Take a hash as displayed; returned in wire order."""
    if not isinstance(value, str) or len(value) != _HASH_DIGITS:
        raise bad_reply(f"{name} is not a hash")
    try:
        return hash_from_hex(value)
    except ValueError as error:
        raise bad_reply(f"{name} is not a hash") from error


def raw_bytes(value: Any, name: str, most: int) -> bytes:
    """Take bytes in hexadecimal, at most `most` of them."""
    if not isinstance(value, str) or len(value) > 2 * most:
        raise bad_reply(f"{name} is not of the right size")
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise bad_reply(f"{name} is not hexadecimal") from error


def result(value: Any) -> Any:
    """Give one result of a batch; raise the error that stands in its place."""
    if isinstance(value, NodeProblem):
        raise value
    return value


INVALID_PARAMETER: Final = -8
"""Core's RPC_INVALID_PARAMETER: a height out of range, and also a scan that runs already."""
NOT_FOUND: Final = -5
"""Core's RPC_INVALID_ADDRESS_OR_KEY: a block that the node does not have (any more)."""


def is_out_of_range(error: RpcError) -> bool:
    """Whether a height was asked for that the node's chain does not reach (now)."""
    return error.number == INVALID_PARAMETER and "range" in error.message.lower()
