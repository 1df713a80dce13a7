"""What the newest blocks show: found far beyond the window, partial, and never part of a wallet."""

import pytest

from tests.unit.wallet.chain_world import (
    DESCRIPTORS,
    block_of,
    coinbase,
    foreign_script,
    foreign_tx,
    new_wallet,
)
from wallet_gui.app.preview import Preview
from wallet_gui.chain.backend import PreviewDone, PreviewMatched, Reorganized, Scanned
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.transaction import OutPoint, TxOut
from wallet_gui.wallet.changes import Keychain

DESCRIPTOR = DESCRIPTORS[DescriptorType.WPKH]


def paying(index: int, sat: int, height: int, previous: bytes = bytes(32)) -> Block:
    script = DESCRIPTOR.script_pubkey(index, Keychain.RECEIVE)
    reward = coinbase(height, 0, [TxOut(5_000_000_000, foreign_script(height))])
    return block_of([reward, foreign_tx(height, [TxOut(sat, script)])], previous, height)


@pytest.fixture(scope="module")
def wallet_and_preview() -> Preview:
    preview = Preview("w", new_wallet())
    scripts = preview.scripts()
    # A thousand on each chain, since a preview cannot grow its window.
    assert DESCRIPTOR.script_pubkey(999, Keychain.RECEIVE) in scripts
    assert DESCRIPTOR.script_pubkey(999, Keychain.CHANGE) in scripts
    return preview


def test_a_preview_goes_through_its_life(wallet_and_preview: Preview) -> None:
    preview = wallet_and_preview
    assert preview.snapshot() is None
    assert not preview.take(PreviewMatched("another", 900, paying(0, 1, 900)))
    first = paying(700, 50_000, 900)
    assert preview.take(PreviewMatched("w", 900, first))
    second = paying(3, 20_000, 905)
    assert preview.take(PreviewMatched("w", 905, second))
    shown = preview.snapshot()
    assert shown is not None
    assert (shown.held_sat, shown.payments, shown.from_height) == (70_000, 2, 900)
    assert not shown.is_done

    # What is spent within these blocks is not held any more.
    reward = coinbase(910, 0, [TxOut(5_000_000_000, foreign_script(1))])
    coin = OutPoint(first.transactions[1].txid, 0)
    spending = foreign_tx(910, [TxOut(49_000, foreign_script(2))], coin)
    assert preview.take(PreviewMatched("w", 910, block_of([reward, spending], bytes(32), 910)))
    shown = preview.snapshot()
    assert shown is not None
    assert shown.held_sat == 20_000

    assert preview.take(PreviewDone("w", 890, 920))
    shown = preview.snapshot()
    assert shown is not None
    assert (shown.from_height, shown.to_height, shown.is_done) == (890, 920, True)

    # A reorganisation takes back what it took from the chain; the coin that the spending payment
    # still waits to spend is not counted as held.
    assert preview.take(Reorganized("w", 904))
    shown = preview.snapshot()
    assert shown is not None
    assert (shown.held_sat, shown.payments) == (0, 1)

    # The real scan is there: nothing partial is shown beside it.
    assert preview.take(Scanned("w", 919, bytes(32)))
    assert preview.snapshot() is not None
    assert preview.take(Scanned("w", 920, bytes(32)))
    assert preview.snapshot() is None
    assert not preview.take(PreviewMatched("w", 930, paying(5, 1, 930)))


def test_nothing_is_shown_before_anybody_derived_the_scripts() -> None:
    preview = Preview("w", new_wallet())
    assert not preview.take(PreviewMatched("w", 900, paying(0, 1, 900)))
    assert not preview.take(PreviewDone("w", 890, 920))
    assert preview.snapshot() is None


def test_the_wallet_itself_learns_nothing() -> None:
    wallet = new_wallet()
    preview = Preview("w", wallet)
    preview.scripts()
    preview.take(PreviewMatched("w", 900, paying(0, 50_000, 900)))
    assert wallet.balance().total == 0
    assert wallet.history() == ()
    assert wallet.take_staged().is_empty
