import hashlib
import io
import itertools
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.unit.vault.samples import (
    PASSWORD,
    TINY_COST,
    WORDS,
    create_request,
    make_wallet,
    read_state,
    restore_request,
)
from tests.unit.vault.test_terminal import FakeTerminal
from wallet_gui.keys import dice
from wallet_gui.keys.dice import DiceError
from wallet_gui.keys.errors import PasswordWrong, PolicyRefused, SeedError
from wallet_gui.keys.seed import LANGUAGES
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.storage.errors import WrongKey
from wallet_gui.transfer.messages import (
    STDIN,
    Cancelled,
    ChangePassword,
    HeadlessOptions,
    PasswordChanged,
    PsbtSigned,
    Reply,
    Request,
    ShowWords,
    UnlockWallet,
    WalletCreated,
    WalletUnlocked,
    WordsShown,
)
from wallet_gui.vault import signing
from wallet_gui.vault.errors import BadRequest, PassphraseWrong
from wallet_gui.vault.headless import HeadlessVault
from wallet_gui.vault.terminal import SecretReader
from wallet_gui.wallet import signed

ALL_STDIN = HeadlessOptions(
    password_file=STDIN, new_password_file=STDIN, words_file=STDIN, passphrase_file=STDIN
)


def ask(
    request: Request, *answers: str, stdin: str = "", options: HeadlessOptions | None = None
) -> tuple[Reply, FakeTerminal, str]:
    terminal, notes = FakeTerminal(*answers), io.StringIO()
    reader = SecretReader(terminal, io.BytesIO(stdin.encode()), notes)
    vault = HeadlessVault(reader, TINY_COST, lambda _step, _fraction: None)
    reply = vault.answer(replace(request, headless=options or HeadlessOptions()))
    return reply, terminal, notes.getvalue()


class CopyingTerminal(FakeTerminal):
    """A person who copies the words from the screen and types back what is asked."""

    def ask_hidden(self, prompt: str) -> str:
        if prompt.startswith("Word "):
            self.written += prompt
            number = int(prompt.split()[1])
            shown = self.written.split("<screen>")[-1]
            lines = [line.split() for line in shown.splitlines()]
            return next(line[1] for line in lines if line[:1] == [str(number)])
        return super().ask_hidden(prompt)


def test_words_are_shown_on_a_screen_that_is_left_and_typed_back(tmp_path: Path) -> None:
    terminal = CopyingTerminal(PASSWORD, PASSWORD, "")
    reader = SecretReader(terminal, io.BytesIO(), io.StringIO())
    vault = HeadlessVault(reader, TINY_COST, lambda _step, _fraction: None)
    reply = vault.answer(create_request(tmp_path, headless=HeadlessOptions()))
    assert isinstance(reply, WalletCreated)
    assert terminal.written.count("<screen>") == 1
    shown = terminal.written.split("<screen>")[1].split("</screen>")[0]
    assert len([line for line in shown.splitlines() if line.startswith("  ")]) == 12
    assert "Word " in terminal.written


def test_a_wrong_word_shows_them_once_more(tmp_path: Path) -> None:
    reply, terminal, _ = ask(create_request(tmp_path), PASSWORD, PASSWORD, "", "zzz", "")
    assert reply == Cancelled()
    assert "This is not word" in terminal.written
    assert terminal.written.count("<screen>") == 2
    assert list(tmp_path.iterdir()) == []


