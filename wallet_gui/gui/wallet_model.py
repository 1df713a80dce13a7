"""WalletModel: the last snapshot of the open wallet; pages listen to it, none asks the wallet."""

from collections.abc import Mapping

from PySide6.QtCore import QObject, Signal

from wallet_gui.app.published import PendingReport, PreviewSnapshot, SessionUpdate
from wallet_gui.chain.backend import CheckState
from wallet_gui.wallet.snapshot import WalletSnapshot

CHECKING_AGAIN = "Checking again\u2026"
MASK = "\u2022\u2022\u2022\u2022"


class WalletModel(QObject):
    """Compares each new snapshot with the last one and emits what changed."""

    changed = Signal(object)
    balance_changed = Signal(object)
    history_changed = Signal(object)
    requests_changed = Signal(object)
    preview_changed = Signal(object)
    # The CheckState or None, and its sentence.
    check_changed = Signal(object, str)
    wallet_changed = Signal(str)
    privacy_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.wallet_id = ""
        self.snapshot: WalletSnapshot | None = None
        self.preview: PreviewSnapshot | None = None
        self.pending: Mapping[bytes, PendingReport] = {}
        self.check: CheckState | None = None
        self.check_sentence = ""
        self.hides_amounts = False

    @property
    def is_doubted(self) -> bool:
        """Whether the balance contradicts the node's own set of coins: it is not shown then."""
        return self.check is CheckState.DIFFERS

    def show_wallet(self, wallet_id: str) -> None:
        """Follow another wallet; "" follows none."""
        self.wallet_id = wallet_id
        self.snapshot = None
        self.preview = None
        self.pending = {}
        self.check, self.check_sentence = None, ""
        self.wallet_changed.emit(wallet_id)
        self.preview_changed.emit(None)
        self.check_changed.emit(None, "")

    def hide_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        """Mask or show amounts on every page."""
        self.hides_amounts = hidden
        self.privacy_changed.emit(hidden)

    def update(self, update: SessionUpdate) -> None:
        """Take a new snapshot, if it is of the wallet on screen."""
        if update.wallet_id != self.wallet_id:
            return
        before, self.snapshot = self.snapshot, update.snapshot
        after = update.snapshot
        said_before, self.pending = self.pending, update.pending
        if (self.check, self.check_sentence) != (update.check, update.check_sentence):
            self.check, self.check_sentence = update.check, update.check_sentence
            self.check_changed.emit(update.check, update.check_sentence)
        if self.preview != update.preview:
            self.preview = update.preview
            self.preview_changed.emit(update.preview)
        if before is None or before.balance != after.balance:
            self.balance_changed.emit(after.balance)
        is_same = before is not None and before.history == after.history
        if not is_same or before is None or before.tip != after.tip or said_before != self.pending:
            self.history_changed.emit(after)
        if before is None or before.requests != after.requests:
            self.requests_changed.emit(after)
        self.changed.emit(after)


def masked(wallet: WalletModel, text: str) -> str:
    """The text of an amount, or dots in its place while amounts are hidden."""
    return MASK if wallet.hides_amounts else text
