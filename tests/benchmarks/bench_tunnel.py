"""What SSH costs: `python -m tests.benchmarks.bench_tunnel`.

The same HTTP exchanges with a real bitcoind directly, through SSH in this process, and through the
system's `ssh -W`, in turns within one run so that the ratios are of the same machine at the same
time. Once on the loopback, once with a delay as a long line has it. The last line is JSON.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.sshd import Answers, Sshd, running_sshd
from tests.hostile.proxy import between
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, SshTarget
from wallet_gui.chain.bitcoind.tunnel import Channel, SshOptions, Tunnel, connect
from wallet_gui.storage.ssh_files import SshFiles

REPOSITORY = Path(__file__).resolve().parents[2]
WAYS = ("direct", "in process", "ssh -W")
BLOCK_BYTES = 900_000
MEDIUM_BYTES = 80_000  # what waits 40 ms at sshd unless its small packets go out at once
# Aims of the design: at most, at most, at least, at most.
AIMS = {"rtt": 3.0, "rtt delayed": 1.02, "bulk": 0.35, "cpu ms/MB": 5.0}


async def exchange(channel: Channel, request: bytes) -> bytes:
    """One request on a connection that is kept; gives the body of the answer."""
    channel.write(request)
    head = await channel.reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.split(b"\r\n", 1)[0].decode())
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    return await channel.readexactly(length)


def call(node: Node, method: str) -> bytes:
    """A JSON-RPC request as bytes."""
    cookie = (node.directory / node.network / ".cookie").read_bytes()
    body = json.dumps({"id": 0, "method": method, "params": []}).encode()
    login = base64.b64encode(cookie).decode()
    head = (
        f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def block_of(node: Node, size: int) -> bytes:
    """Mine a block with one output of so much data; gives the request for it."""
    node.mature()
    coin = node.bank("listunspent")[0]
    raw = node.rpc(
        "createrawtransaction",
        [{"txid": coin["txid"], "vout": coin["vout"]}],
        [{"data": "ab" * size}],
    )
    block = node.mine_with([node.bank("signrawtransactionwithwallet", raw)["hex"]])
    return f"GET /rest/block/{block}.bin HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def rtt(ways: dict[str, Channel], request: bytes, rounds: int) -> dict[str, float]:
    """The median time of an exchange by each way, in milliseconds; the ways take turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 10):
        for name, channel in ways.items():
            began = time.perf_counter()
            await exchange(channel, request)
            if number >= 10:
                times[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(each) for name, each in times.items()}


async def bulk(
    ways: dict[str, Channel], request: bytes, rounds: int
) -> dict[str, tuple[float, float]]:
    """The best MB/s, and the mean processor time of this process in ms/MB, by each way."""
    best = dict.fromkeys(ways, 0.0)
    work = dict.fromkeys(ways, 0.0)
    moved = dict.fromkeys(ways, 0.0)
    for _ in range(rounds):
        for name, channel in ways.items():
            began, busy = time.perf_counter(), time.process_time()
            size = 0
            for _ in range(4):
                size += len(await exchange(channel, request))
            best[name] = max(best[name], size / 1e6 / (time.perf_counter() - began))
            work[name] += 1000 * (time.process_time() - busy)
            moved[name] += size / 1e6
    return {name: (best[name], work[name] / moved[name]) for name in ways}


async def set_up(node: Node, target: SshTarget, options: SshOptions, store: SshFiles) -> float:
    """Seconds from nothing to the first answer of the node."""
    began = time.perf_counter()
    tunnel = await connect(target, options, Answers(), store)
    channel = await tunnel.open_channel("127.0.0.1", node.rpc_port)
    await exchange(channel, call(node, "uptime"))
    seconds = time.perf_counter() - began
    await tunnel.close()
    return seconds


@asynccontextmanager
async def channels(
    node: Node, server: Sshd, rpc_port: int, ssh_port: int
) -> AsyncIterator[dict[str, Channel]]:
    """One channel by each way; the ports may be those of delaying proxies."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        store = SshFiles(Path(folder))
        store.trust(server.known_hosts_line)
        store.trust(server.known_hosts_line.replace(str(server.port), str(ssh_port)))
        target = SshTarget("127.0.0.1", ssh_port, server.user)
        found = {}
        for way in WAYS:
            tunnel: Tunnel
            if way == "direct":
                tunnel = await connect(LocalNode(), SshOptions(), Answers(), store)
                port = rpc_port
            else:
                options = server.options
                if way == "ssh -W":
                    options = replace(options, implementation="system")
                tunnel = await connect(target, options, Answers(), store)
                port = node.rpc_port
            stack.push_async_callback(tunnel.close)
            found[way] = await tunnel.open_channel("127.0.0.1", port)
        yield found


async def measure(node: Node, rounds: int, delay: float) -> dict[str, Any]:
    """Run everything once."""
    node.mine(110)
    large, medium = block_of(node, BLOCK_BYTES), block_of(node, MEDIUM_BYTES)
    uptime = call(node, "uptime")
    result: dict[str, Any] = {}
    async with running_sshd(LogLevel="INFO") as server:
        async with channels(node, server, node.rpc_port, server.port) as ways:
            result["rtt ms"] = await rtt(ways, uptime, rounds)
            result["bulk MB/s, cpu ms/MB"] = await bulk(ways, large, max(2, rounds // 40))
            result["medium reply ms"] = await rtt(ways, medium, max(3, rounds // 10))
        async with between(node.rpc_port) as near, between(server.port) as far:
            for middle in (near, far):
                middle.is_raw, middle.latency = True, delay / 2
            async with channels(node, server, near.port, far.port) as ways:
                result["rtt delayed ms"] = await rtt(ways, uptime, max(3, rounds // 25))
        store = SshFiles(server.directory / "store")
        store.trust(server.known_hosts_line)
        await set_up(node, server.target, server.options, store)  # loads the library
        times = [await set_up(node, server.target, server.options, store) for _ in range(9)]
        result["connect and first answer ms"] = 1000 * statistics.median(times)
    return result


def ratios(result: dict[str, Any]) -> dict[str, float]:
    """What SSH in this process costs against the direct way."""
    rtts, delayed = result["rtt ms"], result["rtt delayed ms"]
    moved = result["bulk MB/s, cpu ms/MB"]
    return {
        "rtt": rtts["in process"] / rtts["direct"],
        "rtt delayed": delayed["in process"] / delayed["direct"],
        "bulk": moved["in process"][0] / moved["direct"][0],
        "cpu ms/MB": moved["in process"][1],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds there and back")
    arguments = parser.parse_args()
    found = subprocess.run(
        [sys.executable, REPOSITORY / "packaging" / "bitcoind.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(NodeFactory(Path(found.stdout.strip()), Path(folder))) as factory,
    ):
        result = asyncio.run(measure(factory("-rest=1"), arguments.rounds, arguments.delay))
    for name, value in result.items():
        print(f"{name}: {value}")
    result["ratios"] = ratios(result)
    for name, value in result["ratios"].items():
        print(f"{name}: {value:.2f} (aim {AIMS[name]})")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
