"""The loop ends although a name that was asked for is still being looked up."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind.dialing import resolve
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.event_loop import EventLoop, in_own_thread
from wallet_gui.chain.notice import _Wire

NAME = "nobody.example.org"


class NoNameServer:
    """Nobody answers: the system goes on asking until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.asked: list[str] = []
        self.was_waited_for = False

    def getaddrinfo(self, host: str, *_: object, **__: object) -> list[object]:
        self.asked.append(host)
        if not self.over.wait(PATIENCE):
            self.was_waited_for = True
        raise OSError(-3, "Temporary failure in name resolution")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[NoNameServer]:
    names = NoNameServer()
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    yield names
    names.over.set()


async def node() -> None:
    with pytest.raises(NodeProblem) as caught:
        await resolve(NAME, 22, 0.01)
    assert caught.value.code is Code.HOST_UNKNOWN


async def notice() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await _Wire().connect(NAME, 443)


async def peer() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.get_running_loop().create_connection(asyncio.Protocol, NAME, 8333)


@pytest.mark.parametrize("ask", [node, notice, peer])
def test_the_end_does_not_wait_for_a_name_server(
    nobody: NoNameServer, ask: Callable[[], Awaitable[None]]
) -> None:
    async def scenario() -> None:
        await ask()

    with asyncio.Runner(loop_factory=EventLoop) as runner:
        runner.run(scenario())
    assert nobody.asked == [NAME]
    assert not nobody.was_waited_for


def test_what_the_system_answers_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(host: str, *_: object) -> list[object]:
        raise (OSError(-2, "Name or service not known") if host else UnicodeError("too long"))

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        assert found == socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        for host, kind in ((NAME, OSError), ("", UnicodeError)):
            with pytest.raises(kind):
                await loop.getaddrinfo(host, 80)

    with asyncio.Runner(loop_factory=EventLoop) as runner:
        runner.run(scenario())


def test_work_that_fails_in_an_unforeseen_way_is_not_waited_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_told = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: is_told.set())

    def fail() -> None:
        raise KeyError("no")

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(RuntimeError, match="KeyError"):
                await in_own_thread(fail, "failing")

    asyncio.run(scenario())
    assert is_told.wait(PATIENCE)
