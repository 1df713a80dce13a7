"""Regtest blocks made by hand, with their filters and filter headers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from wallet_gui.chain.chain_anchor import ChainAnchor
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.difficulty import EPOCH
from wallet_gui.chain.filters import BlockFilter, build
from wallet_gui.primitives.block import (
    Block,
    BlockHeader,
    merkle_root,
    target_from_bits,
    work_from_bits,
)
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.script import encode_script_number, push
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

BITS = REGTEST.pow_limit_bits
ANYONE = b"\x52\x02\xab\xcd"  # a witness program that means nothing: anyone may spend it


def coinbase(height: int, outputs: tuple[TxOut, ...], salt: int) -> Transaction:
    script_sig = push(encode_script_number(height)) + push(salt.to_bytes(8, "little"))
    return Transaction(2, (TxIn(OutPoint(bytes(32), 0xFFFFFFFF), script_sig),), outputs, 0)


def payment(coins: list[OutPoint], outputs: list[TxOut]) -> Transaction:
    return Transaction(2, tuple(TxIn(coin) for coin in coins), tuple(outputs), 0)


def mined(previous: bytes, time: int, transactions: list[Transaction]) -> Block:
    root, _ = merkle_root([tx.txid for tx in transactions])
    nonce = 0
    while True:
        header = BlockHeader(4, previous, root, time, BITS, nonce)
        if int.from_bytes(header.hash, "little") <= target_from_bits(BITS):
            return Block(header, tuple(transactions))
        nonce += 1


def genesis_block() -> Block:
    """The block behind every regtest's first header (Core `CreateGenesisBlock`)."""
    text = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
    script_sig = push(bytes.fromhex("ffff001d")) + b"\x01\x04" + push(text)
    key = bytes.fromhex(
        "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
        "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
    )
    spend = TxIn(OutPoint(bytes(32), 0xFFFFFFFF), script_sig)
    tx = Transaction(1, (spend,), (TxOut(50 * 10**8, push(key) + b"\xac"),), 0)
    return Block(BlockHeader.parse(REGTEST.genesis_header), (tx,))


@dataclass
class FakeChain:
    """Blocks from genesis on; index is height. Filters and filter headers follow by themselves."""

    blocks: list[Block] = field(default_factory=lambda: [genesis_block()])
    filters: list[BlockFilter] = field(default_factory=list)
    filter_headers: list[bytes] = field(default_factory=list)
    scripts: dict[OutPoint, bytes] = field(default_factory=dict)
    heights: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for block in self.blocks[len(self.filters) :]:
            self._index(block)

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    @property
    def tip(self) -> bytes:
        return self.blocks[-1].header.hash

    def height_of(self, block_hash: bytes) -> int | None:
        while len(self.heights) < len(self.blocks):
            self.heights[self.blocks[len(self.heights)].header.hash] = len(self.heights)
        height = self.heights.get(block_hash)
        return height if height is not None and height < len(self.blocks) else None

    def copy(self, height: int) -> Self:
        """Fork: the same chain up to `height`."""
        count = height + 1
        kept = {tx.txid for block in self.blocks[:count] for tx in block.transactions}
        return type(self)(
            self.blocks[:count],
            self.filters[:count],
            self.filter_headers[:count],
            {coin: script for coin, script in self.scripts.items() if coin.txid in kept},
        )

    def mine(self, *transactions: Transaction, to: bytes = ANYONE, salt: int = 0) -> Block:
        """Add a block; its coinbase pays 50 to `to`."""
        height = self.height + 1
        time = self.blocks[-1].header.time + 600
        reward = coinbase(height, (TxOut(50 * 10**8, to),), salt)
        block = mined(self.tip, time, [reward, *transactions])
        self.blocks.append(block)
        self._index(block)
        return block

    def add(self, block: Block) -> None:
        """Add a block that was made elsewhere."""
        self.blocks.append(block)
        self._index(block)

    def mine_empty(self, count: int, salt: int = 0) -> None:
        for _ in range(count):
            self.mine(salt=salt)

    def coin(self, height: int) -> OutPoint:
        """The coinbase's coin of a block."""
        return OutPoint(self.blocks[height].transactions[0].txid, 0)

    def _index(self, block: Block) -> None:
        spent = []
        for tx in block.transactions:
            spent += [self.scripts[i.prevout] for i in tx.inputs if i.prevout in self.scripts]
            for vout, output in enumerate(tx.outputs):
                self.scripts[OutPoint(tx.txid, vout)] = output.script_pubkey
        made = build(block, spent)
        previous = self.filter_headers[-1] if self.filter_headers else bytes(32)
        self.filters.append(made)
        self.filter_headers.append(made.header(previous))

    def checkpoints(self, epochs: int, filter_heights: Sequence[int] = ()) -> Checkpoints:
        """What a release would know of this chain: so many epochs, and some filter headers."""
        anchors = []
        for number in range(1, epochs + 1):
            end = number * EPOCH - 1
            work = (end + 1) * work_from_bits(BITS)
            anchors.append(ChainAnchor(end, self.blocks[end].header.hash, BITS, work))
        return Checkpoints(
            tuple(anchors),
            tuple(self.blocks[anchor.height].header.time for anchor in anchors),
            filter_headers={height: self.filter_headers[height] for height in filter_heights},
        )

    def lie(self, height: int, data: bytes) -> None:
        """Claim another filter at a height; all filter headers above follow consistently."""
        self.filters[height] = BlockFilter(self.filters[height].block_hash, data)
        for h in range(height, self.height + 1):
            previous = self.filter_headers[h - 1] if h else bytes(32)
            self.filter_headers[h] = sha256d(self.filters[h].filter_hash + previous)
