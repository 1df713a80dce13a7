import asyncio
from collections.abc import Iterator

import pytest

from wallet_gui.chain.bitcoind import steps
from wallet_gui.chain.bitcoind.problems import no_filter_index, node_refused
from wallet_gui.chain.bitcoind.steps import STEPS, Status, StepResult, first_failure
from wallet_gui.chain.bitcoind.ticks import Finding, Ticks, TimedAsker
from wallet_gui.chain.bitcoind.tunnel import HostKeyQuestion, SecretKind, SecretQuestion


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def told() -> list[StepResult]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ticks(told: list[StepResult], clock: Clock) -> Ticks:
    return Ticks(told.append, clock)


def test_thirteen_steps_are_numbered_and_named() -> None:
    assert [step.number for step in STEPS] == list(range(1, 14))
    assert len({step.name for step in STEPS}) == 13


def test_a_step_is_told_when_it_begins_and_when_it_ends(
    ticks: Ticks, told: list[StepResult], clock: Clock
) -> None:
    ticks.begin(steps.MACHINE)
    clock.now += 0.0123
    ticks.end(steps.MACHINE, Finding("mynode.local"))
    assert told == [
        StepResult(steps.MACHINE, Status.RUNNING),
        StepResult(steps.MACHINE, Status.OK, "mynode.local", 12),
    ]
    assert ticks.results[0] == told[-1]
    assert ticks.running is None


def test_a_step_that_is_told_again_keeps_its_time(ticks: Ticks, clock: Clock) -> None:
    ticks.begin(steps.SSH)
    clock.now += 1
    ticks.end(steps.SSH, Finding(""))
    ticks.begin(steps.IDENTITY)
    clock.now += 2
    ticks.end(steps.SSH, Finding("OpenSSH_9.2"))
    ticks.end(steps.IDENTITY, Finding("SHA256:abc"))
    assert [(r.words, r.milliseconds) for r in ticks.results[1:3]] == [
        ("OpenSSH_9.2", 1000),
        ("SHA256:abc", 2000),
    ]


def test_other_words_do_not_restart_the_time(ticks: Ticks, clock: Clock) -> None:
    ticks.begin(steps.RPC_LOGIN)
    clock.now += 1
    ticks.begin(steps.RPC_LOGIN, "Loading block index")
    clock.now += 1
    ticks.end(steps.RPC_LOGIN, Finding("with its cookie"))
    assert ticks.results[6].milliseconds == 2000


def test_a_warning_does_not_end_the_test_and_a_failure_does(
    ticks: Ticks, told: list[StepResult]
) -> None:
    ticks.begin(steps.LOOKUP)
    ticks.end(steps.LOOKUP, Finding("no index", no_filter_index()))
    assert first_failure(ticks.results) is None
    ticks.begin(steps.BITCOIND)
    problem = node_refused("127.0.0.1", 8332)
    ticks.fail(steps.BITCOIND, problem)
    assert [r.status for r in ticks.results].count(Status.SKIPPED) == 11
    assert told[-1].status is Status.SKIPPED
    failed = first_failure(ticks.results)
    assert failed is not None
    assert (failed.step, failed.problem) == (steps.BITCOIND, problem)
    assert failed.words == problem.title


def test_the_time_of_a_question_is_not_counted(ticks: Ticks, clock: Clock) -> None:
    answers: Iterator[bool] = iter([True])

    class Slow:
        async def trust_host_key(self, question: HostKeyQuestion) -> bool:
            clock.now += 60
            return next(answers) and question.port == 22

        async def secret(self, question: SecretQuestion) -> str | None:
            clock.now += 120
            return "horse" if question.kind is SecretKind.PASSWORD else None

    async def scenario() -> None:
        asker = TimedAsker(Slow(), ticks)
        ticks.begin(steps.IDENTITY)
        clock.now += 0.5
        assert await asker.trust_host_key(HostKeyQuestion("h", 22, "ssh-rsa", "SHA256:x", "ls"))
        clock.now += 0.25
        assert await asker.secret(SecretQuestion(SecretKind.PASSWORD, "Password")) == "horse"
        ticks.end(steps.IDENTITY, Finding(""))

    asyncio.run(scenario())
    assert ticks.results[2].milliseconds == 750
