"""One fetch of the update notice from a server of the tests, and what the ledger says of it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from tests.hostile.notice_server import Authority, NoticeServer, notice_server, ok
from wallet_gui.chain.notice import NoticeFailed, fetch
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.reports import LedgerEntry, Purpose

T = TypeVar("T")

BODY = b"what is fetched\n" * 20
DIRECT = P2POptions()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


class Rig:
    """One fetch from a server with a certificate for its address."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.notes: list[LedgerEntry] = []
        self.server = NoticeServer(ok(BODY))

    async def fetch(
        self,
        *,
        options: P2POptions = DIRECT,
        host: str = "127.0.0.1",
        certified: str | None = None,
        days: int = 1,
        seconds: float | None = None,
    ) -> bytes:
        context = self.authority.server_context(certified or host, days=days)
        async with notice_server(self.server, context):
            return await fetch(
                self.server.url(host),
                options,
                self.notes.append,
                trust=self.authority.client_context,
                clock=lambda: 1_800_000_000,
                seconds=seconds,
            )

    def failure(self, **arguments: Any) -> str:
        with pytest.raises(NoticeFailed) as caught:
            run(self.fetch(**arguments))
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert len(self.notes) == 1
        assert self.notes[0].outcome == sentence  # what the ledger tells is what the person reads
        assert self.notes[0].purpose is Purpose.UPDATE
        assert self.notes[0].ended is not None
        return sentence
