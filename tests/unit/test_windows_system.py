import errno
import io
import sys
from pathlib import Path

import pytest

from wallet_gui.__main__ import main
from wallet_gui.program_start import own_program
from wallet_gui.windows_system import (
    LastWords,
    broken_pipes,
    has_streams,
    run_without_console,
)


def fail_as(number: int) -> None:
    with broken_pipes():
        raise OSError(number, "as the system says it")


def test_closed_pipe_is_a_broken_pipe_on_windows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(BrokenPipeError):
        fail_as(errno.EINVAL)
    with pytest.raises(OSError, match="as the system") as full:
        fail_as(errno.ENOSPC)
    assert full.value.errno == errno.ENOSPC
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(OSError, match="as the system") as other:
        fail_as(errno.EINVAL)
    assert not isinstance(other.value, BrokenPipeError)


def without_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)


def test_reason_of_a_failure_is_shown_where_there_is_no_console(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_streams(monkeypatch)
    assert not has_streams()
    shown: list[str] = []

    def fail() -> int:
        sys.stdout.write("Opening.\n")
        sys.stderr.write("wallet-gui: the folder cannot be written.\n")
        return 2

    assert run_without_console(fail, shown.append) == 2
    assert shown == ["Opening.\nwallet-gui: the folder cannot be written."]
    assert not has_streams()  # as before

    def refuse() -> int:
        sys.stderr.write("wallet-gui: error: unrecognized arguments: --colour")
        raise SystemExit(2)

    assert run_without_console(refuse, shown.append) == 2
    assert shown[1:] == ["wallet-gui: error: unrecognized arguments: --colour"]
    assert run_without_console(refuse, show=None) == 2
    assert len(shown) == 2


def test_success_is_silent_and_a_stream_that_is_there_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_streams(monkeypatch)
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    shown: list[str] = []

    def work() -> int:
        sys.stdout.write("wallet-gui 1\n")
        sys.stderr.write("WARNING: no matter")
        return 0

    assert run_without_console(work, shown.append) == 0
    assert shown == []
    assert file.getvalue() == "wallet-gui 1\n"


def test_only_the_end_of_much_text_is_kept() -> None:
    words = LastWords()
    for number in range(2000):
        assert words.write(f"line {number}\n")
    assert words.said.endswith("line 1999")
    assert len(words.said) <= 4000


def complain(_: list[str]) -> int:
    sys.stderr.write("usage: ...")
    return 2


def test_window_without_a_console_shows_why_it_cannot_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_streams(monkeypatch)
    shown: list[str] = []
    monkeypatch.setattr("wallet_gui.windows_system.message_box", shown.append)
    # What a page may have written behind a link.
    assert main(["bitcoin:x", "--data-dir", "C:\\elsewhere"]) == 2
    assert "options cannot follow a link" in shown.pop()
    assert main(["balance"]) == 2
    assert main(["--version"]) == 2
    assert main(["--help"]) == 2
    assert len(shown) == 3
    assert all("wallet-gui.exe" in text for text in shown)
    # The window that started the vault sees its status; nobody would close a box.
    monkeypatch.setattr("wallet_gui.vault.process.main", complain)
    assert main(["--vault", "--pipe", "none"]) == 2
    assert len(shown) == 3


def test_another_window_is_started_without_a_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console, window = tmp_path / "wallet-gui.exe", tmp_path / "wallet-gui-window.exe"
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(console))
    monkeypatch.setattr(sys, "platform", "win32")
    assert own_program(outlives_us=True) == [str(console)]
    window.touch()
    assert own_program(outlives_us=True) == [str(window)]
    assert own_program() == [str(console)]  # the vault of a command asks on its console
