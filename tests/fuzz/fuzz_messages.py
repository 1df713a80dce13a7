"""Spoils messages of every kind and feeds them to the client's protocol and to its whole sync.

As a command it runs as long as it is told: `python -m tests.fuzz.fuzz_messages --minutes 60`. It
names the seed of each round; a round with that seed does the same again.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterable
from functools import cache

from tests.functional.p2p_wallet import ScriptWallet
from tests.fuzz.messages import Spoilt, small_chain, spoil, spoil_message, valid
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores, Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_sync import balance
from wallet_gui.chain.p2p.messages import Message, SendAddrV2, Verack, Version, WtxidRelay
from wallet_gui.chain.p2p.protocol import Event, PeerProtocol
from wallet_gui.chain.p2p.transport import (
    LARGEST_CAPACITY,
    ProtocolViolation,
    Transport,
    V1Transport,
)
from wallet_gui.chain.p2p.transport_v2 import V2Transport
from wallet_gui.primitives.params import REGTEST

HANDSHAKE = {"version", "verack", "wtxidrelay", "sendaddrv2"}
SECONDS_PER_STREAM = 2.0
"""A stream here has some thousand bytes, and takes milliseconds; more would be a bomb."""


@cache
def corpus() -> tuple[FakeChain, list[Message]]:
    chain = small_chain(ScriptWallet())
    return chain, valid(chain)


def frame(transport: Transport, message: Message | Spoilt) -> bytes:
    return transport.frame(message.command, message.serialize())


def some_messages(rng: random.Random) -> list[Message | Spoilt]:
    """Messages of which some are spoilt; those of the handshake come rarely: they end it all."""
    _, messages = corpus()
    usual = [each for each in messages if each.command not in HANDSHAKE]
    chance = rng.choice([0.05, 0.3])
    return [
        spoil_message(rng, each, messages) if rng.random() < chance else each
        for each in rng.choices(messages if rng.random() < 0.1 else usual, k=rng.randrange(1, 12))
    ]


def handshake() -> list[Message]:
    _, messages = corpus()
    (version,) = (m for m in messages if isinstance(m, Version))
    return [version, WtxidRelay(), SendAddrV2(), Verack()]


def feed(protocol: PeerProtocol, data: bytes, rng: random.Random) -> tuple[int, bool]:
    """Give bytes in pieces; count the events and tell whether the peer was hung up on."""
    count, position = 0, 0
    while position < len(data):
        step = rng.choice([1, 7, 100, 5000, len(data)])
        try:
            events: Iterable[Event] = protocol.receive_data(data[position : position + step])
        except ProtocolViolation:
            return count, True
        count += len(list(events))
        position += step
        protocol.data_to_send()
    return count, False


def held(transport: Transport) -> int:
    """Bytes that a transport holds in its receive buffer."""
    if isinstance(transport, V1Transport):
        return len(transport._view)
    assert isinstance(transport, V2Transport)
    return len(transport._bytes)


def stream_v1(rng: random.Random) -> tuple[int, bool]:
    """One whole conversation in clear: spoilt messages, or spoilt bytes of the stream itself."""
    ours, theirs = V1Transport(REGTEST.magic), V1Transport(REGTEST.magic)
    protocol = PeerProtocol(ours, nonce=7, unix_time=0)
    opening = handshake() if rng.random() < 0.9 else []
    data = b"".join(frame(theirs, each) for each in [*opening, *some_messages(rng)])
    if rng.random() < 0.3:
        data = spoil(rng, data, [data])
    outcome = feed(protocol, data, rng)
    assert held(ours) <= LARGEST_CAPACITY
    return outcome


def stream_v2(rng: random.Random) -> tuple[int, bool]:
    """The same, encrypted; what is spoilt below the encryption is never given out."""
    ours = V2Transport(REGTEST.magic)
    theirs = V2Transport(REGTEST.magic, is_initiator=False)
    protocol = PeerProtocol(ours, nonce=7, unix_time=0)
    for _ in range(3):
        _take(theirs, protocol.data_to_send())
        protocol.receive_data(theirs.data_to_send())
    assert ours.is_established
    _take(theirs, protocol.data_to_send())
    opening = handshake() if rng.random() < 0.9 else []
    data = b"".join(frame(theirs, each) for each in [*opening, *some_messages(rng)])
    if rng.random() < 0.3:
        data = spoil(rng, data, [data])
    outcome = feed(protocol, data, rng)
    assert held(ours) <= LARGEST_CAPACITY
    return outcome


def _take(transport: V2Transport, data: bytes) -> None:
    view = memoryview(data)
    while view:
        room = transport.get_buffer()
        count = min(len(room), len(view))
        room[:count] = view[:count]
        transport.received(count)
        view = view[count:]


def whole_sync(rng: random.Random) -> None:
    """Nodes that spoil what they answer, and one that does not: the balance is exact.

    Nothing but a hang-up may come of it; any other exception goes through.
    """
    chain, messages = corpus()
    wallet = ScriptWallet()
    network = Network([wallet], stores=MemoryStores(), shuffle=rng)
    chance = rng.choice([0.05, 0.3, 1.0])

    def rewrite(_message: Message, answers: list[Message]) -> list[Message]:
        unasked = rng.choices(messages, k=2) if rng.random() < 0.2 else []
        return [
            spoil_message(rng, each, messages) if rng.random() < chance else each
            for each in [*answers, *unasked]
        ]

    honest = FakeNode(chain)
    spoilers = [FakeNode(chain, rewrite=rewrite) for _ in range(rng.randrange(1, 4))]
    nodes = [honest, *spoilers]
    rng.shuffle(nodes)
    for node in nodes:
        network.connect(node)
        network.run(rng.choice([0, 1]))
    for _ in range(6):
        network.run(5)
        node = rng.choice(spoilers)
        if node not in network.connected:
            network.connect(node, netgroup=b"again")
    network.run(60)
    assert honest in network.connected, (network.faults, network.farewells)
    assert honest not in network.banned
    assert network.sync.is_synced(), network.describe()
    assert wallet.balance == balance(chain, wallet)
    assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)


def streams(seed: int, count: int) -> dict[str, int]:
    """Feed so many streams of each framing; tell what came of them."""
    said = {"events": 0, "hung up": 0}
    for number in range(count):
        for make in (stream_v1, stream_v2):
            rng = random.Random(f"{seed}/{number}/{make.__name__}")
            began = time.process_time()
            events, hung_up = make(rng)
            assert time.process_time() - began < SECONDS_PER_STREAM
            said["events"] += events
            said["hung up"] += hung_up
    return said


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    end = time.monotonic() + options.minutes * 60
    seed = options.seed
    while time.monotonic() < end:
        print(f"seed {seed}: {streams(seed, 500)}", flush=True)
        for number in range(20):
            whole_sync(random.Random(f"{seed}/{number}"))
        seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
