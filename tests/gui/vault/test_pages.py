"""Single pages: what they show, what a screen reader hears, what cannot be taken out of them."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.unit.vault.samples import PASSWORD, TINY_COST, SampleWallet, make_wallet, sample_seed
from wallet_gui.keys.errors import NotEnoughMemory
from wallet_gui.keys.imported import ImportedKeys
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import REGTEST
from wallet_gui.transfer.messages import Cancelled, Failed, FailureKind
from wallet_gui.vault import signing
from wallet_gui.vault.background import Work
from wallet_gui.vault.dice_page import DicePage
from wallet_gui.vault.flows import wallet_name
from wallet_gui.vault.hardening import Protections
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.password_pages import (
    ChangePasswordPage,
    FingerprintPage,
    NewPasswordPage,
    PassphrasePage,
    UnlockPage,
)
from wallet_gui.vault.review_page import ReviewPage
from wallet_gui.vault.secret_edit import PasswordEdit, WordEdit, WordsEdit
from wallet_gui.vault.show_words import AlonePage, ShownWordsPage
from wallet_gui.vault.step_pages import DonePage, ProgressPage, RefusedPage
from wallet_gui.vault.window import VaultWindow
from wallet_gui.vault.words_pages import ConfirmWordsPage, RestorePage, WordsPage
from wallet_gui.vault.xprv_pages import ImportedPage, XprvPage
from wallet_gui.wallet.review import OutputKind
from wallet_gui.widgets.review_view import ReviewView

pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)

HOLDS = Protections("", no_core_dumps=True, not_traceable=True)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWallet:
    return make_wallet(tmp_path_factory.mktemp("wallet"))


@pytest.fixture
def window(qtbot: QtBot) -> VaultWindow:
    window = VaultWindow(HOLDS, lambda _step, _fraction: None)
    qtbot.addWidget(window)
    window.show()
    return window


def payment(sample: SampleWallet, amount_sat: int, fee_rate: str) -> signing.Payment:
    keys = signing.keyring(signing.open_payload(sample.path, PASSWORD, TINY_COST))
    request = sample.request(sample.plan(amount_sat, fee_rate))
    return signing.review_payment(request, signing.read_payment(request), keys)


def _pages(sample: SampleWallet) -> dict[str, Callable[[], VaultPage]]:
    seed = sample_seed()
    return {
        "words": lambda: WordsPage(seed),
        "confirm": lambda: ConfirmWordsPage(seed),
        "restore": RestorePage,
        "dice": lambda: DicePage(12),
        "xprv": XprvPage,
        "imported": lambda: ImportedPage(
            ImportedKeys(ExtendedPrivateKey.from_seed(seed.stretched(), REGTEST)),
            tuple(sample.wallet.descriptors),
        ),
        "fingerprint": lambda: FingerprintPage("cdb97da1", is_new=True),
        "alone": lambda: AlonePage("Savings"),
        "shown words": lambda: ShownWordsPage(seed, "A note."),
        "passphrase": lambda: PassphrasePage(is_new=True, secondary="&Back"),
        "old passphrase": lambda: PassphrasePage(is_new=False, secondary="Cancel"),
        "password": lambda: NewPasswordPage(TINY_COST, secondary="&Back"),
        "change": lambda: ChangePasswordPage(TINY_COST, "Savings"),
        "unlock": lambda: UnlockPage("Unlock", "Text", primary="&Unlock"),
        "review": lambda: ReviewPage(payment(sample, 40_000_000, "5")),
        "high fee": lambda: ReviewPage(payment(sample, 50_000, "10")),
        "extreme fee": lambda: ReviewPage(payment(sample, 1_000, "100")),
        "progress": ProgressPage,
        "done": lambda: DonePage("Done", "Text", ("A notice.",), primary="&Close"),
        "refused": lambda: RefusedPage("Refused", "A sentence."),
    }


PAGES = (
    "words",
    "confirm",
    "restore",
    "dice",
    "xprv",
    "imported",
    "fingerprint",
    "alone",
    "shown words",
    "passphrase",
    "old passphrase",
    "password",
    "change",
    "unlock",
    "review",
    "high fee",
    "extreme fee",
    "progress",
    "done",
    "refused",
)


@pytest.mark.parametrize("name", PAGES)
def test_every_control_is_named_and_reached_by_keyboard(
    window: VaultWindow, sample: SampleWallet, name: str
) -> None:
    page = _pages(sample)[name]()
    if isinstance(page, ProgressPage):
        page.show_step("Working", 0.5)
    window.show_page(page)
    controls = [
        widget
        for kind in (QAbstractButton, QLineEdit, QPlainTextEdit)
        for widget in window.findChildren(kind)
        if widget.isVisible()
    ]
    names = [widget.objectName() for widget in controls]
    assert all(names), controls
    assert len(set(names)) == len(names)
    for widget in controls:
        assert widget.accessibleName(), widget.objectName()
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget.objectName()
        if isinstance(widget, (QLineEdit, QPlainTextEdit)):
            # The name is a caption: the value stays what the field says.
            assert "satoshis" in widget.accessibleName() or len(widget.accessibleName()) < 40
    reached = set()
    for _ in range(3 * len(controls) + 3):
        focused: QWidget | None = window.focusWidget()
        reached.add("" if focused is None else focused.objectName())
        QTest.keyClick(page if focused is None else focused, Qt.Key.Key_Tab)
    # The buttons of the header and of the footer belong to the same round.
    assert set(names) <= reached


@pytest.mark.parametrize("name", PAGES)
def test_every_text_is_plain(window: VaultWindow, sample: SampleWallet, name: str) -> None:
    page = _pages(sample)[name]()
    window.show_page(page)
    labels = [
        label for label in window.findChildren(QLabel) if label.text() and label.buddy() is None
    ]
    assert labels
    for label in labels:
        assert label.textFormat() == Qt.TextFormat.PlainText, label.text()


def test_buttons_stand_under_the_column_where_nothing_scrolls(window: VaultWindow) -> None:
    page = RefusedPage("Refused", "A sentence.")
    window.show_page(page)
    bar = page.scroll_area.verticalScrollBar()
    assert bar.maximum() == 0
    right = page.scroll_area.viewport().mapTo(page, page.scroll_area.viewport().rect().topRight())
    footer = page.secondary.parentWidget()
    assert footer is not None
    held = footer.parentWidget()
    assert held is not None
    assert held.contentsRect().right() == right.x()


@pytest.mark.parametrize(
    ("protections", "said"),
    [
        (HOLDS, "blocked by the system"),
        (Protections("the kernel refused it", False, False), "in Python only"),
    ],
    ids=["all hold", "none holds"],
)
def test_header_tells_the_truth(qtbot: QtBot, protections: Protections, said: str) -> None:
    window = VaultWindow(protections, lambda _step, _fraction: None)
    qtbot.addWidget(window)
    assert said in window.header.state_label.text()
    for sentence in protections.sentences():
        assert sentence in window.header.details.text()
    window.show()
    assert not window.header.details.isVisible()
    window.header.details_button.click()
    assert window.header.details.isVisible()


def test_secret_fields_give_nothing_to_the_clipboard(qtbot: QtBot) -> None:
    clipboard = QGuiApplication.clipboard()
    shown = PasswordEdit("field", "Field")
    shown.setEchoMode(QLineEdit.EchoMode.Normal)  # "Show what is typed"
    for edit in (
        PasswordEdit("field", "Field"),
        shown,
        WordEdit("field", "Field"),
        WordsEdit("field", "Field"),
    ):
        qtbot.addWidget(edit)
        edit.show()
        clipboard.setText("before")
        QTest.keyClicks(edit, "secret")
        for key in (Qt.Key.Key_A, Qt.Key.Key_C, Qt.Key.Key_X, Qt.Key.Key_Insert):
            QTest.keyClick(edit, key, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClick(edit, Qt.Key.Key_Delete, Qt.KeyboardModifier.ShiftModifier)
        inside = edit.viewport() if isinstance(edit, WordsEdit) else edit
        QTest.keyClicks(edit, "secret")
        QTest.mouseDClick(inside, Qt.MouseButton.LeftButton)
        if clipboard.supportsSelection():
            assert "secret" not in clipboard.text(clipboard.Mode.Selection)
        QTest.keyClick(edit, Qt.Key.Key_Home, Qt.KeyboardModifier.ShiftModifier)
        QTest.keyClick(edit, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        assert "secret" not in clipboard.text()
        if clipboard.supportsSelection():
            assert "secret" not in clipboard.text(clipboard.Mode.Selection)


def test_what_is_deleted_does_not_go_to_the_clipboard(qtbot: QtBot) -> None:
    standard = QKeySequence.StandardKey
    clipboard = QGuiApplication.clipboard()
    for key, left in ((standard.DeleteEndOfLine, "sec"), (standard.DeleteCompleteLine, "")):
        edit = WordEdit("field", "Field")
        qtbot.addWidget(edit)
        edit.setText("secret")
        edit.setCursorPosition(3)
        clipboard.setText("before")
        # Ctrl+K and Ctrl+U under X11; some other systems have no such keys.
        for sequence in QKeySequence.keyBindings(key):
            QTest.keySequence(edit, sequence)
        edit.delete(all_of_it=not left)
        assert edit.text() == left
        assert clipboard.text() == "before"


def test_words_can_be_pasted(qtbot: QtBot) -> None:
    edit = WordsEdit("field", "Field")
    qtbot.addWidget(edit)
    QGuiApplication.clipboard().setText("legal winner")
    edit.paste()
    assert edit.toPlainText() == "legal winner"


def test_password_is_taken_once(qtbot: QtBot) -> None:
    edit = PasswordEdit("field", "Field")
    qtbot.addWidget(edit)
    edit.setText("secret")
    assert edit.echoMode() == QLineEdit.EchoMode.Password
    assert edit.take() == "secret"
    assert edit.text() == ""


# --- work in the background


def _work(window: VaultWindow, work: Work) -> tuple[VaultPage, list[object], list[Exception]]:
    page = RefusedPage("Back here", "")
    done: list[object] = []
    failed: list[Exception] = []
    window.work(work, done.append, failed.append, back_to=page)
    return page, done, failed


def test_the_window_lives_while_work_goes_on(qtbot: QtBot, window: VaultWindow) -> None:
    go = threading.Event()

    def work(step: Callable[[str, float | None], None]) -> str:
        step("Half", 0.5)
        go.wait(10)
        return threading.current_thread().name

    _, done, failed = _work(window, work)
    assert window.page is window.progress_page
    qtbot.waitUntil(lambda: window.progress_page.bar.value() == 50)
    assert window.progress_page.bar.accessibleName() == "Half: 50 %"
    go.set()
    qtbot.waitUntil(lambda: done == ["vault"])
    assert failed == []
    assert not window.is_working


def test_cancelled_work_comes_back_to_its_page(qtbot: QtBot, window: VaultWindow) -> None:
    go = threading.Event()
    reached = []

    def work(step: Callable[[str, float | None], None]) -> None:
        step("First", None)
        go.wait(10)
        step("Second", None)
        reached.append("after the cancel")

    page, done, failed = _work(window, work)
    window.progress_page.secondary.click()
    assert not window.progress_page.secondary.isEnabled()
    # The window does not close while something may be written.
    window.close()
    assert window.isVisible()
    go.set()
    qtbot.waitUntil(lambda: window.page is page)
    assert (done, failed, reached) == ([], [], [])


def test_an_expected_error_comes_back_to_its_page(qtbot: QtBot, window: VaultWindow) -> None:
    def work(_step: object) -> None:
        raise NotEnoughMemory("There is not enough memory. Close other programs.")

    page, _, failed = _work(window, work)
    qtbot.waitUntil(lambda: bool(failed))
    assert window.page is page
    assert isinstance(failed[0], NotEnoughMemory)


def test_a_bug_ends_the_vault_without_telling_values(
    qtbot: QtBot, window: VaultWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: None)

    def work(_step: object) -> None:
        raise RuntimeError("the password is hunter2")

    _work(window, work)
    qtbot.waitUntil(lambda: isinstance(window.page, RefusedPage) and not window.is_working)
    assert "RuntimeError" in window.page.notice.text
    assert "hunter2" not in window.page.notice.text
    window.close()
    assert isinstance(window.reply, Failed)
    assert window.reply.kind is FailureKind.INTERNAL


def test_the_first_reply_counts(window: VaultWindow) -> None:
    window.cancel()
    window.finish(Failed(FailureKind.INTERNAL, "Too late."))
    assert window.reply == Cancelled()


# --- the review


def test_review_view_shows_every_output_and_warning(qtbot: QtBot, sample: SampleWallet) -> None:
    seen = payment(sample, 40_000_000, "5").review
    outputs = tuple(
        replace(seen.payments[0], kind=kind, amount_sat=number * 1000)
        for number, kind in enumerate(OutputKind, 1)
    )
    data = replace(outputs[4], address="", script_pubkey=b"\x6a\x04data", amount_sat=0)
    review = replace(seen, payments=(*outputs[:4], data), warnings=("Be careful.",))
    view = ReviewView()
    qtbot.addWidget(view)
    view.set_review(review)
    told = [label.text() for label in view.findChildren(QLabel)]
    assert "Be careful." in told
    assert "1 of 4: Pays" in told
    assert any("unusual address" in text for text in told)
    assert "script 6a04 6461 7461" in told
    view.set_review(seen, ("Another warning.",))
    told = [label.text() for label in view.findChildren(QLabel)]
    assert "Be careful." not in told
    assert "Another warning." in told
    names = [widget.objectName() for widget in view.findChildren(QWidget) if widget.objectName()]
    assert len([n for n in names if n == "review_fee"]) == 1


def test_names_of_files_are_shown_as_plain_text() -> None:
    assert wallet_name("/x/a\u202eb\nc.wallet") == "ab c"
    assert len(wallet_name(f"/x/{'n' * 300}.wallet")) <= 60
