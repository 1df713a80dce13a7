"""What a wallet knows must not depend on the order in which it learned it."""

from collections.abc import Container, Iterator
from functools import cache
from random import Random

import pytest

from tests.unit.wallet.chain_world import (
    ALL_TYPES,
    DESCRIPTORS,
    START,
    World,
    foreign_script,
    foreign_tx,
    new_wallet,
    signed_tx,
)
from wallet_gui.chain.filters import pick_engine
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxOut
from wallet_gui.wallet.changes import BlockRef
from wallet_gui.wallet.spend import Recipient, create
from wallet_gui.wallet.wallet import Wallet

# A key path spend of taproot does not show its key: only block order finds it before its coin.
TYPES = (DescriptorType.PKH, DescriptorType.SH_WPKH, DescriptorType.WPKH)


@cache
def busy_world() -> World:
    world = World(Random(5))
    wallet = new_wallet(TYPES)
    last = dict.fromkeys(TYPES, -1)
    for number in range(40):
        kind = world.rng.choice(TYPES)
        last[kind] += world.rng.randint(0, 40)
        payment = foreign_tx(number, [TxOut(50_000, DESCRIPTORS[kind].script_pubkey(last[kind]))])
        included = [payment]
        wallet.apply_unconfirmed(payment, START)
        if number % 2:
            plan = create(
                wallet,
                [Recipient(foreign_script(number), world.rng.choice((None, 20_000)))],
                FeeRate(1_000),
                rng=world.rng,
                tip_height=world.height,
                allow_high_fee=True,
            )
            spend = signed_tx(plan.psbt)
            wallet.insert_own(spend, START)
            included.append(spend)
        world.mine(included)
        wallet.apply_block(world.blocks[-1], world.height)
        wallet.set_tip(BlockRef(world.height, world.hash_at(world.height)))
    return world


def state_of(wallet: Wallet) -> tuple[object, ...]:
    history = {(e.txid, e.height, e.net_sat, e.fee_sat, e.is_live) for e in wallet.history()}
    return wallet.balance(), wallet.coins(), history, set(wallet.watch_scripts())


@pytest.mark.parametrize("seed", range(5))
def test_blocks_may_come_in_any_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Descriptor, "parse", cache(Descriptor.parse))
    world = busy_world()
    straight, shuffled = new_wallet(TYPES), new_wallet(TYPES)
    for wallet, rng in ((straight, None), (shuffled, Random(seed))):
        grew = True
        while grew:
            heights = list(range(world.height + 1))
            if rng is not None:
                rng.shuffle(heights)
            for height in heights:
                wallet.apply_block(world.blocks[height], height)
            grew = bool(wallet.take_new_scripts())
        wallet.set_tip(BlockRef(world.height, world.hash_at(world.height)))
    assert state_of(shuffled) == state_of(straight)
    assert len(straight.history()) == 60


def test_applying_all_blocks_again_changes_and_stages_nothing() -> None:
    world = busy_world()
    wallet = new_wallet(TYPES)
    for _ in range(3):
        for height, block in enumerate(world.blocks):
            wallet.apply_block(block, height)
    wallet.take_staged()
    before = state_of(wallet)
    for height, block in enumerate(world.blocks):
        assert wallet.apply_block(block, height) == []
    assert wallet.take_staged().is_empty
    assert state_of(wallet) == before


def test_a_child_that_comes_before_its_parent_is_kept() -> None:
    parent_wallet, late = new_wallet(), new_wallet()
    script = DESCRIPTORS[DescriptorType.WPKH].script_pubkey(0)
    parent = foreign_tx(1, [TxOut(90_000, script)])
    parent_wallet.apply_unconfirmed(parent, START)
    plan = create(
        parent_wallet,
        [Recipient(foreign_script(1), None)],
        FeeRate(1_000),
        coins=[parent_wallet.coins()[0].outpoint],
        rng=Random(0),
        tip_height=0,
    )
    child = signed_tx(plan.psbt)
    assert late.apply_unconfirmed(child, START) == []
    late.apply_unconfirmed(parent, START + 1)
    assert late.balance().total == 0
    assert {entry.net_sat for entry in late.history()} == {90_000, -90_000}


def test_five_thousand_transactions_are_quick_to_show() -> None:
    wallet = new_wallet(ALL_TYPES)
    script = DESCRIPTORS[DescriptorType.WPKH].script_pubkey(0)
    world = World(Random(1))
    for first in range(0, 5_000, 500):
        payments = [foreign_tx(n, [TxOut(1_000 + n, script)]) for n in range(first, first + 500)]
        world.mine(payments)
        wallet.apply_block(world.blocks[-1], world.height)
    wallet.set_tip(BlockRef(world.height, world.hash_at(world.height)))
    snapshot = wallet.snapshot(START)
    assert len(snapshot.history) == len(snapshot.coins) == 5_000
    assert snapshot.balance.confirmed == sum(range(1_000, 6_000))
    assert wallet.snapshot(START).history is snapshot.history


class WholeBlock(Block):
    """A block that leaves it to the wallet to see what concerns it."""

    def candidates(
        self,
        scripts: Container[bytes],
        outpoints: Container[OutPoint],
        public_keys: Container[bytes] = (),
    ) -> Iterator[tuple[int, Transaction]]:
        del scripts, outpoints, public_keys  # every transaction is offered
        return iter(enumerate(self.transactions))


@pytest.mark.parametrize("seed", range(4))
def test_a_wallet_misses_nothing_by_looking_at_candidates_alone(seed: int) -> None:
    world = busy_world()
    heights = list(range(1, world.height + 1))
    Random(seed).shuffle(heights)
    wallets = [new_wallet(TYPES) for _ in range(3)]
    engine = pick_engine()
    for height in sorted(heights) if seed == 0 else heights * 2:
        block = world.blocks[height]
        whole = WholeBlock(block.header, block.transactions)
        wallets[0].apply_block(whole, height)
        wallets[1].apply_block(block, height)
        wallets[2].apply_block(engine.scan_block(block.serialize()), height)
        assert state_of(wallets[0]) == state_of(wallets[1]) == state_of(wallets[2])
