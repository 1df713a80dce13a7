"""The page Sign (PSBT) in the states that a person may meet."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from tests.gui.conftest import Screen
from tests.gui.samples import address, plan, snapshot
from tests.unit.app.desk_rig import RATE, SHARED, TO_PAYEE, DeskRig
from tests.unit.descriptors.cosigners import COSIGNERS
from wallet_gui.app.psbt_desk import PsbtLook
from wallet_gui.gui.psbt_flow import compared_words
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet.errors import WrongSignedPsbt
from wallet_gui.wallet.snapshot import Signing

T = TypeVar("T")
_NAMES = ("Anna", "Ben, who lives beyond the seven mountains and signs slowly", "Carla")


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what the engine would run."""
    return asyncio.run(coroutine)


def asked(rig: DeskRig) -> PsbtLook:
    """A payment that the wallet of a rig asked for."""
    return now(rig.desk().ask(TO_PAYEE, RATE))


def shared_rig(signer: int | None = 1) -> DeskRig:
    """Two of three, with names for the cosigners."""
    rig = DeskRig(SHARED, signer=signer)
    labels = [("xpub", COSIGNERS[n][1].serialize(), name) for n, name in enumerate(_NAMES)]
    now(rig.session.set_labels(labels))
    return rig


def _show(screen: Screen, rig: DeskRig, look: PsbtLook | None = None) -> None:
    screen.online.desk_rig = rig
    screen.open()
    screen.window.show_page("psbt")
    if look is not None:
        screen.window.psbt_flow.board.show_payment(look)


def _psbt_start(screen: Screen) -> None:
    _show(screen, DeskRig())


def _psbt_scan(screen: Screen) -> None:
    _show(screen, DeskRig())
    screen.window.psbt_flow.board.inputs.open_scanner()


def _psbt_waiting(screen: Screen) -> None:
    rig = shared_rig()
    looks = [asked(rig), asked(rig)]
    looks[0] = now(rig.desk().sign(looks[0].psbt))
    looks[1] = replace(looks[1], spent_by=bytes(32))
    _show(screen, rig)
    board = screen.window.psbt_flow.board
    board.show_waiting(looks)
    board._ask_forget(looks[0])


def _offline_take(screen: Screen) -> None:
    rig = DeskRig()
    _show(screen, rig, asked(rig))


def _offline_codes(screen: Screen) -> None:
    _offline_take(screen)
    screen.window.psbt_flow.board.steps.outputs.qr_button.click()


def _offline_return(screen: Screen) -> None:
    _offline_take(screen)
    steps = screen.window.psbt_flow.board.steps
    steps.show_saved("payment-1234.psbt")
    steps.inputs.scan_button.click()


def _offline_refused(screen: Screen) -> None:
    rig = DeskRig()
    look = asked(rig)
    outputs = (replace(look.psbt.tx.outputs[0], value_sat=1), *look.psbt.tx.outputs[1:])
    other = look.psbt.copy()
    other.tx = Transaction(2, look.psbt.tx.inputs, outputs, look.psbt.tx.lock_time)
    _show(screen, rig, look)
    board = screen.window.psbt_flow.board
    board.steps._went()
    try:
        now(rig.desk().returned(look.psbt, rig.sign(other)))
    except WrongSignedPsbt as error:
        board.show_refusal(str(error))


def _offline_send(screen: Screen) -> None:
    rig = DeskRig()
    look = asked(rig)
    _show(screen, rig, look)
    look = now(rig.desk().add(look.psbt, rig.sign(look.psbt)))
    board = screen.window.psbt_flow.board
    board.show_payment(look)
    board.show_compared(compared_words(look))


def _shared_asked(screen: Screen) -> None:
    rig = shared_rig()
    _show(screen, rig, asked(rig))


def _shared_on(screen: Screen) -> None:
    rig = shared_rig()
    look = asked(rig)
    _show(screen, rig, look)
    look = now(rig.desk().sign(look.psbt))
    board = screen.window.psbt_flow.board
    board.show_payment(look)
    board.show_compared(compared_words(look))


def _psbt_others(screen: Screen) -> None:
    made = asked(DeskRig(SHARED)).psbt
    rig = shared_rig()
    _show(screen, rig, now(rig.desk().read(rig.sign(made, 0).serialize())))


def _psbt_others_copy(screen: Screen) -> None:
    _psbt_others(screen)
    screen.window.psbt_flow.board.choices.add_button.click()


def _psbt_unknown(screen: Screen) -> None:
    rig = DeskRig()
    made = asked(DeskRig(SHARED)).psbt
    _show(screen, rig, now(rig.desk().read(Psbt.from_unsigned_tx(made.tx).serialize())))


def _send_watching(screen: Screen) -> None:
    screen.open(replace(snapshot(), signing=Signing.ELSEWHERE))
    screen.window.show_page("send")
    page = screen.window.send
    page.rows[0].payee.setText(address(1))
    page.rows[0].amount.setText("0.1")
    page._timer.stop()
    page.show_preview(plan())


PSBT_PAGES: dict[str, Callable[[Screen], None]] = {
    function.__name__.lstrip("_"): function
    for function in (
        _psbt_start,
        _psbt_scan,
        _psbt_waiting,
        _offline_take,
        _offline_codes,
        _offline_return,
        _offline_refused,
        _offline_send,
        _shared_asked,
        _shared_on,
        _psbt_others,
        _psbt_others_copy,
        _psbt_unknown,
        _send_watching,
    )
}
