import asyncio
from collections.abc import Callable
from random import Random

from wallet_gui.app import rebroadcast as rebroadcast_module
from wallet_gui.app.rebroadcast import FIRST_BLOCKS, LEAST_PAUSE, LONGEST_PAUSE, Rebroadcast
from wallet_gui.chain.backend import BroadcastResult, BroadcastStage, NoPeers
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.wallet.changes import Attempts, Evidence

Answer = Callable[[int], BroadcastResult | None]


def payment(number: int) -> Transaction:
    spent = TxIn(OutPoint(bytes([number]) * 32, 0))
    return Transaction(2, (spent,), (TxOut(50_000, p2wpkh(b"f" * 20)),), number)


class Chain:
    def __init__(self) -> None:
        self.reorganizations = 0
        self.synced = True
        self.tip_height: int | None = 100
        self.now = 1_700_000_000

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
        self.sent_by_hand: set[int] = set()
        self.tried: dict[bytes, Attempts] = {}
        self.chain = Chain()
        self._now = 0

    def unconfirmed_own(self) -> list[Transaction]:
        return list(self.waiting)

    @property
    def sending(self) -> "Wallet":
        return self

    def attempts(self, txid: bytes) -> Attempts | None:
        return self.tried.get(txid)

    def is_sending(self, txid: bytes) -> bool:
        return any(tx.txid == txid and tx.lock_time in self.sent_by_hand for tx in self.waiting)

    def note(self, tx: Transaction, pause: int = LONGEST_PAUSE) -> None:
        now, height = self.chain.now, self.chain.tip_height or 0
        old = self.tried.get(tx.txid)
        first, count = (height, 1) if old is None else (old.height, old.count + 1)
        self.tried[tx.txid] = Attempts(now, now, now + pause, first, count, Evidence.ECHOED)

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
        self.note(tx)
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
    for wallet in wallets:
        wallet.chain = chain
    return Rebroadcast(chain, lambda: wallets, look_every=0.001, clock=lambda: chain.now)


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


def test_it_is_offered_with_each_of_the_first_blocks_and_then_no_more() -> None:
    chain, wallet = Chain(), Wallet(1)

    def mine() -> None:
        chain.tip_height = (chain.tip_height or 0) + 1

    asyncio.run(after_looks(make(chain, wallet), *[mine] * (FIRST_BLOCKS + 3)))
    assert wallet.offered == [1] * (1 + FIRST_BLOCKS)


def test_later_it_is_offered_when_it_is_due() -> None:
    chain, wallet = Chain(), Wallet(1)

    def wait() -> None:
        chain.now += LONGEST_PAUSE - 1

    def wait_more() -> None:
        chain.now += 1

    rebroadcast = make(chain, wallet)
    asyncio.run(after_looks(rebroadcast, wait, wait_more))
    assert wallet.offered == [1, 1]
    assert wallet.tried[payment(1).txid].count == 2


def test_it_is_offered_at_every_start_whatever_is_stored() -> None:
    chain, wallet = Chain(), Wallet(1)
    wallet.chain = chain
    wallet.note(payment(1))
    chain.now += 5
    asyncio.run(after_looks(make(chain, wallet)))
    assert wallet.offered == [1]


def test_what_was_just_sent_by_hand_is_not_offered_beside_it() -> None:
    chain, wallet = Chain(), Wallet(1)
    wallet.sent_by_hand.add(1)

    def end_of_sending() -> None:
        assert wallet.offered == []
        wallet.note(payment(1))
        wallet.sent_by_hand.clear()

    asyncio.run(after_looks(make(chain, wallet), end_of_sending))
    assert wallet.offered == []


def test_a_block_right_after_it_was_sent_by_hand_counts() -> None:
    chain, wallet = Chain(), Wallet(1)
    wallet.sent_by_hand.add(1)

    def end_of_sending() -> None:
        wallet.note(payment(1))
        chain.tip_height = 101
        wallet.sent_by_hand.clear()

    asyncio.run(after_looks(make(chain, wallet), end_of_sending))
    assert wallet.offered == [1]


def test_a_clock_that_was_wrong_puts_nothing_off_for_years() -> None:
    chain, wallet = Chain(), Wallet(1)

    def set_clock_right() -> None:
        chain.now -= 10 * 365 * 24 * 3600

    asyncio.run(after_looks(make(chain, wallet), set_clock_right))
    assert wallet.offered[:2] == [1, 1]


def test_the_pause_is_random_within_its_bounds() -> None:
    pauses = {rebroadcast_module.due_again(0, Random(seed)) for seed in range(100)}
    assert len(pauses) > 50
    assert min(pauses) >= LEAST_PAUSE
    assert max(pauses) <= LONGEST_PAUSE
