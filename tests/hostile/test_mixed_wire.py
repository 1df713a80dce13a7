"""Hostile peers of every kind on real sockets, encrypted and in clear, and one honest one."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.p2p_wallet import ScriptWallet, run, running, running_with
from tests.hostile.fake_internet import Neighbour, host, internet
from tests.hostile.fake_peer import FakeNode, serve
from tests.hostile.test_connections import GARBAGE
from tests.hostile.test_mixes import (
    GAP,
    KINDS,
    found_coins,
    is_on_a_branch,
    lived_chain,
    true_coins,
)
from tests.hostile.test_sync import balance
from wallet_gui.chain.p2p.backend import system_clock
from wallet_gui.chain.p2p.sync_state import Instant

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being asked"
)
Write = Callable[[asyncio.StreamWriter, bytes], None]


def hasty(factor: float) -> Callable[[], Instant]:
    """A clock on which time passes faster, so that waiting for the silent takes less of ours."""
    begun = system_clock()

    def now() -> Instant:
        passed = (system_clock().monotonic - begun.monotonic) * factor
        return Instant(begun.monotonic + passed, begun.unix + int(passed))

    return now


def trickle(bytes_before: int) -> Write:
    """Write so many bytes as they come, and then one each second."""
    left = [bytes_before]
    tasks: set[asyncio.Task[None]] = set()

    async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
        for index in range(len(data)):
            if writer.is_closing():
                return
            writer.write(data[index : index + 1])
            await asyncio.sleep(1)

    def write(writer: asyncio.StreamWriter, data: bytes) -> None:
        now, later = data[: left[0]], data[left[0] :]
        left[0] -= len(now)
        writer.write(now)
        if later:
            task = asyncio.ensure_future(drip(writer, later))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    return write


def half(bytes_before: int) -> Write:
    """Write so many bytes and then nothing, wherever in a message that is."""
    left = [bytes_before]

    def write(writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data[: left[0]])
        left[0] = max(0, left[0] - len(data))

    return write


@on_linux
@pytest.mark.parametrize("seed", range(3))
def test_seven_of_eight_on_the_wire(tmp_path: Path, seed: int) -> None:
    """Found by a seed; liars, the silent, the slow and talkers of nonsense, v1 and v2."""
    rng = random.Random(f"wire {seed}")
    wallet = ScriptWallet(gap=GAP + 1)
    chain = lived_chain(rng, wallet, 60)
    kinds = rng.sample([kind for kind in KINDS if kind is not is_on_a_branch], 4)
    honest = rng.randrange(1, 9)
    others = [group for group in range(1, 9) if group != honest]
    rng.shuffle(others)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            net = await stack.enter_async_context(internet(chain))
            await net.add(host(honest), Neighbour(chain, nonce=99))
            for group in others[:4]:
                made = kinds.pop()(rng, chain)
                node = Neighbour(
                    made.chain,
                    rewrite=made.rewrite,
                    filters_are_silent=made.filters_are_silent,
                    claimed_height=made.claimed_height,
                    nonce=1000 + group,
                )
                await net.add(host(group), node)
            slow, cut, noisy = others[4:]
            for group, write in ((slow, trickle(400)), (cut, half(rng.randrange(300, 3000)))):
                node = Neighbour(chain, nonce=1000 + group)
                serving = serve(node, write, v2=group == slow, host=host(group), port=net.port)
                await stack.enter_async_context(serving)
            await stack.enter_async_context(noise(host(noisy), net.port, rng))
            net.seeds["seed.test"] = [host(group) for group in range(1, 9)]
            setup = replace(net.setup(), clock=hasty(4))
            async with running_with(tmp_path, setup, wallet) as client:
                await client.until(lambda: found_coins(wallet) == true_coins(chain, wallet))
                await client.until_synced(chain.height, chain.tip[::-1].hex())
                assert wallet.balance == balance(chain, wallet)

    run(scenario)


@asynccontextmanager
async def noise(where: str, port: int, rng: random.Random) -> AsyncIterator[None]:
    """Say one kind of nonsense to whoever connects."""
    said = GARBAGE[rng.choice(list(GARBAGE))]
    writers: list[asyncio.StreamWriter] = []

    def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(said)

    server = await asyncio.start_server(talk, where, port)
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


@pytest.mark.alone
@pytest.mark.parametrize("v2", [True, False])
@pytest.mark.parametrize("how", [trickle, half])
@pytest.mark.parametrize("bytes_before", [700, 6_000])
def test_a_trickle_costs_less_than_fifteen_seconds(
    tmp_path: Path, how: Callable[[int], Write], bytes_before: int, *, v2: bool
) -> None:
    """Threat table, row 9: who becomes slow, or stops, in some phase is passed by in time."""
    wallet = ScriptWallet(gap=GAP + 1)
    chain = lived_chain(random.Random(9), wallet, 60)

    async def scenario() -> None:
        clock = hasty(4)
        async with AsyncExitStack() as stack:
            bad = await stack.enter_async_context(
                serve(FakeNode(chain), how(bytes_before + 4095 * v2), v2=v2)
            )
            good = await stack.enter_async_context(serve(FakeNode(chain, nonce=5), v2=v2))
            client = await stack.enter_async_context(
                running(tmp_path, [bad, good], wallet, clock=clock)
            )
            began = clock().monotonic
            await client.until(lambda: found_coins(wallet) == true_coins(chain, wallet))
            assert clock().monotonic - began < 15

    run(scenario)
