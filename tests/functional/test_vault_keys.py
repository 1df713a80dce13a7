"""Dice, languages, imported keys, old files and words once more, in the vault's own process."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.functional.command_line import CommandLine
from tests.functional.test_vault_process import ask
from tests.unit.vault.samples import PASSWORD, SampleWallet, funded_wallet, sample_seed
from wallet_gui.app.vault_client import VaultRefused
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.keys.seed import Seed, entropy_from_words
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.storage.errors import InUse
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    SOURCE_XPRV,
    CreateWallet,
    FailureKind,
    HeadlessOptions,
    PsbtSigned,
    RestoreWallet,
    ShowWords,
    UnlockWallet,
    WalletCreated,
    WalletUnlocked,
    WordsShown,
)
from wallet_gui.vault import creation
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.wallet import signed

ROLLS = "".join(Random(6).choices("123456", k=99))
ROOT = ExtendedPrivateKey.from_seed(sample_seed().stretched(), REGTEST)
FIXTURES = Path(__file__).parents[1] / "vectors" / "wallets"


def secret_file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.touch(0o600)
    path.write_text(text + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def options(tmp_path: Path) -> HeadlessOptions:
    folder = tmp_path / "secrets"
    folder.mkdir()
    return HeadlessOptions(
        password_file=secret_file(folder, "password", PASSWORD),
        words_file=str(folder / "words"),
        dice_file=secret_file(folder, "dice", ROLLS),
        assume_yes=True,
    )


def test_dice_and_a_language_make_words_that_are_shown_again(
    tmp_path: Path, options: HeadlessOptions
) -> None:
    request = CreateWallet(
        str(tmp_path / "wallets"),
        "Dice",
        "regtest",
        language="japanese",
        word_count=24,
        use_dice=True,
        headless=options,
    )
    created = ask(request, WalletCreated)
    words = Path(options.words_file).read_text(encoding="utf-8")
    entropy, language = entropy_from_words(words)
    assert language == "japanese"
    state = WalletFile.open(FileLock.delegated(Path(created.path)), created.view_key).state
    params = REGTEST
    root = creation.root_of(Seed(entropy, language), params)
    assert state.description.fingerprint == root.fingerprint.hex()
    again = replace(options, words_file=str(tmp_path / "again"))
    assert ask(ShowWords(created.path, headless=again), WordsShown) == WordsShown()
    assert (tmp_path / "again").read_text(encoding="utf-8") == words
    # Too few rolls make no wallet, and the words file is not left behind.
    few = replace(options, words_file=str(tmp_path / "x"), dice_file=options.password_file)
    with pytest.raises(VaultRefused, match="is no roll of a die"):
        ask(replace(request, name="Few", headless=few), WalletCreated)
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "wallets" / "Few.wallet").exists()


def test_an_account_key_restores_signs_and_has_no_words(
    tmp_path: Path, options: HeadlessOptions
) -> None:
    account = ROOT.derive("m/86h/1h/0h").serialize()
    text = f"[{ROOT.fingerprint.hex()}/86h/1h/0h]{account}"
    words = secret_file(tmp_path, "key", text)
    request = RestoreWallet(
        str(tmp_path / "wallets"),
        "Imported",
        "regtest",
        source=SOURCE_XPRV,
        headless=replace(options, words_file=words),
    )
    created = ask(request, WalletCreated)
    path = Path(created.path)
    sample = SampleWallet(
        path, created.view_key, funded_wallet(path, created.view_key, PasswordCost())
    )
    assert sample.wallet.descriptors[0].first_address.startswith("bcrt1p")
    plan = sample.plan()
    reply = ask(replace(sample.request(plan), headless=options), PsbtSigned)
    assert signed.finish(plan.psbt, Psbt.parse(reply.psbt_base64)).txid == plan.psbt.tx.txid
    with pytest.raises(VaultRefused, match="has no words") as refused:
        ask(ShowWords(created.path, headless=options), WordsShown)
    assert refused.value.kind is FailureKind.BAD_WORDS
    for other in tmp_path.rglob("*.wallet*"):
        assert account.encode() not in other.read_bytes()
    with pytest.raises(VaultRefused, match="is for test networks"):
        ask(replace(request, name="Main", network="mainnet"), WalletCreated)


def test_a_file_of_an_old_program_is_sealed_anew_under_the_windows_lock(
    tmp_path: Path, options: HeadlessOptions
) -> None:
    path = Path(shutil.copy(FIXTURES / "secret-1-first.wallet", tmp_path / "Old.wallet"))
    before = path.read_bytes()
    with FileLock(path) as lock:
        # Whoever does not say that the lock is its own gets the key and leaves the file alone.
        ask(UnlockWallet(str(path), headless=options), WalletUnlocked)
        assert path.read_bytes() == before
        request = UnlockWallet(str(path), lock_held=True, headless=options)
        unlocked = ask(request, WalletUnlocked)
        assert path.with_name("Old.wallet.1").read_bytes() == before
        wallet_file = WalletFile.open(lock, unlocked.view_key)
        facts = json.loads((FIXTURES / "wallets.json").read_text(encoding="utf-8"))["wallets"]
        texts = wallet_file.state.description.descriptors
        found = [Descriptor.parse(text, REGTEST).first_address for text in texts]
        assert found == facts["secret-1-first"]["addresses"]
        wallet_file.keep_setting("after", 1)
        with pytest.raises(InUse):
            FileLock(path).acquire()
    assert ask(UnlockWallet(str(path), headless=options), WalletUnlocked) == unlocked


@pytest.mark.slow
def test_the_command_line(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path / "data", None)
    rolls = secret_file(tmp_path, "rolls", ROLLS)
    words = tmp_path / "words"
    chosen = ("--language", "spanish", "--words", "15", "--dice-file", rolls)
    made = cli.json("create", "--wallet", "Dice", *chosen, "--words-file", str(words))
    text = words.read_text(encoding="utf-8")
    assert len(text.split()) == 15
    assert entropy_from_words(text)[1] == "spanish"
    again = cli.json("restore", "--wallet", "Again", "--words-file", str(words))
    assert again["descriptors"] == made["descriptors"]
    key = secret_file(tmp_path, "key", ROOT.serialize())
    imported = cli.json("restore", "--xprv", "--wallet", "Key", "--words-file", key)
    assert imported["fingerprint"] == ROOT.fingerprint.hex()
    assert imported["watch_only"] is False
    done = cli.run("restore", "--xprv", "--wallet", "None", "--words-file", str(words))
    assert done.returncode == 3
    assert "restore the wallet from its words" in done.stderr
    assert text.split()[0] not in done.stdout + done.stderr
    told = cli.run("address", "--wallet", "Key")
    assert imported["first_addresses"][0] in told.stdout
    shown = cli.run("create", "--wallet", "Bad", "--language", "klingon")
    assert shown.returncode == 2
