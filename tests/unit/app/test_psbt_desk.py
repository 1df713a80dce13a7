import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app.desk_rig import NOW, PAYEE, RATE, SHARED, TO_PAYEE, DeskRig, signed_by
from tests.unit.descriptors.cosigners import COSIGNERS, ROOTS
from tests.unit.wallet.chain_world import foreign_script
from wallet_gui.app import psbt_files, psbt_waiting
from wallet_gui.app.psbt_desk import NotComplete
from wallet_gui.app.psbt_files import PsbtFileError
from wallet_gui.app.vault_client import VaultCancelled
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction, TxOut
from wallet_gui.storage.errors import WriteFailed
from wallet_gui.wallet import psbt_roles
from wallet_gui.wallet.errors import WrongSignedPsbt

FINGERPRINTS = [root.fingerprint.hex() for root in ROOTS[:3]]


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def finished(psbt: Psbt) -> Transaction:
    return psbt_roles.extract(psbt_roles.finalize(psbt))


def test_a_watching_wallet_asks_takes_back_and_sends() -> None:
    async def scenario() -> None:
        rig = DeskRig()
        desk = rig.desk()
        look = await desk.ask(TO_PAYEE, RATE)
        assert look.review is not None
        assert look.review.sent_sat == 150_000_000
        assert look.is_asked
        assert look.is_kept
        assert "only watches" in look.why_not_sign
        assert look.why_not_send == "It is not signed yet."
        assert all(part.non_witness_utxo is not None for part in look.psbt.inputs)
        with pytest.raises(NotComplete, match="not signed yet"):
            await desk.finalize(look.psbt)
        back = await desk.add(look.psbt, rig.sign(look.psbt).serialize())
        assert back.is_complete
        assert back.why_not_send == ""
        tx = await desk.finalize(back.psbt)
        assert tx == finished(back.psbt)
        # Stored before it is sent, and sent again until a block holds it.
        assert rig.open().wallet.pending_own() == [tx]
        assert desk.waiting() == ()
        await desk.broadcast(tx)
        assert rig.sent == [tx]

    run(scenario)


@pytest.mark.parametrize(
    "form", ["binary", "base64", "hex", "v2", "transaction", "hex transaction"]
)
def test_it_comes_back_in_any_form(form: str) -> None:
    async def scenario() -> None:
        rig = DeskRig()
        desk = rig.desk()
        asked = (await desk.ask(TO_PAYEE, RATE)).psbt
        signed = rig.sign(asked)
        forms: dict[str, bytes | str] = {
            "binary": signed.serialize(),
            "base64": f"  {signed.to_base64()}\n",
            "hex": signed.serialize().hex(),
            "v2": signed.serialize(2),
            "transaction": finished(signed).serialize(),
            "hex transaction": finished(signed).serialize().hex(),
        }
        look = await desk.read(forms[form])
        assert look.is_complete
        assert look.is_asked
        assert await desk.finalize(look.psbt) == finished(signed)

    run(scenario)


def test_two_of_three_with_a_key_here() -> None:
    async def scenario() -> None:
        rig = DeskRig(SHARED, signer=1)
        desk = rig.desk()
        await rig.session.set_label("xpub", COSIGNERS[2][1].serialize(), "Carla")
        look = await desk.ask(TO_PAYEE, RATE)
        signers = look.signatures.signers
        assert [signer.fingerprint for signer in signers] == FINGERPRINTS
        assert [signer.is_own for signer in signers] == [False, True, False]
        assert look.signatures.missing_words() == (
            f"2 signatures are needed, from [{FINGERPRINTS[0]}], [{FINGERPRINTS[1]}] or "
            f"Carla [{FINGERPRINTS[2]}]."
        )
        assert look.can_sign
        look = await desk.sign(look.psbt)
        assert [signer.has_signed for signer in look.signatures.signers] == [False, True, False]
        assert look.why_not_sign == "This wallet has signed it already."
        assert "One more signature is needed" in look.why_not_send
        assert look.signatures.present == 1
        assert look.warnings == ()
        back = await desk.add(look.psbt, rig.sign(look.psbt, 2).to_base64())
        assert [signer.has_signed for signer in back.signatures.signers] == [False, True, True]
        assert back.is_complete
        assert back.why_not_sign
        tx = await desk.finalize(back.psbt)
        assert rig.session.wallet.is_own(tx.txid)

    run(scenario)