def test_create_writes_the_words_to_a_file_and_restores_the_same_wallet(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    options = replace(ALL_STDIN, words_file=str(words))
    reply, _, _ = ask(
        create_request(tmp_path, script_types=("tr",)), stdin=f"{PASSWORD}\n", options=options
    )
    assert isinstance(reply, WalletCreated)
    again, _, _ = ask(
        restore_request(tmp_path, name="Again", script_types=("tr",)),
        stdin=f"{PASSWORD}\n",
        options=options,
    )
    assert isinstance(again, WalletCreated)
    first = read_state(Path(reply.path), reply.view_key).description
    second = read_state(Path(again.path), again.view_key).description
    assert first.descriptors == second.descriptors


def test_a_failed_creation_takes_the_words_file_back(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    words = tmp_path / "words.txt"
    with pytest.raises(Exception, match="saved"):
        ask(
            create_request(tmp_path / "blocked" / "folder"),
            stdin=f"{PASSWORD}\n",
            options=replace(ALL_STDIN, words_file=str(words)),
        )
    assert not words.exists()


def test_new_words_cannot_go_to_stdin(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="name a file"):
        ask(create_request(tmp_path), stdin=f"{PASSWORD}\n", options=ALL_STDIN)


def test_restore_reads_password_words_passphrase_in_this_order(tmp_path: Path) -> None:
    reply, _, _ = ask(
        restore_request(tmp_path, use_passphrase=True),
        stdin=f"{PASSWORD}\n{WORDS.upper()}\nquiet harbour\n",
        options=ALL_STDIN,
    )
    assert isinstance(reply, WalletCreated)
    sample = make_wallet(tmp_path / "x", passphrase="quiet harbour", script_types=("wpkh",))
    description = read_state(Path(reply.path), reply.view_key).description
    assert description.descriptors == sample.wallet.description.descriptors


def test_a_wrong_word_is_named_by_its_position(tmp_path: Path) -> None:
    wrong = WORDS.replace("sausage", "sausages")
    with pytest.raises(SeedError, match=r"Word 6 is not") as refused:
        ask(restore_request(tmp_path), stdin=f"{PASSWORD}\n{wrong}\n", options=ALL_STDIN)
    assert "sausages" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_weak_password_is_noted_not_refused(tmp_path: Path) -> None:
    reply, _, notes = ask(
        restore_request(tmp_path), stdin=f"password1\n{WORDS}\n", options=ALL_STDIN
    )
    assert isinstance(reply, WalletCreated)
    assert "weak" in notes
    assert "password1" not in notes


def test_unlock_and_change_password(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    reply, _, _ = ask(UnlockWallet(str(sample.path)), PASSWORD)
    assert reply == WalletUnlocked(str(sample.path), sample.view_key)
    with pytest.raises(WrongKey):
        ask(UnlockWallet(str(sample.path)), "wrong")
    changed, _, _ = ask(
        ChangePassword(str(sample.path)),
        stdin=f"{PASSWORD}\nviolin gravel tomato harbour\n",
        options=ALL_STDIN,
    )
    assert isinstance(changed, PasswordChanged)
    unlocked, _, _ = ask(UnlockWallet(str(sample.path)), "violin gravel tomato harbour")
    assert unlocked == WalletUnlocked(str(sample.path), changed.view_key)


def test_signing_shows_the_review_and_needs_a_yes(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    plan = sample.plan()
    request = sample.request(plan)
    reply, terminal, _ = ask(request, PASSWORD, "yes")
    assert isinstance(reply, PsbtSigned)
    assert signed.finish(plan.psbt, Psbt.parse(reply.psbt_base64)).txid == plan.psbt.tx.txid
    assert "0.40000000 BTC" in terminal.written
    for answer in ("", "no", "y", "yes please"):
        reply, _, _ = ask(request, PASSWORD, answer)
        assert reply == Cancelled()


def test_assume_yes_prints_the_review_on_the_error_channel(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    options = replace(ALL_STDIN, assume_yes=True)
    request = sample.request(sample.plan())
    reply, _, notes = ask(request, stdin=f"{PASSWORD}\n", options=options)
    assert isinstance(reply, PsbtSigned)
    assert "0.40000000 BTC" in notes


def test_an_unusual_fee_needs_a_second_yes(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    request = sample.request(sample.plan(amount_sat=50_000, fee_rate="10"))
    reply, terminal, _ = ask(request, PASSWORD, "yes", "no")
    assert reply == Cancelled()
    assert "all the same" in terminal.written
    assert isinstance(ask(request, PASSWORD, "yes", "yes")[0], PsbtSigned)
    options = replace(ALL_STDIN, assume_yes=True)
    with pytest.raises(PolicyRefused, match="more than usual"):
        ask(request, stdin=f"{PASSWORD}\n", options=options)
    accepted = replace(options, accept_high_fee=True)
    assert isinstance(ask(request, stdin=f"{PASSWORD}\n", options=accepted)[0], PsbtSigned)


def test_an_extreme_fee_needs_the_option_as_well(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    request = sample.request(sample.plan(amount_sat=1_000, fee_rate="100"))
    with pytest.raises(PolicyRefused, match="much more than usual"):
        ask(request, PASSWORD, "yes", "yes")
    options = HeadlessOptions(accept_high_fee=True)
    assert isinstance(ask(request, PASSWORD, "yes", options=options)[0], PsbtSigned)


def test_the_passphrase_is_asked_for_when_signing(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path, passphrase="quiet harbour")
    request = sample.request(sample.plan())
    options = replace(ALL_STDIN, assume_yes=True)
    reply, _, _ = ask(request, stdin=f"{PASSWORD}\nquiet harbour\n", options=options)
    assert isinstance(reply, PsbtSigned)


# --- dice, languages, the words once more

ROLLS = "".join(Random(6).choices("123456", k=99))


def entropy_source() -> Callable[[int], bytes]:
    calls = itertools.count()
    return lambda size: hashlib.shake_256(b"%d" % next(calls)).digest(size)


def ask_with_entropy(
    request: Request, *answers: str, options: HeadlessOptions | None = None
) -> tuple[Reply, str, str]:
    terminal, notes = CopyingTerminal(*answers), io.StringIO()
    reader = SecretReader(terminal, io.BytesIO(), notes)
    vault = HeadlessVault(reader, TINY_COST, lambda _step, _fraction: None, entropy_source())
    reply = vault.answer(replace(request, headless=options or HeadlessOptions()))
    return reply, terminal.written, notes.getvalue()


def entropy_of(reply: Reply) -> tuple[bytes, str]:
    assert isinstance(reply, WalletCreated)
    payload = signing.open_payload(Path(reply.path), PASSWORD, TINY_COST)
    return payload.entropy, payload.language


@pytest.mark.parametrize("words", [12, 15, 18, 21, 24])
def test_dice_are_mixed_into_the_systems_entropy(words: int, tmp_path: Path) -> None:
    request = create_request(tmp_path, use_dice=True, word_count=words)
    # Too few and none at all are asked for again.
    reply, written, notes = ask_with_entropy(
        request, PASSWORD, PASSWORD, "123", "12x", "6" * 99, ROLLS, ""
    )
    size = words * 4 // 3
    expected = hashlib.sha256(entropy_source()(size) + ROLLS.encode()).digest()[:size]
    assert entropy_of(reply) == (expected, "english")
    assert f"Roll a die at least {dice.ROLLS_ASKED[size * 8]} times" in written
    assert "3 rolls; a seed" in written
    assert "Character 3 is no roll" in written
    assert "All rolls are the same" in written
    assert "99 rolls counted, 255 bits" in notes
    assert ROLLS not in written + notes


def test_dice_from_a_file_are_refused_for_good(tmp_path: Path) -> None:
    rolls = tmp_path / "rolls"
    rolls.touch(0o600)
    rolls.write_text("\n".join(ROLLS[start : start + 10] for start in range(0, 99, 10)) + "\n")
    options = HeadlessOptions(dice_file=str(rolls))
    request = create_request(tmp_path / "w", use_dice=True)
    reply, _, _ = ask_with_entropy(request, PASSWORD, PASSWORD, "", options=options)
    expected = hashlib.sha256(entropy_source()(16) + ROLLS.encode()).digest()[:16]
    assert entropy_of(reply)[0] == expected
    rolls.write_text("123\n")
    with pytest.raises(DiceError, match="3 rolls"):
        ask_with_entropy(
            create_request(tmp_path / "v", use_dice=True), PASSWORD, PASSWORD, options=options
        )
    assert not (tmp_path / "v").exists()


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_every_language_come_back(language: str, tmp_path: Path) -> None:
    target = tmp_path / "words"
    options = HeadlessOptions(words_file=str(target))
    request = create_request(tmp_path / "w", language=language, word_count=24)
    reply, _, _ = ask_with_entropy(request, PASSWORD, PASSWORD, options=options)
    words = target.read_text(encoding="utf-8")
    assert words == unicodedata.normalize("NFC", words)
    entropy, written_in = entropy_of(reply)
    assert written_in == language
    again, _, _ = ask(
        restore_request(tmp_path / "again"),
        stdin=f"{PASSWORD}\n{words}",
        options=ALL_STDIN,
    )
    assert entropy_of(again)[0] == entropy
    assert isinstance(reply, WalletCreated)
    assert isinstance(again, WalletCreated)
    first = read_state(Path(reply.path), reply.view_key).description
    second = read_state(Path(again.path), again.view_key).description
    assert first.descriptors == second.descriptors
    # And shown once more they are the same.
    shown, terminal, _ = ask(ShowWords(reply.path), PASSWORD, "yes", "")
    assert shown == WordsShown()
    screen = terminal.written.split("<screen>")[1].split("</screen>")[0]
    listed = [line.split()[1] for line in screen.splitlines() if line.startswith("  ")]
    assert listed == words.split()


def test_the_words_are_shown_only_after_a_yes(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    reply, terminal, _ = ask(ShowWords(str(sample.path)), PASSWORD, "no")
    assert reply == Cancelled()
    assert "winner" not in terminal.written
    with pytest.raises(PasswordWrong):
        ask(ShowWords(str(sample.path)), "wrong password")
    with pytest.raises(BadRequest, match="standard input"):
        ask(ShowWords(str(sample.path)), options=replace(ALL_STDIN, words_file=STDIN))
    target = tmp_path / "again.txt"
    reply, _, _ = ask(
        ShowWords(str(sample.path)), PASSWORD, options=HeadlessOptions(words_file=str(target))
    )
    assert reply == WordsShown()
    assert target.read_text() == WORDS + "\n"
    assert target.stat().st_mode & 0o777 == 0o600


def test_the_fingerprint_of_a_passphrase_is_told(tmp_path: Path) -> None:
    passphrase = "re\u0301sume\u0301 \u30ac"
    reply, _, notes = ask(
        restore_request(tmp_path, use_passphrase=True),
        stdin=f"{PASSWORD}\n{WORDS}\n{passphrase}\n",
        options=ALL_STDIN,
    )
    assert isinstance(reply, WalletCreated)
    fingerprint = read_state(Path(reply.path), reply.view_key).description.fingerprint
    assert f"passphrase is {fingerprint}" in notes
    # Typed with composed letters on another keyboard, it is the same one.
    payload = signing.open_payload(Path(reply.path), PASSWORD, TINY_COST)
    for form in ("NFC", "NFD", "NFKC"):
        typed = unicodedata.normalize(form, passphrase)
        assert signing.keyring(payload, typed).root.fingerprint.hex() == fingerprint
    for wrong in ("", "resume ga", passphrase.upper(), f" {passphrase}"):
        with pytest.raises(PassphraseWrong):
            signing.keyring(payload, wrong)
    shown, _, notes = ask(ShowWords(reply.path), PASSWORD, "yes", "")
    assert shown == WordsShown()
    assert fingerprint in notes
    assert passphrase not in notes
