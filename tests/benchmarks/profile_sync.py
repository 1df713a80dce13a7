"""Where the time of our own sync goes: CPU of each thread, and the calls of the loop's thread.

python -m tests.benchmarks.profile_sync CHAIN_FOLDER [--calls]
"""

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.chain_store import descriptor, serving
from tests.benchmarks.sync_ours import SWITCH_INTERVAL, sync
from tests.benchmarks.sync_report import Job
from tests.benchmarks.throttle import throttled
from wallet_gui.chain.p2p import backend

_spent: dict[str, float] = defaultdict(float)
_jobs: dict[str, int] = defaultdict(int)


class _Measured(ThreadPoolExecutor):
    """Counts the CPU time of what its threads do."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        def measured() -> Any:
            began = time.thread_time()
            try:
                return fn(*args, **kwargs)
            finally:
                name = threading.current_thread().name
                _spent[name] += time.thread_time() - began
                _jobs[name] += 1

        return super().submit(measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("chain", type=Path)
    parser.add_argument("--calls", action="store_true")
    parser.add_argument("--v1", action="store_true")
    parser.add_argument("--peers", type=int, default=0, help="slow ones, 2 MB/s and 80 ms")
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL)
    vars(backend)["ThreadPoolExecutor"] = _Measured
    with ExitStack() as stack:
        node, facts = stack.enter_context(serving(options.chain))
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        ports = [node.p2p_port]
        if options.peers:
            slow = throttled(node.p2p_port, options.peers, 2_000_000, 0.08)
            ports = stack.enter_context(slow)
        profile = cProfile.Profile()
        began, cpu = time.thread_time(), time.process_time()
        if options.calls:
            profile.enable()
        job = Job(tuple(ports), descriptor(), Path(directory), 0, not options.v1, "", timer=False)
        result = asyncio.run(sync(job))
        profile.disable()
        print(f"loop {time.thread_time() - began:.3f} s, all {time.process_time() - cpu:.3f} s")
        for name, spent in sorted(_spent.items()):
            print(f"{name}: {spent:.3f} s in {_jobs[name]} jobs")
        print(result, "right" if result["balance"] == facts.balance else "WRONG")
        if options.calls:
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
