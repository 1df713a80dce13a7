"""The thirteen steps of a test connection, what came of them, and the report. Plain values.

The window draws them as they come, the command line prints them; `doctor.examine` fills them in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from wallet_gui import __version__
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.report import Particulars, redact
from wallet_gui.chain.bitcoind.rungs import Choice, Rung


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


@dataclass(frozen=True, slots=True)
class Report:
    """What a test found: all thirteen steps, and the way that the wallet would take.

    `private` is what `redacted_text` takes out, besides all that looks private.
    """

    results: tuple[StepResult, ...]
    choice: Choice | None
    network: str
    private: Particulars = field(repr=False, compare=False, default=Particulars())

    @property
    def is_ready(self) -> bool:
        """Whether the wallet can work with this node."""
        return self.choice is not None and first_failure(self.results) is None

    @property
    def sentence(self) -> str:
        """The result: how the wallet reads the chain and what the node learns, or what to do."""
        failed = first_failure(self.results)
        if failed is not None:
            return str(failed.problem)
        if self.choice is None:
            return "The test was not finished."
        return f"Ready \u2013 {mode(self.choice)}. {self.choice.sentence}"

    def redacted_text(self, *, keep_host: bool = False) -> str:
        """A text to share: versions and times are in it, nothing that tells who or where.

        With `keep_host`, the person's own host and user are in it, too.
        """
        lines = []
        for result in self.results:
            took = f"{result.milliseconds} ms" if result.status is not Status.SKIPPED else ""
            lines.append(
                f"{result.step.number:>2}  {result.status.value:<8} {took:>8}  "
                f"{result.step.name}: {result.words}".rstrip(": ")
            )
            lines += [f"    {line}" for line in _about(result.problem)]
        lines += ["", self.sentence]
        redacted = [redact(line, self.private, keep_host=keep_host) for line in lines]
        head = f"Wallet GUI {__version__}, test of a node of {self.network}"
        return "\n".join([head, "", *redacted, ""])


def mode(choice: Choice) -> str:
    """Name the way in a few words, as "fast & private mode"."""
    how = {Rung.ACTIVITY: "fast", Rung.SCAN: "fast", Rung.P2P: "fast", Rung.COINS: "slow"}
    private = "private" if choice.tells_scripts else "most private"
    return f"{how[choice.rung]} & {private} mode"


def _about(problem: NodeProblem | None) -> list[str]:
    if problem is None:
        return []
    lines = [f"[{problem.code.value}] {problem}"]
    if problem.fix is not None and problem.fix.line:
        lines.append(f"copy: {problem.fix.line}")
    if problem.detail:
        lines.append(f"detail: {problem.detail}")
    return lines
