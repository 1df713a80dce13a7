"""Multisig wallets with money, for tests of all floors."""

from random import Random

from tests.unit.descriptors.cosigners import ROOTS
from tests.unit.wallet.chain_world import COIN, block_of, coinbase, foreign_script, foreign_tx
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.keys.signer import sign
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import TxOut
from wallet_gui.wallet.changes import BlockRef, Keychain, WalletDescription
from wallet_gui.wallet.draft import SpendPlan
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.spend import Recipient, create
from wallet_gui.wallet.wallet import Wallet


def describe(*descriptors: Descriptor) -> WalletDescription:
    return WalletDescription(
        name="Together",
        network="regtest",
        descriptors=tuple(map(str, descriptors)),
        active=0,
        fingerprint="",
        birthday_time=None,
        cache_key=bytes(32),
        has_secrets=False,
    )


def funded(*descriptors: Descriptor, coins: int = 3) -> Wallet:
    """A wallet that got `coins` times one bitcoin on each descriptor, 100 blocks ago."""
    wallet = Wallet(describe(*descriptors), REGTEST)
    places = [
        ScriptPlace(number, Keychain.RECEIVE, index)
        for number in range(len(descriptors))
        for index in range(coins)
    ]
    payments = [
        foreign_tx(number, [TxOut(COIN, wallet.script_at(place))])
        for number, place in enumerate(places)
    ]
    block = block_of([coinbase(1, 0, [TxOut(0, foreign_script(0))]), *payments], bytes(32), 1)
    wallet.apply_block(block, 1)
    wallet.set_tip(BlockRef(100, bytes(32)))
    return wallet


def plan(wallet: Wallet, amount: int | None = COIN * 3 // 2, seed: int = 1) -> SpendPlan:
    return create(
        wallet,
        [Recipient(foreign_script(7), amount)],
        FeeRate(5_000),
        rng=Random(seed),
        tip_height=100,
    )


def sign_as(psbt: Psbt, number: int, descriptors: tuple[Descriptor, ...]) -> Psbt:
    """Sign as cosigner `number`, counted from 0."""
    return sign(psbt, ROOTS[number], descriptors, REGTEST)
