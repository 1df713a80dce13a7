import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from wallet_gui.app import session as session_module
from wallet_gui.app.published import SessionUpdate
from wallet_gui.app.session import WalletClosed, WalletSession
from wallet_gui.chain.backend import BlockRef, BroadcastResult, Scanned, TxSeen
from wallet_gui.chain.reports import FeeAdvice, LedgerEntry, PeerInfo, ScanPlan, SeenBy
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.storage.errors import WriteFailed
from wallet_gui.wallet.changes import (
    CacheChange,
    Keychain,
    ViewChange,
    WalletDescription,
    WalletState,
)
from wallet_gui.wallet.errors import FeeTooLow, InsufficientFunds
from wallet_gui.wallet.spend import Recipient
from wallet_gui.wallet.wallet import Wallet

ROOT = ExtendedPrivateKey.from_seed(b"session" * 8, REGTEST)
DESCRIPTOR = account_descriptors(ROOT, REGTEST, types=[DescriptorType.WPKH])[DescriptorType.WPKH]
DESCRIPTION = WalletDescription(
    name="w",
    network="regtest",
    descriptors=(DESCRIPTOR.to_string(),),
    active=0,
    fingerprint=ROOT.fingerprint.hex(),
    birthday_time=None,
    cache_key=b"c" * 32,
)


class Disk:
    """Both stores, in the order in which they were written to; it can refuse."""

    def __init__(self) -> None:
        self.view = ViewChange()
        self.cache = CacheChange()
        self.writes: list[str] = []
        self.refuses: set[str] = set()
        self.is_closed = False
        self.kept: dict[str, Any] = {}

    def merge(self, change: ViewChange) -> None:
        self._write("view")
        self.view = self.view.merge(change).settled()

    @property
    def settings(self) -> dict[str, Any]:
        return self.kept

    def keep_setting(self, key: str, value: Any) -> None:
        self._write("setting")
        self.kept[key] = value

    def store(self, change: CacheChange) -> None:
        self._write("cache")
        self.cache = self.cache.merge(change).settled()

    def _write(self, what: str) -> None:
        assert not self.is_closed
        if what in self.refuses:
            raise WriteFailed("The disk is full.")
        self.writes.append(what)

    def close(self) -> None:
        self.is_closed = True

    def state(self) -> WalletState:
        return WalletState(self.view, self.cache)


class Backend:
    """Notes what it is asked to watch."""

    def __init__(self, tip: BlockRef | None = None) -> None:
        self.watched: list[bytes] = []
        self.extended: list[tuple[list[bytes], int | None]] = []
        self.minimum_rates: list[int] = []
        self.withdrawn: list[bytes] = []
        self.suspected: list[int] = []
        self._tip = tip

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def watch(self, wallet_id: str, scripts: Sequence[bytes], **_: Any) -> None:
        del wallet_id
        self.watched = list(scripts)

    def extend_watch(
        self, wallet_id: str, scripts: Sequence[bytes], *, from_height: int | None = None
    ) -> None:
        del wallet_id
        self.extended.append((list(scripts), from_height))

    def unwatch(self, wallet_id: str) -> None:
        pass

    async def broadcast(
        self, tx: Transaction, parents: Sequence[Transaction] = ()
    ) -> BroadcastResult:
        raise AssertionError(tx, parents)

    def withdraw(self, txid: bytes) -> None:
        self.withdrawn.append(txid)

    def suspect_block(self, height: int) -> None:
        self.suspected.append(height)

    def tip(self) -> BlockRef | None:
        return self._tip

    def is_synced(self) -> bool:
        return True

    def minimum_fee_rates(self) -> list[int]:
        return self.minimum_rates

    def peers(self) -> list[PeerInfo]:
        return []

    def ledger(self) -> list[LedgerEntry]:
        return []

    def scan_plans(self) -> list[ScanPlan]:
        return []

    def approve_scan(self, wallet_id: str) -> None:
        assert wallet_id

    def pause_scans(self, *, paused: bool) -> None:
        assert paused in {True, False}

    def fee_advice(self) -> FeeAdvice | None:
        return None

    def seen_by(self, txid: bytes) -> SeenBy | None:
        assert txid
        return None

    def set_receiving(self, *, is_receiving: bool) -> None:
        assert is_receiving in {True, False}


def payment(index: int = 0, number: int = 1) -> Transaction:
    """Somebody pays our address."""
    script = DESCRIPTOR.script_pubkey(index, Keychain.RECEIVE)
    key = b"\x02" + b"\x11" * 32
    witness = (b"\x30" * 71, key)
    spent = TxIn(OutPoint(number.to_bytes(32, "big"), 0), witness=witness)
    return Transaction(2, (spent,), (TxOut(50_000, script), TxOut(1, p2wpkh(b"f" * 20))), 0)


def make(disk: Disk, published: list[SessionUpdate] | None = None) -> WalletSession:
    shown = [] if published is None else published
    wallet = Wallet(DESCRIPTION, REGTEST, disk.state())
    return WalletSession("w", "/w", wallet, disk, disk, shown.append, clock=lambda: 1_700_000_000)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_an_address_is_on_the_disk_before_it_is_told() -> None:
    async def scenario() -> None:
        disk = Disk()
        revealed = await make(disk).new_request("Anna", 5_000)
        # Killed here: another start knows it.
        again = Wallet(DESCRIPTION, REGTEST, disk.state())
        assert again.next_address()[0] == revealed.index + 1
        assert revealed.address == DESCRIPTOR.address(revealed.index, 0)

    run(scenario)


