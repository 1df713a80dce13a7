"""Chains of headers that cost nothing to make, against the memory and the time of others."""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores, Network
from tests.hostile.fake_peer import FakeNode
from tests.unit.chain.mining import easy
from tests.unit.chain.signet_mining import SignetMiner
from tests.unit.chain.test_signet import GOOD
from wallet_gui.chain.difficulty import retarget
from wallet_gui.chain.p2p.messages import GetHeaders, Headers, Message
from wallet_gui.chain.p2p.unproven_headers import MAX_HEADERS_HELD
from wallet_gui.primitives.block import target_from_bits
from wallet_gui.primitives.params import REGTEST, TESTNET4

RULES = easy(TESTNET4)
START = 1_296_688_602  # of regtest's genesis block
EPOCHS = 5


def mined(previous: bytes, time: int, bits: int, salt: int = 0) -> tuple[bytes, bytes]:
    """Mine a header; return it and its hash."""
    target = target_from_bits(bits)
    root = salt.to_bytes(32, "little")
    begun = sha256(struct.pack("<i32s28s", 4, previous, root[:28]))
    for nonce in range(1 << 32):
        attempt = begun.copy()
        attempt.update(struct.pack("<4sIII", root[28:], time, bits, nonce))
        block_hash = sha256(attempt.digest()).digest()
        if int.from_bytes(block_hash, "little") <= target:
            raw = struct.pack("<i32s32sIII", 4, previous, root, time, bits, nonce)
            return raw, block_hash
    raise AssertionError


@cache
def real_chain() -> tuple[bytes, list[bytes], int]:
    """Five epochs of ever more work; the headers, their hashes, and the work of all."""
    raws, hashes = [REGTEST.genesis_header], [REGTEST.genesis_hash]
    bits, work, epoch_time, time = RULES.pow_limit_bits, 2, START, START
    for height in range(1, EPOCHS * 2016):
        if height % 2016 == 0:
            bits = retarget(bits, epoch_time, time, RULES.pow_limit)
            epoch_time = time + 60
        time += 60
        raw, block_hash = mined(hashes[-1], time, bits)
        raws.append(raw)
        hashes.append(block_hash)
        work += (1 << 256) // (target_from_bits(bits) + 1)
    return b"".join(raws), hashes, work


def cheap_headers(salt: int) -> Iterator[bytes]:
    """Endless messages of headers at the lowest difficulty, each twenty minutes after the last."""
    previous, time = REGTEST.genesis_hash, START
    while True:
        batch = []
        for _ in range(2000):
            time += 1201
            raw, previous = mined(previous, time, RULES.pow_limit_bits, salt)
            batch.append(raw)
        yield b"".join(batch)


@dataclass
class HeaderNode(FakeNode):
    """Serves the real headers and is silent about everything else."""

    sent: int = 0

    def _headers(self, message: GetHeaders) -> Headers:
        raw, hashes, _ = real_chain()
        index = {block_hash: height for height, block_hash in enumerate(hashes)}
        fork = next((index[h] for h in message.locator if h in index), 0)
        self.sent += 1
        return Headers(raw[(fork + 1) * 80 : (fork + 2001) * 80])


