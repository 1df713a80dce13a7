"""The selector is stopped, or given another source, in every moment, also while the source fails.

At most one source runs at any time, nothing is connected to after a stop, and no task is left.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from tests.moments import nothing_left, turns
from tests.patience import PATIENCE
from tests.unit.app.test_selector_node import AWAY, Own
from tests.unit.app.test_selector_options import Source
from wallet_gui.app import backend_selector
from wallet_gui.app.backend_selector import BackendSelector, PeerBackend
from wallet_gui.app.node_source import NodeChain, NodePlan, NodeSource
from wallet_gui.chain.backend import ChainStores, ConnectionState
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.params import MAINNET
from wallet_gui.storage.errors import Damaged, WriteFailed

FULL = WriteFailed("The disk is full.")
OTHER = P2POptions(encrypted_only=True)
MOMENTS = 40


class Slow(Source):
    """A source whose start and end take some turns; it may fail in the last moment of its end."""

    def __init__(self, rig: "Rig", on_failure: Callable[[BaseException], None]) -> None:
        super().__init__(P2POptions())
        self._rig = rig
        self._is_running = False
        self.on_failure = on_failure

    async def start(self) -> None:
        assert not self._rig.is_in_repair
        assert not any(source._is_running for source in self._rig.sources), "two at a time"
        self._is_running = True
        self._rig.starts += 1
        await turns(2)

    async def stop(self) -> None:
        await turns(3)
        if self._rig.last_words is not None:
            self.on_failure(self._rig.last_words)
        await turns(2)
        self._is_running = False

    def node_status(self) -> NodeStatus:
        return self._rig.own.status


class SlowOwn(Own):
    def __init__(self, rig: "Rig") -> None:
        super().__init__()
        self._rig = rig

    def make_backend(self, *_: Any, **named: Any) -> NodeChain:
        return cast("NodeChain", self._rig.make(on_failure=named["on_failure"]))


class Rig:
    def __init__(self) -> None:
        self.now = 0.0
        self.starts = 0
        self.sources: list[Slow] = []
        self.last_words: BaseException | None = None
        self.own = SlowOwn(self)
        self.is_in_repair = False
        self.repairs = 0
        self.may_end_repair = threading.Event()
        self.may_end_repair.set()
        self.selector = BackendSelector(
            MAINNET,
            cast("ChainStores", None),
            self.make,
            lambda _: None,
            monotonic=lambda: self.now,
            repair=self._repair,
        )

    def make(self, *_: Any, on_failure: Callable[[BaseException], None], **__: Any) -> PeerBackend:
        self.sources.append(Slow(self, on_failure))
        return cast("PeerBackend", self.sources[-1])

    def _repair(self) -> None:
        self.is_in_repair = True
        self.may_end_repair.wait(PATIENCE)
        self.repairs += 1
        self.is_in_repair = False

    @property
    def plan(self) -> NodePlan:
        return NodePlan(cast("NodeSource", self.own), may_go_direct=True)

    @property
    def running(self) -> int:
        return sum(source._is_running for source in self.sources)

    def fail(self, error: BaseException) -> None:
        self.sources[-1].on_failure(error)

    async def silence(self) -> None:
        """Wait for longer than until a restart, and see that nothing was started."""
        starts = self.starts
        await asyncio.sleep(0.02)
        assert self.starts == starts, "it was started again"


Scenario = Callable[[Rig], Awaitable[None]]


def run(scenario: Scenario) -> None:
    async def inner() -> None:
        rig = Rig()
        async with nothing_left(), asyncio.timeout(PATIENCE):
            await scenario(rig)
            await rig.selector.close()
        assert rig.running == 0

    asyncio.run(inner())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_selector, "_RESTART_SECONDS", 0.0)


ORDERS: dict[str, Callable[[Rig], Awaitable[None]]] = {
    "stop": lambda rig: rig.selector.stop(),
    "hold": lambda rig: rig.selector.hold("Choose how to connect."),
    "close": lambda rig: rig.selector.close(),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("uses_node", [False, True])
@pytest.mark.parametrize("error", [FULL, Damaged("It is damaged."), ValueError("ours")])
def test_what_was_stopped_stays_stopped(order: str, error: Exception, *, uses_node: bool) -> None:
    """Whenever it comes: before, while and after what failed is started again."""

    async def scenario(rig: Rig, after: int) -> None:
        await rig.selector.start(P2POptions(), rig.plan if uses_node else None)
        rig.fail(error)
        if isinstance(error, ValueError):
            await turns(after)
        else:
            while rig.selector._restart_task is None and rig.selector._restarting is not None:  # noqa: ASYNC110 - timers count no turns
                await asyncio.sleep(0)
            await turns(after)
        await ORDERS[order](rig)
        assert rig.running == 0
        assert rig.selector.snapshot.state is ConnectionState.STOPPED or order != "hold"
        await rig.silence()

    for after in range(0, MOMENTS, 2):
        run(lambda rig, after=after: scenario(rig, after))  # type: ignore[misc]


@pytest.mark.parametrize("order", ORDERS)
def test_a_source_that_fails_in_its_last_moment_is_not_started_again(order: str) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions())
        rig.last_words = FULL
        await ORDERS[order](rig)
        await rig.silence()
        assert rig.selector._failure is None

    run(scenario)


def test_the_source_changes_in_every_moment_of_a_failure() -> None:
    """Another source is asked for while the first is lost, fails, and changes by itself."""

    async def scenario(rig: Rig, after: int, gap: int) -> None:
        await rig.selector.start(P2POptions(), rig.plan)
        rig.own.status = AWAY
        rig.now += 20
        reporting = rig.selector._reporting
        assert reporting is not None
        # What the selector does each second, at once.
        assert rig.selector._source.look(is_online=False)
        rig.selector._change_task = asyncio.ensure_future(rig.selector._change())
        await turns(after)
        rig.fail(FULL)
        await turns(gap)
        await rig.selector.use(OTHER)
        assert rig.running == 1
        await rig.selector.stop()
        assert rig.running == 0
        await rig.silence()

    for after in range(0, 24, 2):
        for gap in (0, 1, 2, 5, 9):
            run(lambda rig, after=after, gap=gap: scenario(rig, after, gap))  # type: ignore[misc]


def test_whoever_gives_up_a_change_of_the_source_leaves_none_running() -> None:
    async def scenario(rig: Rig, after: int) -> None:
        await rig.selector.start(P2POptions())
        using = asyncio.ensure_future(rig.selector.start(OTHER, rig.plan))
        await turns(after)
        using.cancel()
        await asyncio.wait([using])
        assert rig.running <= 1
        await rig.selector.start(P2POptions())
        assert rig.running == 1

    for after in range(MOMENTS):
        run(lambda rig, after=after: scenario(rig, after))  # type: ignore[misc]


@pytest.mark.parametrize("then", ["stop", "use"])
def test_stores_are_not_used_before_they_are_repaired(then: str) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions())
        rig.may_end_repair.clear()
        rig.fail(Damaged("It is damaged."))
        while not rig.is_in_repair:  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.001)
        asked = rig.selector.stop() if then == "stop" else rig.selector.use(OTHER)
        waiting = asyncio.ensure_future(asked)
        await turns(20)
        assert rig.running == 0
        rig.may_end_repair.set()
        await waiting
        assert rig.repairs == 1
        assert rig.running == (0 if then == "stop" else 1)

    run(scenario)
