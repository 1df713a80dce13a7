"""The wallet's state machine beside bitcoind's own wallet, through a random life on a real chain.

Blocks reach the wallet as a light client gets them: only where the node's compact filter matches.
Every payment of ours is checked by the node's consensus and relay rules, replacements included.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

import pytest

from tests.functional.bitcoind import Node, NodeFactory, RpcError, to_btc, to_sat
from tests.unit.descriptors.cosigners import wallet_of
from tests.unit.wallet.chain_world import (
    ALL_TYPES,
    DESCRIPTORS,
    START,
    Store,
    foreign_script,
    new_wallet,
    sign,
)
from tests.unit.wallet.shared_wallet import describe, sign_as
from wallet_gui.chain.filters import FilterEngine, pick_engine
from wallet_gui.descriptors.descriptor import Descriptor, MultisigType
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet.changes import BlockRef, Keychain
from wallet_gui.wallet.errors import WalletError
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.replacement import accelerate, bump, cancel
from wallet_gui.wallet.signed import finish
from wallet_gui.wallet.spend import Recipient, create
from wallet_gui.wallet.wallet import Wallet

MIRROR = "mirror"
PAYMENTS = 500
SHARED_PAYMENTS = 120
RANGE = 1_000


def address_of(script: bytes) -> str:
    text = address_from_script(script, REGTEST)
    assert text is not None
    return text


def is_chain_limit(error: RpcError) -> bool:
    """Long chains and large families of unconfirmed payments are against the relay policy."""
    return "too-long-mempool-chain" in error.message or "too many" in error.message


@dataclass
class Life:
    """Our wallet and its mirror inside the node."""

    node: Node
    rng: Random
    descriptors: tuple[Descriptor, ...] = tuple(DESCRIPTORS.values())
    wallet: Wallet = field(init=False)
    store: Store = field(default_factory=Store)
    announced: set[str] = field(default_factory=set)
    chain: list[str] = field(default_factory=list)  # hashes as displayed, by height
    blocks: dict[str, tuple[Block, bytes]] = field(default_factory=dict)
    engine: FilterEngine = field(default_factory=pick_engine)
    clock: int = START
    counter: int = 0
    payments: int = 0
    refused: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wallet = self.open_wallet()
        self.node.mature()
        # Young coinbases would fall out of the mempool in a reorganisation.
        self.node.mine(130)
        self.node.rpc("createwallet", MIRROR, True, True)
        self.node.rpc(
            "importdescriptors",
            [
                {"desc": d.to_string(), "range": [0, RANGE - 1], "timestamp": "now"}
                for d in self.descriptors
            ],
            wallet=MIRROR,
        )
        self.sync()

    def open_wallet(self) -> Wallet:
        """Build the wallet from what is stored."""
        return new_wallet(ALL_TYPES, 2, self.store.state)

    def sign(self, psbt: Psbt) -> Psbt:
        return sign(psbt)

    def note(self, kind: str) -> None:
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def number(self) -> int:
        self.counter += 1
        return self.counter

    # --- the light client

    def fetch(self, text: str) -> tuple[Block, bytes]:
        """Fetch a block by its hash as displayed, and its filter as serialized."""
        if text not in self.blocks:
            raw = bytes.fromhex(self.node.rpc("getblock", text, 0))
            data = bytes.fromhex(self.node.rpc("getblockfilter", text)["filter"])
            self.blocks[text] = Block.parse(raw), data
        return self.blocks[text]

    def follow(self) -> None:
        """Bring `chain` up to the node's tip, going back from it to what is known."""
        height, text, new = self.node.height, self.node.tip, list[str]()
        while height >= 0 and self.chain[height : height + 1] != [text]:
            new.append(text)
            text = hash_to_hex(self.fetch(text)[0].header.prev_blockhash)
            height -= 1
        self.chain[height + 1 :] = reversed(new)

    def block(self, height: int) -> Block:
        return self.fetch(self.chain[height])[0]

    def matching(self, start: int) -> list[int]:
        """List the heights from `start` on whose blocks may concern the wallet."""
        found = [self.fetch(text) for text in self.chain[start:]]
        matches = self.engine.match_many(
            [(block.header.hash, data) for block, data in found],
            [*self.wallet.watch_scripts(), *self.wallet.rival_scripts()],
        )
        return [height for height, match in enumerate(matches, start) if match]

    def sync(self) -> None:
        self.node.wait_for_filters()
        self.follow()
        tip = len(self.chain) - 1
        wallet = self.wallet
        start = -1
        for mark in wallet.checkpoints():
            if mark.height <= tip and self.chain[mark.height] == hash_to_hex(mark.hash):
                start = mark.height
                break
        if wallet.scan_mark is not None and wallet.scan_mark.height > start:
            wallet.rollback_to(start)
        ref = BlockRef(tip, hash_from_hex(self.chain[tip]))
        wallet.set_tip(ref)
        wallet.take_new_scripts()
        left = self.matching(start + 1)
        while left:
            height = left.pop(0)
            wallet.apply_block(self.block(height), height)
            if wallet.take_new_scripts():
                # Everything from here is matched again against the larger watch set.
                left = self.matching(height)
        wallet.scanned(ref)
        self.store.save(wallet)

    def in_mempool(self) -> list[str]:
        """List what waits for a block, parents first."""
        entries: dict[str, Any] = self.node.rpc("getrawmempool", True)
        return sorted(entries, key=lambda txid: (entries[txid]["ancestorcount"], txid))

    def hear(self) -> None:
        """Be told of what is new in the mempool, parents first."""
        for txid in self.in_mempool():
            if txid not in self.announced:
                self.announced.add(txid)
                self.clock += 1
                raw = bytes.fromhex(self.node.rpc("getrawtransaction", txid))
                self.wallet.apply_unconfirmed(Transaction.parse(raw), self.clock)

    # --- what happens

    def own_address(self) -> str:
        kind = self.rng.choice(("fresh", "reused", "jump", "change"))
        self.note(kind)
        if kind == "fresh":
            with suppress(WalletError):
                return address_of(self.wallet.next_address(now=self.clock)[1])
        chain = self.rng.randrange(len(self.descriptors)), Keychain(int(kind == "change"))
        last = max(self.wallet.known_indexes()[chain], 0)
        index = self.rng.randint(0, last)
        if kind == "jump":
            # From what is confirmed: a payment that never confirms does not bridge a gap.
            used = [
                c.index for c in self.wallet.coins() if (c.descriptor_index, c.keychain) == chain
            ]
            last = max(used, default=-1)
            index = min(last + self.rng.randint(1, 100), RANGE - 1)
        return address_of(self.wallet.script_at(ScriptPlace(*chain, index)))

    def be_paid(self) -> None:
        self.payments += 1
        outputs = {self.own_address(): self.rng.randrange(1_000, 10_000_000)}
        while self.rng.random() < 0.25:
            outputs[self.own_address()] = self.rng.randrange(1_000, 10_000_000)
        amounts = {address: to_btc(sat) for address, sat in outputs.items()}
        self.node.bank("send", amounts, None, "unset", 2, {"replaceable": True})

    def pay(self) -> None:
        recipients = [
            Recipient(foreign_script(self.number()), self.rng.randrange(1_000, 5_000_000))
            for _ in range(self.rng.randint(1, 3))
        ]
        chosen = None
        kind = self.rng.choice(("usual", "usual", "all of some coins", "to ourselves"))
        if kind == "all of some coins":
            coins = [coin for coin in self.wallet.coins() if coin.is_mature]
            count = min(len(coins), self.rng.randint(1, 4))
            chosen = [coin.outpoint for coin in self.rng.sample(coins, count)]
            recipients = [Recipient(foreign_script(self.number()), None)]
        elif kind == "to ourselves":
            recipients.append(
                Recipient(
                    self.wallet.script_at(
                        ScriptPlace(len(self.descriptors) - 1, Keychain.RECEIVE, 0)
                    ),
                    9_000,
                )
            )
        plan = create(
            self.wallet,
            recipients,
            FeeRate(self.rng.randrange(1_000, 5_000)),
            coins=chosen,
            rng=self.rng,
            tip_height=self.node.height,
            allow_high_fee=True,
        )
        tx = finish(plan.psbt, self.sign(plan.psbt))
        assert tx.vsize <= plan.vsize
        self.send(tx, kind)

    def send(self, tx: Transaction, kind: str) -> None:
        self.clock += 1
        try:
            self.node.rpc("sendrawtransaction", tx.serialize().hex(), 0)
        except RpcError as error:
            if not is_chain_limit(error):
                raise
            self.note("chain too long")
            return
        self.note(kind)
        self.payments += 1
        self.wallet.insert_own(tx, self.clock)

    def replace_own(self) -> None:
        waiting = self.wallet.pending_own()
        if not waiting:
            return
        act = self.rng.choice((bump, bump, cancel, accelerate))
        plan = act(
            self.wallet,
            self.rng.choice(waiting).txid,
            FeeRate(self.rng.randrange(5_000, 30_000)),
            rng=self.rng,
            tip_height=self.node.height,
            allow_high_fee=True,
        )
        self.send(finish(plan.psbt, self.sign(plan.psbt)), act.__name__)

    def replace_foreign(self) -> None:
        """The node takes a payment to us back, or pays us the same with a higher fee."""
        entries = self.node.bank("listtransactions", "*", 30)
        waiting = [
            e["txid"] for e in entries if e["confirmations"] == 0 and e["category"] == "send"
        ]
        waiting = [txid for txid in waiting if txid in self.node.mempool()]
        if not waiting:
            return
        options: dict[str, Any] = {"fee_rate": self.rng.randint(20, 60)}
        if self.rng.random() < 0.5:
            options["outputs"] = [{address_of(foreign_script(self.number())): to_btc(50_000)}]
        try:
            self.node.bank("bumpfee", self.rng.choice(waiting), options)
        except RpcError:
            self.note("node would not bump")
            return
        self.note("taken back" if "outputs" in options else "bumped to us")

    def mine(self) -> None:
        if self.rng.random() < 0.6:
            self.node.mine(1, address_of(foreign_script(self.number())))
        else:
            waiting: dict[str, Any] = self.node.rpc("getrawmempool", True)
            roots = [txid for txid, entry in waiting.items() if entry["ancestorcount"] == 1]
            chosen = [txid for txid in roots if self.rng.random() < 0.5]
            self.node.mine_with(chosen, address_of(foreign_script(self.number())))

    def mine_and_sync(self) -> None:
        self.mine()
        self.sync()

    def reorganize(self) -> None:
        self.replace_blocks()
        self.sync()

    def replace_blocks(self) -> None:
        """Reorganise; whoever made the payments that fell out of the mempool sends them again.

        While the chain is shorter, those locked to its old height are not final and are dropped.
        """
        depth = self.rng.randint(1, 6)
        self.note("reorganisation")
        self.node.wait_for_filters()
        self.follow()
        waiting = [tx for text in self.chain[-depth:] for tx in self.fetch(text)[0].transactions]
        raw = [tx.serialize().hex() for tx in waiting if not tx.is_coinbase]
        raw += [self.node.rpc("getrawtransaction", txid) for txid in self.in_mempool()]
        self.node.reorganize(depth, address=address_of(foreign_script(self.number())))
        while not self.offer_again(raw):
            # The limit on chains of unconfirmed payments holds for them anew.
            self.note("too long after a reorganisation")
            self.node.mine(1, address_of(foreign_script(self.number())))

    def offer_again(self, raw: list[str]) -> bool:
        """Send payments that may be known already, parents first; False when chains are too long.

        Others are refused for good: what they spend went another way.
        """
        is_short = True
        for text in raw:
            try:
                self.node.rpc("sendrawtransaction", text, 0)
            except RpcError as error:
                is_short = is_short and not is_chain_limit(error)
        return is_short

    def close(self) -> None:
        """Stop the wallet; payments are replaced, blocks come and go; start it again."""
        self.note("closed")
        self.hear()
        self.store.save(self.wallet)
        for _ in range(self.rng.randint(1, 3)):
            self.rng.choice((self.replace_foreign, self.mine, self.mine))()
        if self.rng.random() < 0.5:
            self.replace_blocks()
        self.node.mine(1, address_of(foreign_script(self.number())))
        self.wallet = self.open_wallet()
        self.sync()

    def step(self) -> None:
        event = self.rng.choices(
            (
                self.be_paid,
                self.pay,
                self.replace_own,
                self.replace_foreign,
                self.mine_and_sync,
                self.reorganize,
                self.close,
            ),
            (30, 30, 10, 6, 16, 3, 3),
        )[0]
        try:
            event()
        except WalletError:
            self.refused += 1
        self.hear()
        if self.wallet.take_new_scripts():
            self.sync()

    # --- what must hold

    def check(self) -> None:
        self.node.rpc("syncwithvalidationinterfacequeue")
        # What our wallet waits for, the node has: otherwise the two speak of different things.
        assert {hash_to_hex(tx.txid) for tx in self.wallet.pending_own()} <= self.node.mempool()
        unspent = self.node.rpc("listunspent", 0, 9_999_999, [], True, wallet=MIRROR)
        theirs = {
            (u["txid"], u["vout"]): (to_sat(u["amount"]), u["confirmations"]) for u in unspent
        }
        tip = self.node.height
        ours = {
            (hash_to_hex(c.outpoint.txid), c.outpoint.vout): (
                c.value_sat,
                0 if c.height is None else tip - c.height + 1,
            )
            for c in self.wallet.coins()
        }
        assert ours == theirs
        balances = self.node.rpc("getbalances", wallet=MIRROR)["mine"]
        balance = self.wallet.balance()
        assert balance.spendable == to_sat(balances["trusted"])
        assert balance.incoming == to_sat(balances["untrusted_pending"])
        assert balance.immature == to_sat(balances["immature"])

    def check_transactions(self) -> None:
        listed = self.node.rpc("listtransactions", "*", 100_000, wallet=MIRROR)
        mempool = self.node.mempool()
        theirs = {
            e["txid"]: e.get("blockheight")
            for e in listed
            if e["confirmations"] > 0 or e["txid"] in mempool
        }
        ours = {hash_to_hex(e.txid): e.height for e in self.wallet.history() if e.is_live}
        for txid in ours.keys() - theirs.keys():
            # bitcoind leaves out what only moves change to change, but knows it.
            known = self.node.rpc("gettransaction", txid, wallet=MIRROR)
            assert known["details"] == []
            theirs[txid] = known.get("blockheight")
        assert ours == theirs


