import random
import sqlite3
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wallet_gui.chain.backend import ChainStores, StoredFilters
from wallet_gui.primitives.params import REGTEST, SIGNET
from wallet_gui.storage.chain_db import SEGMENT, ChainDb
from wallet_gui.storage.errors import Damaged, InUse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "regtest" / "chain.db"


@pytest.fixture
def database(path: Path) -> Iterator[ChainDb]:
    with ChainDb(path, REGTEST) as opened:
        yield opened


def headers(first: int, count: int) -> bytes:
    return b"".join(height.to_bytes(80, "big") for height in range(first, first + count))


def filter_run(height: int, count: int) -> StoredFilters:
    """Filters of one byte each."""
    hashes = b"".join(bytes([n % 256]) * 32 for n in range(height, height + count))
    places = array("Q", range(count + 1))
    return height, hashes, bytes(count), places[:-1], places[1:]


def reopened(path: Path) -> tuple[int, bytes]:
    with ChainDb(path, REGTEST) as database:
        assert database.notices == ()
        return database.headers.load()


def test_empty_store(database: ChainDb) -> None:
    assert database.headers.load() == (0, b"")
    assert database.filter_headers.load() == (0, b"")
    assert database.filters.get_runs(0, bytes(32)) == []
    database.headers.truncate(5)
    assert database.headers.load() == (0, b"")


def test_chain_floor_can_use_it_as_its_stores(database: ChainDb) -> None:
    stores: ChainStores = database  # checked by mypy: the floors do not know each other
    stores.headers.append(7, headers(7, 2))
    stores.headers.truncate(7)
    assert stores.headers.load() == (7, headers(7, 1))


def test_headers_survive_in_segments(path: Path) -> None:
    with ChainDb(path, REGTEST) as database:
        database.headers.append(0, headers(0, 5000))
        database.headers.append(5000, headers(5000, 1))
        database.filter_headers.append(4000, bytes(range(32)) * 100)
    assert reopened(path) == (0, headers(0, 5001))
    with ChainDb(path, REGTEST) as database:
        assert database.filter_headers.load() == (4000, bytes(range(32)) * 100)
        assert database.headers.load() == (0, headers(0, 5001))
        assert database.headers.load() == (0, headers(0, 5001))  # once kept, once read again
        query = "SELECT segment, length(data) / 80 FROM headers ORDER BY segment"
        assert database.connection.execute(query).fetchall() == [(0, 2016), (1, 2016), (2, 969)]


@st.composite
def operations(draw: st.DrawFn) -> list[tuple[str, int]]:
    kind = st.sampled_from(["append", "prepend", "truncate", "reopen"])
    return draw(st.lists(st.tuples(kind, st.integers(0, 2 * SEGMENT + 3)), max_size=8))


@given(st.integers(0, 3 * SEGMENT), operations())
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_store_equals_a_plain_list(path: Path, start: int, steps: list[tuple[str, int]]) -> None:
    path.unlink(missing_ok=True)
    database = ChainDb(path, REGTEST)
    model: list[int] = []
    for kind, number in steps:
        if kind == "append":
            at = model[-1] + 1 if model else start
            database.headers.append(at, headers(at, number))
            model += range(at, at + number)
        elif kind == "prepend":
            above = model[0] if model else start
            first = max(0, above - number)
            database.headers.prepend(first, headers(first, above - first))
            model = [*range(first, above), *model]
        elif kind == "truncate" and model:
            height = model[0] - 1 + number
            database.headers.truncate(height)
            model = [item for item in model if item <= height]
        elif kind == "reopen":
            database.close()
            database = ChainDb(path, REGTEST)
            assert database.notices == ()
        expected = (model[0], headers(model[0], len(model))) if model else (0, b"")
        assert database.headers.load() == expected
    database.close()


@pytest.mark.parametrize(("height", "count"), [(9, 1), (11, 1), (0, 10), (-1, 1)])
def test_gap_or_overlap_is_our_mistake(database: ChainDb, height: int, count: int) -> None:
    database.headers.append(0, headers(0, 10))
    with pytest.raises(ValueError, match="next height"):
        database.headers.append(height, headers(0, count))
    with pytest.raises(ValueError, match="half an item"):
        database.headers.append(10, bytes(79))
    assert database.headers.load() == (0, headers(0, 10))


