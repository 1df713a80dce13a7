"""One person's journey through the real windows of both processes, on a screen of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.functional.sshd import running_sshd
from tests.gui.rig_loop import RigLoop
from tests.journey.payments import Person, by_p2p, through_ssh
from tests.journey.screen import Screen, screen_in

pytestmark = [pytest.mark.functional, pytest.mark.slow]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    with screen_in(tmp_path / "screen") as screen:
        yield screen


@pytest.fixture
def tall_screen(tmp_path: Path) -> Iterator[Screen]:
    """Room for a form with all of its settings unfolded."""
    with screen_in(tmp_path / "tall-screen", "1360x2200x24") as screen:
        yield screen


def test_a_person_is_paid_pays_and_comes_back(screen: Screen, node: Node, tmp_path: Path) -> None:
    by_p2p(Person(screen, node, tmp_path / "data"))


def test_the_same_with_a_node_of_ones_own_behind_ssh(
    tall_screen: Screen, node: Node, tmp_path: Path
) -> None:
    with RigLoop() as rig:
        server = rig.enter(running_sshd())
        through_ssh(Person(tall_screen, node, tmp_path / "data"), server)
