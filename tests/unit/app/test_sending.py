import asyncio
from collections.abc import Sequence

import pytest

from tests.unit.app.test_session import DESCRIPTOR, Backend, Disk, make, payment, run
from tests.unit.wallet.chain_world import block_of, coinbase
from wallet_gui.app.published import PendingReport, SessionUpdate
from wallet_gui.app.rebroadcast import LEAST_PAUSE, LONGEST_PAUSE
from wallet_gui.app.session import WalletSession
from wallet_gui.chain.backend import (
    BlockMatched,
    BroadcastResult,
    BroadcastStage,
    PendingChanged,
    TxSeen,
)
from wallet_gui.chain.reports import SeenBy
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.wallet.changes import BlockRef, Evidence, Keychain
from wallet_gui.wallet.spend import Recipient

NOBODY = p2wpkh(b"f" * 20)


class Network(Backend):
    """Takes every payment, and says of each what a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = BroadcastStage.SPREAD
        self.parents: tuple[Transaction, ...] = ()
        self.seen: SeenBy | None = None
        self.was_missing = False
        self.synced = True

    def is_synced(self) -> bool:
        return self.synced

    async def broadcast(
        self, tx: Transaction, parents: Sequence[Transaction] = ()
    ) -> BroadcastResult:
        self.parents = tuple(parents)
        return BroadcastResult(tx.txid, self.stage, 2, was_missing=self.was_missing)

    def seen_by(self, txid: bytes) -> SeenBy | None:
        assert txid
        return self.seen


async def with_coin(
    disk: Disk, published: list[SessionUpdate] | None = None
) -> tuple[WalletSession, Network]:
    """A wallet with one confirmed coin of 50,000 sat."""
    session, network = make(disk, published), Network()
    session.attach(network)
    block = block_of([coinbase(5, 0, [TxOut(1, NOBODY)]), payment()], bytes(32), 5)
    await session.handle(BlockMatched("w", 5, block))
    return session, network


def spend_newest(session: WalletSession, fee_sat: int) -> Transaction:
    coin = session.wallet.coins()[-1]
    ours = DESCRIPTOR.script_pubkey(7, Keychain.CHANGE)
    spent = TxIn(coin.outpoint, b"", 0xFFFFFFFD, (b"s", b"\x02" * 33))
    return Transaction(2, (spent,), (TxOut(coin.value_sat - fee_sat, ours),), 0)


def test_a_rate_that_only_some_peers_take_is_planned_with_a_warning() -> None:
    async def scenario() -> None:
        session, network = await with_coin(Disk())
        network.minimum_rates = [1_000, 1_000, 2_500, 2_100_000_000_000_000]
        recipients = [Recipient(NOBODY, 20_000)]
        plan = await session.plan_payment(recipients, FeeRate(2_000))
        assert [note for note in plan.notes if "networks" in note] == [
            (
                "1 of 3 connected networks take no payment below 2.5 sat/vB: at 2 sat/vB it may "
                "spread slowly."
            )
        ]
        plan = await session.plan_payment(recipients, FeeRate(3_000))
        assert not any("networks" in note for note in plan.notes)
        await session.close()

    run(scenario)


def test_an_attempt_is_stored_with_its_evidence_until_the_payment_is_given_up() -> None:
    async def scenario() -> None:
        disk = Disk()
        session, network = await with_coin(disk)
        parent = spend_newest(session, 1_000)
        await session.accept_final(parent)
        child = spend_newest(session, 2_000)
        await session.accept_final(child)
        await session.broadcast(child)
        assert network.parents == (parent,)
        attempts = disk.cache.attempts[child.txid]
        assert attempts is not None
        assert (attempts.count, attempts.evidence) == (1, Evidence.SPREAD)
        assert LEAST_PAUSE <= attempts.due - attempts.last <= LONGEST_PAUSE
        network.stage = BroadcastStage.FAILED
        await session.broadcast(child)
        again = disk.cache.attempts[child.txid]
        assert again is not None
        assert (again.count, again.evidence, again.first) == (2, Evidence.FAILED, attempts.first)
        assert session.sending.attempts(child.txid) == again

        await session.abandon(child.txid)
        assert network.withdrawn == [child.txid]
        assert child.txid not in disk.cache.attempts
        assert session.unconfirmed_own() == [parent]
        await session.close()

    run(scenario)


def test_a_payment_of_somebody_else_is_sent_but_not_noted() -> None:
    async def scenario() -> None:
        disk = Disk()
        session, _ = await with_coin(disk)
        foreign = Transaction(2, (TxIn(OutPoint(b"9" * 32, 0)),), (TxOut(1, NOBODY),), 0)
        await session.accept_final(foreign)
        assert (await session.broadcast(foreign)).is_accepted
        assert disk.cache.attempts == {}
        await session.close()

    run(scenario)


def test_a_full_disk_does_not_hide_that_a_payment_was_sent() -> None:
    async def scenario() -> None:
        disk = Disk()
        session, _ = await with_coin(disk)
        tx = spend_newest(session, 1_000)
        await session.accept_final(tx)
        disk.refuses = {"cache"}
        assert (await session.broadcast(tx)).is_accepted
        disk.refuses = set()
        await session.close()
        assert tx.txid in disk.cache.attempts

    run(scenario)


def test_what_peers_say_goes_with_the_picture_and_changes_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        published: list[SessionUpdate] = []
        session, network = await with_coin(Disk(), published)
        tx = spend_newest(session, 50)
        await session.accept_final(tx)
        network.seen = SeenBy(1, 4)
        network.minimum_rates = [1_000, 2_000_000, 5_000]
        session.publish_now()
        told = published[-1].pending
        assert told == {tx.txid: PendingReport(SeenBy(1, 4), is_below_minimum=True)}
        assert not SeenBy(1, 4).is_backed
        await asyncio.sleep(0.3)  # what was asked for before is published
        count = len(published)
        history = session.wallet.history
        monkeypatch.setattr(session.wallet, "history", lambda: pytest.fail("it was rebuilt"))
        await session.handle(PendingChanged())
        await asyncio.sleep(0.3)
        assert len(published) == count, "nothing new was said"
        monkeypatch.setattr(session.wallet, "history", history)
        network.seen = SeenBy(2, 4)
        await session.handle(PendingChanged())
        await asyncio.sleep(0.3)
        assert published[-1].pending[tx.txid].seen == SeenBy(2, 4)
        network.seen = SeenBy(3, 4)  # it comes back by relay: the wallet knows it already
        await session.handle(TxSeen(tx, "1.2.3.4:8333"))
        await asyncio.sleep(0.3)
        assert published[-1].pending[tx.txid].seen == SeenBy(3, 4)
        session.detach()
        session.publish_now()
        assert published[-1].pending[tx.txid] == PendingReport()
        (entry,) = [e for e in session.wallet.history() if e.height is None]
        assert entry.signals_rbf
        assert entry.fee_rate == FeeRate.of(50, tx.vsize)
        await session.close()

    run(scenario)


class Rounds:
    """One payment, offered with block after block; nodes have it or have it not."""

    def __init__(self, session: WalletSession, network: Network, tx: Transaction) -> None:
        self.session, self.network, self.tx = session, network, tx

    async def at(self, height: int, stage: BroadcastStage, *, was_missing: bool) -> list[int]:
        """Offer it at this height; give the blocks that are suspected then."""
        self.session.wallet.set_tip(BlockRef(height, bytes([height]) * 32))
        self.network.stage, self.network.was_missing = stage, was_missing
        self.network.suspected.clear()
        await self.session.broadcast(self.tx)
        return list(self.network.suspected)


async def sent_at_10() -> Rounds:
    session, network = await with_coin(Disk())
    tx = spend_newest(session, 1_000)
    await session.accept_final(tx)
    rounds = Rounds(session, network, tx)
    assert await rounds.at(10, BroadcastStage.SPREAD, was_missing=True) == []
    return rounds


def test_what_left_every_pool_makes_the_blocks_since_then_suspect() -> None:
    async def scenario() -> None:
        rounds = await sent_at_10()
        assert await rounds.at(10, BroadcastStage.FAILED, was_missing=True) == []
        await rounds.session.close()

        rounds = await sent_at_10()
        assert await rounds.at(11, BroadcastStage.SPREAD, was_missing=False) == []
        # Nodes give away what the newest block holds, so 11 may have held it.
        assert await rounds.at(12, BroadcastStage.FAILED, was_missing=True) == [11, 12]
        assert await rounds.at(12, BroadcastStage.FAILED, was_missing=True) == []
        assert await rounds.at(13, BroadcastStage.FAILED, was_missing=True) == []
        await rounds.session.close()

    run(scenario)


def test_six_blocks_are_read_for_a_payment_and_each_once() -> None:
    async def scenario() -> None:
        rounds = await sent_at_10()
        assert await rounds.at(14, BroadcastStage.SPREAD, was_missing=True) == [11, 12, 13, 14]
        assert await rounds.at(40, BroadcastStage.SPREAD, was_missing=True) == [15, 16]
        assert await rounds.at(41, BroadcastStage.FAILED, was_missing=True) == []
        await rounds.session.close()

    run(scenario)


def test_nothing_is_suspected_while_the_newest_blocks_are_unread_or_nobody_had_it() -> None:
    async def scenario() -> None:
        rounds = await sent_at_10()
        rounds.network.synced = False
        assert await rounds.at(12, BroadcastStage.FAILED, was_missing=True) == []
        rounds.network.synced = True
        assert await rounds.at(12, BroadcastStage.FAILED, was_missing=True) == [11, 12]
        await rounds.session.close()

        session, network = await with_coin(Disk())
        tx = spend_newest(session, 1_000)
        await session.accept_final(tx)
        rounds = Rounds(session, network, tx)
        assert await rounds.at(10, BroadcastStage.REQUESTED, was_missing=True) == []
        assert await rounds.at(12, BroadcastStage.FAILED, was_missing=True) == []
        await session.close()

    run(scenario)


def test_after_a_restart_what_is_stored_tells_that_it_was_seen() -> None:
    async def scenario() -> None:
        disk = Disk()
        session, network = await with_coin(disk)
        tx = spend_newest(session, 1_000)
        await session.accept_final(tx)
        await Rounds(session, network, tx).at(10, BroadcastStage.SPREAD, was_missing=True)
        await session.close()
        disk.is_closed = False
        session, network = make(disk), Network()
        session.attach(network)
        rounds = Rounds(session, network, tx)
        assert await rounds.at(12, BroadcastStage.FAILED, was_missing=True) == [11, 12]
        await session.close()

    run(scenario)
