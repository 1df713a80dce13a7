"""Dice, languages, passphrases, extended private keys and the words once more, page by page."""

import hashlib
from pathlib import Path
from random import Random

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPlainTextEdit
from pytestqt.qtbot import QtBot

from tests.gui.vault.test_flows import NEW, Drive, Driver, _choose_password
from tests.unit.vault.samples import (
    PASSWORD,
    TINY,
    TINY_COST,
    WORDS,
    create_request,
    make_wallet,
    read_state,
    restore_request,
    sample_seed,
)
from wallet_gui.keys.imported import ImportedKeys
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.keys.seed import LANGUAGES, WORD_COUNTS, Seed, language_name
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import REGTEST
from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    SOURCE_XPRV,
    ChangePassword,
    Failed,
    FailureKind,
    Reply,
    ShowWords,
    UnlockWallet,
    WalletCreated,
    WordsShown,
)
from wallet_gui.vault import creation, signing, word_grid
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.password_pages import PassphrasePage
from wallet_gui.vault.show_words import ShownWordsPage
from wallet_gui.vault.unlocking import unlock
from wallet_gui.vault.words_pages import ConfirmWordsPage, WordsPage

# The offscreen platform says so for each window; a display of its own has no such limit.
pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


@pytest.fixture
def drive(qtbot: QtBot) -> Drive:
    return lambda request: Driver(qtbot, request)


ROLLS = "".join(Random(6).choices("123456", k=99))
ROOT = ExtendedPrivateKey.from_seed(sample_seed().stretched(), REGTEST)
ACCOUNT = f"[{ROOT.fingerprint.hex()}/84h/1h/0h]{ROOT.derive('m/84h/1h/0h').serialize()}"


def _payload(reply: Reply, password: str = NEW) -> SecretPayload:
    assert isinstance(reply, WalletCreated)
    return signing.open_payload(Path(reply.path), password, TINY_COST)


def _finish(driver: Driver) -> Reply:
    _choose_password(driver)
    driver.wait_for("done_page")
    driver.go_on()
    return driver.wait_for_reply()


def _confirm(driver: Driver) -> None:
    confirm = driver.window.page
    assert isinstance(confirm, ConfirmWordsPage)
    for number, position in enumerate(confirm.positions, 1):
        # Not key by key: the test keyboard has Latin letters only.
        driver.field(f"confirm_word_{number}").setText(confirm._words[position])


def _text(driver: Driver, name: str) -> str:
    label = driver.window.page.findChild(QLabel, name)
    assert isinstance(label, QLabel), name
    return label.text()


def _paste(driver: Driver, name: str, text: str) -> None:
    edit = driver.window.page.findChild(QPlainTextEdit, name)
    assert isinstance(edit, QPlainTextEdit), name
    edit.setPlainText(text)


def test_dice_are_counted_judged_and_mixed_in(drive: Drive, tmp_path: Path) -> None:
    driver = drive(create_request(tmp_path, use_dice=True))
    assert driver.page == "dice_page"
    for text, state, refusal in (
        ("", "0 rolls counted, 0 bits; 50 more to go.", "Roll 50 more"),
        ("1 2 3", "3 rolls counted, 7 bits; 47 more to go.", "Roll 47 more"),
        ("12a", "Character 3 is no roll", "Character 3 is no roll"),
        ("3" * 60, "60 rolls counted, 155 bits. All rolls are the same", "All rolls are the same"),
        ("123456" * 10, "repeat a pattern", "repeat a pattern"),
    ):
        _paste(driver, "dice_rolls", text)
        assert state in _text(driver, "dice_state")
        driver.go_on()
        assert driver.page == "dice_page"
        assert refusal in driver.notice
    combo = driver.window.page.findChild(QComboBox, "dice_word_count")
    assert isinstance(combo, QComboBox)
    combo.setCurrentIndex(combo.findData(24))
    _paste(driver, "dice_rolls", ROLLS[:98])
    assert "1 more to go" in _text(driver, "dice_state")
    _paste(driver, "dice_rolls", ROLLS)
    assert _text(driver, "dice_state") == "99 rolls counted, 255 bits: enough. More do no harm."
    driver.go_on()
    assert driver.page == "words_page"
    page = driver.window.page
    assert isinstance(page, WordsPage)
    system = hashlib.shake_256(b"1").digest(32)
    expected = hashlib.sha256(system + ROLLS.encode()).digest()
    assert page.seed.entropy == expected
    # The number of words was chosen with the dice.
    assert not page.count_choice.isVisible()
    _go_to_confirm(driver)
    _confirm(driver)
    driver.go_on()
    assert _payload(_finish(driver)).entropy == expected
    rolls_left = [edit.toPlainText() for edit in driver.window.findChildren(QPlainTextEdit)]
    assert rolls_left == [""]


def _go_to_confirm(driver: Driver) -> None:
    # A small screen shows the rest of the words first.
    for _ in range(4):
        if driver.page == "words_page":
            driver.go_on()
    assert driver.page == "confirm_page"


