"""Valid messages of every command that we parse, of one small chain, and ways to spoil them."""

import random
from dataclasses import dataclass

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain, payment
from wallet_gui.chain.p2p.addr_messages import Addr, AddrV2, GetAddr, NodeAddress
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.compact_block import CompactBlock
from wallet_gui.chain.p2p.filter_messages import (
    CFCheckpt,
    CFHeaders,
    CFilter,
    GetCFCheckpt,
    GetCFHeaders,
    GetCFilters,
)
from wallet_gui.chain.p2p.messages import (
    FeeFilter,
    GetData,
    GetHeaders,
    Headers,
    Inv,
    InventoryType,
    Message,
    NotFound,
    Ping,
    Pong,
    RawBlock,
    SendAddrV2,
    SendHeaders,
    Services,
    Tx,
    Verack,
    Version,
    WtxidRelay,
)
from wallet_gui.primitives.transaction import TxOut

SERVICES = Services.NETWORK | Services.WITNESS | Services.COMPACT_FILTERS
ONION = "v7ajjeirttkbnt32wpy3c6w3emwnfr3fkla7hpxcfokr3ysd3kqtzmqd.onion"
_NUMBERS = [0, 1, 0x7F, 0x80, 0xFC, 0xFD, 0xFE, 0xFF]
_COUNTS = [
    b"\xfd\xff\xff",
    b"\xfd\x00\x00",
    b"\xfe\xff\xff\xff\x7f",
    b"\xfe\xff\xff\xff\xff",
    b"\xff" * 9,
    b"\xff" + b"\0" * 8,
]


@dataclass(frozen=True)
class Spoilt:
    """Any bytes under any command."""

    command: str
    raw: bytes

    def serialize(self) -> bytes:
        return self.raw


def small_chain(wallet: ScriptWallet) -> FakeChain:
    """Forty blocks that pay a wallet, spend of it and pay beyond its first window."""
    chain = FakeChain()
    chain.mine_empty(3)
    for index in range(0, 36, 3):
        spend = payment([chain.coin(chain.height)], [TxOut(1000 + index, wallet.script(index))])
        chain.mine(spend, to=wallet.script(index))
        chain.mine_empty(2)
    return chain


def valid(chain: FakeChain) -> list[Message]:
    """One message at least of every command."""
    tip, half = chain.tip, chain.height // 2
    raw = [block.header.serialize() for block in chain.blocks]
    tx = chain.blocks[4].transactions[1]
    block = chain.blocks[half]
    hashes = tuple(made.filter_hash for made in chain.filters)
    nodes = (
        NodeAddress(PeerAddress("203.0.113.5", 8333), int(SERVICES), 4_000_000_000),
        NodeAddress(PeerAddress("2001:db8::7", 8333), 9, 4_000_000_000),
    )
    onion = NodeAddress(PeerAddress(ONION, 8333), int(SERVICES), 4_000_000_000)
    short_ids = bytes(6 * (len(block.transactions) - 1))
    return [
        Version(70016, SERVICES, 1_700_000_000, 99, "/Satoshi:28.1.0/", chain.height, True),
        Verack(),
        WtxidRelay(),
        SendAddrV2(),
        SendHeaders(),
        GetAddr(),
        Ping(7),
        Pong(7),
        FeeFilter(1000),
        GetHeaders((tip, chain.blocks[0].header.hash), bytes(32)),
        Headers(b"".join(raw[1:])),
        Headers(raw[-1]),
        Headers(b""),
        Inv(((InventoryType.BLOCK, tip), (InventoryType.WTX, tx.wtxid))),
        GetData(((InventoryType.WTX, tx.wtxid), (InventoryType.WITNESS_BLOCK, tip))),
        NotFound(((InventoryType.WTX, tx.wtxid),)),
        Tx(tx),
        RawBlock(block.serialize()),
        RawBlock(chain.blocks[4].serialize()),
        CompactBlock(block.header.serialize(), 5, short_ids, ((0, block.transactions[0]),)),
        GetCFilters(1, tip),
        GetCFHeaders(1, tip),
        GetCFCheckpt(tip),
        CFHeaders(tip, chain.filter_headers[half - 1], hashes[half:]),
        CFHeaders(tip, bytes(32), hashes),
        CFCheckpt(tip, (chain.filter_headers[half],)),
        *(CFilter(made.block_hash, made.data) for made in chain.filters[1:8]),
        Addr(nodes),
        AddrV2((*nodes, onion)),
    ]


def spoil(rng: random.Random, raw: bytes, others: list[bytes]) -> bytes:
    """Change some bytes as a fuzzer does."""
    data = bytearray(raw)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(9):
            case 0 if data:
                data[place % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[place % len(data)] = rng.choice(_NUMBERS)
            case 2:
                data[place:place] = rng.randbytes(rng.choice([1, 4, 32, 80]))
            case 3:
                del data[place : place + rng.choice([1, 4, 32, 80])]
            case 4:
                del data[place:]
            case 5:
                count = rng.choice(_COUNTS)
                data[place : place + rng.choice([0, 1, len(count)])] = count
            case 6:
                part = data[place : place + rng.choice([32, 36, 80, 1000])]
                data[place:place] = part * rng.choice([1, 2, 60])
            case 7:
                other = rng.choice(others)
                start = rng.randrange(len(other) + 1)
                data[place:] = other[start : start + rng.choice([4, 32, 500])]
            case _:
                data[:0] = rng.choice(_COUNTS)[: rng.choice([1, 9])]
    return bytes(data)


def spoil_message(rng: random.Random, message: Message, others: list[Message]) -> Spoilt:
    """Change a message's bytes, or now and then give them another name."""
    command = message.command
    if rng.random() < 0.05:
        command = rng.choice(others).command
    if rng.random() < 0.02:
        command = "".join(rng.choice("abcxyz") for _ in range(rng.randrange(1, 13)))
    return Spoilt(command, spoil(rng, message.serialize(), [m.serialize() for m in others]))
