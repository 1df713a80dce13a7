"""DNS seeds: where addresses of peers come from when none are known.

A seeder answers a name that begins with the services wanted, in hexadecimal, but only for the
combinations on its list; for any other it says nothing (bitcoin-seeder, `main.cpp`). The ones that
serve compact filters are asked for of every seed at once, so that no single seed decides whom a new
wallet meets: each adds a bounded number of addresses.
"""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.event_loop import in_own_thread
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.netgroup import ip_of
from wallet_gui.chain.p2p.seed_names import SeedAddress, seed_name

Resolver = Callable[[str], Awaitable[list[str]]]
"""Looks up a name and gives IP addresses as text; raises OSError when there are none."""

WITH_FILTERS: Final = (0x849, 0x49, 0xC48, 0x448)
WITHOUT_FILTERS: Final = (0x9, 0)  # 0: the bare name
ENOUGH: Final = 40
MAX_PER_SEED: Final = 64
LOOK_UP_TIMEOUT: Final = 10.0
PATIENCE: Final = 3.0
"""Seconds after which nobody waits for the rest of the answers, if any came."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """One name that was looked up; `hosts` are what came, `failure` why nothing did."""

    seed: str
    name: str
    services: Services
    hosts: tuple[str, ...]
    failure: str = ""


async def ask_seeds(
    seeds: Sequence[str],
    port: int,
    resolver: Resolver,
    on_look_up: Callable[[LookUp], None],
    shuffle: Callable[[list[SeedAddress]], None] = random.shuffle,
) -> list[SeedAddress]:
    """Ask every seed for peers that serve filters, and for any peers when those are few.

    Gives at most `MAX_PER_SEED` addresses of each seed; one that several name belongs to the first.
    `on_look_up` hears of every name, as its answer comes.
    """
    found: dict[PeerAddress, SeedAddress] = {}
    counts = dict.fromkeys(seeds, 0)
    for wanted in (WITH_FILTERS, WITHOUT_FILTERS):
        if len(found) >= ENOUGH:
            break
        names = [(seed, services) for seed in seeds for services in wanted]
        for answer in await _look_up_all(names, resolver, on_look_up):
            new = [
                SeedAddress(PeerAddress(host, port), answer.services, answer.seed)
                for host in answer.hosts
            ]
            shuffle(new)
            for item in new:
                if counts[answer.seed] >= MAX_PER_SEED:
                    break
                if item.address not in found:
                    found[item.address] = item
                    counts[answer.seed] += 1
    return list(found.values())


async def _look_up_all(
    names: Sequence[tuple[str, int]], resolver: Resolver, on_look_up: Callable[[LookUp], None]
) -> list[LookUp]:
    """Look up all names at once; give what came, in their order."""
    tasks = [
        asyncio.create_task(_look_up(seed, services, resolver, on_look_up))
        for seed, services in names
    ]
    try:
        done, late = await asyncio.wait(tasks, timeout=PATIENCE)
        if late and not any(task.result().hosts for task in done):
            await asyncio.wait(late)
    finally:
        for task in tasks:
            task.cancel()
    return [task.result() for task in await _settled(tasks)]


async def _settled(tasks: Sequence[asyncio.Task[LookUp]]) -> list[asyncio.Task[LookUp]]:
    """Wait until all tasks have ended; give those that were not cancelled."""
    await asyncio.wait(tasks)
    return [task for task in tasks if not task.cancelled()]


async def _look_up(
    seed: str, services: int, resolver: Resolver, on_look_up: Callable[[LookUp], None]
) -> LookUp:
    name = seed_name(seed, services)
    hosts: tuple[str, ...] = ()
    failure = ""
    try:
        async with asyncio.timeout(LOOK_UP_TIMEOUT):
            answer = await resolver(name)
        ips = [ip_of(host) for host in answer]
        hosts = tuple(dict.fromkeys(str(ip) for ip in ips if ip is not None))
    except TimeoutError:
        failure = "No answer came."
    except asyncio.CancelledError:
        on_look_up(LookUp(seed, name, Services(services), (), "Nobody waited for it any longer."))
        raise
    except OSError as error:
        failure = f"{error.strerror or 'The look-up failed'}."
    told = LookUp(seed, name, Services(services), hosts, failure)
    on_look_up(told)
    return told


async def system_resolver(name: str) -> list[str]:
    """Ask the operating system; raises OSError.

    Each look-up has a thread of its own, which nobody waits for: where no name server answers the
    system takes half a minute for each name, and the loop's own few threads are needed meanwhile
    (opening a wallet is done there), and joined when the program ends.
    """
    found = await in_own_thread(
        lambda: socket.getaddrinfo(name, None, type=socket.SOCK_STREAM), "look-up"
    )
    return [str(address[0]) for *_, address in found]