@pytest.mark.parametrize("language", ["spanish", "czech", "russian"])
def test_language_and_number_of_words_are_chosen_in_the_vault(
    drive: Drive, tmp_path: Path, language: str
) -> None:
    driver = drive(create_request(tmp_path))
    page = driver.window.page
    assert isinstance(page, WordsPage)
    first = page.seed
    page.language_choice.combo.setCurrentIndex(LANGUAGES.index(language))
    assert page.seed == Seed(first.entropy, language)
    page.count_choice.combo.setCurrentIndex(WORD_COUNTS.index(18))
    assert len(page.seed.entropy) == 24
    assert page.seed.language == language
    assert not page.seed.entropy.startswith(first.entropy)
    assert page.title.text() == "Write down these 18 words"
    assert language_name(language) in _text(driver, "words_language_note")
    seed = page.seed
    _go_to_confirm(driver)
    _confirm(driver)
    # Back, and another language: other words are asked for.
    driver.go_back()
    page.language_choice.combo.setCurrentIndex(0)
    _go_to_confirm(driver)
    confirm = driver.window.page
    assert isinstance(confirm, ConfirmWordsPage)
    assert confirm.seed == Seed(seed.entropy)
    driver.go_back()
    page.language_choice.combo.setCurrentIndex(LANGUAGES.index(language))
    _go_to_confirm(driver)
    _confirm(driver)
    driver.go_on()
    payload = _payload(_finish(driver))
    assert (payload.entropy, payload.language) == (seed.entropy, language)


def test_words_without_a_font_are_not_shown_as_boxes(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = drive(create_request(tmp_path))
    page = driver.window.page
    assert isinstance(page, WordsPage)
    monkeypatch.setattr(
        word_grid, "has_glyphs", lambda _font, text: text.isascii() and text.isprintable()
    )
    page.language_choice.combo.setCurrentIndex(LANGUAGES.index("korean"))
    assert not page.grid.isVisible()
    assert not page.primary.isEnabled()
    assert "no font for the Korean words" in driver.notice
    assert "Noto Sans CJK" in driver.notice
    page.language_choice.combo.setCurrentIndex(0)
    assert page.grid.isVisible()
    assert page.primary.isEnabled()


def test_a_random_source_that_breaks_meanwhile_ends_it(qtbot: QtBot, tmp_path: Path) -> None:
    driver = Driver(qtbot, create_request(tmp_path))
    page = driver.window.page
    assert isinstance(page, WordsPage)
    driver.flow._entropy = bytes  # type: ignore[attr-defined]  # zeroes from now on
    page.count_choice.combo.setCurrentIndex(4)
    assert driver.page == "refused_page"
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, Failed)
    assert reply.kind is FailureKind.ENTROPY
    assert list(tmp_path.iterdir()) == []


def test_a_new_passphrase_shows_the_fingerprint_it_makes(drive: Drive, tmp_path: Path) -> None:
    driver = drive(create_request(tmp_path, use_passphrase=True))
    _go_to_confirm(driver)
    _confirm(driver)
    driver.go_on()
    shown = []
    for passphrase in ("quiet harbour", "Quiet harbour"):
        driver.type("passphrase", passphrase)
        driver.type("passphrase_again", passphrase)
        driver.go_on()
        driver.wait_for("fingerprint_page")
        shown.append(_text(driver, "fingerprint_value").replace(" ", ""))
        if len(shown) == 1:
            driver.go_back()
            assert driver.page == "passphrase_page"
    assert shown[0] != shown[1]
    driver.go_on()
    payload = _payload(_finish(driver))
    assert payload.passphrase_fingerprint == bytes.fromhex(shown[1])
    assert signing.keyring(payload, "Quiet harbour").root.fingerprint.hex() == shown[1]


def test_restore_from_an_extended_private_key(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path / "x", script_types=("wpkh",))
    driver = drive(restore_request(tmp_path, source=SOURCE_XPRV))
    assert driver.page == "xprv_page"
    driver.go_on()
    assert "Paste or type" in driver.notice
    for text, sentence in (
        (WORDS, "restore the wallet from its words"),
        (ACCOUNT[:-1], "checksum"),
        (str(ROOT.neuter()), "public key"),
    ):
        _paste(driver, "xprv_text", text)
        driver.go_on()
        driver.wait_until(lambda: driver.page == "xprv_page")
        assert sentence in driver.notice
        assert text not in driver.notice
    _paste(driver, "xprv_text", ACCOUNT)
    driver.go_on()
    driver.wait_for("imported_page")
    first = sample.wallet.descriptors[0].first_address
    assert _text(driver, "imported_address_1") == first
    assert ROOT.fingerprint.hex() in _text(driver, "imported_place")
    driver.go_back()
    assert driver.page == "xprv_page"
    driver.go_on()
    driver.wait_for("imported_page")
    driver.go_on()
    reply = _finish(driver)
    payload = _payload(reply)
    assert payload.imported_xprv == ACCOUNT
    assert isinstance(reply, WalletCreated)
    description = read_state(Path(reply.path), reply.view_key).description
    assert description.descriptors == sample.wallet.description.descriptors
    assert [edit.toPlainText() for edit in driver.window.findChildren(QPlainTextEdit)] == [""]


