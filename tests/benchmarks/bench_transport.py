"""Encrypted against plain transport: `python -m tests.benchmarks.bench_transport`.

A stream of filters of mainnet's size is read by both in turns, in pieces as a socket gives them.
What the engine does with every filter afterwards, hash and match, is the same for both and done in
the same run, so that the ratio is that of a sync's filter phase without its socket. Times are
processor time, medians of the rounds. `bench_sync.py` measures whole syncs by both.
"""

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable

from wallet_gui.chain import gcs_scalar
from wallet_gui.chain.filters import pick_engine
from wallet_gui.chain.p2p.filter_messages import CFilter, FilterRun
from wallet_gui.chain.p2p.messages import Services, Verack, Version
from wallet_gui.chain.p2p.protocol import PeerProtocol
from wallet_gui.chain.p2p.transport import Transport, V1Transport
from wallet_gui.chain.p2p.transport_v2 import V2Transport
from wallet_gui.primitives.hashes import sha256
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.script import p2wpkh

SCRIPTS = 240
MAGIC = REGTEST.magic
VERSION = Version(70016, Services.NETWORK, 0, 1, "/Bench:1/", 0, True)


def make_filters(elements: int) -> list[CFilter]:
    """A few filters of random values, as blocks give them."""
    chance = random.Random(1)
    found = []
    for number in range(8):
        values = sorted(chance.randrange(elements * gcs_scalar.M) for _ in range(elements))
        found.append(CFilter(sha256(bytes([number])), gcs_scalar.encode(values)))
    return found


def pair(version: str) -> tuple[PeerProtocol, Transport]:
    """A client after its handshake, and the framing of its peer."""
    theirs: Transport
    if version == "v1":
        ours, theirs = V1Transport(MAGIC), V1Transport(MAGIC)
        client = PeerProtocol(ours, nonce=2, unix_time=0)
        client.data_to_send()
    else:
        theirs = V2Transport(MAGIC, is_initiator=False)
        client = PeerProtocol(V2Transport(MAGIC), nonce=2, unix_time=0)
        give(theirs, client.data_to_send())
    hello = [theirs.frame(m.command, m.serialize()) for m in (VERSION, Verack())]
    client.receive_data(b"".join((theirs.data_to_send(), *hello)))
    client.data_to_send()
    return client, theirs


def give(transport: Transport, data: bytes) -> None:
    room = transport.get_buffer()
    room[: len(data)] = data
    transport.received(len(data))


def read(
    client: PeerProtocol, stream: bytes, piece: int, work: Callable[[FilterRun], None]
) -> tuple[float, float, int]:
    """Read the stream; return seconds of the framing, of the work, and the filters seen."""
    view = memoryview(stream)
    position = filters = 0
    framing = working = 0.0
    while position < len(stream):
        began = time.process_time()
        room = client.get_buffer()
        count = min(len(room), piece, len(stream) - position)
        room[:count] = view[position : position + count]
        events = client.buffer_updated(count)
        framed = time.process_time()
        for event in events:
            assert isinstance(event, FilterRun)
            filters += len(event)
            work(event)
        framing += framed - began
        working += time.process_time() - framed
        position += count
    return framing, working, filters


def handshake() -> tuple[float, float]:
    """Seconds of our side for its keys and of everything until the first message is read."""
    began = time.process_time()
    client = PeerProtocol(V2Transport(MAGIC), nonce=2, unix_time=0)
    opening = client.data_to_send()
    keys = time.process_time() - began
    theirs = V2Transport(MAGIC, is_initiator=False)
    give(theirs, opening)
    answer = theirs.data_to_send() + theirs.frame("version", VERSION.serialize())
    began = time.process_time()
    client.receive_data(answer)
    client.data_to_send()
    return keys, keys + time.process_time() - began


def stream(options: argparse.Namespace) -> None:
    """Read a made-up stream of filters by both, in turns."""
    engine = pick_engine()
    prepared = engine.prepare([p2wpkh(os.urandom(20)) for _ in range(SCRIPTS)])
    filters = make_filters(options.elements)
    payloads = [message.serialize() for message in filters]
    size = len(filters[0].data)
    count = options.megabytes * 1_000_000 // size

    def work(run: FilterRun) -> None:
        engine.hash_run(run.data, run.starts, run.ends)
        engine.match_run(run.data, run.hashes, run.starts, run.ends, prepared)

    times: dict[str, list[tuple[float, float]]] = {"v1": [], "v2": []}
    for _ in range(options.rounds):
        for version, found in times.items():
            client, theirs = pair(version)
            data = b"".join(theirs.frame("cfilter", payloads[i % 8]) for i in range(count))
            framing, working, seen = read(client, data, options.piece * 1024, work)
            assert seen == count
            found.append((framing, working))
    print(f"{count} filters of {size} bytes, engine {engine.name}")
    medians = {
        version: (statistics.median(f for f, _ in found), statistics.median(w for _, w in found))
        for version, found in times.items()
    }
    for version, (framing, working) in medians.items():
        print(
            f"{version}: framing {framing:.3f} s, {framing / count * 1e6:.2f} us a message, "
            f"{count * size / framing / 1e6:,.0f} MB/s; hash and match {working:.3f} s"
        )
    framings = medians["v2"][0] / medians["v1"][0]
    both = sum(medians["v2"]) / sum(medians["v1"])
    print(f"v2 / v1: framing {framings:.2f}, with hash and match {both:.2f}")
    handshakes = [handshake() for _ in range(50)]
    keys, whole = (statistics.median(each[i] for each in handshakes) for i in (0, 1))
    print(f"handshake {whole * 1e3:.2f} ms of processor time, {keys * 1e3:.2f} ms of it our key")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--megabytes", type=int, default=134)
    arguments.add_argument("--elements", type=int, default=9073, help="of a filter; 9073 are 24 KB")
    arguments.add_argument("--piece", type=int, default=256, help="KiB that a socket gives at once")
    arguments.add_argument("--rounds", type=int, default=5)
    stream(arguments.parse_args())


if __name__ == "__main__":
    main()