def test_batch_is_one_transaction(database: ChainDb) -> None:
    database.headers.append(0, headers(0, 10))

    def interrupted() -> None:
        with database.batch():
            database.headers.append(10, headers(10, 3000))
            database.filter_headers.append(0, bytes(32))
            database.filters.put_runs([filter_run(0, 1)])
            database.headers.truncate(3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert database.headers.load() == (0, headers(0, 10))
    assert database.filter_headers.load() == (0, b"")
    assert database.filters.get_runs(0, filter_run(0, 1)[1]) == []
    with database.batch():
        database.headers.append(10, headers(10, 1))
        database.filter_headers.append(0, bytes(32))
    assert database.headers.load() == (0, headers(0, 11))


@pytest.mark.alone
def test_one_owner(database: ChainDb, path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(InUse, match="in use"):
        ChainDb(path, REGTEST)
    assert time.monotonic() - started < 2
    database.headers.append(0, headers(0, 1))
    database.close()
    assert reopened(path) == (0, headers(0, 1))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE headers SET data = zeroblob(length(data)) WHERE segment = 1",
        "UPDATE headers SET data = substr(data, 1, 79) WHERE segment = 2",
        "UPDATE headers SET first = 1 WHERE segment = 0",
        "UPDATE headers SET data = 'text' WHERE segment = 0",
        "DELETE FROM headers WHERE segment = 1",
        "UPDATE filter_headers SET crc = crc + 1",
        "DROP TABLE filter_runs",
        "CREATE TRIGGER t AFTER INSERT ON headers BEGIN DELETE FROM headers; END",
        "PRAGMA user_version = 9",
    ],
)
def test_damage_begins_anew(path: Path, statement: str) -> None:
    with ChainDb(path, REGTEST) as database:
        database.headers.append(0, headers(0, 5000))
        database.filter_headers.append(0, bytes(32 * 10))
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()
    with ChainDb(path, REGTEST) as database:
        assert "fetched again" in database.notices[0]
        assert database.headers.load() == (0, b"")
        database.headers.append(0, headers(0, 3))
    assert reopened(path) == (0, headers(0, 3))


def test_no_database_at_all_begins_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(random.Random(1).randbytes(20_000))
    with ChainDb(path, REGTEST) as database:
        assert database.notices
        assert database.headers.load() == (0, b"")


def test_a_damaged_database_is_begun_anew_while_open(path: Path) -> None:
    with ChainDb(path, REGTEST) as database:
        database.headers.append(0, headers(0, 10))
        database.connection.execute("UPDATE headers SET crc = 1")
        database.begin_anew()
        assert "fetched again" in database.notices[0]
        assert database.headers.load() == (0, b"")
        database.headers.append(0, headers(0, 3))
    assert reopened(path) == (0, headers(0, 3))


def test_damage_found_later_is_an_error_and_repaired_when_opened_again(path: Path) -> None:
    with ChainDb(path, REGTEST) as database:
        database.headers.append(0, headers(0, 10))
        database.connection.execute("UPDATE headers SET crc = 1")
        database.headers._loaded = None
        with pytest.raises(Damaged, match="fetched again"):
            database.headers.load()
    with ChainDb(path, REGTEST) as database:
        assert database.notices


def test_database_of_another_network_is_set_aside(path: Path) -> None:
    with ChainDb(path, SIGNET) as database:
        database.headers.append(0, headers(0, 10))
    with ChainDb(path, REGTEST) as database:
        assert database.notices
        assert database.headers.load() == (0, b"")
    with ChainDb(path.with_name("chain.db.aside"), SIGNET) as database:
        assert database.headers.load() == (0, headers(0, 10))


@pytest.mark.alone
def test_900_000_headers_load_fast(path: Path) -> None:
    count = 900_000
    rows = random.Random(3).randbytes(count * 80)
    with ChainDb(path, REGTEST) as database:
        database.headers.append(0, rows)
    started = time.perf_counter()
    with ChainDb(path, REGTEST) as database:
        start, loaded = database.headers.load()
        elapsed = time.perf_counter() - started
        assert (start, loaded == rows) == (0, True)
        print(f"900,000 headers in {elapsed:.2f} s")
        assert elapsed < 5  # 0.1 to 0.3 s on an idle machine
