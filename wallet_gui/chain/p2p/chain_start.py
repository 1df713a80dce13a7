"""Where the chains begin: above what is stored, or above the right packaged checkpoint.

What is stored is used as it is wherever it starts: a wallet that needs more below has the chains
extended (`SyncState.request_start`). Only what is damaged or contradicts a checkpoint goes, and of
that only the part above the last checkpoint that it meets.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from wallet_gui.chain.backend import BlockRef, ChainStores
from wallet_gui.chain.checkpoints import Checkpoints, activation_height
from wallet_gui.chain.difficulty import LINK_TIME_BITS, Hasher
from wallet_gui.chain.filter_runs import header_hashes
from wallet_gui.chain.header_chain import ChainAnchor, HeaderChain, InvalidHeader
from wallet_gui.chain.p2p.filter_header_chain import FilterAnchor, FilterHeaderChain
from wallet_gui.primitives.block import HEADER_SIZE
from wallet_gui.primitives.params import ChainParams

MANY_HEADERS: Final = 20_000  # fewer are hashed sooner than an engine is loaded
BIRTHDAY_MARGIN: Final = 2 * 24 * 3600
"""Seconds by which a birthday is trusted less than it says: clocks are wrong, miners' too."""


def first_height(
    params: ChainParams,
    checkpoints: Checkpoints,
    scripts: Iterable[bytes],
    birthday_time: int | None,
) -> int:
    """Tell from which height on a wallet has to be looked for, by checkpoints alone."""
    if birthday_time is None:
        return activation_height(params, scripts)
    return checkpoints.height_before(birthday_time - BIRTHDAY_MARGIN) + 1


def earliest_height(
    params: ChainParams,
    checkpoints: Checkpoints,
    wallets: Iterable[tuple[Sequence[bytes], Sequence[BlockRef], int | None]],
) -> int | None:
    """Tell the lowest height that any wallet needs; None when there are no wallets.

    A wallet is its scripts, its scan marks (the newest first) and its birthday.
    """
    heights = []
    for scripts, marks, birthday_time in wallets:
        heights.append(first_height(params, checkpoints, scripts, birthday_time))
        heights += [mark.height + 1 for mark in marks[:1]]
    return min(heights, default=None)


def open_chains(
    params: ChainParams,
    stores: ChainStores,
    checkpoints: Checkpoints,
    earliest: int | None,
    hasher: Hasher = header_hashes,
) -> tuple[HeaderChain, FilterHeaderChain]:
    """Read the stores, and start where nothing is stored yet low enough for `earliest`.

    None for `earliest` starts above the newest checkpoint. `hasher` hashes what is a lot.
    """
    anchor, filter_anchor = (
        checkpoints.newest_start() if earliest is None else checkpoints.start_at(earliest)
    )
    headers = _stored_headers(params, stores, checkpoints, hasher)
    if headers is None:
        headers = HeaderChain(params, anchor, checkpoints.hashes, checkpoints.minimum_work)
        if anchor is None:
            stores.headers.append(0, params.genesis_header)
    start, raw = stores.filter_headers.load()
    if raw and _fits(start, headers, checkpoints):
        filter_headers = FilterHeaderChain(_filter_anchor_below(start, checkpoints))
    else:
        if raw:
            stores.filter_headers.truncate(-1)
            raw = b""
        # Not below the headers: those are fetched first where a wallet asks for more.
        lowest = headers.start_height - 1
        if lowest >= 0 and (filter_anchor is None or filter_anchor.height < lowest):
            filter_anchor = _lowest_filter_anchor(lowest, checkpoints)
        filter_headers = FilterHeaderChain(filter_anchor)
    if not filter_headers.load(start, raw, headers.height):
        stores.filter_headers.truncate(filter_headers.height)
    return headers, filter_headers


def _stored_headers(
    params: ChainParams, stores: ChainStores, checkpoints: Checkpoints, hasher: Hasher
) -> HeaderChain | None:
    """Load what is stored; None, with both stores emptied, when nothing of it can be used."""
    start, raw = stores.headers.load()
    if len(raw) < MANY_HEADERS * HEADER_SIZE:
        hasher = header_hashes
    anchor = _anchor_below(start, checkpoints)
    usable = bool(raw) and (anchor is not None or start == 0)
    if usable and start > 0 and _lowest_filter_anchor(start - 1, checkpoints) is None:
        usable = False  # filter headers could never start on it
    while usable:
        try:
            return HeaderChain.load(
                params,
                start,
                raw,
                anchor=anchor,
                checkpoints=checkpoints.hashes,
                minimum_work=checkpoints.minimum_work,
                hasher=hasher,
            )
        except InvalidHeader:
            previous = bytes(32) if anchor is None else anchor.hash
            kept = _intact_prefix(raw, start, previous, checkpoints.hashes)
            if kept <= 0 or kept * HEADER_SIZE >= len(raw):
                break
            raw = raw[: kept * HEADER_SIZE]
            stores.filter_headers.truncate(start + kept - 1)
            stores.headers.truncate(start + kept - 1)
        except ValueError:
            break
    if raw:
        stores.filter_headers.truncate(-1)
        stores.headers.truncate(-1)
    return None


def _anchor_below(start: int, checkpoints: Checkpoints) -> ChainAnchor | None:
    anchor = checkpoints.anchor_at_or_below(start - 1)
    return anchor if anchor is not None and anchor.height == start - 1 else None


def _filter_anchor_below(start: int, checkpoints: Checkpoints) -> FilterAnchor | None:
    known = checkpoints.filter_headers.get(start - 1)
    return None if known is None else FilterAnchor(start - 1, known)


def _fits(start: int, headers: HeaderChain, checkpoints: Checkpoints) -> bool:
    """Whether stored filter headers start where there are headers, and above a known one."""
    known = start == 0 or start - 1 in checkpoints.filter_headers
    return known and start >= headers.start_height


def _lowest_filter_anchor(height: int, checkpoints: Checkpoints) -> FilterAnchor | None:
    for known, filter_header in checkpoints.filter_headers.items():
        if known >= height:
            return FilterAnchor(known, filter_header)
    return None


def _intact_prefix(
    raw: bytes, start_height: int, previous: bytes, checkpoints: Mapping[int, bytes]
) -> int:
    """Count the headers, from the first on, that link up to the last checkpoint they meet."""
    kept = 0
    offset = 0
    for height, (prev, _, _) in enumerate(LINK_TIME_BITS.iter_unpack(raw), start_height):
        if prev != previous:
            break
        end = offset + HEADER_SIZE
        previous = sha256(sha256(raw[offset:end]).digest()).digest()
        offset = end
        known = checkpoints.get(height)
        if known == previous:
            kept = height + 1 - start_height
        elif known is not None:
            break
    return kept
