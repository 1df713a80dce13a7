"""The vault as a process of its own, started by its client through the real pipe."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tests.unit.vault.samples import PASSWORD, WORDS, SampleWallet, funded_wallet, make_wallet
from tests.vault_with_cheap_kdf import CHEAP_VAULT, KNOWN_WORDS, KNOWN_WORDS_VAULT
from wallet_gui.app.vault_client import VaultClient, VaultRefused
from wallet_gui.keys.seed import bip39_seed, entropy_from_words
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.sealing import DEFAULT
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    STDIN,
    Cancelled,
    ChangePassword,
    CreateWallet,
    Failed,
    FailureKind,
    HeadlessOptions,
    PasswordChanged,
    PsbtSigned,
    RestoreWallet,
    UnlockWallet,
    WalletCreated,
    WalletUnlocked,
)
from wallet_gui.transfer.pipe import encode, reply_decoder
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.wallet import signed

ROOT = Path(__file__).resolve().parents[2]
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")


def ask(request: Any, expected: type[Any], command: tuple[str, ...] = CHEAP_VAULT) -> Any:
    return asyncio.run(VaultClient(headless=True, command=command).ask(request, expected))


@pytest.fixture
def secrets_folder(tmp_path: Path) -> Path:
    """Files for the vault to read secrets from, private to this user."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, text in (("password", PASSWORD), ("words", WORDS), ("new", "another long one")):
        path = folder / name
        path.touch(0o600)
        path.write_text(text + "\n")
    return folder


@pytest.fixture
def options(secrets_folder: Path) -> HeadlessOptions:
    return HeadlessOptions(
        password_file=str(secrets_folder / "password"),
        new_password_file=str(secrets_folder / "new"),
        words_file=str(secrets_folder / "words"),
        assume_yes=True,
    )


@pytest.fixture
def sample(tmp_path: Path, options: HeadlessOptions) -> SampleWallet:
    """A wallet that the vault process made, and a payment to it."""
    request = RestoreWallet(str(tmp_path / "wallets"), "Savings", "regtest", headless=options)
    created = ask(request, WalletCreated)
    path = Path(created.path)
    wallet = funded_wallet(path, created.view_key, PasswordCost())
    return SampleWallet(path, created.view_key, wallet)


def test_restore_unlock_sign_and_change_the_password(
    sample: SampleWallet, options: HeadlessOptions
) -> None:
    unlocked = ask(UnlockWallet(str(sample.path), headless=options), WalletUnlocked)
    assert unlocked.view_key == sample.view_key
    plan = sample.plan()
    reply = ask(replace(sample.request(plan), headless=options), PsbtSigned)
    tx = signed.finish(plan.psbt, Psbt.parse(reply.psbt_base64))
    assert tx.txid == plan.psbt.tx.txid
    with FileLock(sample.path) as lock:
        request = ChangePassword(str(sample.path), lock_held=True, headless=options)
        changed = ask(request, PasswordChanged)
        # The window goes on with the new key, and its file is the real program's.
        assert WalletFile.open(lock, changed.view_key).state.description.name == "Savings"
    with pytest.raises(VaultRefused) as refused:
        ask(UnlockWallet(str(sample.path), headless=options), WalletUnlocked)
    assert refused.value.kind is FailureKind.WRONG_PASSWORD


def test_create_with_known_words(tmp_path: Path, options: HeadlessOptions) -> None:
    words = tmp_path / "new words"
    request = CreateWallet(
        str(tmp_path / "wallets"),
        "New",
        "regtest",
        headless=replace(options, words_file=str(words)),
    )
    ask(request, WalletCreated, KNOWN_WORDS_VAULT)
    assert words.read_text() == KNOWN_WORDS + "\n"
    assert words.stat().st_mode & 0o777 == 0o600


def test_two_new_wallets_have_other_words(tmp_path: Path, options: HeadlessOptions) -> None:
    written = set()
    for name in ("a", "b"):
        words = tmp_path / f"words {name}"
        headless = replace(options, words_file=str(words))
        ask(CreateWallet(str(tmp_path), name, "regtest", headless=headless), WalletCreated)
        written.add(words.read_text())
    assert len(written) == 2


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"path": "/nonexistent/x.wallet"}, FailureKind.NOT_FOUND),
        ({"headless": HeadlessOptions(password_file="/nonexistent")}, FailureKind.BAD_REQUEST),
        ({"headless": HeadlessOptions()}, FailureKind.BAD_REQUEST),
    ],
    ids=["no wallet", "no password file", "no terminal"],
)
def test_refusals_are_sentences(
    sample: SampleWallet, options: HeadlessOptions, change: dict[str, Any], kind: FailureKind
) -> None:
    request = replace(UnlockWallet(str(sample.path), headless=options), **change)
    with pytest.raises(VaultRefused) as refused:
        # A session of its own has no terminal to ask on.
        ask(request, WalletUnlocked, ("setsid", "--wait", *CHEAP_VAULT))
    assert refused.value.kind is kind
    assert str(refused.value).endswith(".")


