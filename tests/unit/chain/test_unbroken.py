"""Work that is brought to its end although whoever waits for it is told to stop."""

import asyncio

import pytest

from tests.moments import nothing_left, turns
from wallet_gui.chain.unbroken import to_the_end

LENGTH = 5


class Work:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.done = 0

    async def do(self) -> int:
        for _ in range(LENGTH):
            await asyncio.sleep(0)
            self.done += 1
        if self.error is not None:
            raise self.error
        return self.done


@pytest.mark.parametrize("error", [None, ValueError("no")])
def test_it_is_done_and_the_cancellation_is_raised_in_every_moment(error: Exception | None) -> None:
    async def scenario(after: int) -> bool:
        work = Work(error)
        async with nothing_left():
            waiting = asyncio.ensure_future(to_the_end(work.do()))
            await turns(after)
            was_in_time = waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled() is was_in_time
        if not was_in_time:
            assert waiting.exception() is error
        assert work.done == LENGTH
        return was_in_time

    outcomes = [asyncio.run(scenario(after)) for after in range(1, LENGTH + 6)]
    assert outcomes[LENGTH - 1]
    assert not outcomes[-1]


def test_the_outcome_and_the_failure_are_those_of_the_work() -> None:
    async def scenario() -> None:
        assert await to_the_end(Work().do()) == LENGTH
        with pytest.raises(ValueError, match="no"):
            await to_the_end(Work(ValueError("no")).do())

    asyncio.run(scenario())


def test_it_is_done_however_often_it_is_cancelled() -> None:
    async def scenario() -> None:
        work = Work()
        async with nothing_left():
            waiting = asyncio.ensure_future(to_the_end(work.do()))
            await turns(1)
            while not waiting.done():
                waiting.cancel()
                await turns(1)
            assert waiting.cancelled()
        assert work.done == LENGTH

    asyncio.run(scenario())


def test_the_end_of_the_loop_ends_it() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    async def wait() -> None:
        try:
            await to_the_end(work())
        finally:
            ended.append("waiting")

    async def scenario() -> None:
        waiting = asyncio.ensure_future(wait())
        await turns(3)
        assert not waiting.done()

    asyncio.run(scenario())
    assert ended == ["work", "waiting"]
