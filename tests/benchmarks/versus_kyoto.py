"""Our client and bdkpython's (Kyoto) side by side, where it matters: one table.

    python -m tests.benchmarks.versus_kyoto [--blocks 1500] [--seconds 60]

speed           a chain of nearly empty blocks, one honest node
liar            one node that leaves a payment out of its filter, and nobody else
liar + honest   the same, and an honest node
gap             payments to addresses 20 and then 40; both clients look 20 ahead
reorg in sync   the newest blocks are replaced while filters are fetched
reorg offline   the newest blocks are replaced between two sessions

Told is whether the balance was exact, or what was shown instead. A liar alone cannot be found out
by a light client; what counts is that nobody calls the balance certain.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.chain_store import BITCOIND, NOBODY, descriptor, find_bitcoind
from tests.functional.bitcoind import Node, NodeFactory
from tests.hostile.proxy import Side, between
from wallet_gui.chain.p2p.filter_messages import CFHeaders, CFilter
from wallet_gui.chain.p2p.messages import Message
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import REGTEST

REPOSITORY: Final = Path(__file__).resolve().parents[2]
CLIENTS: Final = ("ours", "kyoto")
EMPTY: Final = b"\x00"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client told in the end."""

    text: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.text} ({self.seconds:.1f} s)"


class Stage:
    """A node with a wallet's history, and what both clients make of it."""

    def __init__(self, node: Node, seconds: float) -> None:
        self.node = node
        self._seconds = seconds
        self._account = Descriptor.parse(descriptor(), REGTEST)
        self.addresses: list[str] = []
        self.rows: list[tuple[str, dict[str, Outcome]]] = []

    def pay(self, index: int, amount: int) -> int:
        """Pay an address in a block of its own; returns the block's height."""
        address = address_from_script(self._account.script_pubkey(index), REGTEST)
        if address is None:
            raise RuntimeError("the account has no address")
        self.node.fund(address, amount)
        self.node.mine(1)
        self.addresses.append(address)
        return self.node.height

    async def run(
        self,
        client: str,
        ports: Sequence[int],
        directory: Path,
        *arguments: str,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> Outcome:
        """Run a client in a process of its own, and compare with what was paid."""
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"tests.benchmarks.sync_{client}"),
            *(",".join(map(str, ports)), descriptor(), str(directory), *arguments),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if meanwhile is not None:
            await meanwhile()
        try:
            async with asyncio.timeout(self._seconds):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return Outcome("never ends", time.perf_counter() - began)
        seconds = time.perf_counter() - began
        if process.returncode != 0 or not output:
            return Outcome("gives up", seconds)
        return Outcome(self._judge(json.loads(output.splitlines()[-1])), seconds)

    def _judge(self, result: dict[str, Any]) -> str:
        true = self.node.scan_balance(sorted(set(self.addresses)))
        warned = ", with a warning" if result.get("warnings") else ""
        if result["balance"] == true:
            return f"exact{warned}"
        return f"WRONG by {result['balance'] - true} sat{warned}"

    def add(self, name: str, outcomes: dict[str, Outcome]) -> None:
        """Note a row of the table, and show it."""
        self.rows.append((name, outcomes))
        print(_row(name, outcomes), flush=True)


def _row(name: str, outcomes: dict[str, Outcome]) -> str:
    return f"{name:15}" + "".join(f" {client}: {outcomes[client]!s:40}" for client in CLIENTS)


def omit(node: Node, height: int) -> Callable[[Side, Message], Sequence[Message]]:
    """Make a liar that says a block pays nobody.

    Its filter headers are consistent with that where one message holds them all: up to 2000.
    """
    block_hash = bytes.fromhex(node.block_hash(height))[::-1]
    true = bytes.fromhex(node.rpc("getblockfilter", node.block_hash(height))["filter"])

    def edit(side: Side, message: Message) -> Sequence[Message]:
        if side is not Side.NODE:
            return [message]
        if isinstance(message, CFilter) and message.block_hash == block_hash:
            return [CFilter(block_hash, EMPTY)]
        if isinstance(message, CFHeaders):
            swapped = tuple(
                sha256d(EMPTY) if each == sha256d(true) else each for each in message.filter_hashes
            )
            return [CFHeaders(message.stop, message.previous, swapped)]
        return [message]

    return edit


