"""From the click to the balance with one's own node: `python -m tests.benchmarks.bench_node_scan`.

A chain of two thousand blocks that pays some of a wallet's forty addresses is read by the whole
`OwnNode`, on this computer and through a real sshd, at once and over a line of 50 ms; by a new
wallet and by one that was closed for 144 blocks and watches two thousand scripts. Beside it the
node's own way, a watch-only wallet with `importdescriptors`, which is made by the rig's client.
Times are milliseconds, medians of the rounds; the last line is all of it as JSON.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.throttle import throttled
from tests.functional.bitcoind import Node
from tests.functional.live_wallet import Keys
from tests.functional.node_wallet import DirectLink, NodeClient
from tests.functional.p2p_wallet import ScriptWallet
from tests.functional.sshd import Answers, MemoryStore, Sshd, running_sshd
from wallet_gui.chain.backend import BlockMatched, ChainEvent, Scanned
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.own_node import OwnNode
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, NodeAddress, SshTarget
from wallet_gui.chain.bitcoind.tunnel_protocol import SshOptions
from wallet_gui.chain.filters import pick_engine
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.chain_db import ChainDb

BLOCKS = 2_006
ADDRESSES = 40
PAYMENTS = 20
WATCHED = 2_000
STEP = 100
KEYS = Keys("bench")
LATENCY = 0.025  # seconds each way
AIMS = {
    "LAN, new wallet": ("first", 150.0),
    "50 ms, new wallet": ("first", 700.0),
    "LAN, 144 blocks, 2000 scripts": ("synced", 500.0),
}


def mature_chain(node: Node, wallet: ScriptWallet) -> None:
    """Make the chain."""
    node.mature()
    step = (BLOCKS - node.height) // PAYMENTS
    for index in range(PAYMENTS):
        node.fund(wallet.address(index), (index + 1) * 100_000)
        node.mine(step)
    node.mine(max(0, BLOCKS - node.height))
    node.wait_for_filters()


class StepWallet(ScriptWallet):
    """A wallet of one descriptor's two chains, whose window grows in steps as the real one's."""

    def __init__(self, scripts: int) -> None:
        super().__init__("bench", gap=scripts)

    def script(self, index: int) -> bytes:
        return KEYS.active.script_pubkey(index // 2, index % 2)

    def _grow(self, count: int) -> list[bytes]:
        return super()._grow(-(-count // STEP) * STEP)


class Click:
    """One way from the click to the balance, with the times of what a person sees."""

    def __init__(self, node: Node, server: Sshd | None, port: int | None, cookie: str) -> None:
        self.node = node
        self.server = server
        self.port = port
        self.cookie = cookie

    async def run(self, directory: Path, wallet: ScriptWallet) -> dict[str, float]:
        """Open, read, check and close; `first` is the first block that pays, in the wallet."""
        options = NodeOptions(
            ssh=SshOptions() if self.server is None else self.server.options,
            rpc_port=self.node.rpc_port,
            cookie_path=str(self.node.directory / "regtest" / ".cookie"),
            remembered_cookie=self.cookie,
        )
        address: NodeAddress = LocalNode(None)
        store = MemoryStore()
        if self.server is not None:
            target = self.server.target
            address = SshTarget(target.host, self.port or target.port, target.user)
            store = self.server.store()
        marks: dict[str, float] = {}
        began = time.perf_counter()

        def note(event: ChainEvent) -> None:
            if isinstance(event, BlockMatched):
                marks.setdefault("first", time.perf_counter() - began)
            if isinstance(event, Scanned) and event.height == height:
                marks.setdefault("synced", time.perf_counter() - began)

        height = self.node.height
        with ChainDb(directory / "chain.db", REGTEST) as database:
            client = NodeClient(database, DirectLink(self.node), [wallet])
            client.on_event = note
            connection = NodeConnection(address, options, Answers(), store, REGTEST)
            own = OwnNode(
                REGTEST, connection, database, client._sink, on_failure=client.failures.append
            )
            client.backend = own  # type: ignore[assignment]
            began = time.perf_counter()
            await client.start()
            await client.until_checked(self.node, 120)
            marks["checked"] = time.perf_counter() - began
            await own.stop()
        return {name: 1000 * seconds for name, seconds in marks.items()}


def import_descriptors(node: Node, number: int) -> float:
    """Have the node scan into a watch-only wallet of its own; milliseconds."""
    name = f"watch{number}"
    node.rpc("createwallet", name, True, True)
    text = KEYS.active.to_string().partition("#")[0]
    requests = []
    for chain in ("0", "1"):
        one = text.replace("<0;1>", chain)
        known = node.rpc("getdescriptorinfo", one)
        requests.append({"desc": known["descriptor"], "timestamp": 0, "range": ADDRESSES // 2})
    began = time.perf_counter()
    results = node.rpc("importdescriptors", requests, wallet=name)
    took = 1000 * (time.perf_counter() - began)
    assert all(result["success"] for result in results)
    node.rpc("unloadwallet", name)
    return took


def scan_blocks(node: Node) -> float:
    """Have the node look for the same scripts without a wallet; milliseconds."""
    objects = [f"raw({script.hex()})" for script in StepWallet(ADDRESSES).scripts[:ADDRESSES]]
    began = time.perf_counter()
    assert node.rpc("scanblocks", "start", objects, 0)["completed"]
    return 1000 * (time.perf_counter() - began)


def medians(times: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for each in times for name in each})
    return {
        name: round(statistics.median(each[name] for each in times if name in each), 1)
        for name in names
    }


async def measure(node: Node, rounds: int) -> dict[str, dict[str, float]]:
    """Take all the ways in turns."""
    cookie = (node.directory / "regtest" / ".cookie").read_text()
    found: dict[str, list[dict[str, float]]] = {}
    async with running_sshd() as server:
        with ExitStack() as stack:
            (slow,) = stack.enter_context(throttled(server.target.port or 22, 1, latency=LATENCY))
            ways = {
                "this computer, new wallet": Click(node, None, None, cookie),
                "LAN, new wallet": Click(node, server, None, cookie),
                "50 ms, new wallet": Click(node, server, slow, cookie),
            }
            for _ in range(rounds):
                for name, click in ways.items():
                    with tempfile.TemporaryDirectory() as folder:
                        wallet: ScriptWallet = StepWallet(ADDRESSES)
                        found.setdefault(name, []).append(await click.run(Path(folder), wallet))
                        assert wallet.balance == sum((i + 1) * 100_000 for i in range(PAYMENTS))
        with tempfile.TemporaryDirectory() as folder:
            wallet = StepWallet(WATCHED)
            click = Click(node, server, None, cookie)
            await click.run(Path(folder), wallet)
            for _ in range(rounds):
                node.mine(144)
                node.wait_for_filters()
                times = await click.run(Path(folder), wallet)
                found.setdefault("LAN, 144 blocks, 2000 scripts", []).append(times)
    return {name: medians(times) for name, times in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    binary = subprocess.run(
        [sys.executable, "packaging/bitcoind.py"], capture_output=True, text=True, check=True
    )
    pick_engine()
    with (
        tempfile.TemporaryDirectory() as folder,
        # As many keys ahead as any node's wallet has that nobody configured.
        Node(Path(binary.stdout.strip()), Path(folder) / "node", ["-keypool=1000"]) as node,
    ):
        mature_chain(node, StepWallet(ADDRESSES))
        imports = [import_descriptors(node, n) for n in range(rounds)]
        scans = [scan_blocks(node) for _ in range(rounds)]
        times = asyncio.run(measure(node, rounds))
    imported = round(statistics.median(imports), 1)
    for name, values in times.items():
        print(f"{name:34}", "  ".join(f"{key} {value:7.1f}" for key, value in values.items()))
    scanned = round(statistics.median(scans), 1)
    print(f"{'importdescriptors':34} {imported:.1f}")
    print(f"{'scanblocks alone':34} {scanned:.1f}")
    ratios = {
        name: round(times[name][key] / aim, 2) for name, (key, aim) in AIMS.items() if name in times
    }
    here = times["this computer, new wallet"]["synced"]
    ratios["importdescriptors / ours, all in"] = round(imported / here, 2)
    ratios["importdescriptors / scanblocks"] = round(imported / scanned, 1)
    print("of the aim (1 or less is reached), and how much faster than importdescriptors:", ratios)
    print(json.dumps({"times": times, "importdescriptors": imported, "ratios": ratios}))


if __name__ == "__main__":
    main()