def test_the_product_opens_what_the_cheap_vault_wrote(
    sample: SampleWallet, options: HeadlessOptions
) -> None:
    request = UnlockWallet(str(sample.path), headless=options)
    unlocked = ask(request, WalletUnlocked, ())
    # And gives it the protection of today on this occasion.
    assert unlocked.view_key != sample.view_key
    with FileLock(sample.path) as lock:
        assert WalletFile.open(lock, unlocked.view_key).state.description.name == "Savings"
    assert WalletFile.read(sample.path).view_header.kdf == DEFAULT


def test_the_product_refuses_a_file_that_protects_less(
    tmp_path: Path, options: HeadlessOptions
) -> None:
    weak = make_wallet(tmp_path)  # 32 KiB
    with pytest.raises(VaultRefused) as refused:
        ask(UnlockWallet(str(weak.path), headless=options), WalletUnlocked, ())
    assert refused.value.kind is FailureKind.DAMAGED_FILE


# --- the canary


class Watched:
    """One run of the vault of which everything that leaves it is kept."""

    def __init__(
        self,
        request: Any,
        *,
        stdin: bytes = b"",
        folder: Path,
        command: tuple[str, ...] = CHEAP_VAULT,
    ) -> None:
        to_vault, requests = os.pipe()
        replies, from_vault = os.pipe()
        record = folder / "environment"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
        }
        (folder / "tmp").mkdir()
        process = subprocess.Popen(
            [*command, "--vault", "--headless", "--pipe", f"{to_vault},{from_vault}"],
            pass_fds=(to_vault, from_vault),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=folder,
        )
        os.close(to_vault)
        os.close(from_vault)
        status = Path(f"/proc/{process.pid}")
        self.arguments = (status / "cmdline").read_bytes()
        record.write_text(json.dumps(environment))
        os.write(requests, encode(request))
        os.close(requests)
        self.stdout, self.stderr = process.communicate(stdin, timeout=PATIENCE)
        self.frames = b""
        while part := os.read(replies, 1 << 16):
            self.frames += part
        os.close(replies)
        self.status = process.returncode
        self.reply = reply_decoder().receive_data(self.frames)[-1]


def _secrets(password: str) -> list[bytes]:
    entropy, language = entropy_from_words(WORDS)
    seed = bip39_seed(entropy, language)
    found = [password.encode(), password.encode("utf-16-le"), WORDS.encode(), b"winner", b"sausage"]
    for raw in (entropy, seed, seed[:32]):
        found += [raw, raw.hex().encode()]
    return found