async def in_turns(
    stage: Stage,
    name: str,
    ports: Sequence[int],
    *arguments: str,
) -> None:
    """Let both clients restore the wallet from the same peers."""
    outcomes = {}
    for client in CLIENTS:
        with tempfile.TemporaryDirectory() as directory:
            outcomes[client] = await stage.run(client, ports, Path(directory), *arguments)
    stage.add(name, outcomes)


async def lies(stage: Stage, height: int) -> None:
    """A liar alone, and one beside an honest node."""
    node = stage.node
    async with AsyncExitStack() as stack:
        middle = await stack.enter_async_context(between(node.p2p_port, omit(node, height)))
        await in_turns(stage, "liar", [middle.port], "--used", "20")
        await in_turns(stage, "liar + honest", [middle.port, node.p2p_port], "--used", "20")


async def reorganizations(stage: Stage) -> None:
    """Replace blocks in the middle of a sync, and between two sessions.

    The newest payment leaves the chain with its block and comes back in the first of the others.
    """
    node = stage.node

    def replace() -> None:
        node.mine(2)
        node.invalidate(node.block_hash(node.height - 2))
        node.mine_with(sorted(node.mempool()))
        for _ in range(3):
            node.mine_with([])
        node.wait_for_filters(60)

    async def soon() -> None:
        await asyncio.sleep(0.6)  # the client has begun; imports take most of that
        await asyncio.to_thread(replace)

    outcomes = {}
    for client in CLIENTS:
        stage.pay(6, 1_000_000)
        with tempfile.TemporaryDirectory() as directory:
            port = [node.p2p_port]
            outcomes[client] = await stage.run(
                client, port, Path(directory), "--used", "60", meanwhile=soon
            )
    stage.add("reorg in sync", outcomes)
    outcomes = {}
    for client in CLIENTS:
        stage.pay(7, 1_000_000)
        with tempfile.TemporaryDirectory() as directory:
            port = [node.p2p_port]
            await stage.run(client, port, Path(directory), "--used", "60")
            await asyncio.to_thread(replace)
            outcomes[client] = await stage.run(client, port, Path(directory), "--used", "60")
    stage.add("reorg offline", outcomes)


async def compare(node: Node, blocks: int, seconds: float) -> None:
    """Play all scenes."""
    stage = Stage(node, seconds)
    node.mature()
    for index in range(3):
        stage.pay(index, 1_000_000 * (index + 1))
        node.mine(10, NOBODY)
    lied = stage.pay(5, 50_000_000)
    while node.height < blocks:
        node.mine(min(1000, blocks - node.height), NOBODY)
    node.wait_for_filters(300)
    await in_turns(stage, "speed", [node.p2p_port], "--used", "20")
    await lies(stage, lied)
    stage.pay(20, 7_000_000)
    stage.pay(40, 9_000_000)
    node.mine(8, NOBODY)
    node.wait_for_filters(60)
    await in_turns(stage, "gap", [node.p2p_port], "--used", "0", "--lookahead", "20")
    await reorganizations(stage)
    print("\nscene", *CLIENTS)
    for name, outcomes in stage.rows:
        print(_row(name, outcomes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--blocks", type=int, default=1500, help="at most 1900")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--binary", type=Path, help="bitcoind; found by itself otherwise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        factory = NodeFactory(options.binary or find_bitcoind(), Path(directory))
        try:
            asyncio.run(compare(factory(*BITCOIND), options.blocks, options.seconds))
        finally:
            factory.close()


if __name__ == "__main__":
    main()
