"""PsbtFlow: payments that are signed elsewhere, from the send page to the network."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from wallet_gui.gui.engine import Call, Engine
from wallet_gui.gui.psbt_page import PsbtPage
from wallet_gui.gui.send_flow import SendFlow
from wallet_gui.gui.send_page import SendPage
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.wallet.errors import FeeTooHigh, WrongSignedPsbt
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import plain

if TYPE_CHECKING:
    from wallet_gui.app.online import Online
    from wallet_gui.app.psbt_desk import PsbtDesk, PsbtLook
    from wallet_gui.app.session import WalletSession
    from wallet_gui.gui.psbt_board import PsbtBoard
    from wallet_gui.primitives.transaction import Transaction
    from wallet_gui.wallet.spend import Recipient

Use = Callable[["PsbtDesk"], Coroutine[Any, Any, Any]]
_IN_THE_VAULT = "Go on in the vault window: it shows the payment and signs it."
_UNCHANGED = "Nothing was signed and nothing was sent."


class PsbtFlow(QObject):
    """Carries what page and send page want to the desk of the open wallet."""

    page_wanted = Signal()

    def __init__(
        self,
        engine: Engine,
        wallet: WalletModel,
        page: PsbtPage,
        send: SendPage,
        send_flow: SendFlow,
    ) -> None:
        super().__init__(page)
        self._engine = engine
        self._wallet = wallet
        self._page = page
        self._send = send
        self._send_flow = send_flow
        self._online: Online | None = None
        # Used by the engine's thread only.
        self._desk: tuple[WalletSession, PsbtDesk] | None = None
        self._made: PsbtBoard | None = None
        self.make_desk: Callable[[Online, str], PsbtDesk] = _make_desk
        page.opened.connect(self._list)
        send.offline_wanted.connect(self._ask)
        send_flow.bump_elsewhere.connect(self._bump)
        wallet.wallet_changed.connect(lambda _: self._forget_all())
        wallet.privacy_changed.connect(self._hide_amounts)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online

    @property
    def board(self) -> "PsbtBoard":
        """What the page shows; made when it is first wanted."""
        if self._made is None:
            from wallet_gui.gui.psbt_board import PsbtBoard  # noqa: PLC0415 - heavy

            board = self._made = PsbtBoard()
            board.given.connect(self._read)
            board.added.connect(self._add)
            board.open_wanted.connect(self._open)
            board.forget_wanted.connect(self._forget)
            board.sign_wanted.connect(self._sign)
            board.send_wanted.connect(self._finish)
            board.save_wanted.connect(self._save)
            board.closed.connect(self._close)
            board.hide_amounts(self._wallet.hides_amounts)
            self._page.set_content(board)
            self._send_flow.add_ladder(board.ladder)
        return self._made

    def _hide_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        if self._made is not None:
            self._made.hide_amounts(hidden)

    def _forget_all(self) -> None:
        """The wallet was locked, or is another one: nothing of it stays on screen."""
        if self._made is not None:
            self._made.set_busy("")
            self._made.show_start(())

    # --- the engine

    def _call(
        self,
        use: Use,
        on_success: Callable[[Any], None],
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> Call | None:
        """Use the desk; what belongs to a wallet that was closed meanwhile is dropped."""
        wallet_id = self._wallet.wallet_id
        if self._online is None or not wallet_id:
            return None

        def succeeded(value: object) -> None:
            if wallet_id == self._wallet.wallet_id:
                on_success(value)

        def failed(error: BaseException) -> None:
            if wallet_id == self._wallet.wallet_id:
                (on_failure or self._fail)(error)

        return self._engine.call(self._on_desk(wallet_id, use), self, succeeded, failed)

    async def _on_desk(self, wallet_id: str, use: Use) -> Any:
        if self._online is None:
            raise RuntimeError("The window has no online side yet.")
        session = self._online.session(wallet_id)
        if self._desk is None or self._desk[0] is not session:
            self._desk = session, self.make_desk(self._online, wallet_id)
        return await use(self._desk[1])

    def _fail(self, error: BaseException) -> None:
        self.board.set_busy("")
        words = sentence(error)
        if words:
            self.board.show_failure(plain(words, 600))

    # --- the list

    def _list(self) -> None:
        board = self.board
        if board.look is None:
            self._call(lambda desk: desk.looks(), self._show_list)

    def _show_list(self, looks: "tuple[PsbtLook, ...]") -> None:
        if self.board.look is None:
            self.board.show_waiting(looks)

    def _close(self) -> None:
        self.board.notice.clear()
        self.board.ladder.clear()
        self.board.show_start(())
        self._list()

    def _open(self, look: "PsbtLook") -> None:
        self.board.notice.clear()
        self.board.show_payment(look)

    def _forget(self, look: "PsbtLook") -> None:
        self._call(
            lambda desk: desk.forget(look.txid),
            lambda _: self._forgotten(),
        )

    def _forgotten(self) -> None:
        self.board.say("The payment was given up here.")
        self._list()

    # --- asking, from the send page

    def _ask(
        self,
        recipients: "tuple[Recipient, ...]",
        fee_rate: FeeRate,
        allow_high_fee: bool,  # noqa: FBT001 - a Qt slot
    ) -> None:
        def failed(error: BaseException) -> None:
            self._send.show_failure(sentence(error), is_high_fee=isinstance(error, FeeTooHigh))

        call = self._call(
            lambda desk: desk.ask(recipients, fee_rate, allow_high_fee=allow_high_fee),
            self._asked,
            failed,
        )
        if call is None:
            self._send.set_ready()

    def _asked(self, look: "PsbtLook") -> None:
        self._send.show_sent()
        self._show(look)

    def _bump(
        self,
        txid: bytes,
        fee_rate: FeeRate | None,
        allow_high_fee: bool,  # noqa: FBT001 - a Qt slot
    ) -> None:
        self._call(
            lambda desk: desk.ask_bump(txid, fee_rate, allow_high_fee=allow_high_fee),
            self._show,
            self._send_flow.bump_failed,
        )

    def _show(self, look: "PsbtLook") -> None:
        self.board.notice.clear()
        self.board.show_payment(look)
        self.page_wanted.emit()

    # --- reading and comparing

    def _read(self, given: Path | str | bytes) -> None:
        self._call(lambda desk: desk.read(given), self._was_read)

    def _was_read(self, look: "PsbtLook") -> None:
        self.board.notice.clear()
        self.board.show_payment(look)

    def _add(self, given: Path | str | bytes) -> None:
        look = self.board.look
        if look is None:
            self._read(given)
            return

        def failed(error: BaseException) -> None:
            words = plain(sentence(error), 600)
            if isinstance(error, WrongSignedPsbt):
                self.board.show_refusal(words)
            else:
                self.board.show_failure(words)

        self._call(lambda desk: desk.add(look.psbt, given), self._was_added, failed)

    def _was_added(self, look: "PsbtLook") -> None:
        before = self.board.look
        if before is None or before.txid != look.txid:
            return
        self.board.show_payment(look)
        self.board.show_compared(compared_words(look))

    # --- signing, saving, sending

    def _sign(self) -> None:
        look = self.board.look
        if look is None:
            return
        if self._send_flow.is_signing:
            self.board.show_failure("Finish the review that is open first.")
            return
        if look.why_not_sign:
            self.board.show_failure(look.why_not_sign)
            return
        self.board.set_busy(_IN_THE_VAULT)
        call = self._call(lambda desk: desk.sign(look.psbt), self._signed, self._not_signed)
        if call is not None:
            self._send_flow.watch(call)
            call.cancelled.connect(lambda: self.board.set_busy(""))

    def _signed(self, look: "PsbtLook") -> None:
        self.board.set_busy("")
        before = self.board.look
        if before is not None and before.txid == look.txid:
            self.board.show_payment(look)
            self.board.show_compared(compared_words(look))

    def _not_signed(self, error: BaseException) -> None:
        self.board.set_busy("")
        words = sentence(error)
        if words:
            self.board.show_failure(plain(words, 600))
        else:
            self.board.say(_UNCHANGED)

    def _save(self, path: Path) -> None:
        look = self.board.look
        if look is not None:
            self._call(
                lambda desk: desk.save(look.psbt, path),
                lambda _: self._saved(path.name),
            )

    def _saved(self, name: str) -> None:
        look = self.board.look
        if look is not None and look.is_asked:
            self.board.notice.clear()
            self.board.steps.show_saved(name)
        else:
            self.board.say(f"Saved as {plain(name, 80)}.")

    def _finish(self) -> None:
        look = self.board.look
        if look is None:
            return
        if look.why_not_send:
            self.board.show_failure(look.why_not_send)
            return
        self.board.set_busy("Checking every signature once more.")
        self._call(lambda desk: desk.finalize(look.psbt), self._finished)

    def _finished(self, tx: "Transaction") -> None:
        board = self.board
        board.set_busy("")
        board.show_start(())
        self._list()
        if self._online is None:
            return
        desk_call = self._on_desk(self._wallet.wallet_id, lambda desk: desk.broadcast(tx))
        self._send_flow.broadcast(tx.txid, desk_call)


def compared_words(look: "PsbtLook") -> str:
    """Say what was compared, and how many signatures there are now."""
    signatures = look.signatures
    same = "It is the same payment: recipients, amounts, coins and fee are unchanged."
    if look.is_complete:
        return f"{same} Every signature is valid."
    count = f"{signatures.present} of {signatures.required}"
    return f"{same} {count} signatures are there and valid. {signatures.missing_words()}"


def _make_desk(online: "Online", wallet_id: str) -> "PsbtDesk":
    from wallet_gui.app.psbt_desk import PsbtDesk  # noqa: PLC0415 - heavy

    return PsbtDesk(online, wallet_id)
