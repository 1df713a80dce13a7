"""The update check is told to end by a person and by the end of the program, in every order."""

import asyncio
from pathlib import Path

import pytest

from tests.moments import nothing_left, turns
from tests.patience import PATIENCE
from tests.unit.app.update_rig import UpdateRig
from wallet_gui.app.updates import FIRST_MAX
from wallet_gui.storage.settings import Settings


@pytest.fixture
def rig(tmp_path: Path) -> UpdateRig:
    return UpdateRig(tmp_path)


@pytest.mark.parametrize("person_first", [False, True])
@pytest.mark.parametrize("gap", [0, 1, 2])
def test_the_end_of_the_program_is_not_taken_for_a_persons_wish(
    rig: UpdateRig, gap: int, *, person_first: bool
) -> None:
    """Both at once: what looks by itself would go on, and be waited for at the end."""
    rig.side.settings = Settings(update_check=True)

    async def once() -> None:
        updates = rig.make()
        async with nothing_left(), asyncio.timeout(PATIENCE):
            rig.gate = asyncio.Event()
            task = asyncio.create_task(updates.run())
            rig.now += FIRST_MAX
            while not rig.fetches:  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0)
            if person_first:
                await updates.cancel()
                await turns(gap)
                task.cancel()
            else:
                task.cancel()
                await turns(gap)
                await updates.cancel()
            await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(once())
