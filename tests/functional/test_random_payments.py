"""500 random payments, replacements and reorganisations, compared with bitcoind's own wallet.

After each step the balance, its parts and the set of transactions must be those of a bitcoind
wallet that watches the same descriptors. The wallet runs as it does for a person: P2P filters,
default gap and window, files on disk; now and then it is closed while the chain goes on.
"""

import asyncio
import os
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.functional.bitcoind import COIN, Node, RpcError, to_btc, to_sat
from tests.functional.live_wallet import Keys, Live, online_at
from tests.functional.node_wallet import DirectLink
from tests.patience import PATIENCE
from wallet_gui.app.session import WalletSession
from wallet_gui.app.source_switch import BackendFactory
from wallet_gui.chain.backend import ChainStores, EventSink, PeerStore
from wallet_gui.chain.bitcoind import node_mempool
from wallet_gui.chain.bitcoind.backend import NodeBackend
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.descriptors.checksum import checksum
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex
from wallet_gui.primitives.params import REGTEST, ChainParams
from wallet_gui.primitives.transaction import OutPoint, Transaction
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.wallet.changes import Keychain
from wallet_gui.wallet.errors import GapLimit, WalletError
from wallet_gui.wallet.spend import Recipient

MIRROR = "mirror"
# Mined coins go here: nobody spends them, so no reorganisation makes a payment premature.
ELSEWHERE = "elsewhere"
STEPS = int(os.environ.get("RANDOM_STEPS", "500"))
NODE_STEPS = int(os.environ.get("RANDOM_NODE_STEPS", "150"))
SEED = int(os.environ.get("RANDOM_SEED", "1"))
RANGE = 4000
AGREE_SECONDS = PATIENCE


class Mirror:
    """bitcoind's own wallet on the same descriptors."""

    def __init__(self, node: Node, keys: Keys) -> None:
        self._node = node
        node.rpc("createwallet", MIRROR, True, True)
        requests = []
        for descriptor in keys.descriptors.values():
            text = descriptor.to_string().partition("#")[0]
            for chain in Keychain:
                one = text.replace("<0;1>", str(int(chain)))
                requests.append(
                    {
                        "desc": f"{one}#{checksum(one)}",
                        "timestamp": 0,
                        "range": [0, RANGE],
                        "internal": chain is Keychain.CHANGE,
                    }
                )
        results = node.rpc("importdescriptors", requests, wallet=MIRROR)
        assert all(result["success"] for result in results), results

    def look(self) -> tuple[tuple[int, int, int], dict[str, int]]:
        """(spendable, incoming, immature) in sat, and confirmations of each transaction."""
        balances = self._node.rpc("getbalances", wallet=MIRROR)["mine"]
        parts = tuple(
            to_sat(balances[name]) for name in ("trusted", "untrusted_pending", "immature")
        )
        listed = self._node.rpc("listsinceblock", "", 1, True, False, True, wallet=MIRROR)
        waiting = self._node.mempool()
        known = {
            item["txid"]: int(item["confirmations"])
            for item in listed["transactions"]
            if item["confirmations"] > 0 or item["txid"] in waiting
        }
        return (parts[0], parts[1], parts[2]), known


