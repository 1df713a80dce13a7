"""What a client's process measures and prints."""

import asyncio
import json
import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

LIMIT: Final = 900.0


def report(
    sync: Callable[[int, str, str], Awaitable[dict[str, Any]]],
    port: str,
    descriptor: str,
    directory: str,
) -> None:
    """Run one sync and print what it found and cost, with and without the imports before it."""

    async def main() -> dict[str, Any]:
        return await sync(int(port), descriptor, directory)

    imports = time.process_time()
    result = asyncio.run(main())
    result["cpu"] = time.process_time() - imports
    result["process_cpu"] = time.process_time()
    result["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(result), flush=True)
