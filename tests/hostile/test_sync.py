"""The whole sync against scripted peers, without I/O and with an artificial clock."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain, payment
from tests.hostile.fake_network import MemoryStores, Network
from tests.hostile.fake_peer import FakeNode
from wallet_gui.chain.backend import BackendWarning, BlockMatched, Reorganized
from wallet_gui.chain.filters import build
from wallet_gui.chain.p2p.filter_messages import CFHeaders, CFilter, GetCFilters
from wallet_gui.chain.p2p.header_sync import CLOCK
from wallet_gui.chain.p2p.messages import GetData, Headers, Message, RawBlock
from wallet_gui.chain.p2p.watches import CORRECTED
from wallet_gui.primitives.transaction import OutPoint, TxOut

BTC = 10**8


def is_synced(network: Network, node: FakeNode) -> bool:
    return network.sync.is_synced() and network.sync.state.headers.tip.hash == node.chain.tip


def balance(chain: FakeChain, wallet: ScriptWallet) -> int:
    """What the chain itself says: every script that the wallet could ever have."""
    mine = {wallet.script(index) for index in range(400)}
    coins: dict[OutPoint, int] = {}
    for block in chain.blocks:
        for tx in block.transactions:
            for tx_input in tx.inputs:
                coins.pop(tx_input.prevout, None)
            for vout, output in enumerate(tx.outputs):
                if output.script_pubkey in mine:
                    coins[OutPoint(tx.txid, vout)] = output.value_sat
    return sum(coins.values())


def paid_chain(wallet: ScriptWallet, *indexes: int) -> FakeChain:
    chain = FakeChain()
    chain.mine_empty(5)
    for index in indexes:
        chain.mine(to=wallet.script(index))
        chain.mine_empty(2)
    return chain


def test_an_honest_peer() -> None:
    wallet = ScriptWallet()
    node = FakeNode(paid_chain(wallet, 0, 1, 21))
    network = Network([wallet])
    network.connect(node)
    network.run()
    assert is_synced(network, node)
    assert wallet.balance == balance(node.chain, wallet) == 150 * BTC
    assert not network.faults


def test_a_birthday_that_the_chain_has_not_reached_hides_nothing() -> None:
    """The clock was ahead when the wallet was made, and its cache is lost."""
    wallet = ScriptWallet()
    node = FakeNode(paid_chain(wallet, 0, 1))
    wallet.birthday_time = node.chain.blocks[-1].header.time + 10 * 365 * 24 * 3600
    network = Network([wallet])
    network.connect(node)
    network.run()
    assert is_synced(network, node)
    assert wallet.balance == balance(node.chain, wallet) == 100 * BTC


def test_a_clock_that_is_behind_is_named_and_nobody_is_blamed() -> None:
    wallet = ScriptWallet()
    node = FakeNode(paid_chain(wallet, 0))
    network = Network([wallet], unix_time=1_000_000_000)
    network.connect(node)
    network.run()
    warnings = [e.sentence for e in network.events if isinstance(e, BackendWarning)]
    assert warnings == [CLOCK]
    assert not network.faults
    assert wallet.balance == 0


def test_the_chain_is_longer_than_any_message(monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = ScriptWallet()
    chain = FakeChain()
    for height in range(1, 4300):
        chain.mine(to=wallet.script(height // 1000) if height % 700 == 0 else b"\x51")
    node = FakeNode(chain)
    network = Network([wallet])
    network.connect(node)
    network.run()
    assert is_synced(network, node)
    assert wallet.balance == balance(chain, wallet)


def test_one_peer_omits_a_payment_and_another_does_not() -> None:
    """Kyoto stops here; with the liar alone it shows nothing."""
    for order in ("liar first", "honest first"):
        wallet = ScriptWallet()
        chain = paid_chain(wallet, 0, 1)
        height = next(
            h
            for h, b in enumerate(chain.blocks)
            if b.transactions[0].outputs[0].script_pubkey == wallet.script(0)
        )
        lying = chain.copy(chain.height)
        lying.lie(height, build(chain.blocks[height], [b"\x51"]).data[:1] and b"\x00")
        nodes = [FakeNode(lying), FakeNode(chain)]
        if order == "honest first":
            nodes.reverse()
        network = Network([wallet])
        for node in nodes:
            network.connect(node)
            network.run(1)
        network.run(60)
        assert is_synced(network, nodes[1]), order
        assert wallet.balance == 100 * BTC, order
        warnings = [e for e in network.events if isinstance(e, BackendWarning)]
        assert len(warnings) == 1, order


def test_stored_filter_headers_were_a_lie() -> None:
    """If everybody contradicts our store, the store is wrong (WalletWasabi#14958)."""
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    lying = chain.copy(chain.height)
    lying.lie(6, b"\x00")
    network = Network([wallet])
    number = network.connect(FakeNode(lying))
    network.run(1)
    assert wallet.balance == 50 * BTC
    network.disconnect(number)
    honest = FakeNode(chain)
    for _ in range(2):
        network.open()
        network.connect(honest)
        network.run(30)
        assert is_synced(network, honest)
        assert wallet.balance == 100 * BTC
        assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)
        assert not network.faults


