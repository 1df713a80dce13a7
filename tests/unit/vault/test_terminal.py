import io
import os
import pty
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wallet_gui.transfer.messages import PROMPT, STDIN
from wallet_gui.vault.errors import PersonCancelled, SecretSourceFailed
from wallet_gui.vault.terminal import MAX_SECRET, PosixTerminal, SecretReader


class FakeTerminal:
    """Answers from a list, and keeps what it was told."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.written = ""
        self.hidden: list[bool] = []

    def write(self, text: str) -> None:
        self.written += text

    def ask(self, prompt: str) -> str:
        return self._answer(prompt, hidden=False)

    def ask_hidden(self, prompt: str) -> str:
        return self._answer(prompt, hidden=True)

    @contextmanager
    def screen(self) -> Iterator[None]:
        self.written += "<screen>"
        yield
        self.written += "</screen>"

    def _answer(self, prompt: str, *, hidden: bool) -> str:
        self.written += prompt
        self.hidden.append(hidden)
        if not self.answers:
            raise PersonCancelled
        return self.answers.pop(0)


def reader(stdin: bytes = b"", *answers: str) -> tuple[SecretReader, FakeTerminal, io.StringIO]:
    terminal, notes = FakeTerminal(*answers), io.StringIO()
    return SecretReader(terminal, io.BytesIO(stdin), notes), terminal, notes


def test_lines_of_stdin_come_in_order_and_lose_only_their_ending() -> None:
    source, _, _ = reader(b" first \r\nsecond\nthird")
    assert source.existing(STDIN, "Password") == " first "
    assert source.new(STDIN, "New password") == "second"
    assert source.words(STDIN) == "third"
    with pytest.raises(SecretSourceFailed, match="has ended"):
        source.existing(STDIN, "Passphrase")


def test_prompted_secrets_are_hidden_and_new_ones_typed_twice() -> None:
    source, terminal, _ = reader(b"never read\n", "one", "two", "three", "three")
    assert source.new(PROMPT, "Password") == "three"
    assert "differ" in terminal.written
    assert terminal.hidden == [True] * 4


def test_files_give_their_first_line_or_all_words(tmp_path: Path) -> None:
    secret, words = tmp_path / "secret", tmp_path / "words"
    secret.write_bytes(b"the password \r\nnot this\n")
    words.write_text("legal winner\n  thank\n")
    for path in (secret, words):
        path.chmod(0o600)
    source, _, notes = reader()
    assert source.existing(str(secret), "Password") == "the password "
    assert source.words(str(words)) == "legal winner thank"
    assert notes.getvalue() == ""


def test_a_file_that_others_can_read_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("the password\n")
    path.chmod(0o644)
    source, _, notes = reader()
    assert source.existing(str(path), "Password") == "the password"
    assert "chmod 600" in notes.getvalue()
    assert "the password" not in notes.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "could not be read"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * (MAX_SECRET + 1), "too long"),
    ],
    ids=["missing", "not text", "too long"],
)
def test_bad_files_are_told_without_their_content(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    source, _, _ = reader()
    with pytest.raises(SecretSourceFailed, match=sentence) as failed:
        source.existing(str(path), "Password")
    assert failed.value.__cause__ is None


def test_new_words_go_to_a_new_private_file(tmp_path: Path) -> None:
    source, _, _ = reader()
    target = tmp_path / "words"
    source.write_words(str(target), "legal winner")
    assert target.read_text() == "legal winner\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(SecretSourceFailed, match="exists already"):
        source.write_words(str(target), "other words")
    assert target.read_text() == "legal winner\n"
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretSourceFailed):
        source.write_words(str(tmp_path / "link"), "legal winner")
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(SecretSourceFailed, match="could not be written"):
        source.write_words(str(tmp_path / "no" / "folder"), "legal winner")


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    terminal = PosixTerminal(str(tmp_path / "no tty"))
    for call in (terminal.ask, terminal.ask_hidden, terminal.write):
        with pytest.raises(SecretSourceFailed, match="no terminal"):
            call("?")


def _on_terminal(action: Callable[[PosixTerminal], str], typed: bytes) -> tuple[str, bytes]:
    """Run `action` on a real pseudo-terminal, type into it, return the result and the screen."""
    master, slave = pty.openpty()
    screen = bytearray()
    prompted = threading.Event()

    def watch() -> None:
        while True:
            try:
                part = os.read(master, 1024)
            except OSError:
                return
            screen.extend(part)
            if b"? " in screen:
                prompted.set()

    def type_in() -> None:
        prompted.wait(5)
        os.write(master, typed)

    threads = [threading.Thread(target=target) for target in (watch, type_in)]
    for thread in threads:
        thread.start()
    try:
        result = action(PosixTerminal(os.ttyname(slave)))
    finally:
        threads[1].join()
        os.close(slave)
        threads[0].join(5)
        os.close(master)
    return result, bytes(screen)


def test_hidden_input_is_not_echoed_and_echo_comes_back() -> None:
    typed, screen = _on_terminal(
        lambda t: t.ask_hidden("Password? "), "gr\u00fcn secret\n".encode()
    )
    assert typed == "gr\u00fcn secret"
    assert screen.startswith(b"Password? ")
    assert b"secret" not in screen
    answer, screen = _on_terminal(lambda t: t.ask("Sure? "), b"yes\n")
    assert answer == "yes"
    assert b"yes" in screen


def test_the_end_of_input_cancels() -> None:
    def action(terminal: PosixTerminal) -> str:
        with pytest.raises(PersonCancelled):
            terminal.ask_hidden("Password? ")
        return "cancelled"

    assert _on_terminal(action, b"\x04")[0] == "cancelled"


def test_the_words_screen_is_left_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    def action(terminal: PosixTerminal) -> str:
        with terminal.screen():
            terminal.write("words")
            return terminal.ask("? ")

    _, screen = _on_terminal(action, b"\n")
    assert screen.index(b"\x1b[?1049h") < screen.index(b"words") < screen.index(b"\x1b[?1049l")