def test_a_final_input_still_says_who_signed() -> None:
    async def scenario() -> None:
        rig = DeskRig(SHARED)
        desk = rig.desk()
        asked = (await desk.ask(TO_PAYEE, RATE)).psbt
        signed = signed_by(rig, asked, [0, 2])
        look = await desk.add(asked, finished(signed).serialize())
        assert [signer.has_signed for signer in look.signatures.signers] == [True, False, True]
        assert look.is_complete

    run(scenario)


def test_what_waits_outlives_the_program() -> None:
    async def scenario() -> None:
        rig = DeskRig(SHARED, signer=0)
        first = (await rig.desk().ask(TO_PAYEE, RATE)).psbt
        # Killed here.
        rig.open()
        desk = rig.desk()
        (waiting,) = desk.waiting()
        assert (waiting.psbt, waiting.created, waiting.is_asked) == (first, NOW, True)
        await desk.sign(first)
        rig.open()
        (look,) = await rig.desk().looks()
        assert look.signatures.present == 1
        # The unsigned file, opened again, leads to what was signed of it.
        assert (await rig.desk().read(first.serialize())).signatures.present == 1
        await rig.desk().forget(look.txid)
        assert rig.open().kept_setting(psbt_waiting.KEPT_AS) is None

    run(scenario)


def test_a_disk_that_refuses_acknowledges_nothing() -> None:
    async def scenario() -> None:
        rig = DeskRig(SHARED, signer=0)
        desk = rig.desk()
        rig.disk.refuses = {"setting"}
        with pytest.raises(WriteFailed):
            await desk.ask(TO_PAYEE, RATE)
        assert desk.waiting() == ()
        rig.disk.refuses = set()
        asked = (await desk.ask(TO_PAYEE, RATE)).psbt
        rig.disk.refuses = {"view", "cache"}
        with pytest.raises(WriteFailed):
            await desk.finalize(signed_by(rig, asked, [0, 1]))
        assert len(desk.waiting()) == 1
        assert rig.sent == []

    run(scenario)


def test_what_is_too_large_for_the_wallet_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(psbt_waiting, "MAX_KEPT_BYTES", 1_000)
        rig = DeskRig()
        desk = rig.desk()
        look = await desk.ask(TO_PAYEE, RATE)
        assert look.is_waiting
        assert not look.is_kept
        assert len(desk.waiting()) == 1
        rig.open()
        assert rig.desk().waiting() == ()

    run(scenario)


def test_what_was_kept_by_another_version_is_left_out() -> None:
    rig = DeskRig()
    rig.disk.kept[psbt_waiting.KEPT_AS] = [1, {"psbt": "x"}, {"psbt": "x", "created": 1}, "y"]
    rig.disk.kept[psbt_waiting.KEPT_AS] += [{"psbt": "eA==", "created": 1, "is_asked": True}]

    async def scenario() -> None:
        assert rig.desk().waiting() == ()

    run(scenario)


def test_one_from_somebody_else_is_signed_kept_and_combined() -> None:
    async def scenario() -> None:
        other = DeskRig(SHARED)
        asked = (await other.desk().ask(TO_PAYEE, RATE)).psbt
        rig = DeskRig(SHARED, signer=0)
        desk = rig.desk()
        look = await desk.read(asked.to_base64())
        assert not look.is_waiting
        assert not look.is_asked
        look = await desk.sign(look.psbt)
        assert look.is_kept
        assert not look.is_asked
        assert (await desk.combine([look.psbt, rig.sign(asked, 2)])).is_complete

    run(scenario)


def test_a_bare_transaction_gets_what_the_wallet_knows() -> None:
    async def scenario() -> None:
        rig = DeskRig()
        asked = (await DeskRig().desk().ask(TO_PAYEE, RATE)).psbt
        look = await rig.desk().read(Psbt.from_unsigned_tx(asked.tx).serialize())
        assert look.psbt == asked

    run(scenario)


def test_coins_that_are_gone_are_told() -> None:
    async def scenario() -> None:
        rig = DeskRig()
        desk = rig.desk()
        one = (await desk.ask(TO_PAYEE, RATE)).psbt
        recipients = (replace(TO_PAYEE[0], amount_sat=200_000_000),)
        second = await desk.ask(recipients, RATE)
        assert second.shares_coins
        two = second.psbt
        tx = await desk.finalize(rig.sign(one))
        (look,) = await desk.looks()
        assert look.txid == two.tx.txid
        assert look.spent_by == tx.txid

    run(scenario)


def test_what_was_sent_elsewhere_waits_no_longer() -> None:
    async def scenario() -> None:
        rig = DeskRig()
        desk = rig.desk()
        asked = (await desk.ask(TO_PAYEE, RATE)).psbt
        await rig.session.accept_final(finished(rig.sign(asked)))
        assert await desk.looks() == ()
        assert desk.waiting() == ()

    run(scenario)