def test_words_are_shown_again_behind_a_warning_and_a_button(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path, passphrase="quiet harbour")
    driver = drive(ShowWords(str(sample.path)))
    driver.type("secrets_password", "wrong")
    driver.go_on()
    driver.wait_until(lambda: "password is wrong" in driver.notice)
    driver.type("secrets_password", PASSWORD)
    driver.go_on()
    driver.wait_for("alone_page")
    # Return alone does not agree.
    driver.window.page.setFocus()
    driver.press(Qt.Key.Key_Return)
    driver.wait_for("alone_page")
    driver.go_on()
    page = driver.window.page
    assert isinstance(page, ShownWordsPage)
    seen = [page.grid.is_hidden]
    driver.click(page.button)
    assert page.button.text() == "&Hide the words (60 s)"
    seen.append(page.grid.is_hidden)
    driver.click(page.button)
    seen.append(page.grid.is_hidden)
    driver.click(page.button)
    for _ in range(59):
        page._tick()
    seen.append(page.grid.is_hidden)
    page._tick()
    seen.append(page.grid.is_hidden)
    assert seen == [True, False, True, False, True]
    texts = [label.text() for label in page.findChildren(QLabel)]
    assert any(sample.wallet.description.fingerprint in text for text in texts)
    assert not any("winner" in text for text in texts)
    driver.go_on()
    assert driver.wait_for_reply() == WordsShown()
    assert page.grid._words == ()


def test_an_imported_wallet_says_that_it_has_no_words(drive: Drive, tmp_path: Path) -> None:
    request = restore_request(tmp_path, source=SOURCE_XPRV)
    keys = ImportedKeys.parse(ACCOUNT, REGTEST)
    created = creation.create(request, keys, NEW, TINY_COST, lambda _step, _fraction: None)
    driver = drive(ShowWords(created.reply.path))
    driver.type("secrets_password", NEW)
    driver.go_on()
    driver.wait_for("refused_page")
    assert "no words" in driver.notice
    driver.go_on()
    assert isinstance(driver.wait_for_reply(), Failed)


def test_a_file_of_an_older_program_is_sealed_anew_when_it_is_unlocked(
    drive: Drive, tmp_path: Path
) -> None:
    weaker = KdfParameters(16, 1, 1)
    sample = make_wallet(tmp_path, cost=PasswordCost(weaker, weaker, weaker))
    cost = PasswordCost(TINY, TINY, weaker)
    contents = WalletFile.read(sample.path, minimum=weaker)
    assert contents.view_header.kdf == weaker
    unlocked = unlock(sample.path, PASSWORD, cost)
    after = WalletFile.read(sample.path, minimum=weaker)
    assert after.view_header.kdf == TINY
    # Its older copy is one of the new file, too: none is left that is cheaper to guess at.
    older = WalletFile.read(sample.path.with_name(sample.path.name + ".1"), minimum=weaker)
    assert older.view_header.kdf == TINY
    driver = drive(UnlockWallet(str(sample.path)))
    driver.type("unlock_password", PASSWORD)
    driver.go_on()
    assert driver.wait_for_reply() == unlocked.reply


def test_after_five_wrong_old_passwords_it_waits(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    driver = drive(ChangePassword(str(sample.path)))
    for _ in range(5):
        assert driver.window.page.primary.isEnabled()
        driver.type("old_password", "wrong password")
        driver.type("new_password", NEW)
        driver.type("new_password_again", NEW)
        driver.go_on()
        driver.wait_until(lambda: driver.page == "new_password_page")
        assert driver.notice.startswith("The password is wrong")
    assert "Next try in 5 seconds" in driver.notice
    assert not driver.window.page.primary.isEnabled()


def test_a_passphrase_can_be_looked_at_while_it_is_typed(drive: Drive, tmp_path: Path) -> None:
    driver = drive(restore_request(tmp_path, use_passphrase=True))
    _paste(driver, "restore_words", WORDS)
    driver.go_on()
    page = driver.window.page
    assert isinstance(page, PassphrasePage)
    hidden, shown = QLineEdit.EchoMode.Password, QLineEdit.EchoMode.Normal
    modes = [page.passphrase_edit.echoMode()]
    page.show_box.click()
    modes.append(page.passphrase_edit.echoMode())
    page.show_box.click()
    modes.append(page.passphrase_edit.echoMode())
    assert modes == [hidden, shown, hidden]
    noted = []
    for text in ("quiet harbour", "quiet harbour ", "\u3000quiet", "quiet"):
        page.passphrase_edit.setText(text)
        noted.append(page.blanks_note.isVisible())
    assert noted == [False, True, True, False]
    page.show_box.click()
    page.forget()
    assert page.passphrase_edit.text() == ""
    assert page.passphrase_edit.echoMode() == hidden
