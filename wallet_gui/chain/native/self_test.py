"""What a library has to get right before it is used, on data made here: the same every time.

The scalar code is the reference; the tests of the project look much closer.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from wallet_gui.chain import filter_runs, gcs_scalar
from wallet_gui.chain.filter_hashes import header_chain
from wallet_gui.chain.filter_runs import Buffer, Framed, Offsets, offsets
from wallet_gui.chain.gcs_scalar import MalformedFilter, PreparedScripts
from wallet_gui.primitives.block import Block, BlockHeader, ScannedBlock, merkle_root
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.serialize import ParseError, var_bytes
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

_MAGIC: Final = b"\xfa\xbf\xb5\xda"
_SIZES: Final = (3, 0, 60, 1, 17, 90)


class Tested(Protocol):
    """The part of an engine that is tested."""

    def frame_filters(self, buffer: Buffer, start: int, end: int, magic: bytes) -> Framed: ...

    def hash_run(self, data: Buffer, starts: Offsets, ends: Offsets) -> bytes: ...

    def first_wrong(
        self, data: Buffer, starts: Offsets, ends: Offsets, previous: bytes, agreed: bytes
    ) -> int | None: ...

    def match_run(
        self, data: Buffer, hashes: bytes, starts: Offsets, ends: Offsets, prepared: PreparedScripts
    ) -> list[int]: ...

    def header_chain(self, filter_hashes: Sequence[bytes], previous: bytes) -> list[bytes]: ...

    def header_hashes(self, raw_headers: Buffer) -> bytes: ...

    def scan_block(self, raw: Buffer) -> ScannedBlock: ...


@dataclass(frozen=True)
class _Samples:
    stream: bytes
    framed: Framed
    scripts: list[PreparedScripts]
    matched: list[list[int]]
    hashes: bytes
    agreed: bytes
    headers: bytes


def _bytes(label: str, size: int) -> bytes:
    """Make bytes that look random."""
    blocks = range(-(-size // 32))
    return b"".join(sha256(f"{label} {each}".encode()).digest() for each in blocks)[:size]


def _cut(hashes: bytes) -> list[bytes]:
    return [hashes[place : place + 32] for place in range(0, len(hashes), 32)]


@functools.cache
def _samples() -> _Samples:
    scripts = [_bytes(f"script {number}", (22, 34, 25, 7)[number % 4]) for number in range(9)]
    stream = b""
    for number, size in enumerate(_SIZES):
        block_hash = _bytes(f"block {number}", 32)
        items = [_bytes(f"item {number} {each}", 22 + each % 13) for each in range(size)]
        if size and number % 2 == 0:
            items[size // 2] = scripts[number]
        payload = b"\0" + block_hash + var_bytes(gcs_scalar.build(block_hash, items))
        stream += _MAGIC + b"cfilter\0\0\0\0\0" + len(payload).to_bytes(4, "little") + bytes(4)
        stream += payload
    framed = filter_runs.frame_filters(stream, 0, len(stream), _MAGIC)
    run = filter_runs.filters_of(stream, framed.hashes, framed.starts, framed.ends)
    prepared = [PreparedScripts(part) for part in (scripts, scripts[:1], [])]
    matched = [
        [
            index
            for index, (block_hash, data) in enumerate(run)
            if gcs_scalar.match(block_hash, data, each.scripts)
        ]
        for each in prepared
    ]
    hashes = filter_runs.hash_run(stream, framed.starts, framed.ends)
    agreed = b"".join(header_chain(_cut(hashes), bytes(32)))
    return _Samples(stream, framed, prepared, matched, hashes, agreed, _bytes("headers", 80 * 40))


def disagreement(engine: Tested) -> str | None:
    """Name the first thing that an engine gets wrong; None when it is right about everything."""
    return next((name for name, is_right in _TESTS.items() if not is_right(engine)), None)


def _frames(engine: Tested) -> bool:
    stream = _samples().stream
    more = stream + stream[:50]  # the next message, incomplete
    return engine.frame_filters(more, 0, len(more), _MAGIC) == _samples().framed


def _hashes(engine: Tested) -> bool:
    s = _samples()
    return (
        engine.hash_run(s.stream, s.framed.starts, s.framed.ends) == s.hashes
        and engine.header_hashes(s.headers) == filter_runs.header_hashes(s.headers)
        and b"".join(engine.header_chain(_cut(s.hashes), bytes(32))) == s.agreed
    )


def _verifies(engine: Tested) -> bool:
    s = _samples()
    wrong = s.agreed[:-1] + bytes((s.agreed[-1] ^ 1,))
    run = s.stream, s.framed.starts, s.framed.ends, bytes(32)
    last = len(_SIZES) - 1
    return engine.first_wrong(*run, s.agreed) is None and engine.first_wrong(*run, wrong) == last


def _matches(engine: Tested) -> bool:
    s = _samples()
    run = s.stream, s.framed.hashes, s.framed.starts, s.framed.ends
    return all(
        engine.match_run(*run, scripts) == matched
        for scripts, matched in zip(s.scripts, s.matched, strict=True)
    )


def _refuses(engine: Tested) -> bool:
    s = _samples()
    short = offsets([*s.framed.ends[:-1], s.framed.ends[-1] - 1])
    try:
        engine.match_run(s.stream, s.framed.hashes, s.framed.starts, short, s.scripts[0])
    except MalformedFilter as error:
        return error.position == len(_SIZES) - 1
    return False


def _reads_blocks(engine: Tested) -> bool:
    block, raw = _block()
    scanned = engine.scan_block(raw)
    wishes: list[tuple[set[bytes], set[OutPoint], set[bytes]]] = [
        ({block.transactions[2].outputs[0].script_pubkey}, set(), set()),
        (set(), {block.transactions[1].inputs[0].prevout}, set()),
        (set(), set(), {_KEY}),
        (set(), set(), set()),
    ]
    if any(list(scanned.candidates(*each)) != list(block.candidates(*each)) for each in wishes):
        return False
    # A witness that is not the one that the coinbase commits to.
    forged = raw.replace(_KEY, bytes(33))
    return _passes(scanned) and not _passes(engine.scan_block(forged))


def _passes(block: ScannedBlock) -> bool:
    try:
        block.check()
    except ParseError:
        return False
    return True


_KEY: Final = b"\x02" + _bytes("public key", 32)


@functools.cache
def _block() -> tuple[Block, bytes]:
    """Make a block with witnesses, a payment that spends another one, and a commitment."""
    coin = OutPoint(_bytes("coin", 32), 1)
    first = Transaction(2, (TxIn(coin),), (TxOut(50, _bytes("script", 22)),), 0)
    spend = TxIn(OutPoint(first.txid, 0), witness=(b"\x30" * 71, _KEY))
    second = Transaction(2, (spend,), (TxOut(40, _bytes("another", 34)),), 0)
    root, _ = merkle_root([bytes(32), first.wtxid, second.wtxid])
    commitment = b"\x6a\x24\xaa\x21\xa9\xed" + sha256d(root + bytes(32))
    nothing = TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x51\x51", witness=(bytes(32),))
    coinbase = Transaction(2, (nothing,), (TxOut(0, commitment),), 0)
    transactions = (coinbase, first, second)
    root, _ = merkle_root([each.txid for each in transactions])
    block = Block(BlockHeader(4, bytes(32), root, 0, 0x207FFFFF, 0), transactions)
    return block, block.serialize()


_TESTS: Final[dict[str, Callable[[Tested], bool]]] = {
    "framing": _frames,
    "hashes": _hashes,
    "filters compared with headers": _verifies,
    "matches": _matches,
    "a malformed filter": _refuses,
    "blocks": _reads_blocks,
}