@dataclass
class SharedLife(Life):
    """The same for wallets of which two of three cosigners sign, one of each kind."""

    descriptors: tuple[Descriptor, ...] = tuple(wallet_of(kind, 2, 3) for kind in MultisigType)

    def open_wallet(self) -> Wallet:
        return Wallet(describe(*self.descriptors), REGTEST, self.store.state)

    def sign(self, psbt: Psbt) -> Psbt:
        for number in self.rng.sample(range(3), 2):
            psbt = sign_as(psbt, number, self.descriptors)
        return psbt


@pytest.mark.slow
def test_payments_of_a_multisig_leave_the_same_as_in_bitcoinds_wallet(
    node_factory: NodeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Descriptor, "parse", cache(Descriptor.parse))
    node = node_factory("-addresstype=bech32", "-changetype=bech32", "-minrelaytxfee=0.00001")
    life = SharedLife(node, Random(20_26))
    steps = 0
    while life.payments < SHARED_PAYMENTS:
        life.step()
        life.check()
        steps += 1
        if steps % 10 == 0:
            life.check_transactions()
    life.check_transactions()
    print(life.kinds, "refused", life.refused, "steps", steps)
    for kind in ("fresh", "change", "usual", "all of some coins", "closed"):
        assert life.kinds[kind] > 0


@pytest.mark.slow
def test_five_hundred_payments_leave_the_same_as_in_bitcoinds_wallet(
    node_factory: NodeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many restarts would derive the same keys again and again; a descriptor never changes.
    monkeypatch.setattr(Descriptor, "parse", cache(Descriptor.parse))
    node = node_factory("-addresstype=bech32", "-changetype=bech32", "-minrelaytxfee=0.00001")
    life = Life(node, Random(20_24))
    steps = 0
    while life.payments < PAYMENTS:
        life.step()
        life.check()
        steps += 1
        if steps % 10 == 0:
            life.check_transactions()
    life.check_transactions()
    print(life.kinds, "refused", life.refused, "steps", steps)
    for kind in ("fresh", "reused", "jump", "change", "usual", "all of some coins", "closed"):
        assert life.kinds[kind] > 5
    for kind in ("bump", "cancel", "accelerate", "taken back", "bumped to us"):
        assert life.kinds[kind] > 0
