"""BackupFlow: from the reminder and the card of the settings to the vault and the disk and back."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QLocale, QObject, QTimer
from PySide6.QtWidgets import QFileDialog

from wallet_gui.gui.backup_card import BackupCard
from wallet_gui.gui.backup_settings import BackupSettings
from wallet_gui.gui.engine import Call, Engine
from wallet_gui.gui.overview_page import OverviewPage
from wallet_gui.gui.settings_page import SettingsPage
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.storage.file_names import WALLET_SUFFIX
from wallet_gui.transfer.messages import BackupChecked, WordsDrilled
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING
from wallet_gui.widgets.sentences import sentence

if TYPE_CHECKING:
    from wallet_gui.app.backups import Backups, BackupStatus
    from wallet_gui.app.online import Online

_LOOK_AGAIN_MS: Final = 10_000
_FILTER: Final = f"Wallet files (*{WALLET_SUFFIX});;All files (*)"
_IN_VAULT: Final = "Go on in the window of the vault."


class BackupFlow(QObject):
    """Shows how the backups are doing, and does what is asked about them, one thing at a time."""

    def __init__(
        self, engine: Engine, wallet: WalletModel, overview: OverviewPage, settings: SettingsPage
    ) -> None:
        super().__init__(settings)
        self._engine = engine
        self._wallet = wallet
        self._online: Online | None = None
        self._asking: Call | None = None
        self.card = BackupCard(overview)
        overview.body.insertWidget(1, self.card)
        self.settings = BackupSettings(settings)
        settings.add_card(self.settings)
        for source in (self.card, self.settings):
            source.words_wanted.connect(self._drill)
            source.file_wanted.connect(self._check_file)
            source.copy_wanted.connect(self._save_copy)
        self.card.later_wanted.connect(lambda: self._do(lambda backups: backups.put_off()))
        self.settings.show_wanted.connect(self._show_words)
        self.settings.sheet_wanted.connect(self._print_sheet)
        self.settings.password_wanted.connect(self._change_password)
        self.settings.folder_wanted.connect(self._choose_folder)
        self.settings.stop_wanted.connect(
            lambda: self._do(lambda backups: backups.use_folder(None))
        )
        self.settings.retry_wanted.connect(lambda: self._do(lambda backups: backups.copy_now()))
        self.settings.remove_wanted.connect(
            lambda: self._do(lambda backups: backups.remove_older_passwords())
        )
        # What is due comes with time, and dated copies are made without being asked for.
        self._clock = QTimer(self)
        self._clock.setInterval(_LOOK_AGAIN_MS)
        self._clock.timeout.connect(self.refresh)
        wallet.wallet_changed.connect(self._follow)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online

    @property
    def is_asking(self) -> bool:
        """Whether the vault is open, where the person may be reading or typing."""
        return self._asking is not None

    def _follow(self, wallet_id: str) -> None:
        self._show(None)
        call, self._asking = self._asking, None
        if call is not None:
            call.cancel()
        self._set_busy(is_busy=False)
        if wallet_id:
            self._clock.start()
            # The wallet is shown first; then what else there is to say about it.
            QTimer.singleShot(0, self.refresh)
        else:
            self._clock.stop()

    # --- what is shown

    def refresh(self) -> None:
        """Read again how the backups are doing."""
        wallet_id = self._wallet.wallet_id

        def shown(status: "BackupStatus") -> None:
            if wallet_id == self._wallet.wallet_id:
                self._show(status)

        if wallet_id and self._online is not None:
            self._call(lambda backups: backups.status(), shown, lambda _: None)

    def _show(self, status: "BackupStatus | None") -> None:
        self.card.show_status(status)
        self.settings.show_status(status)

    def _set_busy(self, *, is_busy: bool) -> None:
        self.card.set_busy(is_busy=is_busy)
        self.settings.set_busy(is_busy=is_busy)

    # --- what is asked for

    def _call(
        self,
        work: "Callable[[Backups], Awaitable[Any]]",
        done: Callable[[Any], None],
        failed: Callable[[BaseException], None],
    ) -> Call | None:
        online, wallet_id = self._online, self._wallet.wallet_id
        if online is None or not wallet_id:
            return None

        async def run() -> Any:
            from wallet_gui.app.backups import Backups  # noqa: PLC0415 - after the first window

            return await work(Backups(online, wallet_id))

        return self._engine.call(run(), self, done, failed)

    def _do(
        self,
        work: "Callable[[Backups], Awaitable[Any]]",
        words: Callable[[Any], tuple[str, str]] = lambda _: ("", INFORMATION),
        meanwhile: str = "",
    ) -> None:
        """Do one thing; the buttons wait for it, and the card says how it went."""
        wallet_id = self._wallet.wallet_id
        notice = self.settings.notice

        def ended(text: str, kind: str) -> None:
            if wallet_id != self._wallet.wallet_id:
                return
            self._asking = None
            self._set_busy(is_busy=False)
            if text:
                notice.say(text, kind)
            else:
                notice.clear()
            self.refresh()

        call = self._call(
            work,
            lambda result: ended(*words(result)),
            lambda error: ended(sentence(error), ERROR),
        )
        if call is None:
            return
        call.cancelled.connect(lambda: ended("", INFORMATION))
        self._asking = call
        self._set_busy(is_busy=True)
        if meanwhile:
            notice.say(meanwhile)
        else:
            notice.clear()

    def _drill(self) -> None:
        def words(drilled: WordsDrilled) -> tuple[str, str]:
            if drilled.is_right or not drilled.word_count:
                return drilled.sentence, INFORMATION
            return drilled.sentence, WARNING

        self._do(lambda backups: backups.drill_words(), words, _IN_VAULT)

    def _show_words(self) -> None:
        self._do(lambda backups: backups.show_words(), meanwhile=_IN_VAULT)

    def _change_password(self) -> None:
        def words(notices: tuple[str, ...]) -> tuple[str, str]:
            changed = "The password is changed. Copies that you made earlier open with the old one."
            return " ".join([changed, *notices]), WARNING if notices else INFORMATION

        self._do(lambda backups: backups.change_password(), words, _IN_VAULT)

    def _check_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self.settings, "Choose the copy to be checked", "", _FILTER
        )
        if not path:
            return

        def words(checked: BackupChecked) -> tuple[str, str]:
            text = " ".join([checked.sentence, *checked.differences])
            return text, INFORMATION if checked.is_same else ERROR

        self._do(lambda backups: backups.check_file(Path(path)), words, _IN_VAULT)

    def _save_copy(self) -> None:
        # What is there already is judged when the copy is written, and never just overwritten.
        path, _ = QFileDialog.getSaveFileName(
            self.settings,
            "Save a copy of the wallet file",
            f"{self._name()} copy{WALLET_SUFFIX}",
            _FILTER,
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if not path:
            return

        def words(target: Path) -> tuple[str, str]:
            where = f"Saved and read back: {target.name} in {target.parent}."
            return f"{where} It opens with the password of the wallet.", INFORMATION

        self._do(lambda backups: backups.save_copy(Path(path)), words, "Saving the copy …")

    def _print_sheet(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self.settings,
            "Save the backup sheet to be printed",
            f"{self._name()} backup sheet.pdf",
            "PDF (*.pdf)",
        )
        if not path:
            return
        metric = QLocale.system().measurementSystem() is QLocale.MeasurementSystem.MetricSystem

        def words(target: Path) -> tuple[str, str]:
            where = f"Saved as {target.name} in {target.parent}."
            return f"{where} Print it, and write the words in by hand.", INFORMATION

        page_size = "A4" if metric else "Letter"
        self._do(
            lambda backups: backups.write_sheet(Path(path), page_size),
            words,
            "Drawing the sheet …",
        )

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(
            self.settings, "Choose the folder for dated copies, best on another disk"
        )
        if path:
            self._do(lambda backups: backups.use_folder(Path(path)))

    def _name(self) -> str:
        return Path(self._wallet.wallet_id).name.removesuffix(WALLET_SUFFIX)
