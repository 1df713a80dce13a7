"""The smoke test from source: what it proves, what it finds, and what it leaves alone."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer, qInstallMessageHandler, qWarning
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.patience import PATIENCE
from tests.smoke import CHECKS, FROM_SOURCE, environment, smoke_test
from wallet_gui.primitives.check_failed import CheckFailed
from wallet_gui.widgets import smoke_test as subject
from wallet_gui.widgets.smoke_checks import FirstFrame, look_at_window
from wallet_gui.widgets.smoke_test import Check, SmokeTest

# The product, with one thing of it broken.
BROKEN = """
import sys
from wallet_gui.{module} import {part}
def broken(*_):
    raise {error}
{part}.{name} = broken
from wallet_gui.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_it_passes_beside_a_window_and_leaves_nothing(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with subprocess.Popen(
        [*FROM_SOURCE, "--network", "regtest"],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as window:
        try:
            told = smoke_test("--network", "regtest", env=env)
            assert told.is_good, told
            assert tuple(told.found) == CHECKS
            assert told.stderr == ""
            assert "U+20BF" in told.found["fonts"]
            assert "BIP324 handshake" in told.found["vectors"]
            assert "equal to the scalar code" in told.found["engine"]
            assert "8 pages drawn" in told.found["window"]
            assert "platform offscreen" in told.found["window"]
            # The window that a person uses was not asked for anything, nor was its folder used.
            assert window.poll() is None
            data = files(tmp_path / "data")
            assert {name for name in data if name.endswith(".wallet")} == set()
            assert files(tmp_path / "temporary") == set()
        finally:
            window.terminate()
    assert window.returncode == 0


@pytest.mark.parametrize(
    ("module", "part", "name", "error", "check", "sentence"),
    [
        ("app", "smoke_checks", "check_engine", "OSError('no')", "engine", "OSError: no"),
        (
            "wallet",
            "vectors",
            "schnorr_verify",
            "ValueError",
            "vectors",
            "This build computes BIP340 verifying wrongly. Do not use it.",
        ),
        (
            "storage",
            "release_keys",
            "_shipped",
            "FileNotFoundError('no')",
            "releases",
            "FileNotFoundError: no",
        ),
    ],
)
def test_what_is_broken_is_told_and_the_rest_is_checked_all_the_same(
    tmp_path: Path, module: str, part: str, name: str, error: str, check: str, sentence: str
) -> None:
    code = BROKEN.format(module=module, part=part, name=name, error=error)
    command = [sys.executable, "-c", code]
    told = smoke_test("--network", "regtest", env=environment(tmp_path), command=command)
    assert told.status == 1
    assert told.problems == {check: sentence}
    assert {*told.found} == {*CHECKS} - {check}
    assert told.last.startswith("1 of the checks failed")
    assert files(tmp_path / "temporary") == set()


def test_a_peer_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    told = smoke_test("--network", "regtest", "--peer", "127.0.0.1:1", env=environment(tmp_path))
    assert told.status == 1
    ((name, sentence),) = told.problems.items()
    assert name == "peer 127.0.0.1:1"
    # Why it cannot be reached, and not that nobody was named.
    assert "127.0.0.1" in sentence


@pytest.mark.parametrize(
    "wrong",
    [
        ["--data-dir", "somewhere"],
        ["--playground"],
        ["--offline", "--data-dir", "somewhere"],
        ["--offline", "--peer", "127.0.0.1:18444"],
    ],
)
def test_it_takes_no_folder_of_a_person(tmp_path: Path, wrong: list[str]) -> None:
    told = smoke_test(*wrong, env=environment(tmp_path))
    assert told.status == 2
    assert "--smoke-test" in told.stderr or wrong[-2] in told.stderr
    assert files(tmp_path / "temporary") == set()


# --- the running of checks


class Ended:
    """Stands for the application, which it only ends."""

    def __init__(self) -> None:
        self.status: int | None = None

    def exit(self, status: int) -> None:
        self.status = status


@pytest.fixture
def test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmokeTest]:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    running = SmokeTest(tmp_path)
    yield running
    running.close()


def run(test: SmokeTest, qtbot: QtBot, *checks: Check) -> int:
    qt = Ended()
    test.run(qt, checks)  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: qt.status is not None)
    assert qt.status is not None
    return qt.status


