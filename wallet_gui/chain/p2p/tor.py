"""Finds a Tor that runs on this computer, by asking where it usually listens and nowhere else."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from wallet_gui.chain.p2p.addresses import PeerAddress

TOR_PORTS: Final = (9050, 9150)
"""Of the Tor service and of the Tor Browser."""

PROBE_TIMEOUT: Final = 2.0
_HOST: Final = "127.0.0.1"
_GREETING: Final = b"\x05\x02\x00\x02"  # SOCKS5 without or with a user name
_METHODS: Final = frozenset({b"\x05\x00", b"\x05\x02"})


async def find_tor(ports: Sequence[int] = TOR_PORTS) -> PeerAddress | None:
    """Return the first of this computer's ports at which a SOCKS5 proxy answers; None if none does.

    Nothing is asked of the proxy, so nothing leaves the computer.
    """
    async with asyncio.TaskGroup() as asking:
        answers = [asking.create_task(_answers(port)) for port in ports]
    for port, answered in zip(ports, answers, strict=True):
        if answered.result():
            return PeerAddress(_HOST, port)
    return None


async def _answers(port: int) -> bool:
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(PROBE_TIMEOUT):
            reader, writer = await asyncio.open_connection(_HOST, port)
            try:
                writer.write(_GREETING)
                return await reader.readexactly(2) in _METHODS
            finally:
                writer.close()
    return False
