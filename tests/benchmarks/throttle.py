"""Slow lines to one node: a proxy with a port for each of several peers, in a process of its own.

    python -m tests.benchmarks.throttle NODE_PORT [--peers 8] [--bandwidth 2000000] [--latency 0.08]

Prints the ports as one line of JSON and runs until its standard input ends. `--bandwidth` is in
bytes a second from the node to the client, for each peer; `--latency` in seconds one way.
`--silent-after` names a number of bytes after which the first peer says nothing any more, though
its connection stays open.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHUNK: Final = 16 * 1024
UNLIMITED: Final = 16 * 1024 * 1024  # bytes that wait where the bandwidth has no limit
SLACK: Final = 0.25  # seconds of a line's bandwidth that wait in the proxy at most

REPOSITORY: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Line:
    """How slow a line is."""

    bandwidth: float  # bytes a second, 0: without limit
    latency: float  # seconds one way
    silent_after: int = 0  # bytes, 0: never


class _Pipe:
    """One direction: bytes come out as late as the line makes them."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._queue: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._free = 0.0  # when the line has sent what it was given
        self._passed = 0
        self._changed = asyncio.Event()

    async def fill(self, reader: asyncio.StreamReader) -> None:
        """Read until the end."""
        loop = asyncio.get_running_loop()
        line = self._line
        most = (
            max(CHUNK, int(line.bandwidth * (line.latency + SLACK))) if line.bandwidth else 1 << 24
        )
        while data := await reader.read(CHUNK):
            while self._size > most:
                self._changed.clear()
                await self._changed.wait()
            now = loop.time()
            self._free = max(self._free, now)
            if line.bandwidth:
                self._free += len(data) / line.bandwidth
            self._queue.append((self._free + line.latency, data))
            self._size += len(data)
            self._changed.set()
        self._queue.append((0.0, b""))
        self._changed.set()

    async def drain(self, writer: asyncio.StreamWriter) -> None:
        """Write until the end."""
        loop = asyncio.get_running_loop()
        while True:
            while not self._queue:
                self._changed.clear()
                await self._changed.wait()
            due, data = self._queue.popleft()
            if not data:
                return
            await asyncio.sleep(due - loop.time())
            self._passed += len(data)
            self._size -= len(data)
            self._changed.set()
            if self._line.silent_after and self._passed > self._line.silent_after:
                continue
            writer.write(data)
            await writer.drain()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, line: Line
) -> None:
    theirs, ours = await asyncio.open_connection("127.0.0.1", port)
    up, down = _Pipe(Line(0.0, line.latency)), _Pipe(line)
    jobs = [
        asyncio.ensure_future(job)
        for job in (up.fill(reader), up.drain(ours), down.fill(theirs), down.drain(writer))
    ]
    try:
        await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        for each in (ours, writer):
            each.close()


async def serve(port: int, lines: Sequence[Line]) -> None:
    """Open one port for each line and tell them; serve until standard input ends."""
    servers = []
    for line in lines:

        async def talk(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: Line = line
        ) -> None:
            with contextlib.suppress(ConnectionError):
                await _carry(reader, writer, port, line)

        servers.append(await asyncio.start_server(talk, "127.0.0.1", 0))
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for server in servers:
        server.close()


@contextmanager
def throttled(
    port: int, peers: int, bandwidth: float = 0.0, latency: float = 0.0, silent_after: int = 0
) -> Iterator[list[int]]:
    """Run the proxy in front of a node and give its ports."""
    command = [
        *(sys.executable, "-m", "tests.benchmarks.throttle", str(port)),
        *("--peers", str(peers), "--bandwidth", str(bandwidth), "--latency", str(latency)),
        *("--silent-after", str(silent_after)),
    ]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.terminate()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--peers", type=int, default=8)
    parser.add_argument("--bandwidth", type=float, default=2_000_000.0)
    parser.add_argument("--latency", type=float, default=0.08)
    parser.add_argument("--silent-after", type=int, default=0)
    options = parser.parse_args()
    lines = [Line(options.bandwidth, options.latency)] * options.peers
    lines[0] = Line(options.bandwidth, options.latency, options.silent_after)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port, lines))


if __name__ == "__main__":
    main()
