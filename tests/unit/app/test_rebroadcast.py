import asyncio
from collections.abc import Callable

from wallet_gui.app import rebroadcast as rebroadcast_module
from wallet_gui.app.rebroadcast import Rebroadcast
from wallet_gui.chain.backend import BroadcastResult, BroadcastStage, NoPeers
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

Answer = Callable[[int], BroadcastResult | None]


def payment(number: int) -> Transaction:
    spent = TxIn(OutPoint(bytes([number]) * 32, 0))
    return Transaction(2, (spent,), (TxOut(50_000, p2wpkh(b"f" * 20)),), number)


class Chain:
    def __init__(self) -> None:
        self.reorganizations = 0
        self.synced = True

    def is_synced(self) -> bool:
        return self.synced


class Wallet:
    """Its payments have their lock times for names; the network answers as a test says."""

    def __init__(self, *numbers: int) -> None:
        self.waiting = [payment(number) for number in numbers]
        self.offered: list[int] = []
        self.unanswered: set[int] = set()
        self.is_connected = True
        self.most_at_once = 0
        self._now = 0

    def unconfirmed_own(self) -> list[Transaction]:
        return list(self.waiting)

    async def broadcast(self, tx: Transaction) -> BroadcastResult:
        if not self.is_connected:
            raise NoPeers("nobody")
        self.offered.append(tx.lock_time)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(3600 if tx.lock_time in self.unanswered else 0)
        finally:
            self._now -= 1
        return BroadcastResult(tx.txid, BroadcastStage.ECHOED, 1, "")


async def after_looks(rebroadcast: Rebroadcast, *steps: Callable[[], object]) -> None:
    """Let it look around several times between the steps, then end it."""
    task = asyncio.create_task(rebroadcast.run())
    for step in (*steps, bool):
        await asyncio.sleep(0.05)
        step()
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    assert asyncio.all_tasks() == {asyncio.current_task()}


def make(chain: Chain, *wallets: Wallet) -> Rebroadcast:
    return Rebroadcast(chain, lambda: wallets, look_every=0.001)


def test_a_payment_is_not_held_up_by_one_that_nobody_answers() -> None:
    wallet, other = Wallet(1, 2, 3), Wallet(4)
    wallet.unanswered = {1, 3}
    asyncio.run(after_looks(make(Chain(), wallet, other)))
    # In the given order, which is parents first, and each once.
    assert wallet.offered == [1, 2, 3]
    assert other.offered == [4]


def test_nothing_is_offered_before_the_chain_is_known() -> None:
    chain, wallet = Chain(), Wallet(1)
    chain.synced = False

    def catch_up() -> None:
        assert wallet.offered == []
        chain.synced = True

    asyncio.run(after_looks(make(chain, wallet), catch_up))
    assert wallet.offered == [1]


def test_a_reorganisation_offers_all_of_it_again_also_what_waits_for_an_answer() -> None:
    chain, wallet = Chain(), Wallet(1, 2)
    wallet.unanswered = {1}

    def reorganise() -> None:
        assert wallet.offered == [1, 2]
        chain.reorganizations += 1

    asyncio.run(after_looks(make(chain, wallet), reorganise))
    assert wallet.offered == [1, 2, 1, 2]
    assert wallet.most_at_once <= 2, "the earlier wait did not end"


def test_without_a_connection_it_is_tried_until_there_is_one() -> None:
    wallet = Wallet(1)
    wallet.is_connected = False

    def connect() -> None:
        wallet.is_connected = True

    asyncio.run(after_looks(make(Chain(), wallet), connect))
    assert wallet.offered == [1]


def test_a_new_payment_is_offered_and_a_confirmed_one_is_not() -> None:
    wallet = Wallet(1)

    def confirm_and_pay() -> None:
        wallet.waiting = [payment(2)]

    asyncio.run(after_looks(make(Chain(), wallet), confirm_and_pay))
    assert wallet.offered == [1, 2]


def test_only_so_many_wait_at_the_same_time() -> None:
    count = rebroadcast_module.AT_ONCE
    wallet = Wallet(*range(1, count + 11))
    wallet.unanswered = set(range(1, count))
    asyncio.run(after_looks(make(Chain(), wallet)))
    assert wallet.offered == list(range(1, count + 11))
    assert wallet.most_at_once == count
