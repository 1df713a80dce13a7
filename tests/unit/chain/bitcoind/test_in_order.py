import asyncio
from functools import partial

import pytest

from wallet_gui.chain.bitcoind.in_order import in_order, together


class Work:
    """Jobs that take turns, and a count of those that run."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.begun: list[int] = []

    async def job(self, number: int, turns: int = 1) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        self.begun.append(number)
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
            if number < 0:
                raise ValueError(number)
        finally:
            self.running -= 1
        return number


def test_outcomes_come_in_order_and_few_run_at_a_time() -> None:
    work = Work()

    async def scenario() -> list[int]:
        jobs = [partial(work.job, number, 20 - number) for number in range(20)]
        async with in_order(jobs, 4) as outcomes:
            return [outcome async for outcome in outcomes]

    assert asyncio.run(scenario()) == list(range(20))
    assert work.most == 4


def test_whoever_leaves_early_leaves_nothing_running() -> None:
    work = Work()

    async def scenario() -> None:
        jobs = [partial(work.job, number, 5) for number in range(20)]
        async with in_order(jobs, 3) as outcomes:
            async for outcome in outcomes:
                if outcome == 2:
                    break
        assert work.running == 0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
    assert len(work.begun) < 8


def test_a_failure_is_raised_in_its_place() -> None:
    work = Work()

    found: list[int] = []

    async def take_all() -> None:
        jobs = [partial(work.job, number) for number in (1, 2, -3, 4, 5, 6)]
        async with in_order(jobs, 2) as outcomes:
            async for outcome in outcomes:
                found.append(outcome)  # noqa: PERF401 (what came before the failure counts)

    with pytest.raises(ValueError, match="-3"):
        asyncio.run(take_all())
    assert found == [1, 2]
    assert work.running == 0


@pytest.mark.parametrize("failing_turns", range(6))
def test_no_cancellation_of_together_is_lost(failing_turns: int) -> None:
    """Whenever it comes, in the very moment of a failure, too, the whole ends as cancelled."""
    work = Work()

    async def scenario(turns: int) -> bool:
        parts = work.job(1, 100_000), work.job(-1, failing_turns), work.job(2, 100_000)
        whole = asyncio.ensure_future(together(*parts))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_in_time = whole.cancel()
        await asyncio.wait([whole])
        assert work.running == 0
        assert whole.cancelled() is was_in_time
        return was_in_time

    outcomes = [asyncio.run(scenario(turns)) for turns in range(1, failing_turns + 12)]
    assert outcomes[0]
    assert not outcomes[-1]


def test_together_gives_all_outcomes_or_ends_all() -> None:
    work = Work()

    async def scenario() -> None:
        assert await together(work.job(1, 3), work.job(2), work.job(3, 7)) == [1, 2, 3]
        with pytest.raises(ValueError, match="-1"):
            await together(work.job(1, 100_000), work.job(-1, 2))
        assert work.running == 0

    asyncio.run(scenario())
