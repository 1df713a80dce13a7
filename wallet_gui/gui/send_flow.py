"""SendFlow: from the send page through the vault's review to the network and back."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from wallet_gui.chain.backend import BroadcastProgress, BroadcastResult
from wallet_gui.gui.broadcast_ladder import BroadcastLadder
from wallet_gui.gui.engine import Call, Engine
from wallet_gui.gui.history_page import HistoryPage
from wallet_gui.gui.send_page import SendPage
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet.errors import FeeTooHigh
from wallet_gui.wallet.snapshot import Signing, WalletSnapshot
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import plain

if TYPE_CHECKING:
    from wallet_gui.app.online import Online
    from wallet_gui.wallet.draft import SpendPlan
    from wallet_gui.wallet.spend import Recipient


class SendFlow(QObject):
    """Plan, review and sign in the vault, store, broadcast; each step says how it went.

    `bump_elsewhere` (txid, fee rate or None, whether a high fee was confirmed) is for wallets whose
    keys do not complete a payment here.
    """

    bump_elsewhere = Signal(object, object, bool)

    def __init__(
        self, engine: Engine, wallet: WalletModel, send: SendPage, history: HistoryPage
    ) -> None:
        super().__init__(send)
        self._engine = engine
        self._online: Online | None = None
        self._wallet = wallet
        self._send = send
        self._history = history
        self._preview_number = 0
        self._signing: Call | None = None
        self._sent: bytes | None = None
        self._ladders = [send.ladder, history.ladder]
        send.preview_wanted.connect(self._preview)
        send.review_wanted.connect(self._review)
        history.rebroadcast_wanted.connect(self._rebroadcast)
        history.bump_wanted.connect(self._bump)
        history.abandon_wanted.connect(self._abandon)
        wallet.wallet_changed.connect(lambda _: self._forget())
        wallet.changed.connect(self._follow)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online

    @property
    def is_signing(self) -> bool:
        """Whether the vault is open, where the person may be reading or typing."""
        return self._signing is not None

    def add_ladder(self, ladder: BroadcastLadder) -> None:
        """Show there, too, how far a payment gets."""
        self._ladders.append(ladder)

    def take(self, value: object) -> None:
        """Take what the engine published about a broadcast under way."""
        if isinstance(value, BroadcastProgress) and value.txid == self._sent:
            for ladder in self._ladders:
                ladder.reach(value.stage, value.peers)

    def _follow(self, snapshot: WalletSnapshot) -> None:
        """What a block holds needs no evidence any more that it spreads."""
        if self._sent is None:
            return
        # The newest come first, so that this ends soon.
        entry = next((entry for entry in snapshot.history if entry.txid == self._sent), None)
        if entry is not None and entry.height is not None:
            self._sent = None
            for ladder in self._ladders:
                ladder.clear()

    def _forget(self) -> None:
        """The wallet was locked: a review that is still open ends with it."""
        self._preview_number += 1
        self._sent = None
        for ladder in self._ladders:
            ladder.clear()
        if self._signing is not None:
            self._signing.cancel()
            self._signing = None

    # --- the send page

    def _preview(
        self,
        recipients: "tuple[Recipient, ...]",
        fee_rate: FeeRate,
        allow_high_fee: bool,  # noqa: FBT001 - a Qt slot
    ) -> None:
        if self._online is None or not self._wallet.wallet_id:
            return
        self._preview_number += 1
        number = self._preview_number

        def shown(plan: "SpendPlan") -> None:
            if number == self._preview_number:
                self._send.show_preview(plan)

        def failed(error: BaseException) -> None:
            if number == self._preview_number:
                self._send.show_preview_failure(
                    sentence(error), is_high_fee=isinstance(error, FeeTooHigh)
                )

        self._engine.call(
            self._online.plan_payment(
                self._wallet.wallet_id, recipients, fee_rate, allow_high_fee=allow_high_fee
            ),
            self,
            shown,
            failed,
        )

    def _review(
        self,
        recipients: "tuple[Recipient, ...]",
        fee_rate: FeeRate,
        allow_high_fee: bool,  # noqa: FBT001 - a Qt slot
    ) -> None:
        if self._online is None:
            self._send.set_ready()
            return
        self._preview_number += 1
        self.watch(
            self._engine.call(
                self._online.pay(
                    self._wallet.wallet_id, recipients, fee_rate, allow_high_fee=allow_high_fee
                ),
                self,
                self._signed,
                self._not_signed,
            )
        )

    def watch(self, call: Call) -> None:
        """Take a call that opens the vault as the one under way."""
        self._signing = call
        for signal in (call.succeeded, call.failed, call.cancelled):
            signal.connect(self._end_signing)

    def _end_signing(self) -> None:
        self._signing = None

    def _not_signed(self, error: BaseException) -> None:
        text = sentence(error)
        if text:
            self._send.show_failure(text, is_high_fee=isinstance(error, FeeTooHigh))
        else:
            self._send.show_cancelled()

    def _signed(self, tx: Transaction) -> None:
        if not self._wallet.wallet_id:
            return
        self._send.show_sent()
        self._history.notice.clear()
        self.broadcast(tx.txid)

    def broadcast(
        self, txid: bytes, sending: Coroutine[Any, Any, BroadcastResult] | None = None
    ) -> None:
        """Send a payment of the wallet, or by `sending`, and show how far it gets."""
        if self._online is None:
            return
        sending = sending or self._online.broadcast(self._wallet.wallet_id, txid)
        self._sent = txid
        for ladder in self._ladders:
            ladder.begin()

        def failed(error: BaseException) -> None:
            self._show_failure(txid, sentence(error))

        self._engine.call(sending, self, self._show_result, failed)

    def _show_result(self, result: BroadcastResult) -> None:
        if result.txid != self._sent:
            return
        if not result.is_accepted:
            self._show_failure(
                result.txid,
                result.detail or "No peer took the payment yet. It is kept and sent again.",
            )
            return
        for ladder in self._ladders:
            ladder.reach(result.stage, result.peers)

    def _show_failure(self, txid: bytes, text: str) -> None:
        if txid == self._sent and text:
            for ladder in self._ladders:
                ladder.fail(plain(text, 400))

    # --- the history page

    def _rebroadcast(self, txid: bytes) -> None:
        self._history.notice.clear()
        self.broadcast(txid)

    def _bump(
        self,
        txid: bytes,
        fee_rate: FeeRate | None,
        allow_high_fee: bool,  # noqa: FBT001 - a Qt slot
    ) -> None:
        if self._online is None:
            return
        if self.is_signing:
            self._history.notice.say("Finish the review that is open first.", WARNING)
            return
        shown = self._wallet.snapshot
        if shown is not None and shown.signing is not Signing.HERE:
            self.bump_elsewhere.emit(txid, fee_rate, allow_high_fee)
            return
        self._history.notice.say(
            "Opening the review of a replacement that pays a higher fee.", INFORMATION
        )
        self.watch(
            self._engine.call(
                self._online.bump(
                    self._wallet.wallet_id, txid, fee_rate, allow_high_fee=allow_high_fee
                ),
                self,
                self._signed,
                self.bump_failed,
            )
        )

    def bump_failed(self, error: BaseException) -> None:
        """Say on the history page why a replacement was not made."""
        text = sentence(error)
        if isinstance(error, FeeTooHigh):
            self._history.ask_high_fee(text)
        elif text:
            self._history.notice.say(text, ERROR)
        else:
            self._history.notice.say("Nothing was signed and nothing was sent.", INFORMATION)

    def _abandon(self, txid: bytes) -> None:
        if self._online is None:
            return
        self._engine.call(
            self._online.abandon(self._wallet.wallet_id, txid),
            self,
            lambda _: self._history.notice.say(
                "The payment is given up here and its coins are free again. If somebody still has "
                "it, it can confirm all the same.",
                WARNING,
            ),
            lambda error: self._history.notice.say(sentence(error), ERROR),
        )
