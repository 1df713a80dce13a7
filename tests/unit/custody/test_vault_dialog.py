"""The blocking side of the vault's pipe, with small programs in the vault's place."""

import sys
import threading
import time
from pathlib import Path

import pytest

from wallet_gui.custody.vault_dialog import VaultDialog
from wallet_gui.custody.vault_errors import VaultCancelled, VaultError, VaultRefused
from wallet_gui.transfer.messages import (
    STDIN,
    HeadlessOptions,
    Progress,
    UnlockWallet,
    WalletUnlocked,
)

STAND_IN = """
import os, sys, time
sys.path.insert(0, {root!r})
from wallet_gui.transfer.messages import *
from wallet_gui.transfer.pipe import encode, request_decoder
read_end, write_end = map(int, sys.argv[-1].split(","))
decoder = request_decoder()
def receive():
    while data := os.read(read_end, 65536):
        if found := decoder.receive_data(data):
            return found[0]
def send(reply):
    os.write(write_end, encode(reply))
{what}
"""
ROOT = str(Path(__file__).resolve().parents[3])
REQUEST = UnlockWallet("/a/b.wallet")
UNLOCK = "request = receive(); send(WalletUnlocked(request.path, bytes(32)))"


def dialog(what: str, *, headless: bool = False) -> VaultDialog:
    code = STAND_IN.format(root=ROOT, what=what)
    return VaultDialog(headless=headless, command=(sys.executable, "-c", code))


def test_a_reply_comes_with_what_was_told_before_it() -> None:
    told: list[Progress] = []
    asked = dialog(f"send(Progress('Checking', 0.5)); {UNLOCK}")
    reply = asked.ask(REQUEST, WalletUnlocked, told.append)
    assert reply.path == REQUEST.path
    assert told == [Progress("Checking", 0.5)]
    assert asked.process_id is None


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("receive(); send(Cancelled())", VaultCancelled, "nothing was changed"),
        ("receive(); send(Failed(FailureKind.POLICY, 'No.'))", VaultRefused, "No."),
        ("receive()", VaultError, "without an answer"),
        ("receive(); os.write(write_end, b'\\x05\\0\\0\\0hello')", VaultError, "could not be read"),
        ("receive(); send(PasswordChanged('/a', bytes(32)))", VaultError, "without an answer"),
    ],
)
def test_what_goes_wrong_is_a_sentence(what: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        dialog(what).ask(REQUEST, WalletUnlocked)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(VaultError, match="could not be started"):
        VaultDialog(command=("/nowhere/at/all",)).ask(REQUEST, WalletUnlocked)


def test_cancelling_ends_the_process_and_the_next_question_works(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    once = f"import pathlib; mark = pathlib.Path({str(mark)!r})\nfirst = not mark.exists()\n"
    once += f"mark.touch()\nif first: time.sleep(600)\n{UNLOCK}"
    asked = dialog(once)
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            asked.ask(REQUEST, WalletUnlocked)
        except VaultError as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    deadline = time.monotonic() + 20
    while not mark.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    asked.cancel()
    thread.join(20)
    assert [type(error) for error in ended] == [VaultCancelled]
    assert asked.ask(REQUEST, WalletUnlocked).path == REQUEST.path


def test_cancelling_nothing_does_nothing() -> None:
    asked = dialog(UNLOCK)
    asked.cancel()
    asked.close()
    assert asked.ask(REQUEST, WalletUnlocked).path == REQUEST.path


def test_one_process_stays_where_secrets_are_lines_of_standard_input() -> None:
    request = UnlockWallet("/a/b.wallet", headless=HeadlessOptions(password_file=STDIN))
    what = (
        "for _ in range(2):\n    receive()\n    send(WalletUnlocked(str(os.getpid()), bytes(32)))"
    )
    asked = dialog(what, headless=True)
    first, second = (asked.ask(request, WalletUnlocked).path for _ in range(2))
    assert first == second
    asked.close()


def test_qt_is_not_asked_to_log_what_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_LOGGING_RULES", "qt.qpa.input*=true")
    monkeypatch.setenv("QT_LOGGING_CONF", "/rules.ini")
    monkeypatch.setenv("OTHER", "kept")
    asks = (
        "found = sorted(name for name in os.environ if name.startswith(('QT_LOG', 'OTHER')))\n"
        "receive(); send(WalletUnlocked(','.join(found), bytes(32)))"
    )
    assert dialog(asks).ask(REQUEST, WalletUnlocked).path == "OTHER"
