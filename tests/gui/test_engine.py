import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from tests.patience import PATIENCE
from wallet_gui.gui.engine import Engine


@pytest.fixture
def engine(qtbot: QtBot) -> Iterator[Engine]:
    engine = Engine()
    engine.start()
    yield engine
    engine.stop()


async def _in_thread() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_a_call_runs_in_the_engine_and_reports_in_the_qt_thread(
    qtbot: QtBot, engine: Engine
) -> None:
    owner = QObject()
    seen: list[tuple[str, str]] = []
    for _ in range(50):
        engine.call(
            _in_thread(),
            owner,
            lambda name: seen.append((name, threading.current_thread().name)),
        )
    qtbot.waitUntil(lambda: len(seen) == 50)
    assert set(seen) == {("engine", threading.main_thread().name)}


def test_a_failure_arrives_as_the_exception(qtbot: QtBot, engine: Engine) -> None:
    async def fail() -> None:
        raise ValueError("no")

    owner = QObject()
    errors: list[BaseException] = []
    engine.call(fail(), owner, on_failure=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], ValueError)


def test_cancelling_reaches_the_coroutine(qtbot: QtBot, engine: Engine) -> None:
    stopped = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    owner = QObject()
    call = engine.call(wait(), owner)
    with qtbot.waitSignal(call.cancelled):
        call.cancel()
    assert stopped.wait(2)


def test_a_deleted_owner_is_not_called(qtbot: QtBot, engine: Engine) -> None:
    gate = threading.Event()

    async def late() -> int:
        await asyncio.get_running_loop().run_in_executor(None, gate.wait)
        return 1

    owner = QObject()
    seen: list[int] = []
    engine.call(late(), owner, seen.append)
    owner.deleteLater()
    qtbot.wait(20)
    gate.set()
    qtbot.wait(100)
    assert seen == []


def test_stop_cancels_what_runs_and_later_calls_fail(qtbot: QtBot, engine: Engine) -> None:
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    owner = QObject()
    engine.call(forever(), owner)
    qtbot.wait(50)
    engine.stop()
    assert cancelled.is_set()
    errors: list[BaseException] = []
    engine.call(_in_thread(), owner, on_failure=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], RuntimeError)


def test_published_values_arrive_in_order(qtbot: QtBot, engine: Engine) -> None:
    seen: list[object] = []
    engine.published.connect(seen.append)

    async def publish() -> None:
        for number in range(200):
            engine.publish(number)

    engine.call(publish(), QObject(engine))
    qtbot.waitUntil(lambda: len(seen) == 200)
    assert seen == list(range(200))


def test_stop_does_not_wait_for_a_name_server(
    qtbot: QtBot, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, over = threading.Event(), threading.Event()

    def look_up(*_: object) -> list[object]:
        asked.set()
        over.wait(PATIENCE)
        return []

    async def connect() -> None:
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, "node.example", 22)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    engine.call(connect(), QObject())
    assert asked.wait(PATIENCE)
    engine.stop()
    assert not engine._thread.is_alive()
    over.set()