def test_each_kind_of_check_is_run_in_its_thread_and_in_order(
    test: SmokeTest, qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []
    answers = iter((None, None, "at last"))

    def behind() -> str:
        seen.append(threading.current_thread() is threading.main_thread())
        return "one"

    def on_screen() -> str | None:
        seen.append(threading.current_thread() is threading.main_thread())
        return next(answers)

    assert run(test, qtbot, Check("a", behind), Check("b", on_screen, on_screen=True)) == 0
    assert test.passed
    assert seen == [False, True, True, True]
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("a: ok, ")
    assert first.endswith(" ms (one)")
    assert second.endswith("(at last)")
    assert last.startswith("All checks passed in ")


def test_failures_are_sentences_and_stop_nothing(
    test: SmokeTest, qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> str:
        raise CheckFailed("Something is missing.")

    def surprises() -> str:
        raise ModuleNotFoundError("No module named\n 'x'")

    assert run(test, qtbot, Check("a", fails), Check("b", surprises), Check("c", lambda: "x")) == 1
    assert not test.passed
    first, second, third, last = capsys.readouterr().out.splitlines()
    assert first.endswith(" ms: Something is missing.")
    assert second.endswith(" ms: ModuleNotFoundError: No module named 'x'")
    assert third.startswith("c: ok")
    assert last == "2 of the checks failed; this program must not be used as it is."


def test_what_the_window_does_wrong_beside_the_checks_counts(
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    logged: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda _kind, error, _trace: logged.append(error))
    test = SmokeTest(tmp_path)
    started, noted = threading.Event(), threading.Event()

    def wrong(problem: Exception) -> None:
        raise problem

    def behind() -> str:
        started.set()
        noted.wait(PATIENCE)
        return "one"

    def beside() -> None:
        if not started.is_set():
            QTimer.singleShot(1, beside)
            return
        QTimer.singleShot(20, noted.set)
        wrong(ValueError("beside"))

    assert sys.excepthook == test._unexpected
    with qtbot.captureExceptions():
        sys.excepthook = test._unexpected  # and not what tests put in its place
        try:
            QTimer.singleShot(0, lambda: wrong(ValueError("before")))
            qtbot.wait(20)
            QTimer.singleShot(1, beside)
            assert run(test, qtbot, Check("a", behind), Check("b", lambda: "two")) == 1
        finally:
            test.close()
    assert [str(error) for error in logged] == ["before", "beside"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "beside the checks: FAILED: ValueError: before",
        "beside the checks: FAILED: ValueError: beside",
    ]
    # Each check is told with what it found itself.
    assert lines[2].startswith("a: ok")
    assert lines[2].endswith("(one)")
    assert lines[3].endswith("(two)")
    assert lines[4].startswith("2 of the checks failed")


def test_a_failure_while_a_page_is_drawn_is_not_the_next_checks(
    test: SmokeTest, qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    def draws() -> str:
        error = CheckFailed("The page was not drawn.")
        test._unexpected(CheckFailed, error, None)  # as Qt tells, and goes on behind it
        return "all is well"

    assert run(test, qtbot, Check("a", draws, on_screen=True), Check("b", lambda: "two")) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.endswith("ms: The page was not drawn.")
    assert second.endswith("(two)")
    assert last.startswith("1 of the checks failed")


def test_what_never_comes_ends_with_the_limit(
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(subject, "LIMIT_SECONDS", 1)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    test = SmokeTest(tmp_path)
    try:
        never = Check("peer", lambda: None, on_screen=True)
        assert run(test, qtbot, never, Check("later", lambda: "x")) == 1
    finally:
        test.close()
    assert "peer: FAILED" in (said := capsys.readouterr().out)
    assert "within 1 seconds" in said
    assert "later" not in said


def test_a_window_that_hangs_is_ended_from_outside(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from wallet_gui.widgets import smoke_test\n"
        "smoke_test._KILL_SECONDS = 0.5\n"
        "smoke_test.SmokeTest(Path(sys.argv[1]))\n"
        "time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(tmp_path),
        timeout=30,
    )
    assert done.returncode == 1
    assert "was stopped" in done.stdout
    assert not folder.exists()


def test_a_window_is_painted_and_not_empty(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    frame = FirstFrame(window, 0)
    assert look_at_window(window, frame, {}, []) is None
    window.show()
    qtbot.waitUntil(lambda: look_at_window(window, frame, {}, []) is not None)
    with pytest.raises(CheckFailed, match=r"The page blank is empty\."):
        look_at_window(window, frame, {"blank": window.show}, [])
    with pytest.raises(CheckFailed, match=r"Qt complained: Could not load the plug-in\."):
        look_at_window(window, frame, {}, ["Could not load the plug-in."])


def test_what_qt_complains_about_is_kept(test: SmokeTest) -> None:
    qWarning("QPainter::begin: nothing to paint on")
    qWarning("This plugin does not support propagateSizeHints()")
    qInstallMessageHandler(None)
    assert test.qt_messages == ["QPainter::begin: nothing to paint on"]