class Life:
    """One wallet's random life; every step leaves it equal to the mirror."""

    def __init__(
        self, node: Node, root: Path, seed: int, make_backend: BackendFactory = P2PBackend
    ) -> None:
        self.node = node
        self.make_backend = make_backend
        self.root = root
        self.rng = Random(seed)
        self.keys = Keys("life", DescriptorType.WPKH, DescriptorType.TR, DescriptorType.SH_WPKH)
        self.path = self.keys.create_file(DataDirectory(root, REGTEST))
        self.kinds: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.mirror = Mirror(node, self.keys)
        self.used = [-1] * len(self.keys.descriptors)  # last used receive index of each

    async def rpc(self, method: str, *params: Any) -> Any:
        return await asyncio.to_thread(self.node.bank, method, *params)

    @property
    def nowhere(self) -> str:
        """A fresh address each time: an empty block must not equal one that was taken back."""
        return str(self.node.rpc("getnewaddress", wallet=ELSEWHERE))

    # --- running

    async def live(self, steps: int) -> None:
        done = 0
        while done < steps:
            async with online_at(
                self.node, self.root, self.keys, make_backend=self.make_backend
            ) as live:
                session = await live.open(self.path)
                session._rng = self.rng
                await self.compare(live, session, "open")
                kind = ""
                while done < steps and kind != "close":
                    done += 1
                    began = time.monotonic()
                    kind = await self.step(live, session)
                    self.seconds[kind.split()[0]] += time.monotonic() - began
                    self.kinds[kind] += 1
                    if kind != "close":
                        began = time.monotonic()
                        await self.compare(live, session, f"{done} {kind}")
                        self.seconds[f"{kind.split()[0]} seen"] += time.monotonic() - began
            if done < steps:
                await asyncio.to_thread(self.happen_meanwhile)

    async def step(self, live: Live, session: WalletSession) -> str:
        choices: list[tuple[int, str, Callable[[Live, WalletSession], Awaitable[None]]]] = [
            (22, "paid", self.be_paid),
            (18, "pay", self.pay),
            (6, "sweep", self.pay_without_change),
            (7, "chain", self.spend_incoming),
            (8, "bump own", self.bump_own),
            (6, "bump foreign", self.bump_foreign),
            (4, "replaced", self.be_replaced),
            (16, "mine", self.mine),
            (5, "reorganise", self.reorganise),
            (3, "close", self.close),
        ]
        _, kind, act = self.rng.choices(choices, [weight for weight, _, _ in choices])[0]
        try:
            await act(live, session)
        except WalletError as error:
            return f"{kind} refused: {type(error).__name__}"
        except RpcError as error:
            return f"{kind} impossible: {error.code} {error.message[:60]}"
        return kind

    async def compare(self, live: Live, session: WalletSession, what: str) -> None:
        deadline = time.monotonic() + AGREE_SECONDS
        while True:
            await live.in_sync()
            parts, known = await asyncio.to_thread(self.mirror.look)
            snapshot = session.snapshot()
            balance = snapshot.balance
            ours = (balance.spendable, balance.incoming, balance.immature)
            entries = {
                hash_to_hex(entry.txid): snapshot.confirmations(entry)
                for entry in snapshot.history
                if entry.is_live
            }
            if ours == parts and entries == known:
                self.used = [session.wallet._watch.last_used(key) for key in _chains(session)]
                return
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.02)
        missing = {txid: known[txid] for txid in known.keys() - entries.keys()}
        surplus = {txid: entries[txid] for txid in entries.keys() - known.keys()}
        other = {
            t: (entries[t], known[t]) for t in entries.keys() & known if entries[t] != known[t]
        }
        raise AssertionError(
            f"seed {SEED}, step {what}: ours {ours}, bitcoind's {parts}; "
            f"missing {missing}, surplus {surplus}, otherwise confirmed {other}"
        )

    # --- what happens

    def own_address(self) -> str:
        """An address that was used before, or one up to 99 beyond the last used of its chain.

        Nothing further is promised to be found. What is paid while the wallet is closed counts
        from what was used before.
        """
        position = self.rng.randrange(len(self.keys.descriptors))
        index = max(self.used) + self.rng.choice((1, 2, 5, 30, 99))
        if self.rng.random() < 0.6:
            index = self.rng.randint(0, max(0, *self.used))
        index = min(index, self.used[position] + 99)
        return list(self.keys.descriptors.values())[position].address(index, Keychain.RECEIVE)

    async def be_paid(self, live: Live, session: WalletSession) -> None:
        del live
        addresses = set()
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            if self.rng.random() < 0.4:
                try:
                    addresses.add((await session.new_request("asked for")).address)
                    continue
                except GapLimit:
                    pass
            addresses.add(self.own_address())
        await asyncio.to_thread(self.bank_pays, sorted(addresses))

    def bank_pays(self, addresses: list[str]) -> None:
        amounts: dict[str, str | Decimal] = {
            address: to_btc(self.rng.randint(20_000, 3_000_000)) for address in addresses
        }
        rate = self.rng.randint(1, 12)
        self.node.bank("send", amounts, None, "unset", None, {"fee_rate": rate})

    async def recipients(self) -> list[Recipient]:
        found = []
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            amount = self.rng.randint(1_000, 800_000)
            if self.rng.random() < 0.15:
                address = self.own_address()
            else:
                address = str(await self.rpc("getnewaddress"))
            found.append(Recipient(script_from_address(address, REGTEST), amount))
        return found

    async def send(self, live: Live, session: WalletSession, tx: Transaction) -> None:
        """Send, and wait for the node itself; the evidence for the person comes by and by.

        A node waits two seconds before it asks a peer that serves no blocks for a transaction, so
        most are handed to it directly.
        """
        del live
        txid = hash_to_hex(tx.txid)
        if self.rng.random() < 0.9:
            await asyncio.to_thread(self.node.rpc, "sendrawtransaction", tx.serialize().hex(), 0)
            return
        sending = asyncio.ensure_future(session.broadcast(tx))
        try:
            await asyncio.to_thread(self.node.wait_for_mempool, txid)
        finally:
            sending.cancel()
            await asyncio.wait([sending])

    def rate(self) -> FeeRate:
        return FeeRate(self.rng.randint(1_000, 12_000))

    async def pay(self, live: Live, session: WalletSession) -> None:
        recipients = await self.recipients()
        plan = await session.plan_payment(recipients, self.rate(), allow_high_fee=True)
        await self.send(live, session, await live.online.sign(session, plan))

    async def pay_without_change(self, live: Live, session: WalletSession) -> None:
        coins = [coin.outpoint for coin in session.wallet.coins() if coin.is_spendable]
        chosen = self.rng.sample(coins, min(len(coins), self.rng.randint(1, 4)))
        await self.sweep(live, session, chosen)

    async def spend_incoming(self, live: Live, session: WalletSession) -> None:
        """A payment that nobody confirmed yet is spent on, so that a block holds both."""
        coins = [
            coin.outpoint
            for coin in session.wallet.coins()
            if coin.height is None and not coin.is_own_change
        ]
        await self.sweep(live, session, self.rng.sample(coins, min(len(coins), 1)))

    async def sweep(self, live: Live, session: WalletSession, coins: list[OutPoint]) -> None:
        address = str(await self.rpc("getnewaddress"))
        plan = await session.plan_payment(
            [Recipient(script_from_address(address, REGTEST), None)],
            self.rate(),
            coins=coins,
            allow_high_fee=True,
        )
        assert plan.change_sat is None
        await self.send(live, session, await live.online.sign(session, plan))

    async def bump_own(self, live: Live, session: WalletSession) -> None:
        pending = [entry.txid for entry in session.wallet.history() if entry.can_bump]
        if pending:
            tx = await live.online.bump(session.wallet_id, self.rng.choice(sorted(pending)))
            await self.send(live, session, tx)

    def foreign_pending(self, session: WalletSession) -> list[str]:
        return sorted(
            hash_to_hex(entry.txid)
            for entry in session.wallet.history()
            if entry.height is None and entry.is_live and not entry.is_own
        )

    async def bump_foreign(self, live: Live, session: WalletSession) -> None:
        del live
        pending = self.foreign_pending(session)
        if pending:
            await self.rpc("bumpfee", self.rng.choice(pending))

    async def be_replaced(self, live: Live, session: WalletSession) -> None:
        """The payer takes a payment back: its replacement pays somebody else."""
        del live
        pending = self.foreign_pending(session)
        if pending:
            await asyncio.to_thread(self.bank_takes_back, self.rng.choice(pending))

    def bank_takes_back(self, txid: str) -> None:
        away = str(self.node.bank("getnewaddress"))
        self.node.bank("bumpfee", txid, {"outputs": [{away: "0.0001"}], "fee_rate": 30})

    async def mine(self, live: Live, session: WalletSession) -> None:
        del live, session
        await asyncio.to_thread(self.find_blocks)

    def find_blocks(self) -> None:
        luck = self.rng.random()
        if luck < 0.3:
            self.mine_some()
        elif luck < 0.36:
            self.node.mine(1, self.own_address())
        else:
            self.node.mine(self.rng.choice((1, 1, 2)), self.nowhere)

    def mine_some(self) -> None:
        try:
            self.node.mine_with(self.some_of_the_mempool(), self.nowhere)
        except RpcError as error:
            self.kinds[f"block impossible: {error.code} {error.message[:70]}"] += 1
            self.node.mine_with([], self.nowhere)

    def some_of_the_mempool(self) -> list[str]:
        """Some transactions, parents first and none without its parents."""
        chosen: list[str] = []
        for txid in sorted(self.node.mempool()):
            if self.rng.random() < 0.5:
                ancestors = self.node.rpc("getmempoolancestors", txid, True)
                order = sorted(ancestors, key=lambda t: int(ancestors[t]["ancestorcount"]))
                chosen += [t for t in [*order, txid] if t not in chosen]
        return chosen

    async def reorganise(self, live: Live, session: WalletSession) -> None:
        del live, session
        await asyncio.to_thread(self.take_blocks_back)

    def take_blocks_back(self) -> None:
        depth = self.rng.randint(1, 6)
        first = self.node.height - depth + 1
        waiting = [raw for height in range(first, first + depth) for raw in self.paid_at(height)]
        entries = self.node.rpc("getrawmempool", True)
        order = sorted(entries, key=lambda txid: int(entries[txid]["ancestorcount"]))
        waiting += [self.node.rpc("getrawtransaction", txid) for txid in order]
        self.node.invalidate(self.node.block_hash(first))
        for _ in range(depth + 1):
            if self.rng.random() < 0.5:
                self.node.mine_with([], self.nowhere)
            else:
                self.mine_some()
        while not self.offer_again(waiting):
            # The limit on chains of unconfirmed payments holds for them anew.
            self.node.mine(1, self.nowhere)

    def paid_at(self, height: int) -> list[str]:
        """The raw transactions of a block without its coinbase."""
        block = self.node.rpc("getblock", self.node.block_hash(height), 2)
        return [tx["hex"] for tx in block["tx"][1:]]

    def offer_again(self, raw: list[str]) -> bool:
        """What lost its block, or was not final in between (lock time), is offered once more.

        Wallets do so by themselves, after a while; what was replaced before stays replaced.
        Parents come first. False when the node finds chains of unconfirmed payments too long.
        """
        is_short = True
        for text in raw:
            try:
                self.node.rpc("sendrawtransaction", text, 0)
            except RpcError as error:
                if "too-long-mempool-chain" in error.message or "too many" in error.message:
                    is_short = False
        return is_short

    async def close(self, live: Live, session: WalletSession) -> None:
        """The wallet is closed after this step."""

    def happen_meanwhile(self) -> None:
        """The chain while the wallet is closed; all that waits is mined before it opens again."""
        pending = [
            item["txid"]
            for item in self.node.bank("listtransactions", "*", 60)
            if item["confirmations"] == 0 and item["category"] == "send"
        ]
        for _ in range(self.rng.randint(1, 3)):
            happening = self.rng.choice(("paid", "reorganise", "mine", "replaced"))
            try:
                if happening == "paid":
                    self.bank_pays([self.own_address()])
                elif happening == "reorganise":
                    self.take_blocks_back()
                elif happening == "mine":
                    self.find_blocks()
                elif pending:
                    self.bank_takes_back(self.rng.choice(pending))
            except RpcError as error:
                self.kinds[f"{happening} meanwhile impossible: {error.code}"] += 1
            self.kinds[f"{happening} meanwhile"] += 1
        self.node.mine(1, self.nowhere)