def test_a_closed_vault_changes_nothing() -> None:
    async def scenario() -> None:
        rig = DeskRig(SHARED, signer=0)
        desk = rig.desk()
        look = await desk.ask(TO_PAYEE, RATE)
        rig.vault_closes = True
        with pytest.raises(VaultCancelled):
            await desk.sign(look.psbt)
        assert (await desk.looks())[0].signatures.present == 0

    run(scenario)


def test_a_payment_without_amounts_is_not_reviewed_and_not_sent() -> None:
    async def scenario() -> None:
        rig = DeskRig(signer=0)
        desk = rig.desk()
        asked = (await DeskRig().desk().ask(TO_PAYEE, RATE)).psbt
        prevout = replace(asked.tx.inputs[0].prevout, txid=b"\x09" * 32)
        tx = Transaction(2, (replace(asked.tx.inputs[0], prevout=prevout),), asked.tx.outputs, 0)
        look = await desk.read(Psbt.from_unsigned_tx(tx).serialize())
        assert look.review is None
        assert "cannot be checked" in look.why_not
        assert look.why_not_sign == look.why_not_send == look.why_not

    run(scenario)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk", "belongs on the page Send"),
        ("hello", "neither a PSBT nor"),
        (b"\xff\xfe\x00\x01", "neither a PSBT nor"),
        ("", "empty"),
        ("cHNidP8BAHUCAAAAASaBcTce3/KF6Tet7qSze3gADAVmy7OtZGQXE8pCFxv2AAA", "a character"),
        ("abandon " * 11 + "about", "secret|private|words"),
    ],
)
def test_what_is_no_payment_is_named(given: str | bytes, words: str) -> None:
    async def scenario() -> None:
        with pytest.raises(ParseError, match=words):
            await DeskRig().desk().read(given)

    run(scenario)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "folder.psbt").mkdir()
    for name in ("a.psbt", "a.txt"):
        (tmp_path / name).write_text("something else")

    async def scenario() -> None:
        rig = DeskRig()
        desk = rig.desk()
        asked = (await desk.ask(TO_PAYEE, RATE)).psbt
        for name in ("a.psbt", "a.txt"):
            path = tmp_path / name
            await desk.save(asked, path)
            assert path.stat().st_mode & 0o777 == 0o600
            assert (await desk.read(path)).psbt == asked
        assert psbt_files.read_file(tmp_path / "a.psbt") == asked.serialize()
        assert psbt_files.read_file(tmp_path / "a.txt") == f"{asked.to_base64()}\n".encode()
        with pytest.raises(PsbtFileError, match=r"none\.psbt cannot be read: No such file"):
            await desk.read(tmp_path / "none.psbt")
        with pytest.raises(PsbtFileError, match="cannot be written"):
            await desk.save(asked, tmp_path / "no folder" / "a.psbt")
        with pytest.raises(PsbtFileError, match="cannot be written"):
            await desk.save(asked, tmp_path / "folder.psbt")

    run(scenario)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.psbt", "a.txt", "folder.psbt"]


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psbt_files, "_MAX_TEXT", 100)
    (tmp_path / "x").write_bytes(bytes(101))
    with pytest.raises(PsbtFileError, match="too large"):
        psbt_files.read_file(tmp_path / "x")


def test_another_payment_that_comes_back_is_refused() -> None:
    async def scenario() -> None:
        rig = DeskRig()
        desk = rig.desk()
        asked = (await desk.ask(TO_PAYEE, RATE)).psbt
        outputs = tuple(
            TxOut(output.value_sat, foreign_script(9)) if output.script_pubkey == PAYEE else output
            for output in asked.tx.outputs
        )
        swapped = asked.copy()
        swapped.tx = Transaction(2, asked.tx.inputs, outputs, asked.tx.lock_time)
        with pytest.raises(WrongSignedPsbt, match="another payment"):
            await desk.add(asked, rig.sign(swapped).serialize())
        assert desk.waiting()[0].psbt == asked

    run(scenario)


def test_bumping_is_asked_for_too() -> None:
    async def scenario() -> None:
        rig = DeskRig()
        desk = rig.desk()
        tx = await desk.finalize(rig.sign((await desk.ask(TO_PAYEE, RATE)).psbt))
        look = await desk.ask_bump(tx.txid)
        assert look.review is not None
        assert look.review.feerate > RATE
        assert look.is_asked

    run(scenario)
