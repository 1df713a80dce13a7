"""Random lives of a wallet, compared after each event with a ledger that walks every block."""

from dataclasses import dataclass, field
from functools import cache
from random import Random

import pytest

from tests.unit.wallet.chain_world import (
    ALL_TYPES,
    COIN,
    DESCRIPTORS,
    START,
    Store,
    World,
    foreign_script,
    foreign_tx,
    new_wallet,
    scripts_of,
    signed_tx,
)
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxOut
from wallet_gui.wallet.changes import BlockRef, Keychain
from wallet_gui.wallet.errors import WalletError
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.replacement import accelerate, bump, cancel
from wallet_gui.wallet.spend import Recipient, create
from wallet_gui.wallet.wallet import Wallet

OURS = scripts_of(DESCRIPTORS.values(), 700)


@dataclass
class Life:
    """A wallet in the world, online or closed, restarted now and then."""

    rng: Random
    active: int
    world: World = field(init=False)
    wallet: Wallet = field(init=False)
    store: Store = field(default_factory=Store)
    is_open: bool = True
    clock: int = START
    counter: int = 0
    payments: int = 0
    kinds: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.world = World(self.rng)
        self.wallet = new_wallet(ALL_TYPES, self.active)
        for _ in range(3):
            self.world.mine([], [TxOut(COIN, DESCRIPTORS[ALL_TYPES[1]].script_pubkey(0))])
        for _ in range(100):
            self.world.mine([])
        self.sync()

    def number(self) -> int:
        self.counter += 1
        return self.counter

    # --- the way the session drives the wallet

    def sync(self) -> None:
        """Deliver matching blocks in height order, from the first again after each growth."""
        world, wallet = self.world, self.wallet
        wallet.set_tip(BlockRef(world.height, world.hash_at(world.height)))
        on_chain = [m for m in wallet.checkpoints() if self.is_in_chain(m)]
        start = on_chain[0].height if on_chain else -1
        if wallet.scan_mark is not None and wallet.scan_mark.height > start:
            wallet.rollback_to(start)
            wallet.set_tip(BlockRef(world.height, world.hash_at(world.height)))
        stale = [ref.height for ref in wallet.unmarked_blocks() if not self.is_in_chain(ref)]
        if stale:
            wallet.rollback_to(stale[0] - 1)
            wallet.set_tip(BlockRef(world.height, world.hash_at(world.height)))
        wallet.take_new_scripts()
        height = start + 1
        scripts = {*wallet.watch_scripts(), *wallet.rival_scripts()}
        while height <= world.height:
            if world.matching(height, scripts):
                wallet.apply_block(world.blocks[height], height)
                if wallet.take_new_scripts():
                    scripts |= set(wallet.watch_scripts())
                    height = 0
                    if self.rng.random() < 0.1:
                        # Killed in the middle of matching earlier filters again.
                        self.restart()
                        self.sync()
                        return
                    continue
            height += 1
        wallet.scanned(BlockRef(world.height, world.hash_at(world.height)))

    def is_in_chain(self, ref: BlockRef) -> bool:
        return ref.height <= self.world.height and self.world.hash_at(ref.height) == ref.hash

    def restart(self) -> None:
        self.store.save(self.wallet)
        self.wallet = new_wallet(ALL_TYPES, self.active, self.store.state)

    def relay(self, tx: Transaction) -> None:
        self.clock += 7
        self.world.relay(tx)
        self.wallet.apply_unconfirmed(tx, self.clock)

    def send(self, tx: Transaction) -> None:
        self.clock += 7
        self.payments += 1
        self.wallet.insert_own(tx, self.clock)
        self.store.save(self.wallet)
        self.world.relay(tx)
        self.wallet.apply_unconfirmed(tx, self.clock + 1)

    # --- what happens

    def be_paid(self) -> None:
        self.payments += 1
        outputs = [TxOut(self.rng.randrange(600, COIN // 10), self.own_script())]
        while self.rng.random() < 0.3:
            outputs.append(TxOut(self.rng.randrange(600, COIN // 10), self.own_script()))
        outputs.insert(self.rng.randrange(2), TxOut(12_345, foreign_script(self.number())))
        self.relay(foreign_tx(self.number(), outputs))

    def own_script(self) -> bytes:
        """Choose a fresh address, a used one, or one far beyond the used ones."""
        kind = self.rng.choice(("fresh", "reused", "jump", "change"))
        self.kinds.add(kind)
        if kind == "fresh":
            try:
                return self.wallet.next_address(now=self.clock)[1]
            except WalletError:
                kind = "reused"
        number = self.rng.randrange(len(ALL_TYPES))
        keychain = Keychain.CHANGE if kind == "change" else Keychain.RECEIVE
        last = self.wallet._watch.last_used((number, keychain))
        index = self.rng.randint(0, max(last, 0))
        if kind != "reused" and last < 500:
            index = last + self.rng.randint(1, 100)
        return self.wallet.script_at(ScriptPlace(number, keychain, index))

    def pay(self) -> None:
        recipients = [
            Recipient(foreign_script(self.number()), self.rng.randrange(600, COIN // 20))
            for _ in range(self.rng.randint(1, 3))
        ]
        if self.rng.random() < 0.2:
            recipients.append(Recipient(self.own_script(), 5_000))
        by_hand = None
        if self.rng.random() < 0.4:
            self.kinds.add("changeless")
            coins = [c for c in self.wallet.coins() if c.is_mature and not c.frozen]
            chosen = self.rng.sample(coins, min(len(coins), self.rng.randint(1, 3)))
            by_hand = [coin.outpoint for coin in chosen]
            recipients = [Recipient(foreign_script(self.number()), None)]
        plan = create(
            self.wallet,
            recipients,
            self.rate(),
            coins=by_hand,
            rng=self.rng,
            tip_height=self.world.height,
            allow_high_fee=True,
        )
        self.send(signed_tx(plan.psbt))

    def rate(self) -> FeeRate:
        return FeeRate(self.rng.randrange(1_000, 9_000))

    def replace_own(self) -> None:
        waiting = self.wallet.pending_own()
        if not waiting:
            return
        txid = self.rng.choice(waiting).txid
        plan = self.rng.choice((bump, cancel, accelerate))(
            self.wallet,
            txid,
            FeeRate(self.rng.randrange(9_000, 40_000)),
            rng=self.rng,
            tip_height=self.world.height,
            allow_high_fee=True,
        )
        self.kinds.add("replaced" if plan.replaces else "child")
        self.send(signed_tx(plan.psbt))

    def replace_foreign(self) -> None:
        """Somebody double-spends a payment to us, sometimes to somebody else."""
        waiting = [tx for tx in self.world.mempool.values() if tx.inputs[0].witness[:1] == FAKE]
        if not waiting:
            return
        old = self.rng.choice(waiting)
        self.kinds.add("double spend")
        script = self.own_script() if self.rng.random() < 0.5 else foreign_script(self.number())
        new = foreign_tx(self.number(), [TxOut(20_000, script)], old.inputs[0].prevout)
        if self.rng.random() < 0.5:
            self.relay(new)
        else:
            self.world.mine([new])
            self.sync()

    def mine(self) -> None:
        chosen: list[Transaction] = []
        for txid in list(self.world.mempool):
            if self.rng.random() < 0.6:
                chosen += [tx for tx in self.world.package(txid) if tx not in chosen]
        reward = [TxOut(COIN, self.own_script())] if self.rng.random() < 0.1 else []
        self.world.mine(chosen, reward)

    def mine_and_sync(self) -> None:
        self.mine()
        self.sync()

    def reorganise(self) -> None:
        depth = self.rng.randint(1, 6)
        self.kinds.add("reorganisation")
        fork = self.world.height - depth
        self.world.disconnect(depth)
        if self.rng.random() < 0.5:
            self.wallet.rollback_to(fork)
        for _ in range(depth + 1):
            self.mine()
        self.sync()

    def close_for_a_while(self) -> None:
        """Restart; the chain goes on or changes meanwhile."""
        self.kinds.add("closed")
        self.store.save(self.wallet)
        if self.rng.random() < 0.5:
            self.world.disconnect(self.rng.randint(1, 6))
        for _ in range(self.rng.randint(1, 8)):
            self.mine()
        self.wallet = new_wallet(ALL_TYPES, self.active, self.store.state)
        self.sync()

    def step(self) -> None:
        event = self.rng.choices(
            (
                self.be_paid,
                self.pay,
                self.replace_own,
                self.replace_foreign,
                self.mine_and_sync,
                self.reorganise,
                self.close_for_a_while,
            ),
            (30, 30, 10, 6, 14, 4, 4),
        )[0]
        try:
            event()
        except WalletError:
            self.kinds.add("refused")

    # --- what must hold

    def check(self) -> None:
        confirmed, pending = self.world.unspent(OURS)
        coins = self.wallet.coins()
        assert {c.outpoint: c.value_sat for c in coins if c.height is not None} == confirmed
        assert {c.outpoint: c.value_sat for c in coins if c.height is None} == pending
        balance = self.wallet.balance()
        assert balance.total == sum(confirmed.values()) + sum(pending.values())
        trusted = {o: v for o, v in pending.items() if self.is_trusted(o.txid)}
        assert balance.trusted_pending == sum(trusted.values())
        history = self.wallet.history()
        assert {e.txid: e.height for e in history if e.is_live} == self.world.involving(OURS)
        assert all(e.fee_sat is not None for e in history if e.is_own and e.sent_sat)
        net = sum(entry.net_sat for entry in history if entry.is_live)
        assert net == balance.total

    def is_trusted(self, txid: bytes) -> bool:
        if txid not in self.world.mempool:
            return True
        prevouts: list[OutPoint] = [i.prevout for i in self.world.mempool[txid].inputs]
        parents = [self.world.known.get(prevout.txid) for prevout in prevouts]
        return all(
            parent is not None
            and parent.outputs[prevout.vout].script_pubkey in OURS
            and self.is_trusted(prevout.txid)
            for parent, prevout in zip(parents, prevouts, strict=True)
        )

    def check_restored(self) -> None:
        wallet = self.wallet
        self.store.save(wallet)
        twin = new_wallet(ALL_TYPES, self.active, self.store.state)
        tip = wallet.tip
        assert tip is not None
        twin.set_tip(tip)
        assert twin.take_staged().is_empty
        assert twin.snapshot(self.clock) == wallet.snapshot(self.clock)
        assert set(twin.watch_scripts()) == set(wallet.watch_scripts())
        assert twin.known_indexes() == wallet.known_indexes()
        assert twin.checkpoints() == wallet.checkpoints()
        assert twin.rival_scripts() == wallet.rival_scripts()
        assert [t.txid for t in twin.pending_own()] == [t.txid for t in wallet.pending_own()]


FAKE = (b"\x30" * 71,)


@pytest.fixture(autouse=True)
def _parse_descriptors_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Many restarts would derive the same keys again and again; a descriptor never changes.
    monkeypatch.setattr(Descriptor, "parse", cache(Descriptor.parse))


@pytest.mark.parametrize("seed", range(4))
def test_a_random_life_agrees_with_the_brute_force_ledger(seed: int) -> None:
    life = Life(Random(seed), active=seed)
    while life.payments < 125:
        life.step()
        life.check()
        if life.counter % 5 == 0:
            life.check_restored()
    assert life.kinds >= {"fresh", "reused", "jump", "change", "changeless", "replaced", "child"}
    assert life.kinds >= {"reorganisation", "closed", "double spend", "refused"}
    check_rescan(life)


def check_rescan(life: Life) -> None:
    """Restore from the words: the chain alone gives the same coins, as far as the gap reaches."""
    bare = World(Random(0))
    bare.blocks, bare.known = life.world.blocks, life.world.known
    rescan = Life(Random(0), life.active)
    rescan.world, rescan.wallet = bare, new_wallet(ALL_TYPES, life.active)
    rescan.sync()
    found = {coin.outpoint: coin.value_sat for coin in rescan.wallet.coins()}
    assert found == bare.unspent(set(rescan.wallet.watch_scripts()))[0]
