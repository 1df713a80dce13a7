"""What the pages of the offline window work with: the open wallet, and one thing done at a time."""

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QObject, Signal

from wallet_gui.custody.keeper import Keeper
from wallet_gui.custody.open_wallet import OpenWallet
from wallet_gui.transfer.messages import NewWalletRequest
from wallet_gui.vault.offline.tasks import Task

IN_THE_VAULT: Final = "Go on in the window of the vault. It shows and asks what is secret."
_END_SECONDS: Final = 10.0


class Bench(QObject):
    """Holds the view of at most one wallet; `wallet_changed` when that is another one or none.

    `busy_changed` gives the sentence of what is under way, "" when nothing is.
    """

    wallet_changed = Signal()
    busy_changed = Signal(str)

    def __init__(self, keeper: Keeper, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.keeper = keeper
        self.opened: OpenWallet | None = None
        self._task: Task | None = None
        self._is_lock_wanted = False

    @property
    def is_busy(self) -> bool:
        return self._task is not None

    def do(
        self,
        what: str,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Do `work` in the background and hand its result to `done`, or its error to `failed`.

        Does nothing while something else is under way: the pages are disabled then.
        """
        if self._task is not None:
            return
        task = self._task = Task(self, work)

        def end(result: object, error: BaseException | None) -> None:
            self._task = None
            task.deleteLater()
            self.busy_changed.emit("")
            if error is None:
                done(result)
            else:
                failed(error)
            if self._is_lock_wanted:
                self.lock()

        task.ended.connect(end)
        self.busy_changed.emit(what)
        task.start()

    def cancel(self) -> None:
        """End the vault that is being asked; its request then fails as cancelled."""
        self.keeper.vault.cancel()

    # --- the open wallet

    def open(self, path: str, failed: Callable[[BaseException], None]) -> None:
        """Unlock a wallet; the one that is open is closed once the other one is."""
        if self.opened is not None and self.opened.path == path:
            return
        self.do(IN_THE_VAULT, lambda: self.keeper.open(path), self.take, failed)

    def make(self, request: NewWalletRequest, failed: Callable[[BaseException], None]) -> None:
        """Let the vault make a wallet of whatever kind, and open it."""
        self.do(IN_THE_VAULT, lambda: self.keeper.make(request), self.take, failed)

    def take(self, opened: OpenWallet) -> None:
        """Work with this wallet from now on."""
        before, self.opened = self.opened, opened
        if before is not None:
            before.close()
        self.wallet_changed.emit()

    def lock(self) -> None:
        """Close the wallet and forget its view key; `wallet_changed` says when that is done.

        A vault that is being asked ends first, and what it would have opened is closed again.
        """
        if self.is_busy:
            self._is_lock_wanted = True
            self.cancel()
            return
        was_asked, self._is_lock_wanted = self._is_lock_wanted, False
        if self.opened is not None:
            opened, self.opened = self.opened, None
            opened.close()
        elif not was_asked:
            return
        self.wallet_changed.emit()

    def close(self) -> None:
        """End the vault and close the wallet; for the end of the program."""
        self.keeper.close()
        if self._task is not None:
            self._task.wait(_END_SECONDS)
        if self.opened is not None:
            self.opened.close()
            self.opened = None
