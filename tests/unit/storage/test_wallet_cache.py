import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wallet_gui.storage.database import Schema, open_database
from wallet_gui.storage.errors import InUse, WriteFailed
from wallet_gui.storage.wallet_cache import WalletCache
from wallet_gui.wallet.changes import (
    Anchor,
    Attempts,
    BlockRef,
    CacheChange,
    Evidence,
    Keychain,
)

KEY = b"K" * 32
TXID = bytes(range(32))
RAW = b"canary transaction" * 20
BLOCK = b"canary block hash".ljust(32, b"!")

FULL = CacheChange(
    transactions={TXID: RAW, b"b" * 32: b"other"},
    anchors={TXID: Anchor(800_000, BLOCK, 1_700_000_000, 3)},
    first_seen={TXID: 1_700_000_001, b"b" * 32: 1_700_000_002},
    seen_order={b"b" * 32: 7},
    last_used={(0, Keychain.RECEIVE): 4, (1, Keychain.CHANGE): 0},
    checkpoints={800_000: BLOCK, 799_999: b"c" * 32},
    abandoned={b"b" * 32: True},
    attempts={TXID: Attempts(1_700_000_003, 1_700_000_500, 1_700_001_000, -1, 3, Evidence.ECHOED)},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "savings.cache"


def stored(path: Path, *changes: CacheChange, key: bytes = KEY) -> CacheChange:
    cache = WalletCache(path, key)
    for change in changes:
        cache.store(change)
    cache.close()
    cache = WalletCache(path, key)
    assert cache.notices == ()
    content = cache.load()
    cache.close()
    return content


def test_everything_stored_is_loaded(path: Path) -> None:
    content = stored(path, FULL)
    assert content == FULL
    assert content.scan_mark == BlockRef(800_000, BLOCK)


def test_new_cache_is_empty_and_private(path: Path) -> None:
    assert stored(path).is_empty
    assert path.stat().st_mode & 0o777 == 0o600


hashes = st.sampled_from([bytes([n]) * 32 for n in range(4)])
heights = st.integers(0, 3)
numbers = st.integers(0, 2**40)
change = st.builds(
    CacheChange,
    transactions=st.dictionaries(hashes, st.none() | st.binary(min_size=1, max_size=600)),
    anchors=st.dictionaries(
        hashes, st.none() | st.builds(Anchor, heights, hashes, numbers, st.integers(0, 2**32 - 1))
    ),
    first_seen=st.dictionaries(hashes, st.none() | numbers),
    seen_order=st.dictionaries(hashes, st.none() | numbers),
    last_used=st.dictionaries(
        st.tuples(st.integers(0, 2), st.sampled_from(Keychain)), st.integers(0, 2**31 - 1)
    ),
    checkpoints=st.dictionaries(heights, st.none() | hashes),
    abandoned=st.dictionaries(hashes, st.booleans()),
    attempts=st.dictionaries(
        hashes,
        st.one_of(
            st.none(),
            st.builds(
                Attempts,
                *[st.integers(0, 2**40)] * 3,
                st.integers(-1, 10**6),
                st.integers(1, 2**32 - 1),
                st.sampled_from(Evidence),
            ),
        ),
    ),
)


@given(st.lists(change, max_size=5))
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_loading_gives_the_merged_changes(path: Path, changes: list[CacheChange]) -> None:
    path.unlink(missing_ok=True)
    expected = CacheChange()
    for item in changes:
        expected = expected.merge(item)
    assert stored(path, *changes) == expected.settled()


def test_nothing_readable_is_in_the_file(path: Path) -> None:
    cache = WalletCache(path, KEY)
    cache.store(FULL)
    on_disk = path.read_bytes() + path.with_name("savings.cache-wal").read_bytes()
    cache.close()
    on_disk += path.read_bytes()
    for canary in (b"canary", TXID, TXID[::-1], TXID.hex().encode(), BLOCK[:8], KEY, b"b" * 16):
        assert canary not in on_disk


def test_same_content_gives_other_rows_under_another_key(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.cache"
    stored(path, FULL)
    stored(other, FULL, key=b"L" * 32)
    ids = [
        {row[0] for row in sqlite_rows(file, "SELECT hex(id) FROM rows")} for file in (path, other)
    ]
    assert len(ids[0]) == len(ids[1]) == 10
    assert not ids[0] & ids[1]


def sqlite_rows(path: Path, query: str) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def alter(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM rows WHERE id = (SELECT min(id) FROM rows)",
        "UPDATE rows SET sealed = substr(sealed, 1, 100)",
        "UPDATE rows SET sealed = zeroblob(304) WHERE id = (SELECT max(id) FROM rows)",
        "UPDATE rows SET sealed = 'text' WHERE id = (SELECT max(id) FROM rows)",
        "UPDATE rows SET sealed = (SELECT sealed FROM rows ORDER BY id LIMIT 1)",
        "INSERT INTO rows VALUES (x'00', x'00')",
        "INSERT INTO rows VALUES (1, 2)",
        "CREATE TABLE extra (a)",
        "CREATE TRIGGER extra AFTER INSERT ON rows BEGIN DELETE FROM rows; END",
        "PRAGMA user_version = 2",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 7",
        "DROP TABLE rows",
    ],
)
def test_altered_cache_is_begun_anew_and_said_so(path: Path, statement: str) -> None:
    stored(path, FULL)
    alter(path, statement)
    altered = path.read_bytes()
    cache = WalletCache(path, KEY)
    assert cache.load().is_empty
    assert "begun anew" in cache.notices[0]
    assert "Nothing is lost" in cache.notices[0]
    assert path.with_name("savings.cache.aside").read_bytes()[100:] == altered[100:]
    cache.store(FULL)
    cache.close()
    assert stored(path) == FULL


def test_wrong_key_sets_the_cache_aside(path: Path) -> None:
    stored(path, FULL)
    cache = WalletCache(path, b"W" * 32)
    assert cache.notices
    assert cache.load().is_empty
    cache.close()
    # The other wallet's cache is still whole under its new name.
    aside = path.with_name("savings.cache.aside")
    assert stored(aside) == FULL


@pytest.mark.parametrize("content", [b"x" * 5000, b"SQLite format 3\x00" + bytes(5000)])
def test_file_that_is_no_database_is_set_aside(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    cache = WalletCache(path, KEY)
    assert cache.notices
    cache.close()
    assert path.with_name("savings.cache.aside").read_bytes() == content


def test_every_damaged_page_is_noticed_or_harmless(path: Path) -> None:
    stored(path, *[CacheChange(transactions={bytes([n]) * 32: RAW * 4}) for n in range(20)])
    whole = path.read_bytes()
    expected = stored(path)
    begun_anew = 0
    for position in range(0, len(whole), 211):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        cache = WalletCache(path, KEY)
        begun_anew += bool(cache.notices)
        # Never something else than what was stored: all of it, or nothing and said so.
        assert cache.load() == (CacheChange() if cache.notices else expected)
        cache.close()
        for left in path.parent.iterdir():
            left.unlink()
    assert begun_anew > 20


def test_crash_after_store_keeps_it(path: Path, tmp_path: Path) -> None:
    cache = WalletCache(path, KEY)
    expected = CacheChange()
    for number in range(30):
        step = CacheChange({bytes([number]) * 32: RAW}, checkpoints={number: BLOCK})
        cache.store(step)
        expected = expected.merge(step)
        # What a killed process leaves behind: the files as they are at this moment.
        after = tmp_path / f"crash-{number}"
        after.mkdir()
        for name in ("savings.cache", "savings.cache-wal"):
            shutil.copy(path.with_name(name), after / name)
        assert stored(after / "savings.cache") == expected
    cache.close()


def test_torn_last_transaction_is_dropped_as_a_whole(path: Path, tmp_path: Path) -> None:
    cache = WalletCache(path, KEY)
    first = CacheChange(transactions={TXID: RAW}, checkpoints={1: BLOCK})
    cache.store(first)
    wal = path.with_name("savings.cache-wal")
    before = wal.stat().st_size
    second = CacheChange(transactions={b"d" * 32: RAW}, checkpoints={2: BLOCK})
    cache.store(second)
    content, log = path.read_bytes(), wal.read_bytes()
    cache.close()
    for end in range(before, len(log), 97):
        torn = tmp_path / f"torn-{end}.cache"
        torn.write_bytes(content)
        torn.with_name(torn.name + "-wal").write_bytes(log[:end])
        assert stored(torn) == first
    assert stored(path) == first.merge(second)


def test_second_owner_is_refused_and_takes_nothing_away(path: Path) -> None:
    cache = WalletCache(path, KEY)
    cache.store(FULL)
    with pytest.raises(InUse):
        WalletCache(path, KEY)
    cache.store(CacheChange(first_seen={TXID: 5}))
    cache.close()
    assert stored(path).first_seen[TXID] == 5


@pytest.fixture
def full_disk(path: Path) -> Iterator[WalletCache]:
    cache = WalletCache(path, KEY)
    cache.store(FULL)
    pages = cache._connection.execute("PRAGMA page_count").fetchone()[0]
    cache._connection.execute(f"PRAGMA max_page_count = {pages}")
    yield cache
    cache.close()


def test_full_disk_is_a_sentence_and_loses_nothing(full_disk: WalletCache, path: Path) -> None:
    with pytest.raises(WriteFailed, match="disk is full"):
        full_disk.store(
            CacheChange(
                transactions={b"e" * 32: bytes(100_000)}, last_used={(0, Keychain.RECEIVE): 99}
            )
        )
    full_disk._connection.execute("PRAGMA max_page_count = 1000000")
    full_disk.store(CacheChange(last_used={(0, Keychain.RECEIVE): 98}))
    full_disk.close()
    content = stored(path)
    assert content.last_used[0, Keychain.RECEIVE] == 98
    assert content.transactions == FULL.transactions


def test_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WriteFailed, match="Check the folder"):
        WalletCache(tmp_path / "gone" / "a.cache", KEY)


def test_key_is_not_in_the_representation(path: Path) -> None:
    cache = WalletCache(path, KEY)
    assert "KKK" not in repr(cache)
    cache.close()


def test_pragmas_are_as_promised(path: Path) -> None:
    schema = Schema(1, 1, {"t": "CREATE TABLE t (a)"}, durable=True, check_pages=True)
    connection = open_database(path, schema)
    wanted = {"journal_mode": "wal", "synchronous": 2, "trusted_schema": 0, "cell_size_check": 1}
    for name, value in wanted.items():
        assert connection.execute(f"PRAGMA {name}").fetchone()[0] == value
    connection.close()