def test_marks_made_under_a_lie_do_not_outlive_it() -> None:
    """The lie is found out while the wallet is closed: its scan marks must not hide a payment."""
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    lying = chain.copy(chain.height)
    lying.lie(6, b"\x00")
    network = Network([wallet])
    network.connect(FakeNode(lying))
    network.run(1)
    assert wallet.balance == 50 * BTC
    network.wallets.clear()  # closed
    network.open()
    honest = FakeNode(chain)
    network.connect(honest)
    network.run(60)
    assert network.sync.state.filter_headers.header_at(chain.height) == chain.filter_headers[-1]
    network.wallets.append(wallet)
    network.open()
    network.connect(honest)
    network.run(30)
    assert is_synced(network, honest)
    assert wallet.balance == balance(chain, wallet) == 100 * BTC
    assert [e for e in network.events if isinstance(e, BackendWarning) and e.sentence == CORRECTED]
    # And once is enough: the new marks hold.
    network.events.clear()
    network.open()
    network.connect(honest)
    network.run(30)
    assert not [e for e in network.events if isinstance(e, BlockMatched)]


def test_a_filter_that_differs_from_its_header() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)

    def swap(message: Message, answers: list[Message]) -> list[Message]:
        return [
            CFilter(a.block_hash, b"\x00") if isinstance(a, CFilter) and i == 6 else a
            for i, a in enumerate(answers)
        ]

    network = Network([wallet])
    network.connect(FakeNode(chain, rewrite=swap))
    network.run(1)
    assert any("filter" in fault for fault in network.faults)
    honest = FakeNode(chain)
    network.connect(honest)
    network.run(60)
    assert is_synced(network, honest)
    assert wallet.balance == 100 * BTC


@pytest.mark.parametrize("what", ["missing", "doubled", "shuffled", "foreign"])
def test_filters_that_were_not_asked_for_like_this(what: str) -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)

    def spoil(message: Message, answers: list[Message]) -> list[Message]:
        if not isinstance(message, GetCFilters) or len(answers) < 3:
            return answers
        match what:
            case "missing":
                return answers[:2] + answers[3:]
            case "doubled":
                return [*answers, *answers]
            case "shuffled":
                return answers[::-1]
            case _:
                return [CFilter(b"\x55" * 32, b"\0"), *answers]

    network = Network([wallet])
    network.connect(FakeNode(chain, rewrite=spoil))
    network.run(5)
    honest = FakeNode(chain)
    network.connect(honest)
    network.run(120)
    assert is_synced(network, honest)
    assert wallet.balance == 100 * BTC
    assert bool(network.faults) == (what == "foreign")


