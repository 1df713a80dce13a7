import random
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from wallet_gui.chain.backend import FilterStore, StoredFilters
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.chain_db import ChainDb


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "regtest" / "chain.db"


@pytest.fixture
def database(path: Path) -> Iterator[ChainDb]:
    with ChainDb(path, REGTEST) as opened:
        yield opened


def hashes(first: int, count: int, branch: int = 0) -> bytes:
    return b"".join((h << 16 | branch).to_bytes(32, "big") for h in range(first, first + count))


def filter_at(height: int, branch: int = 0, size: int = 50) -> bytes:
    return random.Random(height << 8 | branch).randbytes(size + height % 7)


def run(
    first: int, count: int, branch: int = 0, size: int = 50, before: bytes = b""
) -> StoredFilters:
    """Filters with something between them, as messages have."""
    data = bytearray(before)
    starts, ends = array("Q"), array("Q")
    for height in range(first, first + count):
        data += b"frame"
        starts.append(len(data))
        data += filter_at(height, branch, size)
        ends.append(len(data))
    return first, hashes(first, count, branch), bytes(data), starts, ends


def flatten(runs: list[StoredFilters], branch: int = 0) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for first, some, data, starts, ends in runs:
        assert some == hashes(first, len(starts), branch)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            assert first + index not in found
            found[first + index] = bytes(data[start:end])
    return found


def files(path: Path) -> list[Path]:
    return sorted(path.with_name("chain.db.filters").iterdir())


def test_what_was_stored_is_found_after_a_restart(path: Path) -> None:
    with ChainDb(path, REGTEST) as database:
        database.filters.put_runs([run(1, 10), run(20, 5, before=bytes(9000))])
        database.filters.put_runs([])
        store: FilterStore = database.filters
        assert store.get_runs(0, b"") == []
    with ChainDb(path, REGTEST) as database:
        found = flatten(database.filters.get_runs(0, hashes(0, 30)))
        assert found == {h: filter_at(h) for h in [*range(1, 11), *range(20, 25)]}
        found = flatten(database.filters.get_runs(5, hashes(5, 17)))
        assert found == {h: filter_at(h) for h in [*range(5, 11), *range(20, 22)]}
        assert database.filters.get_runs(11, hashes(11, 9)) == []
        database.filters.put_runs([run(30, 1)])
    assert len(files(path)) == 1, "the last file is gone on with"


def test_a_branch_that_left_the_chain_is_not_given(database: ChainDb) -> None:
    database.filters.put_runs([run(1, 20)])
    database.filters.put_runs([run(11, 15, branch=1)])
    wanted = hashes(1, 10) + hashes(11, 20, branch=1)
    found: dict[int, bytes] = {}
    for first, _, data, starts, ends in database.filters.get_runs(1, wanted):
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            found[first + index] = bytes(data[start:end])
    assert found == {
        **{h: filter_at(h) for h in range(1, 11)},
        **{h: filter_at(h, 1) for h in range(11, 26)},
    }
    assert flatten(database.filters.get_runs(1, hashes(1, 20))) == {
        h: filter_at(h) for h in range(1, 21)
    }


def test_the_oldest_files_make_room(path: Path) -> None:
    with ChainDb(path, REGTEST, filter_cache_bytes=80_000) as database:
        for height in range(0, 80, 2):
            database.filters.put_runs([run(height, 2, size=1000)])
        assert len(files(path)) > 4
    with ChainDb(path, REGTEST, filter_cache_bytes=80_000) as database:
        before = flatten(database.filters.get_runs(0, hashes(0, 80)))
        lowest = min(before)
    with ChainDb(path, REGTEST, filter_cache_bytes=80_000) as database:
        assert database.filters.get_runs(lowest, hashes(lowest, 1))  # used: younger than the rest
        for height in range(100, 140, 2):
            database.filters.put_runs([run(height, 2, size=1000)])
        found = flatten(database.filters.get_runs(0, hashes(0, 140)))
        assert lowest in found
        assert set(range(110, 140)) <= set(found)
        assert len(found) < len(before) + 40
        assert sum(f.stat().st_size for f in files(path)) <= 90_000
        database.filters.put_runs([run(300, 1, size=80_001)])  # would drive all others out
        assert database.filters.get_runs(300, hashes(300, 1)) == []


def test_a_file_that_is_gone_or_short_is_as_if_never_stored(path: Path) -> None:
    with ChainDb(path, REGTEST) as database:
        database.filters.put_runs([run(1, 100)])
    (file,) = files(path)
    file.write_bytes(file.read_bytes()[:3000])
    with ChainDb(path, REGTEST) as database:
        assert database.filters.get_runs(1, hashes(1, 100)) == []
    file.unlink()
    with ChainDb(path, REGTEST) as database:
        assert database.filters.get_runs(1, hashes(1, 100)) == []
        database.filters.put_runs([run(1, 10)])
        assert flatten(database.filters.get_runs(1, hashes(1, 10)))


def test_files_of_a_lost_database_are_removed(path: Path) -> None:
    with ChainDb(path, REGTEST) as database:
        database.filters.put_runs([run(1, 100)])
    path.unlink()
    with ChainDb(path, REGTEST):
        assert files(path) == []


def test_an_undone_transaction_leaves_nothing(database: ChainDb) -> None:
    def interrupted() -> None:
        with database.batch():
            database.filters.put_runs([run(1, 10)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert database.filters.get_runs(1, hashes(1, 10)) == []
    database.filters.put_runs([run(5, 10)])
    assert flatten(database.filters.get_runs(1, hashes(1, 20))) == {
        h: filter_at(h) for h in range(5, 15)
    }


def test_damaged_pages_empty_the_cache(path: Path) -> None:
    with ChainDb(path, REGTEST) as database:
        database.filters.put_runs([run(h, 40) for h in range(0, 4000, 40)])
        database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        root = database.connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'filter_runs'"
        ).fetchone()[0]
        size = database.connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    with ChainDb(path, REGTEST) as database:
        assert database.filters.get_runs(1, hashes(1, 40)) == []
        database.filters.put_runs([run(1, 40)])
        assert database.headers.load() == (0, b"")
