"""Filter hashes and filter headers in bulk (BIP157)."""

from collections.abc import Sequence
from hashlib import sha256


def hash_many(filters: Sequence[bytes]) -> list[bytes]:
    """Hash serialized filters, each twice with SHA-256."""
    return [sha256(sha256(data).digest()).digest() for data in filters]


def header_chain(filter_hashes: Sequence[bytes], previous: bytes) -> list[bytes]:
    """Chain filter hashes into the filter headers that follow `previous`."""
    headers = []
    for filter_hash in filter_hashes:
        previous = sha256(sha256(filter_hash + previous).digest()).digest()
        headers.append(previous)
    return headers