def test_a_mutated_block_is_fetched_elsewhere() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)

    def mutate(message: Message, answers: list[Message]) -> list[Message]:
        return [
            RawBlock(a.raw[:-1] + bytes([a.raw[-1] ^ 1])) if isinstance(a, RawBlock) else a
            for a in answers
        ]

    network = Network([wallet])
    network.connect(FakeNode(chain, rewrite=mutate))
    network.run(1)
    assert any("bad block" in fault for fault in network.faults)
    assert wallet.balance == 0
    honest = FakeNode(chain)
    network.connect(honest)
    network.run(1)
    assert is_synced(network, honest)
    assert wallet.balance == 50 * BTC


def test_a_withheld_block_is_asked_of_another_peer() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)

    def withhold(message: Message, answers: list[Message]) -> list[Message]:
        return [] if isinstance(message, GetData) else answers

    network = Network([wallet])
    network.connect(FakeNode(chain, rewrite=withhold))
    network.run(40)
    (warning,) = [e for e in network.events if isinstance(e, BackendWarning)]
    assert "block 6," in warning.sentence
    honest = FakeNode(chain)
    network.connect(honest)
    network.run(30)
    assert wallet.balance == 50 * BTC
    assert is_synced(network, honest)
    assert not network.faults


def test_a_node_whose_filter_index_lags_is_not_blamed() -> None:
    wallet = ScriptWallet()
    node = FakeNode(paid_chain(wallet, 0), filters_are_silent=True)
    network = Network([wallet])
    network.connect(node)
    network.run(60)
    assert not network.faults
    assert not network.farewells
    assert network.sync.filter_headers.is_silent
    asked = len(node.asked)
    assert asked < 20, "it is asked too often"
    node.filters_are_silent = False
    network.run(15)
    assert is_synced(network, node)
    assert wallet.balance == 50 * BTC


def test_a_silent_peer_loses_its_work_to_another() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)
    network = Network([wallet])
    network.connect(FakeNode(chain, filters_are_silent=True))
    network.run(1)
    honest = FakeNode(chain)
    network.connect(honest)
    network.run(40)
    assert is_synced(network, honest)
    assert wallet.balance == 50 * BTC


@pytest.mark.parametrize("depth", [1, 2, 6, 30, 100])
def test_reorganizations(depth: int) -> None:
    wallet = ScriptWallet()
    chain = FakeChain()
    chain.mine_empty(10)
    chain.mine(to=wallet.script(0))
    fork = chain.height
    other = chain.copy(fork)
    for index in range(depth):
        chain.mine(to=wallet.script(index % 5))
    for index in range(depth + 1):
        other.mine(to=wallet.script(index % 3), salt=1)
    node = FakeNode(chain)
    network = Network([wallet])
    network.connect(node)
    network.run()
    assert wallet.balance == balance(chain, wallet)
    node.switch(other)
    network.announce(node)
    network.run()
    assert is_synced(network, node)
    assert wallet.balance == balance(other, wallet)
    assert Reorganized("w", fork) in network.events
    assert not network.faults
    assert not network.farewells
    stored = network.stores.headers.raw
    assert stored == b"".join(block.header.serialize() for block in other.blocks)
    assert network.stores.filter_headers.raw == b"".join(other.filter_headers)


def test_stop_hashes_are_named_only_to_those_who_showed_them() -> None:
    """A node hangs up on a stop hash that it does not know (neutrino#338)."""
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1, 2)
    behind = FakeNode(chain.copy(chain.height - 4))
    ahead = FakeNode(chain)
    network = Network([wallet])
    network.connect(behind)
    network.run(1)
    network.connect(ahead)
    network.run(30)
    assert is_synced(network, ahead)
    branch = chain.copy(chain.height - 3)
    branch.mine_empty(5, salt=9)
    ahead.switch(branch)
    network.announce(ahead)
    network.run(30)
    assert is_synced(network, ahead)
    assert not network.farewells
    assert not network.faults


def test_headers_without_work_are_a_fault() -> None:
    chain = paid_chain(ScriptWallet())

    def weaken(message: Message, answers: list[Message]) -> list[Message]:
        return [
            Headers(a.raw[:-4] + b"\xff\xff\xff\xff") if isinstance(a, Headers) and a.raw else a
            for a in answers
        ]

    network = Network([ScriptWallet()])
    network.connect(FakeNode(chain, rewrite=weaken))
    network.run(1)
    assert network.faults or network.sync.state.headers.height == chain.height


