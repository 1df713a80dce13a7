"""Asks peers what the newest blocks paid in fees, and takes it from blocks that were read anyway.

Compact blocks of the newest five, from peers of three networks: 375 KB once, then 75 KB for each
new block. Where payments are not listened for all the time, as on a metered line, only every half
an hour. Nothing is asked while nobody wants to know.
"""

from typing import Final

from wallet_gui.chain.p2p.block_queue import BlockQueue
from wallet_gui.chain.p2p.compact_block import CompactBlock
from wallet_gui.chain.p2p.fees import BLOCKS, BlockStamp, Fees
from wallet_gui.chain.p2p.messages import GetData, InventoryType, RawBlock
from wallet_gui.chain.p2p.sync_state import Action, Instant, Peer, Send, SyncState
from wallet_gui.primitives.block import HEADER_SIZE, Block, ScannedBlock
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.serialize import Reader, compact_size
from wallet_gui.primitives.transaction import (
    WITNESS_SCALE_FACTOR,
    Transaction,
    bounded_read,
    read_transaction,
)

MAX_TIP_AGE: Final = 10_800
"""Seconds. A node whose tip is older than 200 minutes sends whole blocks (Core CanDirectFetch)."""

INTEREST_SECONDS: Final = 900.0
CHEAP_INTERVAL: Final = 1800.0
ANSWER_TIMEOUT: Final = 20.0


class BlockFees:
    """Brings facts about blocks to `Fees`."""

    def __init__(self, fees: Fees, state: SyncState, blocks: BlockQueue) -> None:
        self._fees = fees
        self._state = state
        self._blocks = blocks
        self._asked: dict[int, tuple[bytes, float]] = {}  # peer -> block, when
        self._wanted_until = float("-inf")
        self._tip = b""
        self._round = float("-inf")
        self._round_tip = b""

    def on_interest(self, now: Instant) -> None:
        """Somebody wants to know."""
        self._wanted_until = now.monotonic + INTEREST_SECONDS

    def tick(self, now: Instant, *, is_cheap: bool) -> list[Action]:
        """Follow the chain, take what is at hand and ask for the rest.

        `is_cheap`: the line should be spared.
        """
        newest = self._newest()
        if not newest:
            return []
        tip = newest[-1]
        if tip.hash != self._tip:
            self._tip = tip.hash
            self._fees.set_newest(newest)
        for stamp in newest:
            block = self._blocks.block_at(stamp.height)
            if block is not None and self._fees.needs_exact(stamp.hash):
                coinbase, weight, count = measure(block)
                self._fees.on_full_block(stamp.hash, coinbase, weight, count)
        self._expire(now)
        if now.monotonic > self._wanted_until or now.unix - tip.time > MAX_TIP_AGE:
            return []
        pause = CHEAP_INTERVAL if is_cheap else 0.0
        if self._round_tip != tip.hash and now.monotonic - self._round >= pause:
            self._round, self._round_tip = now.monotonic, tip.hash
        return self._ask(now) if self._round_tip == tip.hash else []

    def _newest(self) -> list[BlockStamp]:
        headers = self._state.headers
        first = max(headers.start_height + 1, headers.height + 1 - BLOCKS)
        return [
            BlockStamp(height, headers.hash_at(height), headers.header_at(height).time)
            for height in range(first, headers.height + 1)
        ]

    def _ask(self, now: Instant) -> list[Action]:
        actions: list[Action] = []
        for peer in self._state.peers.values():
            if peer.number in self._asked or not self._may_ask(peer, now):
                continue
            pending = {
                (self._state.peers[number].netgroup, block_hash)
                for number, (block_hash, _) in self._asked.items()
                if number in self._state.peers
            }
            for height, block_hash in self._fees.lacking(peer.netgroup):
                is_shown = peer.shown_height >= height
                if is_shown and (peer.netgroup, block_hash) not in pending:
                    self._asked[peer.number] = (block_hash, now.monotonic)
                    # A node that is some blocks ahead of us sends the whole block instead.
                    self._blocks.tolerate(block_hash)
                    entry = (InventoryType.COMPACT_BLOCK, block_hash)
                    actions.append(Send(peer.number, GetData((entry,))))
                    break
        return actions

    @staticmethod
    def _may_ask(peer: Peer, now: Instant) -> bool:
        return peer.serves_blocks and peer.is_usable(now)

    def on_compact_block(self, number: int, message: CompactBlock) -> None:
        """Take a compact block that was asked for."""
        peer = self._state.peers.get(number)
        block_hash = sha256d(message.header)
        if peer is not None and self._take(number, block_hash):
            self._fees.on_compact_block(peer.netgroup, message)

    def on_block(self, number: int, message: RawBlock) -> bool:
        """Tell whether a whole block came in place of a compact one; it is of no use here."""
        peer = self._state.peers.get(number)
        block_hash = sha256d(message.header)
        if peer is None or not self._take(number, block_hash):
            return False
        self._fees.on_silence(peer.netgroup, block_hash)
        return True

    def _take(self, number: int, block_hash: bytes) -> bool:
        asked = self._asked.get(number)
        if asked is None or asked[0] != block_hash:
            return False
        del self._asked[number]
        return True

    def on_disconnected(self, number: int) -> None:
        """Forget what a peer was asked."""
        self._asked.pop(number, None)

    def _expire(self, now: Instant) -> None:
        for number, (block_hash, since) in list(self._asked.items()):
            peer = self._state.peers.get(number)
            if peer is None or now.monotonic - since >= ANSWER_TIMEOUT:
                del self._asked[number]
                if peer is not None:
                    self._fees.on_silence(peer.netgroup, block_hash)


def measure(block: ScannedBlock) -> tuple[Transaction, int, int]:
    """Give a block's coinbase, the weight of its other transactions, and how many it has in all."""
    if isinstance(block, Block):
        coinbase, count = block.transactions[0], len(block.transactions)
    else:
        reader = Reader(block.serialize())
        reader.read(HEADER_SIZE)
        count = reader.compact_size()
        coinbase = reader.take(lambda data, start: bounded_read(read_transaction, data, start))
    frame = WITNESS_SCALE_FACTOR * (HEADER_SIZE + len(compact_size(count)))
    return coinbase, block.weight - frame - coinbase.weight, count
