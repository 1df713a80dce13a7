"""The thirteen steps of a test connection, and what came of them. Plain values.

The window draws them as they come, the command line prints them; `doctor.examine` fills them in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.chain.bitcoind.problems import NodeProblem


@dataclass(frozen=True, slots=True)
class Step:
    """One of the thirteen questions, by its number (1 to 13) and its name for a person."""

    number: int
    name: str


MACHINE: Final = Step(1, "Machine found")
SSH: Final = Step(2, "SSH answers")
IDENTITY: Final = Step(3, "Server's identity")
LOGIN: Final = Step(4, "Logged in")
TUNNEL: Final = Step(5, "Tunnel allowed")
BITCOIND: Final = Step(6, "bitcoind answers")
RPC_LOGIN: Final = Step(7, "Accepted by bitcoind")
NETWORK: Final = Step(8, "Right network")
VERSION: Final = Step(9, "Version")
IN_SYNC: Final = Step(10, "In sync")
LOOKUP: Final = Step(11, "Fast lookup")
BLOCKS: Final = Step(12, "Blocks kept")
FEES: Final = Step(13, "Fee estimates")

STEPS: Final[tuple[Step, ...]] = (
    MACHINE,
    SSH,
    IDENTITY,
    LOGIN,
    TUNNEL,
    BITCOIND,
    RPC_LOGIN,
    NETWORK,
    VERSION,
    IN_SYNC,
    LOOKUP,
    BLOCKS,
    FEES,
)


class Status(Enum):
    """How a step stands. Only FAIL stops what follows, which is then SKIPPED."""

    RUNNING = "running"
    OK = "ok"
    WARN = "warning"
    FAIL = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StepResult:
    """How one step stands.

    A step is told as RUNNING first and as something else later; one that is told again, with more
    words, replaces what was told before. `words` is one plain line. `milliseconds` leaves out the
    time that a person took to answer a question. `problem` goes with FAIL, and with a WARN that
    something can be done about; its `fix` is the line to copy.
    """

    step: Step
    status: Status
    words: str = ""
    milliseconds: int = 0
    problem: NodeProblem | None = None


def first_failure(results: Sequence[StepResult]) -> StepResult | None:
    """The step that stopped the test; None where none did."""
    return next((result for result in results if result.status is Status.FAIL), None)
