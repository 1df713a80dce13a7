from dataclasses import dataclass, field

import pytest

from tests.hostile.fake_network import MemoryStore, MemoryStores
from tests.unit.chain.engines import ENGINES
from tests.unit.chain.mining import easy, genesis, grow, total_work
from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.checkpoints import NONE, Checkpoints, load
from wallet_gui.chain.filter_runs import Buffer
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.header_chain import ChainAnchor, HeaderChain
from wallet_gui.chain.p2p import chain_start
from wallet_gui.chain.p2p.chain_start import earliest_height, first_height, open_chains
from wallet_gui.primitives.block import BlockHeader
from wallet_gui.primitives.params import MAINNET, REGTEST, SIGNET, ChainParams

NOW = 1 << 31
RULES = easy(SIGNET)
START = genesis(REGTEST).time
WPKH = b"\x00\x14" + bytes(20)


@dataclass
class World:
    """Three epochs and a bit, with a filter header known in each."""

    headers: list[BlockHeader] = field(default_factory=list)
    params: ChainParams = RULES

    def raw(self, first: int, last: int) -> bytes:
        return b"".join(header.serialize() for header in self.headers[first : last + 1])

    def checkpoints(self, epochs: int = 3) -> Checkpoints:
        ends = [2016 * number - 1 for number in range(1, epochs + 1)]
        anchors = tuple(
            ChainAnchor(
                end,
                self.headers[end].hash,
                self.headers[end + 1].bits,
                total_work(self.headers[: end + 1]),
            )
            for end in ends
        )
        times = tuple(self.headers[end + 1].time for end in ends)
        filters = {height: bytes([height % 251]) * 32 for height in (2100, 4200, 6050)}
        known = {height: fh for height, fh in filters.items() if height <= ends[-1] + 50}
        return Checkpoints(anchors, times, filter_headers=known)

    def stores(self, first: int, last: int) -> MemoryStores:
        stores = MemoryStores()
        stores.headers = MemoryStore(80)
        stores.headers.append(first, self.raw(first, last))
        return stores


@pytest.fixture(scope="module")
def world() -> World:
    times = [START + 500 * number for number in range(1, 3 * 2016 + 60)]
    return World(grow(RULES, times))


def empty() -> MemoryStores:
    stores = MemoryStores()
    stores.headers = MemoryStore(80)
    return stores


def test_nothing_stored_starts_above_the_checkpoint_for_the_wallet(world: World) -> None:
    known = world.checkpoints()
    for earliest, headers_from, filters_from in (
        (None, 4032, 4201),  # the newest start is below the last checkpoint's height
        (4201, 4032, 4201),
        (4200, 2016, 2101),
        (2101, 2016, 2101),
        (2100, 0, 0),
        (0, 0, 0),
    ):
        headers, filter_headers = open_chains(RULES, empty(), known, earliest)
        assert (headers.start_height, filter_headers.start_height) == (headers_from, filters_from)
        assert headers.height == max(headers_from - 1, 0)
        assert not headers.has_minimum_work
    assert known.minimum_work == total_work(world.headers[: 3 * 2016])


def test_what_is_stored_is_used_wherever_it_starts(world: World) -> None:
    known = world.checkpoints()
    for start, filters_from in ((0, 4201), (2016, 4201), (4032, 4201)):
        stores = world.stores(start, 6070)
        headers, filter_headers = open_chains(RULES, stores, known, 4300)
        assert (headers.start_height, headers.height) == (start, 6070)
        assert headers.has_minimum_work
        assert filter_headers.start_height == filters_from
        assert stores.headers.raw == world.raw(start, 6070)
    # It starts too high for this wallet: kept all the same, and extended later.
    headers, filter_headers = open_chains(RULES, world.stores(4032, 6070), known, 100)
    assert (headers.start_height, filter_headers.start_height) == (4032, 4201)


def test_stored_filter_headers_are_used_where_they_start_above_a_known_one(world: World) -> None:
    known = world.checkpoints()
    for start, fits in ((4201, True), (2101, True), (0, True), (4202, False)):
        stores = world.stores(0, 6070)
        stores.filter_headers.append(start, bytes(32) * 50)
        _, filter_headers = open_chains(RULES, stores, known, 4300)
        assert filter_headers.start_height == (start if fits else 4201)
        assert filter_headers.height == (start + 49 if fits else 4200)
        assert bool(stores.filter_headers.raw) == fits
    # Filter headers below the headers belong to no block that is held.
    stores = world.stores(4032, 6070)
    stores.filter_headers.append(2101, bytes(32) * 50)
    assert open_chains(RULES, stores, known, 2101)[1].start_height == 4201
    # Those above the last header are cut off.
    stores = world.stores(4032, 4250)
    stores.filter_headers.append(4201, bytes(32) * 60)
    assert open_chains(RULES, stores, known, 4300)[1].height == 4250
    assert len(stores.filter_headers.raw) == 50 * 32