@dataclass
class Flooder(FakeNode):
    """Whatever it is asked, it has 2000 more cheap headers."""

    salt: int = 1
    sent: int = 0
    most: int = 1_000_000
    peak: int = 0
    flood: Iterator[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.flood = cheap_headers(self.salt)

    def _answer(self, message: Message) -> list[Message]:
        if not isinstance(message, GetHeaders) or self.sent >= self.most:
            return []
        self.sent += 2000
        self.peak = max(self.peak, resident())
        return [Headers(next(self.flood))]


def resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def network() -> Network:
    _, _, work = real_chain()
    return Network([], MemoryStores(), params=replace(RULES, minimum_chain_work=work))


def flooder(salt: int, most: int = 1_000_000) -> Flooder:
    return Flooder(FakeChain(), salt=salt, most=most)


def test_a_flood_costs_little_memory_and_nobody_elses_progress() -> None:
    real_chain()
    net = network()
    liars = [flooder(salt) for salt in range(1, 4)]
    before = resident()
    for liar in liars:
        net.connect(liar)
    honest = HeaderNode(FakeChain())
    net.connect(honest)
    net.run(30)
    assert net.sync.state.headers.tip.hash == real_chain()[1][-1]
    assert net.sync.state.headers.has_minimum_work
    assert net.sync.headers._unproven.count == 0
    sent = sum(liar.sent for liar in liars)
    assert sent >= MAX_HEADERS_HELD  # they did what they could
    assert net.faults
    assert all("too little work" in fault for fault in net.faults)
    assert max(liar.peak for liar in liars) - before < 20_000_000
    assert not net.sync.state.headers._side
    assert net.stores.headers.raw == real_chain()[0]


def test_a_million_headers() -> None:
    """A million from one who comes back again and again: no memory is lost, nobody has to go."""
    real_chain()
    chain = b"".join(itertools.islice(cheap_headers(6), 5))
    batches = [chain[at : at + 2000 * 80] for at in range(0, len(chain), 2000 * 80)]
    sent = 0
    net = network()
    honest = HeaderNode(FakeChain())
    net.connect(honest)
    net.run()
    before = resident()
    while sent < 1_000_000:
        number = net.connect(FakeNode(FakeChain()))
        for batch in batches:
            if number not in net._links:
                break
            raw = Headers(batch).serialize()
            net._receive(number, net._links[number].server.frame("headers", raw))
            sent += 2000
        net.run()
        assert net.sync.state.headers.tip.hash == real_chain()[1][-1]
        net.disconnect(number)
    assert resident() - before < 20_000_000
    assert not net.bans
    assert net.stores.headers.raw == real_chain()[0]


def test_a_flood_after_the_sync_changes_nothing() -> None:
    net = network()
    honest = HeaderNode(FakeChain())
    net.connect(honest)
    net.run()
    liar = flooder(9)
    before = resident()
    net.connect(liar)
    net.run(5)
    assert net.sync.state.headers.tip.hash == real_chain()[1][-1]
    assert net.faults
    assert liar.peak - before < 20_000_000


def test_a_chain_that_ends_below_the_minimum_is_no_chain() -> None:
    net = network()
    net.connect(flooder(5, most=6000))
    net.run(1)
    assert net.sync.state.headers.height == 0
    assert not net.sync.is_synced()
    assert net.stores.headers.raw == REGTEST.genesis_header
    short = HeaderNode(FakeChain())
    short.rewrite = lambda _m, answers: [Headers(a.raw[:800]) for a in answers if a.raw]  # type: ignore[attr-defined]
    net.connect(short)
    net.run(30)
    assert net.sync.state.headers.height == 0
    assert not net.sync.is_synced()
    assert not net.faults  # a node may be loading its chain itself
    net.connect(HeaderNode(FakeChain()))
    net.run(100)
    assert net.sync.state.headers.has_minimum_work


def test_a_slow_flood_loses_its_turn() -> None:
    liar = flooder(4)
    net = network()
    held: list[bytes] = []

    def slow(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetHeaders):
            held.extend(a.raw for a in answers if isinstance(a, Headers))
            return []
        return answers

    liar.rewrite = slow
    number = net.connect(liar)
    net.connect(HeaderNode(FakeChain()))
    for _ in range(40):
        net.run(2.5)
        if held and number in net._links:
            raw = Headers(held.pop(0))
            net._receive(number, net._links[number].server.frame("headers", raw.serialize()))
    assert net.sync.state.headers.tip.hash == real_chain()[1][-1]


def test_unsigned_blocks_of_a_signet_are_refused() -> None:
    """Somebody mined a longer signet without its key: it is left when its first block is read."""
    wallet = ScriptWallet()
    challenge, solve = GOOD["key"]
    params = replace(REGTEST, signet_challenge=challenge)
    miner = SignetMiner(challenge, solve, REGTEST.pow_limit_bits)
    signed = FakeChain()
    for height in range(1, 12):
        time = signed.blocks[-1].header.time + 600
        to = wallet.script(0) if height == 4 else b"\x51"
        signed.add(miner.block(signed.tip, height, time, to=to))
    forged = signed.copy(8)
    forged.mine(to=wallet.script(1))
    forged.mine_empty(6)
    net = Network([wallet], params=params)
    net.connect(FakeNode(forged))
    net.run(2)
    assert wallet.balance == 50 * 10**8  # the signed part stands
    assert any("not signed" in fault or "cannot be signed" in fault for fault in net.faults)
    assert net.sync.state.headers.height == 8
    net.connect(FakeNode(forged))
    net.connect(FakeNode(signed))
    net.run(5)
    assert net.sync.state.headers.tip.hash == signed.tip
    assert net.stores.headers.raw == b"".join(b.header.serialize() for b in signed.blocks)
    assert wallet.balance == 50 * 10**8


def test_a_peer_far_behind_is_no_judge_of_the_tip() -> None:
    chain = FakeChain()
    chain.mine_empty(60)
    net = Network([])
    number = net.connect(FakeNode(chain))
    net.run(1)
    assert net.sync.is_synced()
    net.disconnect(number)
    net.connect(FakeNode(chain.copy(40)))
    net.run(5)
    assert not net.sync.is_synced()
    assert not net.faults
    net.connect(FakeNode(chain))
    net.run(1)
    assert net.sync.headers.is_synced


@pytest.mark.parametrize("depth", [150, 400])
def test_a_fork_deeper_than_what_is_taken_at_once(depth: int) -> None:
    chain = FakeChain()
    chain.mine_empty(500)
    rival = chain.copy(500 - depth)
    rival.mine_empty(depth + 1, salt=5)
    net = Network([])
    net.connect(FakeNode(chain))
    net.run(1)
    net.connect(FakeNode(rival))
    net.run(1)
    assert net.sync.state.headers.tip.hash == rival.tip
    assert net.stores.headers.raw == b"".join(b.header.serialize() for b in rival.blocks)
    assert not net.faults
