"""Filters stay where they were received, whatever comes through the connection afterwards."""

import random

import pytest

from wallet_gui.chain.p2p.filter_messages import CFilter, FilterRun
from wallet_gui.chain.p2p.transport import Transport, V1Transport
from wallet_gui.chain.p2p.transport_v2 import V2Transport

MAGIC = b"\xfa\xbf\xb5\xda"


def pair(name: str) -> tuple[Transport, Transport]:
    """Make both ends of a connection that is ready for messages."""
    if name == "v1":
        return V1Transport(MAGIC), V1Transport(MAGIC)
    ours, theirs = V2Transport(MAGIC), V2Transport(MAGIC, is_initiator=False)
    for _ in range(3):
        for one, other in ((ours, theirs), (theirs, ours)):
            if data := one.data_to_send():
                feed(other, data)
    assert ours.is_established
    return ours, theirs


def feed(transport: Transport, data: bytes) -> list[FilterRun]:
    """Let bytes arrive, as many at a time as there is room for; returns the runs among them."""
    runs = []
    while data:
        room = transport.get_buffer()
        some = data[: len(room)]
        room[: len(some)] = some
        found = transport.received(len(some))
        runs += [each for each in found if isinstance(each, FilterRun)]
        data = data[len(some) :]
    return runs


@pytest.mark.parametrize("name", ["v1", "v2"])
@pytest.mark.parametrize("seed", range(4))
def test_runs_keep_their_filters(name: str, seed: int) -> None:
    draw = random.Random(seed)
    ours, theirs = pair(name)
    sent: list[tuple[bytes, bytes]] = []
    runs: list[FilterRun] = []
    waiting = b""
    for _ in range(250):
        if draw.random() < 0.05:  # a block now and then, at times a long one
            size = draw.choice([200, 90_000, 2_500_000 if draw.random() < 0.2 else 300_000])
            waiting += theirs.frame("block", draw.randbytes(size))
        else:
            block_hash, data = draw.randbytes(32), draw.randbytes(draw.choice([1, 300, 14_000]))
            sent.append((block_hash, data))
            waiting += theirs.frame("cfilter", CFilter(block_hash, data).serialize())
        if len(waiting) > draw.choice([0, 50_000, 2_000_000]):
            runs += feed(ours, waiting)
            waiting = b""
        if runs and draw.random() < 0.02:  # what is matched is let go, and its buffer used again
            count = draw.randrange(len(runs))
            gone = sum(map(len, runs[:count]))
            check(runs[:count], sent[:gone])
            del runs[:count], sent[:gone]
    runs += feed(ours, waiting)
    check(runs, sent)


def check(runs: list[FilterRun], sent: list[tuple[bytes, bytes]]) -> None:
    """Compare all filters, in order."""
    found = [
        (run.hashes[32 * i : 32 * i + 32], bytes(run.data[run.starts[i] : run.ends[i]]))
        for run in runs
        for i in range(len(run))
    ]
    assert found == sent