def test_no_secret_leaves_the_vault_but_in_the_sealed_file(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    all_stdin = HeadlessOptions(
        password_file=STDIN, words_file=STDIN, new_password_file=STDIN, assume_yes=True
    )
    canary = "Canary-Umbrella-77"
    created = Watched(
        RestoreWallet(str(folder / "wallets"), "Savings", "regtest", headless=all_stdin),
        stdin=f"{canary}\n{WORDS}\n".encode(),
        folder=folder,
    )
    assert isinstance(created.reply, WalletCreated)
    path = Path(created.reply.path)
    sample = SampleWallet(
        path, created.reply.view_key, funded_wallet(path, created.reply.view_key, PasswordCost())
    )
    signing_folder = tmp_path / "signing"
    signing_folder.mkdir()
    request = replace(sample.request(sample.plan()), headless=all_stdin)
    signing = Watched(request, stdin=f"{canary}\n".encode(), folder=signing_folder)
    assert isinstance(signing.reply, PsbtSigned)
    wrong_folder = tmp_path / "wrong"
    wrong_folder.mkdir()
    wrong = Watched(
        UnlockWallet(str(path), headless=all_stdin),
        stdin=b"Wrong-Umbrella-77\n",
        folder=wrong_folder,
    )
    assert isinstance(wrong.reply, Failed)
    for run in (created, signing, wrong):
        assert run.status == 0
        assert run.stdout == b""
        for place in (run.arguments, run.stderr, run.frames):
            for secret in (*_secrets(canary), b"Umbrella-77"):
                assert secret not in place
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert path in files
    for each in files:
        content = each.read_bytes()
        for secret in _secrets(canary):
            assert secret not in content, each


def test_a_bug_is_told_without_its_values(tmp_path: Path) -> None:
    script = tmp_path / "vault.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            from wallet_gui.vault import process, unlocking

            def broken(path, password, cost, progress, *, lock_held):
                raise RuntimeError("the password is " + password)

            unlocking.unlock = broken
            sys.exit(process.main(sys.argv[1:]))
            """
        )
    )
    request = UnlockWallet(str(tmp_path / "x.wallet"), headless=HeadlessOptions(STDIN))
    run = Watched(
        request, stdin=b"Canary-77\n", folder=tmp_path, command=(sys.executable, str(script))
    )
    assert isinstance(run.reply, Failed)
    assert run.reply.kind is FailureKind.INTERNAL
    assert "RuntimeError" in run.reply.sentence
    assert b"Canary" not in run.frames + run.stderr + run.stdout
    assert b"in broken" in run.stderr


# --- what it is started with, and its end


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--pipe", "0"],
        ["--pipe", "98,99"],
        ["--pipe", "x,y"],
        ["--pipe", "3,4,5"],
        ["--pipe", "99999999999999999999,4"],
        ["-platform", "minimal"],
        ["--pipe"],
    ],
    ids=repr,
)
def test_foreign_arguments_are_refused(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wallet_gui", "--vault", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")
    assert "Traceback" not in done.stderr


def test_garbage_on_the_pipe_is_answered(tmp_path: Path) -> None:
    to_vault, requests = os.pipe()
    replies, from_vault = os.pipe()
    process = subprocess.Popen(
        [*CHEAP_VAULT, "--vault", "--headless", "--pipe", f"{to_vault},{from_vault}"],
        pass_fds=(to_vault, from_vault),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(to_vault)
    os.close(from_vault)
    os.write(requests, b"\x05\x00\x00\x00hello")
    os.close(requests)
    assert process.wait(60) == 0
    (reply,) = reply_decoder().receive_data(os.read(replies, 1 << 16))
    os.close(replies)
    assert isinstance(reply, Failed)
    assert reply.kind is FailureKind.BAD_REQUEST


@ON_LINUX
def test_a_window_vault_ends_when_its_window_is_killed(sample: SampleWallet) -> None:
    to_vault, requests = os.pipe()
    replies, from_vault = os.pipe()
    process = subprocess.Popen(
        [*CHEAP_VAULT, "--vault", "--pipe", f"{to_vault},{from_vault}"],
        pass_fds=(to_vault, from_vault),
        env={**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"},
        stderr=subprocess.PIPE,
    )
    os.close(to_vault)
    os.close(from_vault)
    os.write(requests, encode(UnlockWallet(str(sample.path))))
    os.close(requests)
    time.sleep(1.5)
    assert process.poll() is None  # it waits for the person
    os.close(replies)
    assert process.wait(10) in (0, 1)
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()


def test_cancelling_the_question_ends_the_vault(sample: SampleWallet) -> None:
    started: list[int] = []

    async def run() -> None:
        client = VaultClient(command=(*CHEAP_VAULT,))
        start = client._start

        def remember() -> Any:
            vault = start()
            started.append(vault._process.pid)
            return vault

        client._start = remember  # type: ignore[method-assign]
        task = asyncio.create_task(client.ask(UnlockWallet(str(sample.path)), WalletUnlocked))
        await asyncio.sleep(1.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    asyncio.run(run())
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], signal.SIG_DFL)


def test_ctrl_c_cancels_without_a_trace(tmp_path: Path) -> None:
    to_vault, requests = os.pipe()
    replies, from_vault = os.pipe()
    process = subprocess.Popen(
        [*CHEAP_VAULT, "--vault", "--headless", "--pipe", f"{to_vault},{from_vault}"],
        pass_fds=(to_vault, from_vault),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(to_vault)
    os.close(from_vault)
    request = UnlockWallet(str(tmp_path / "x.wallet"), headless=HeadlessOptions(STDIN))
    os.write(requests, encode(request))
    time.sleep(1.5)  # it waits for a line of standard input
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    (reply,) = reply_decoder().receive_data(os.read(replies, 1 << 16))
    assert isinstance(reply, Cancelled)
    assert process.stderr is not None
    assert process.stdin is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.stdin.close()
    os.close(requests)
    os.close(replies)
