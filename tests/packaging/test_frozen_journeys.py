"""The journeys of the sources, walked with the packaged program: the same steps, nothing cheap.

Its vault checks passwords at their full cost and makes its words of the system's random numbers.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.functional.sshd import running_sshd
from tests.gui.rig_loop import RigLoop
from tests.journey.codes import paid_by_codes_alone
from tests.journey.payments import Person, by_p2p, in_the_playground, through_ssh
from tests.journey.program import Program, packaged
from tests.journey.screen import Screen, screen_in

pytestmark = [pytest.mark.functional, pytest.mark.slow]

SIZES = {"payments": "1360x900x24", "form": "1360x2200x24", "side by side": "2600x1000x24"}


@pytest.fixture
def program(frozen_folder: Path, tmp_path: Path) -> Program:
    try:
        return packaged(frozen_folder / "wallet-gui", tmp_path)
    except FileNotFoundError as missing:
        pytest.skip(f"{missing} is not here")


@pytest.fixture
def screen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Screen]:
    with screen_in(tmp_path / "screen", SIZES[request.param]) as screen:
        yield screen


@pytest.mark.parametrize("screen", ["payments"], indirect=True)
def test_a_person_is_paid_pays_and_comes_back(
    screen: Screen, node: Node, program: Program, tmp_path: Path
) -> None:
    by_p2p(Person(screen, node, tmp_path / "data", program))


@pytest.mark.parametrize("screen", ["payments"], indirect=True)
def test_the_playground_that_the_program_starts_itself(
    screen: Screen,
    node: Node,
    bitcoind_binary: Path,
    program: Program,
    tmp_path: Path,
) -> None:
    found = replace(program, environment={**program.environment, "BITCOIND": str(bitcoind_binary)})
    in_the_playground(Person(screen, node, tmp_path / "data", found))


@pytest.mark.parametrize("screen", ["form"], indirect=True)
def test_the_same_with_a_node_of_ones_own_behind_ssh(
    screen: Screen, node: Node, program: Program, tmp_path: Path
) -> None:
    with RigLoop() as rig:
        server = rig.enter(running_sshd())
        through_ssh(Person(screen, node, tmp_path / "data", program), server)


@pytest.mark.alone  # codes are read while they change on the screen
@pytest.mark.parametrize("screen", ["side by side"], indirect=True)
def test_signed_at_the_offline_window(
    screen: Screen, node: Node, program: Program, tmp_path: Path
) -> None:
    paid_by_codes_alone(screen, node, tmp_path, program)
