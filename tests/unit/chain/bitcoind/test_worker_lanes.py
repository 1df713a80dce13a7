"""What is handed to the threads while they are being closed is done, or given up; nothing fails."""

import asyncio
import threading

import pytest

from tests.moments import nothing_left, turns
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind.worker_lanes import WorkerLanes
from wallet_gui.chain.p2p.sync_state import Lane


@pytest.mark.parametrize("next_lane", list(Lane))
def test_what_the_last_work_leads_to(next_lane: Lane) -> None:
    """Work for the stores is finished, and what comes of it, too; what only computes is not."""

    async def scenario() -> None:
        lanes = WorkerLanes()
        lanes.open()
        go = threading.Event()
        done: list[str] = []

        def first() -> None:
            go.wait(PATIENCE)
            done.append("first")

        def lead_on(_: "asyncio.Future[None]") -> None:
            lanes.submit(next_lane, lambda: done.append("second"))

        async with nothing_left():
            lanes.submit(Lane.STORE, first).add_done_callback(lead_on)
            closing = asyncio.ensure_future(lanes.close())
            await turns(3)
            assert not closing.done()
            go.set()
            async with asyncio.timeout(PATIENCE):
                await closing
            late = lanes.submit(next_lane, lambda: done.append("late"))
            await turns(1)
            assert late.cancelled()
        assert done == ["first", *(["second"] if next_lane is Lane.STORE else [])]

    asyncio.run(scenario())


def test_they_can_be_opened_again() -> None:
    async def scenario() -> None:
        lanes = WorkerLanes()
        for _ in range(2):
            lanes.open()
            assert await lanes.run(Lane.ENGINE, lambda: 7) == 7
            await lanes.close()

    asyncio.run(scenario())
