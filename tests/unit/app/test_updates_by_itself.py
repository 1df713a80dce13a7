"""The update check by itself: when it asks, and when it does not."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.app.update_rig import NOW, UpdateRig
from wallet_gui.app.update_notice import DAY
from wallet_gui.app.updates import FIRST_MAX, FIRST_MIN, JITTER, RETRY, WEEK
from wallet_gui.chain.backend import ChainError
from wallet_gui.storage.settings import Settings
from wallet_gui.storage.update_file import NAME


@pytest.fixture
def rig(tmp_path: Path) -> UpdateRig:
    return UpdateRig(tmp_path)


class Sleeper:
    """Runs the check by itself and lets the clock of the rig go."""

    def __init__(self, rig: UpdateRig) -> None:
        self.rig = rig
        self.updates = rig.make()

    def due_in(self) -> int | None:
        """Seconds until it would fetch, found by letting the clock go."""
        left = self.updates._seconds_left()
        if left is None:
            return None
        began = self.rig.now
        while left:
            self.rig.now += left
            left = self.updates._seconds_left()
            assert left is not None
        passed, self.rig.now = self.rig.now - began, began
        return passed


def test_nothing_is_asked_while_it_is_off(rig: UpdateRig) -> None:
    async def a_while() -> None:
        task = asyncio.create_task(rig.make().run())
        for _ in range(50):
            rig.now += DAY
            await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(a_while())
    assert rig.fetches == []
    assert not (rig.root / NAME).exists()
    assert Sleeper(rig).due_in() is None


def test_it_is_asked_about_once_a_week(rig: UpdateRig) -> None:
    rig.side.settings = Settings(update_check=True)
    first = Sleeper(rig).due_in()
    assert first is not None
    assert FIRST_MIN <= first <= FIRST_MAX  # not at the moment of the start, which others may see
    rig.check()
    sleeper = Sleeper(rig)
    asyncio.run(sleeper.updates.load())
    week = sleeper.due_in()
    assert week is not None
    assert WEEK <= week <= WEEK + JITTER
    rig.check(ChainError("No answer."))
    sleeper = Sleeper(rig)
    asyncio.run(sleeper.updates.load())
    day = sleeper.due_in()
    assert day is not None
    assert RETRY <= day <= RETRY + JITTER


def test_a_clock_that_was_set_back_puts_nothing_off(rig: UpdateRig) -> None:
    rig.side.settings = Settings(update_check=True)
    rig.now = NOW + 400 * DAY
    rig.check()
    rig.now = NOW
    sleeper = Sleeper(rig)
    asyncio.run(sleeper.updates.load())
    assert sleeper.due_in() == FIRST_MIN + (FIRST_MAX - FIRST_MIN) // 2


def test_a_clock_that_is_set_back_after_the_start_puts_nothing_off(rig: UpdateRig) -> None:
    rig.side.settings = Settings(update_check=True)
    rig.now = NOW + 400 * DAY
    sleeper = Sleeper(rig)
    rig.now = NOW
    due = sleeper.due_in()
    assert due is not None
    assert due <= FIRST_MAX


def test_switching_it_on_looks_at_once_and_off_ends_it(rig: UpdateRig) -> None:
    async def a_while() -> None:
        updates = rig.make()
        task = asyncio.create_task(updates.run())
        await asyncio.sleep(0.05)
        await updates.switch(is_on=True)
        assert len(rig.fetches) == 1
        rig.now += WEEK + JITTER
        updates._changed.set()  # as the sleep would end
        await asyncio.sleep(0.1)
        assert len(rig.fetches) == 2
        await updates.switch(is_on=False)
        rig.now += 10 * WEEK
        updates._changed.set()
        await asyncio.sleep(0.1)
        assert len(rig.fetches) == 2
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(a_while())


def test_switching_it_on_long_after_the_start_asks_once(rig: UpdateRig) -> None:
    async def a_while() -> None:
        updates = rig.make()
        task = asyncio.create_task(updates.run())
        await asyncio.sleep(0.05)
        rig.now += FIRST_MAX
        await updates.switch(is_on=True)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(a_while())
    assert len(rig.fetches) == 1


def test_a_disk_that_refuses_does_not_end_it_nor_make_it_ask_again(tmp_path: Path) -> None:
    rig = UpdateRig(tmp_path / "missing")
    rig.side.settings = Settings(update_check=True)

    async def a_while() -> None:
        updates = rig.make()
        task = asyncio.create_task(updates.run())
        rig.now += FIRST_MAX
        await asyncio.sleep(0.1)
        assert len(rig.fetches) == 1
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(a_while())
