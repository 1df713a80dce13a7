"""Every row of the tables C.1 and C.2 ends in its sentence through the doctor."""

import asyncio
import os
import re
from pathlib import Path

import pytest

from tests.functional import doctor_plays_rpc, doctor_plays_ssh
from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.doctor_rows import C1, C2, CASES, Case, Rig, cookie_of
from tests.functional.sshd import need
from wallet_gui.chain.bitcoind.steps import STEPS, Report, Status, first_failure

PLAYS = (doctor_plays_ssh, doctor_plays_rpc)
# What nobody but a scripted program can show here, and why.
STAND_INS = {
    "host name unknown": "tests look up no names: the name server's answer is played",
    "MaxStartups / fail2ban": "a fail2ban changes the firewall (MaxStartups is real)",
    "IP not allowed": "the way comes from 127.0.0.1, which bitcoind always allows",
    "warming up": "a chain of no size is loaded before anybody can ask",
    "no wallet / unknown / many": "never asked for: answered to another call",
    "createwallet / loadwallet twice": "never asked for: answered to another call",
    "rescan on pruned": "never asked for: answered to another call",
    "wallet left behind by pruning": "never asked for: answered to another call",
    "rescan busy": "never asked for: answered to another call",
    "scan busy": "a scan of a small chain is over at once",
    "body > 32 MiB": "the doctor sends nothing of that size",
    "big replies": "bitcoind's own replies are within the limits",
    "JSON-RPC 2.0": "versions 24 and 25",
}


@pytest.fixture
def rig(
    module_node: Node, node_factory: NodeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Rig:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return Rig(module_node, node_factory, tmp_path, monkeypatch)


def test_every_row_has_a_play() -> None:
    assert PLAYS
    assert {case.row for case in CASES} == {*C1, *C2}


def test_every_stand_in_has_its_reason() -> None:
    assert {case.row for case in CASES if case.is_stand_in} == set(STAND_INS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_row(case: Case, rig: Rig) -> None:
    report = asyncio.run(played(case, rig))
    failed = first_failure(report.results)
    if case.code is None:
        assert failed is None, report.redacted_text(keep_host=True)
        assert report.is_ready
        said = " ".join(result.words for result in report.results)
    else:
        assert failed is not None, report.redacted_text(keep_host=True)
        assert failed.problem is not None
        assert (failed.problem.code, failed.step) == (case.code, case.step)
        said = str(failed.problem)
        assert report.sentence == said
        assert not report.is_ready
        # What stands before it passed, what stands behind it was not tried.
        states = [result.status for result in report.results]
        number = failed.step.number
        assert Status.FAIL not in states[: number - 1]
        assert set(states[number:]) <= {Status.SKIPPED}
    for words in case.words:
        assert words in said
    # One plain line, with nothing unfinished in it.
    assert "\n" not in said
    assert "None" not in said
    assert re.search(r"[.!?]$", report.sentence)
    assert_all_was_told(rig, report.results)
    assert_nothing_private(rig, report.redacted_text())


# The system's ssh asks nothing of a person and logs in for each channel: what hangs on that differs
# there, and is in the tests of `system_ssh`.
ONLY_BUILT_IN = {
    "host key unknown",
    "known_hosts file missing",
    "wrong key / user / password off",
    "no agent, no key",
    "passphrase wrong",
    "2FA",
    "session killed in mid-request",
    "network dead",
    "use after loss",
}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.row in C1 and case.row not in ONLY_BUILT_IN],
    ids=lambda case: case.id,
)
def test_row_with_the_systems_ssh(case: Case, rig: Rig) -> None:
    need("ssh")
    rig.implementation = "system"
    test_row(case, rig)


async def played(case: Case, rig: Rig) -> Report:
    return await case.play(rig)


def assert_all_was_told(rig: Rig, results: object) -> None:
    last = {result.step: result for result in rig.told if result.status is not Status.RUNNING}
    assert tuple(last[step] for step in STEPS) == results


def assert_nothing_private(rig: Rig, text: str) -> None:
    private = {*rig.private, str(rig.tmp_path)}
    cookie = cookie_of(rig.node)
    if cookie.exists():
        private.add(cookie.read_text().split(":")[1])
    private |= {os.environ["HOME"]}
    for secret in private:
        assert secret not in text
    assert "SHA256:" not in text
    assert "AAAA" not in text
