"""The client of peers is told to stop in every moment of its peers', or its own, failing.

It stops; no task and no thread is left, and whoever waits for a payment to be sent is told.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from tests.functional.p2p_wallet import ScriptWallet, own_group
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStore, MemoryStores
from tests.hostile.fake_peer import FakeNode, HangUp, Wire
from tests.hostile.test_payments import payment
from tests.moments import nothing_left, turns
from tests.patience import PATIENCE
from wallet_gui.chain.backend import BroadcastResult, ChainEvent, ChainStores, NoPeers
from wallet_gui.chain.filters import ScalarEngine
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.connect import ConnectFailed, Connector
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.peer import Connection
from wallet_gui.chain.p2p.transport import ProtocolViolation
from wallet_gui.primitives.params import REGTEST

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
FULL = OSError(28, "No space left on device")


class Line(asyncio.Transport):
    """One connection to a scripted node without a socket: every step is a turn of the loop."""

    def __init__(self, connection: Connection, node: FakeNode) -> None:
        super().__init__()
        self._connection = connection
        self._node = node
        self._wire = Wire(v2=False)
        self._is_over = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            messages = self._wire.read(bytes(data))
        except (
            HangUp,
            ProtocolViolation,
        ):  # the encryption that it does not know: it is asked again in clear
            self.lose(None)
            return
        for message in messages:
            for answer in self._node.greet(message) or self._node.answer(message):
                raw = self._wire.frame(answer)
                asyncio.get_running_loop().call_soon(self.receive, raw)

    def receive(self, data: bytes) -> None:
        if not self._is_over:
            self._connection.receive_data(data)

    def lose(self, error: Exception | None) -> None:
        if not self._is_over:
            self._is_over = True
            asyncio.get_running_loop().call_soon(self._connection.connection_lost, error)

    def abort(self) -> None:
        self.lose(None)

    def is_closing(self) -> bool:
        return self._is_over

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Nothing is held back here."""

    def resume_reading(self) -> None:
        """Nothing was held back."""


class Net:
    """Peers that all connections lead to."""

    def __init__(self) -> None:
        self.chain = FakeChain()
        self.chain.mine_empty(6)
        self.lines: list[Line] = []
        self.is_down = False

    async def dial(self, connection: Connection) -> None:
        await asyncio.sleep(0)
        if self.is_down:
            raise ConnectFailed("There is no way to the internet.")
        self.lines.append(Line(connection, FakeNode(self.chain, nonce=len(self.lines) + 1)))
        connection.connection_made(self.lines[-1])

    def hang_up(self) -> None:
        for line in self.lines:
            line.lose(ConnectionResetError())

    def talk_nonsense(self) -> None:
        for line in self.lines:
            asyncio.get_running_loop().call_soon(line.receive, b"nonsense" * 8)

    def go_down(self) -> None:
        self.is_down = True
        for line in self.lines:
            line.lose(OSError(101, "Network is unreachable"))


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    found = Net()

    async def dial(_: Connector, connection: Connection, __: PeerAddress) -> None:
        await found.dial(connection)

    monkeypatch.setattr(Connector, "_dial", dial)
    return found


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("chain-")]
    assert left == []


class FullStore(MemoryStore):
    """A disk that is full from some moment on."""

    is_full = False

    def append(self, height: int, raw: bytes) -> None:
        if self.is_full:
            raise FULL
        super().append(height, raw)