def test_a_damaged_store_keeps_what_lies_below_its_last_good_checkpoint(world: World) -> None:
    known = world.checkpoints()
    stores = world.stores(2016, 6070)
    damaged = bytearray(stores.headers.raw)
    damaged[80 * (5000 - 2016) + 40] ^= 1
    stores.headers.raw = bytes(damaged)
    stores.filter_headers.append(2101, bytes(32) * 3900)
    headers, filter_headers = open_chains(RULES, stores, known, 4300)
    assert (headers.start_height, headers.height) == (2016, 4031)
    assert headers.hash_at(4031) == world.headers[4031].hash
    assert stores.headers.raw == world.raw(2016, 4031)
    assert (filter_headers.start_height, filter_headers.height) == (2101, 4031)


def test_a_chain_that_a_new_checkpoint_contradicts_is_cut_back(world: World) -> None:
    known = world.checkpoints()
    hashes = {6060: bytes(32)}
    wrong = Checkpoints(known.anchors, known.anchor_times, hashes, known.filter_headers)
    stores = world.stores(2016, 6070)
    headers, _ = open_chains(RULES, stores, wrong, 4300)
    assert (headers.start_height, headers.height) == (2016, 6047)


def test_what_cannot_be_used_is_dropped(world: World) -> None:
    known = world.checkpoints()
    for stores in (world.stores(2017, 6070), world.stores(4032, 4050)):
        # Above no checkpoint; and damaged below all of them.
        stores.headers.raw = b"\xff" * 80 + stores.headers.raw[80:]
        stores.filter_headers.append(4201, bytes(32) * 5)
        headers, filter_headers = open_chains(RULES, stores, known, 4300)
        assert (headers.start_height, headers.height) == (4032, 4031)
        assert stores.headers.raw == b""
        assert (filter_headers.height, stores.filter_headers.raw) == (4200, b"")


def test_without_checkpoints_everything_starts_at_genesis() -> None:
    stores = empty()
    headers, filter_headers = open_chains(REGTEST, stores, NONE, None)
    assert (headers.height, filter_headers.start_height) == (0, 0)
    assert stores.headers.raw == REGTEST.genesis_header
    assert isinstance(open_chains(REGTEST, stores, NONE, 5)[0], HeaderChain)


def test_the_earliest_wallet_decides() -> None:
    known = load(MAINNET)
    newest = known.anchor_times[-1] + 10**7
    wallets = [([WPKH], [], newest), ([WPKH], [BlockRef(900_000, bytes(32))], newest)]
    assert earliest_height(MAINNET, known, []) is None
    assert earliest_height(MAINNET, known, wallets[:1]) == known.last_height + 1
    assert earliest_height(MAINNET, known, wallets) == 900_001
    assert earliest_height(MAINNET, known, [([WPKH], [], None)]) == 481_824
    day_of_segwit = 1_503_539_857
    assert 470_000 < first_height(MAINNET, known, [WPKH], day_of_segwit) < 481_824


@pytest.mark.parametrize("engine", ENGINES, ids=lambda each: each.name)
def test_what_is_stored_is_the_same_chain_whoever_hashes_it(
    world: World, engine: FilterEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = world.checkpoints()
    hashed: list[int] = []

    def hasher(raw: Buffer) -> bytes:
        hashed.append(len(raw) // 80)
        return engine.header_hashes(raw)

    stores = world.stores(0, 6070)
    plain, _ = open_chains(RULES, stores, known, 4300)
    headers, _ = open_chains(RULES, stores, known, 4300, hasher)
    assert not hashed, "few headers are not worth loading an engine"
    monkeypatch.setattr(chain_start, "MANY_HEADERS", 6071)
    headers, _ = open_chains(RULES, stores, known, 4300, hasher)
    assert hashed == [6071]
    assert headers.tip == plain.tip
    assert headers.chain_work == plain.chain_work
    assert headers.hashes(0, 6070) == plain.hashes(0, 6070)
    # Damage is found by both, and the same part is kept.
    monkeypatch.setattr(chain_start, "MANY_HEADERS", 1)
    for position in (0, 80 * 3000 + 40, 80 * 6070 + 76):
        kept = []
        for each in (None, hasher):
            damaged = world.stores(0, 6070)
            raw = bytearray(damaged.headers.raw)
            raw[position] ^= 1
            damaged.headers.raw = bytes(raw)
            if each is None:
                found, _ = open_chains(RULES, damaged, known, 4300)
            else:
                found, _ = open_chains(RULES, damaged, known, 4300, each)
            kept.append((found.tip, damaged.headers.raw))
        assert kept[0] == kept[1]
        assert len(kept[0][1]) < 80 * 6071
