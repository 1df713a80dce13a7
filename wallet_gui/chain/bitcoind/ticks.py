"""Keeps the thirteen steps of a running test: which one runs, since when, what came of the others.

Time in which a person answers a question is nobody's fault and is not counted.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.steps import STEPS, Status, Step, StepResult
from wallet_gui.chain.bitcoind.tunnel import Asker, HostKeyQuestion, SecretQuestion

OnResult = Callable[[StepResult], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step that did not fail has to say. A warning may come with a problem to mend."""

    words: str
    problem: NodeProblem | None = None
    is_warning: bool = False

    @property
    def status(self) -> Status:
        return Status.WARN if self.is_warning or self.problem is not None else Status.OK


class Ticks:
    """The steps as they go; `on_result` is told every change."""

    def __init__(self, on_result: OnResult, clock: Callable[[], float] = time.monotonic) -> None:
        self._on_result = on_result
        self._clock = clock
        self._results: dict[Step, StepResult] = {}
        self._running: Step | None = None
        self._began = 0.0
        self._asking = 0.0

    @property
    def running(self) -> Step | None:
        """The step that runs."""
        return self._running

    @property
    def results(self) -> tuple[StepResult, ...]:
        """All thirteen; those that were never begun are SKIPPED."""
        return tuple(self._results.get(step, StepResult(step, Status.SKIPPED)) for step in STEPS)

    def begin(self, step: Step, words: str = "", *, anew: bool = False) -> None:
        """Start a step, or give the running one other words; `anew` counts its time from now."""
        if step != self._running or anew:
            self._running = step
            self._began = self._clock()
            self._asking = 0.0
        self._on_result(StepResult(step, Status.RUNNING, words, self._milliseconds()))

    def end(self, step: Step, finding: Finding) -> None:
        """End a step; one that has ended keeps its time and gets other words."""
        self._tell(
            StepResult(step, finding.status, finding.words, self._took(step), finding.problem)
        )

    def fail(self, step: Step, problem: NodeProblem) -> None:
        """End a step, and with it the test: whatever was not begun is told as skipped."""
        self._tell(StepResult(step, Status.FAIL, problem.title, self._took(step), problem))
        for later in STEPS:
            if later not in self._results:
                self.skip(later)

    def skip(self, step: Step, words: str = "") -> None:
        """Note that a step is not made."""
        self._tell(StepResult(step, Status.SKIPPED, words))

    def is_done(self, step: Step) -> bool:
        return step in self._results

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Leave this time out: a person thinks."""
        began = self._clock()
        try:
            yield
        finally:
            self._asking += self._clock() - began

    def _took(self, step: Step) -> int:
        if step == self._running:
            milliseconds = self._milliseconds()
            self._running = None
            return milliseconds
        done = self._results.get(step)
        return 0 if done is None else done.milliseconds

    def _milliseconds(self) -> int:
        return max(0, round(1000 * (self._clock() - self._began - self._asking)))

    def _tell(self, result: StepResult) -> None:
        self._results[result.step] = result
        self._on_result(result)


class TimedAsker:
    """Hands questions on; the time of the running step stands still meanwhile."""

    def __init__(self, asker: Asker, ticks: Ticks) -> None:
        self._asker = asker
        self._ticks = ticks

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask whether the server is the right one."""
        with self._ticks.asking():
            return await self._asker.trust_host_key(question)

    async def secret(self, question: SecretQuestion) -> str | None:
        """Ask for a passphrase, a password or a code."""
        with self._ticks.asking():
            return await self._asker.secret(question)