def test_what_the_disk_refuses_is_kept_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_RETRY_SECONDS", 0.02)

    async def scenario() -> None:
        disk = Disk()
        session = make(disk)
        disk.refuses = {"view"}
        with pytest.raises(WriteFailed):
            await session.new_request("Anna")
        assert disk.writes == []
        disk.refuses = {"cache"}
        with pytest.raises(WriteFailed):
            await session.handle(TxSeen(payment(), "peer"))
        assert disk.writes == ["view"]
        disk.refuses = set()
        await asyncio.sleep(0.1)
        assert disk.writes == ["view", "cache"]
        assert payment().txid in disk.cache.transactions
        assert [r.label for r in disk.view.requests.values() if r] == ["Anna"]
        await session.close()

    run(scenario)


def test_many_changes_at_once_are_stored_in_order_and_whole() -> None:
    async def scenario() -> None:
        disk = Disk()
        session = make(disk)
        asks = [session.new_request(str(number)) for number in range(10)]
        seen = [session.handle(TxSeen(payment(0, number), "")) for number in range(1, 10)]
        results = await asyncio.gather(*asks, *seen)
        indexes = [r.index for r in results[:10] if r is not None]
        assert sorted(indexes) == list(range(10))
        assert len(disk.cache.transactions) == 9
        state = disk.state()
        assert Wallet(DESCRIPTION, REGTEST, state).balance() == session.wallet.balance()
        await session.close()

    run(scenario)


def test_a_closed_session_takes_nothing_more_and_nothing_is_lost() -> None:
    async def scenario() -> None:
        disk = Disk()
        released: list[bool] = []
        wallet = Wallet(DESCRIPTION, REGTEST)
        session = WalletSession(
            "w", "/w", wallet, disk, disk, lambda _: None, release=lambda: released.append(True)
        )
        session.attach(Backend())
        writing = asyncio.ensure_future(session.new_request("last"))
        await asyncio.sleep(0)
        await session.close()
        await writing
        await session.close()
        assert released == [True]
        assert disk.is_closed
        assert disk.view.requests
        await session.handle(TxSeen(payment(), ""))
        await session.handle(Scanned("w", 5, b"h" * 32))
        assert session.wallet.balance().total == 0
        with pytest.raises(WalletClosed, match="Open it again"):
            await session.new_request()
        assert session.unconfirmed_own() == []

    run(scenario)


def test_a_rate_that_no_peer_takes_is_refused_before_anything_is_signed() -> None:
    async def scenario() -> None:
        session = make(Disk())
        backend = Backend()
        session.attach(backend)
        recipients = [Recipient(p2wpkh(b"f" * 20), 10_000)]
        backend.minimum_rates = [2_500, 1_000]
        with pytest.raises(FeeTooLow, match="at least 1 sat/vB"):
            await session.plan_payment(recipients, FeeRate(999))
        # Good enough for one of them; the wallet has no money all the same.
        with pytest.raises(InsufficientFunds):
            await session.plan_payment(recipients, FeeRate(1_000))
        # A node that is itself syncing announces 21 million BTC.
        backend.minimum_rates = [2_100_000_000_000_000]
        with pytest.raises(InsufficientFunds):
            await session.plan_payment(recipients, FeeRate(100))
        await session.close()

    run(scenario)


def test_a_growing_window_and_rivals_reach_the_backend() -> None:
    async def scenario() -> None:
        disk = Disk()
        session = make(disk)
        tip = BlockRef(7, b"t" * 32)
        backend = Backend(tip)
        session.attach(backend)
        assert len(backend.watched) == 200
        assert session.wallet.tip is not None
        assert session.wallet.tip.height == 7
        assert not session.is_scanned_to(tip)
        await session.handle(Scanned("w", 7, b"t" * 32))
        assert session.is_scanned_to(tip)

        # The sender may take it back in a block above: only those are looked at for that.
        await session.handle(TxSeen(payment(99), "peer"))
        (grown, from_height), (rivals, height) = backend.extended
        assert height == 8
        assert rivals == session.wallet.rival_scripts()
        assert from_height == 8
        assert DESCRIPTOR.script_pubkey(199, Keychain.RECEIVE) in grown
        # What is stored does not claim that the new scripts were matched already.
        assert disk.cache.checkpoints == {}
        await session.handle(Scanned("w", 7, b"t" * 32))
        assert list(disk.cache.checkpoints) == [7]
        await session.close()

    run(scenario)


def test_screens_are_told_a_few_times_a_second_however_much_happens() -> None:
    async def scenario() -> None:
        published: list[SessionUpdate] = []
        session = make(Disk(), published)
        for number in range(1, 60):
            await session.handle(TxSeen(payment(0, number), ""))
        await asyncio.sleep(0.3)
        assert 1 <= len(published) <= 8
        assert published[-1].snapshot.balance == session.wallet.balance()
        await session.close()

    run(scenario)


def test_what_was_noted_about_a_payee_is_kept() -> None:
    async def scenario() -> None:
        disk = Disk()
        session = make(disk)
        payee = p2wpkh(b"f" * 20)
        await session.label_recipients([Recipient(payee, 1_000, "A bicycle")])
        address = address_from_script(payee, REGTEST)
        assert disk.view.labels == {("addr", address): "A bicycle"}
        await session.close()

    run(scenario)