def _chains(session: WalletSession) -> list[tuple[int, Keychain]]:
    return [(index, Keychain.RECEIVE) for index in range(len(session.wallet.descriptors))]


def ready(node: Node) -> None:
    """Give the node's bank money that lies deep enough for whatever comes."""
    node.mine(120)
    # What the bank spends is buried so deep that no reorganisation touches its maturity.
    node.rpc("createwallet", ELSEWHERE)
    elsewhere = str(node.rpc("getnewaddress", wallet=ELSEWHERE))
    addresses = {str(node.bank("getnewaddress")): "5" for _ in range(100)}
    node.mine(110, elsewhere)
    node.bank("send", addresses, None, "unset", None, {"fee_rate": 2})
    node.mine(8, elsewhere)
    node.wait_for_filters()
    assert node.bank_balance() > 500 * COIN


def run_life(life: Life, steps: int) -> None:
    began = time.monotonic()
    try:
        asyncio.run(life.live(steps))
    finally:
        print(f"{time.monotonic() - began:.1f} s", dict(life.kinds), life.seconds)
    assert hash_from_hex(life.node.tip)


@pytest.mark.slow
def test_five_hundred_random_steps_agree_with_bitcoinds_own_wallet(
    node: Node, tmp_path: Path
) -> None:
    ready(node)
    run_life(Life(node, tmp_path, SEED), STEPS)


class NodeAsPeers(NodeBackend):
    """Stands where the P2P backend would: what a person decides about peers changes nothing."""

    def set_options(self, options: P2POptions) -> None:
        """Ignore them."""


@pytest.mark.slow
@pytest.mark.parametrize("tells", [True, False])
def test_random_steps_through_ones_own_node_agree_as_well(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, tells: bool
) -> None:
    """The same life, read over the node's RPC: with its help, and telling it nothing."""
    monkeypatch.setattr(node_mempool, "_LEAST_PAUSE", 0.02)
    monkeypatch.setattr(node_mempool, "_PAUSE_FACTOR", 1.0)

    def by_the_node(
        params: ChainParams,
        options: P2POptions,
        stores: ChainStores,
        sink: EventSink,
        *,
        peer_store: PeerStore | None = None,
        on_failure: Callable[[BaseException], None],
    ) -> NodeAsPeers:
        mode = ScanMode.NODE if tells else ScanMode.FILTERS
        link = DirectLink(node, mode, may_ask_for_coins=tells)
        return NodeAsPeers(params, link, stores, sink, on_failure=on_failure)

    ready(node)
    run_life(Life(node, tmp_path, SEED, by_the_node), NODE_STEPS)