class Rig:
    """A backend among these peers."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.stores = MemoryStores()
        self.headers = FullStore(80)
        self.headers.append(0, REGTEST.genesis_header)
        self.stores.headers = self.headers
        self.events: list[ChainEvent] = []
        self.failures: list[BaseException] = []
        net.lines.clear()
        net.is_down = False
        self.backend = P2PBackend(
            REGTEST,
            P2POptions(
                own_peers=tuple(PeerAddress(host, 18444) for host in HOSTS), only_own_peers=True
            ),
            cast("ChainStores", self.stores),
            self._sink,
            netgroup=own_group,
            engine=ScalarEngine(),
            on_failure=self.failures.append,
        )

    async def _sink(self, event: ChainEvent) -> None:
        self.events.append(event)
        await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - several things change it, in threads
            await asyncio.sleep(0.001)

    async def start(self) -> None:
        wallet = ScriptWallet()
        self.backend.watch(wallet.name, wallet.scripts, checkpoints=(), birthday_time=None)
        await self.backend.start()

    async def start_and_connect(self) -> None:
        await self.start()
        async with asyncio.timeout(PATIENCE):
            await self.until(lambda: len(self.backend.peers()) == len(HOSTS))

    def fail(self) -> None:
        self.headers.is_full = True
        self.net.chain.mine_empty(1)
        self.backend._fail(FULL)


FAILURES: dict[str, Callable[[Rig], None]] = {
    "hang up": lambda rig: rig.net.hang_up(),
    "nonsense": lambda rig: rig.net.talk_nonsense(),
    "no network": lambda rig: rig.net.go_down(),
    "our own": lambda rig: rig.fail(),
}


async def stopped(rig: Rig) -> None:
    async with asyncio.timeout(PATIENCE):
        await rig.backend.stop()
    told = len(rig.events)
    await turns(3)
    assert len(rig.events) == told, "an event came after the end"


@pytest.mark.parametrize("failure", FAILURES)
def test_it_stops_in_every_moment_after_its_peers_failed(net: Net, failure: str) -> None:
    async def scenario(after: int) -> None:
        rig = Rig(net)
        async with nothing_left():
            await rig.start_and_connect()
            FAILURES[failure](rig)
            await turns(after)
            await stopped(rig)
        assert set(rig.failures) == ({FULL} if failure == "our own" else set())

    for after in range(24):
        asyncio.run(scenario(after))


@pytest.mark.parametrize("failure", FAILURES)
def test_it_stops_in_every_moment_of_its_start(net: Net, failure: str) -> None:
    """What fails while it connects, and what was never begun."""

    async def scenario(after: int, gap: int) -> None:
        rig = Rig(net)
        async with nothing_left():
            await rig.start()
            # The chain is loaded in a thread: turns count from there on, and before.
            if after > 3:
                async with asyncio.timeout(PATIENCE):
                    await rig.until(lambda: rig.backend.tip() is not None)
            await turns(after)
            FAILURES[failure](rig)
            await turns(gap)
            await stopped(rig)

    for after in range(0, 26, 2):
        for gap in (0, 1, 3):
            asyncio.run(scenario(after, gap))


@pytest.mark.parametrize("failure", [*FAILURES, "none"])
def test_whoever_sends_a_payment_hears_of_the_end(net: Net, failure: str) -> None:
    async def scenario(after: int) -> None:
        rig = Rig(net)
        async with nothing_left():
            await rig.start_and_connect()
            async with asyncio.timeout(PATIENCE):
                sending = asyncio.ensure_future(rig.backend.broadcast(payment()))
                await turns(after)
                if failure != "none":
                    FAILURES[failure](rig)
                if failure != "our own":  # nobody stops it then
                    await turns(2)
                    await stopped(rig)
                await asyncio.wait([sending])
                _is_told(sending)
                await stopped(rig)

    for after in range(0, 12, 2):
        asyncio.run(scenario(after))


def _is_told(sending: "asyncio.Future[BroadcastResult]") -> None:
    error = sending.exception()
    assert error is None or isinstance(error, NoPeers)


def test_after_a_failure_of_ours_nothing_more_is_sent(net: Net) -> None:
    async def scenario() -> None:
        rig = Rig(net)
        async with nothing_left(), asyncio.timeout(PATIENCE):
            await rig.start_and_connect()
            rig.fail()
            with pytest.raises(NoPeers):
                await rig.backend.broadcast(payment())
            await stopped(rig)

    asyncio.run(scenario())
