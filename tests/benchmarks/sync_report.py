"""What a client's process measures and prints."""

import argparse
import asyncio
import json
import resource
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LIMIT: Final = 900.0
_SAMPLE: Final = 0.01  # seconds between two looks at the memory


@dataclass(frozen=True, slots=True)
class Job:
    """What a client is to do, from its command line."""

    ports: tuple[int, ...]
    descriptor: str
    directory: Path
    used: int  # the highest address index that was paid; our client does not look at it
    lookahead: int  # how many addresses the other client looks ahead
    is_encrypted: bool
    engine: str
    timer: bool
    known: Path | None = None  # JSON of block hashes by height, as a release would know them


def parse() -> Job:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("ports", help="of the peers on this machine, separated by commas")
    parser.add_argument("descriptor")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--used", type=int, default=100)
    parser.add_argument("--lookahead", type=int, default=150)
    parser.add_argument("--v2", action="store_true", help="encrypted connections")
    parser.add_argument("--engine", default="", help="numpy or scalar instead of the fastest")
    parser.add_argument("--timer", action="store_true", help="run a window's timer beside")
    parser.add_argument("--known", type=Path, help="block hashes by height, as JSON")
    found = parser.parse_args()
    return Job(
        tuple(int(port) for port in found.ports.split(",")),
        found.descriptor,
        found.directory,
        found.used,
        found.lookahead,
        found.v2,
        found.engine,
        found.timer,
        found.known,
    )


class _AnonymousMemory(threading.Thread):
    """Looks at how much memory is no file's, and remembers the most."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self._ended = threading.Event()

    def run(self) -> None:
        status = Path("/proc/self/status")
        while not self._ended.wait(_SAMPLE):
            text = status.read_text(encoding="ascii") if status.exists() else ""
            for line in text.splitlines():
                if line.startswith("RssAnon:"):
                    self.most = max(self.most, int(line.split()[1]))

    def cpu(self) -> float:
        """Tell the seconds of CPU that this thread took; 0 where the system does not say."""
        if sys.platform == "win32" or self.ident is None:
            return 0.0
        return time.clock_gettime(time.pthread_getcpuclockid(self.ident))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def report(sync: Callable[[Job], Awaitable[dict[str, Any]]], job: Job) -> None:
    """Run one sync and print what it found and cost, with and without the imports before it.

    CPU is without the thread that looks at the memory.
    """

    async def main() -> dict[str, Any]:
        return await sync(job)

    memory = _AnonymousMemory()
    memory.start()
    imports = time.process_time() - memory.cpu()
    result = asyncio.run(main())
    result["cpu"] = time.process_time() - memory.cpu() - imports
    result["process_cpu"] = time.process_time()
    memory.stop()
    result["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result["anonymous_mb"] = memory.most // 1024
    print(json.dumps(result), flush=True)
