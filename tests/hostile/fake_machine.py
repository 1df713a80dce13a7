"""The machine of a scripted node: its files, and tunnels to it that can be refused and lost."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tests.hostile.fake_node import COOKIE
from wallet_gui.chain.bitcoind.channel import ByteChannel
from wallet_gui.chain.bitcoind.problems import NodeProblem, connection_lost, node_refused
from wallet_gui.chain.bitcoind.tunnel_protocol import Stage


class FakeTunnel:
    """A tunnel over loopback that can be lost."""

    description = "ssh bitcoin@mynode.local"
    server_version = "OpenSSH_9.2"
    host_key_fingerprint = ""
    auth_method = ""

    def __init__(self, machine: "Machine") -> None:
        self.machine = machine
        self.lost: asyncio.Future[NodeProblem] = asyncio.get_running_loop().create_future()
        self.channels: list[ByteChannel] = []
        self.most_channels = 0

    async def open_channel(self, host: str, port: int) -> ByteChannel:
        if self.lost.done():
            raise self.lost.result()
        if self.machine.is_node_off:
            raise node_refused(host, port)
        assert host == "127.0.0.1"
        try:
            _, channel = await asyncio.get_running_loop().create_connection(ByteChannel, host, port)
        except OSError:
            raise node_refused(host, port) from None
        self.channels = [each for each in self.channels if not each.is_closed] + [channel]
        self.most_channels = max(self.most_channels, len(self.channels))
        return channel

    async def read_file(self, path: str, limit: int = 65536) -> bytes:
        assert limit
        self.machine.reads.append(path)
        if path not in self.machine.files:
            raise FileNotFoundError(path)
        return self.machine.files[path].encode()

    async def forced_output(self, limit: int = 4096) -> bytes:
        assert limit
        return b""

    def lose(self) -> None:
        if not self.lost.done():
            self.lost.set_result(connection_lost())
        for channel in self.channels:
            channel.abort()

    async def close(self) -> None:
        self.lose()

    async def wait_lost(self) -> NodeProblem:
        return await asyncio.shield(self.lost)


class Machine:
    """Where the node runs: its files, and whether SSH lets us in."""

    def __init__(self) -> None:
        self.files = {".bitcoin/regtest/.cookie": COOKIE}
        self.reads: list[str] = []
        self.refusals: list[NodeProblem] = []  # of the next attempts
        self.tunnels: list[FakeTunnel] = []
        self.attempts: list[float] = []
        self.is_node_off = False

    async def connect(self, *_: Any, on_stage: Callable[[Stage], None], **__: Any) -> FakeTunnel:
        self.attempts.append(time.monotonic())
        for stage in Stage:
            on_stage(stage)
            await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        self.tunnels.append(FakeTunnel(self))
        return self.tunnels[-1]