@pytest.mark.parametrize("count", [0, 3])
def test_wrong_number_of_filter_headers(count: int) -> None:
    chain = paid_chain(ScriptWallet(), 0)

    def cut(message: Message, answers: list[Message]) -> list[Message]:
        return [
            CFHeaders(a.stop, a.previous, a.filter_hashes[:count])
            if isinstance(a, CFHeaders)
            else a
            for a in answers
        ]

    network = Network([ScriptWallet()])
    network.connect(FakeNode(chain, rewrite=cut))
    network.run(1)
    assert any("filter headers" in fault for fault in network.faults)


def test_malformed_filters_that_were_agreed_on_are_read_in_full() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    for height in range(1, chain.height, 3):
        chain.lie(height, b"\x05\xff\xff")
    chain.lie(6, b"\xfd\x01\x00")  # the payment to address 0
    node = FakeNode(chain)
    network = Network([wallet])
    network.connect(node)
    network.run(5)
    assert is_synced(network, node)
    assert wallet.balance == 100 * BTC


def test_a_cache_that_forgets_everything() -> None:
    wallet = ScriptWallet(gap=5)
    node = FakeNode(paid_chain(wallet, 12, 8, 4, 0))
    network = Network([wallet], stores=MemoryStores(forgets=True))
    network.connect(node)
    network.run(5)
    assert is_synced(network, node)
    assert wallet.balance == 200 * BTC


class Life:
    """A chain on which two wallets are paid, pay and are reorganised, at random."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.wallets = [ScriptWallet("a", gap=6), ScriptWallet("b", gap=4)]
        self.chain = FakeChain()

    def mine(self) -> None:
        rng, chain = self.rng, self.chain
        salt = rng.randrange(2**40)
        wallet = rng.choice(self.wallets)
        known = {wallet.script(index): index for index in range(200)}
        coins = [coin for coin, script in chain.scripts.items() if script in known]
        # Never further than the gap above what this very chain has used.
        highest = max((known[chain.scripts[coin]] for coin in coins), default=-1)
        to = wallet.script(rng.randrange(0, highest + 1 + wallet.gap))
        spent = {i.prevout for b in chain.blocks for t in b.transactions for i in t.inputs}
        free = [coin for coin in coins if coin not in spent]
        if free and rng.random() < 0.4:
            value = 1000 + salt % 1000
            output = TxOut(value, rng.choice([b"\x51", to]))
            chain.mine(payment([rng.choice(free)], [output]), salt=salt)
        else:
            chain.mine(to=rng.choice([to, b"\x51"]), salt=salt)

    def reorganize(self) -> None:
        depth = self.rng.randrange(0, min(7, self.chain.height + 1))
        self.chain = self.chain.copy(self.chain.height - depth)
        for _ in range(depth + 1):
            self.mine()

    def step(self) -> None:
        if self.rng.random() < 0.3:
            self.reorganize()
        else:
            for _ in range(self.rng.randrange(1, 12)):
                self.mine()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([True, False]))
def test_random_lives(seed: int, peers: int, forgets: bool) -> None:  # noqa: FBT001 (drawn)
    """Any payments, spends, reorganisations and restarts, messages in any order: exact."""
    rng = random.Random(seed)
    life = Life(rng)
    nodes = [FakeNode(life.chain) for _ in range(peers)]
    network = Network(life.wallets, stores=MemoryStores(forgets=forgets), shuffle=rng)
    for node in nodes:
        network.connect(node)
    for _ in range(12):
        life.step()
        for node in nodes:
            node.switch(life.chain)
        if rng.random() < 0.2:
            network.open()
            for node in nodes:
                network.connect(node)
        for node in nodes:
            network.announce(node)
        if rng.random() < 0.7:
            network.run()
    network.run(30)
    assert network.faults == []
    assert is_synced(network, nodes[0]), network.describe()
    for wallet in life.wallets:
        assert wallet.balance == balance(life.chain, wallet)
