"""What `doctor` prints as the steps go, apart from how they are found out."""

import io
import json
import sys

import pytest

from wallet_gui.chain.bitcoind import steps
from wallet_gui.chain.bitcoind.problems import no_filter_index, node_refused
from wallet_gui.chain.bitcoind.rungs import Choice, Rung
from wallet_gui.chain.bitcoind.steps import STEPS, Report, Status, Step, StepResult
from wallet_gui.cli.doctor import Screen, document
from wallet_gui.cli.main import main


def ok(step: Step, words: str = "") -> StepResult:
    return StepResult(step, Status.OK, words, 12)


def running(step: Step) -> StepResult:
    return StepResult(step, Status.RUNNING)


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_the_first_four_steps_wait_for_their_last_words(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(is_silent=False)
    for step in STEPS[:4]:
        screen.show(running(step))
        screen.show(ok(step))
    assert printed(capsys) == []
    for step in STEPS[1:4]:
        screen.show(ok(step, f"more of {step.number}"))
    screen.show(running(steps.TUNNEL))
    lines = printed(capsys)
    assert [line.split()[1] for line in lines] == ["1", "2", "3", "4"]
    assert lines[3].endswith("more of 4")
    screen.show(ok(steps.TUNNEL, "to there"))
    assert printed(capsys) == ["\u2713  5  Tunnel allowed           12 ms  to there"]


def test_a_question_stands_below_what_led_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(is_silent=False)
    screen.show(ok(steps.MACHINE, "mynode.local"))
    screen.show(running(steps.SSH))
    screen.make_room()
    (line,) = printed(capsys)
    assert line.endswith("mynode.local")
    # What was printed is not printed again with more words.
    screen.show(ok(steps.MACHINE, "mynode.local, at last"))
    screen.show(running(steps.TUNNEL))
    assert printed(capsys) == []


def test_a_failure_shows_what_to_do_and_the_line_to_copy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = Screen(is_silent=False)
    problem = node_refused("127.0.0.1", 8332)
    screen.show(StepResult(steps.BITCOIND, Status.FAIL, problem.title, 3, problem))
    screen.show(StepResult(steps.RPC_LOGIN, Status.SKIPPED))
    report = Report((), None, "mainnet")
    assert screen.ending(report) == []
    lines = printed(capsys)
    assert lines[0].startswith("\u2717  6  bitcoind answers")
    assert lines[0].endswith(problem.title)
    assert lines[1].strip() == problem.what_to_do
    assert lines[-1].strip() == "server=1"
    assert len(lines) == 4


def test_a_warning_shows_its_line_too_and_what_is_not_needed_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = Screen(is_silent=False)
    problem = no_filter_index()
    screen.show(StepResult(steps.LOOKUP, Status.WARN, "no filter index", 3, problem))
    screen.show(StepResult(steps.RPC_LOGIN, Status.SKIPPED, "not needed"))
    lines = printed(capsys)
    assert lines[0].startswith("! 11  Fast lookup")
    assert "blockfilterindex=1" in [line.strip() for line in lines]
    assert lines[-1].startswith("\u00b7  7")


def test_marks_of_a_terminal_that_knows_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    screen = Screen(is_silent=False)
    screen.show(ok(steps.TUNNEL))
    sys.stdout.flush()
    assert raw.getvalue().startswith(b"+  5  Tunnel allowed")


def test_json_is_one_document_and_nothing_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(is_silent=True)
    screen.show(ok(steps.TUNNEL))
    screen.make_room()
    assert capsys.readouterr() == ("", "")
    problem = no_filter_index()
    choice = Choice(Rung.COINS, needs_public_blocks=False, sentence="Slowly.")
    results = (StepResult(steps.LOOKUP, Status.WARN, "none", 3, problem),)
    made = document(Report(results, choice, "regtest"))
    assert json.loads(json.dumps(made)) == {
        "ready": True,
        "result": "Ready \u2013 slow & private mode. Slowly.",
        "rung": 5,
        "steps": [
            {
                "number": 11,
                "name": "Fast lookup",
                "status": "warning",
                "words": "none",
                "milliseconds": 3,
                "problem": {
                    "code": "no filter index",
                    "title": problem.title,
                    "what_to_do": problem.what_to_do,
                    "copy": "blockfilterindex=1",
                    "detail": "",
                },
            }
        ],
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("doctor", "Name your node"),
        ("doctor http://mynode", "ssh://"),
        ("doctor ssh://ada:secret@mynode", "password does not belong"),
        ("doctor local --key FILE", "--key is for SSH"),
        ("doctor local --own-key", "--own-key is for SSH"),
        ("doctor ada@mynode --key FILE --own-key", "not both"),
        ("doctor local --user ada --cookie FILE", "not both"),
        ("doctor local --rpc-port 0", "port is a number"),
        ("doctor local --p2p-port 65536", "port is a number"),
        ("doctor ada@mynode --ssh telnet", "invalid choice"),
        ("doctor local --report .", "is there already"),
    ],
)
def test_a_wrong_command_line_gets_one_sentence(
    capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    assert main([*line.split(), "--json"]) == 2
    captured = capsys.readouterr()
    assert words in json.loads(captured.out)["error"]
    assert "secret" not in captured.out + captured.err
