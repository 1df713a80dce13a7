"""A corrected birthday holds at once; the scan marks go once, whatever happens in between."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.storage.samples import CHEAP, VIEW_KEY, create
from wallet_gui.app.scan_again import SETTING, begin_if_due, described
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_cache import WalletCache
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.wallet.changes import CacheChange

CACHE_KEY = bytes(range(32))
CONTENT = CacheChange(
    transactions={b"t" * 32: b"raw"},
    checkpoints={100: b"a" * 32, 200: b"b" * 64},
)


def opened(path: Path) -> tuple[FileLock, WalletFile]:
    lock = FileLock(path)
    lock.acquire()
    return lock, WalletFile.open(lock, VIEW_KEY, minimum=CHEAP)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create(tmp_path / "a.wallet")
    cache = WalletCache(tmp_path / "a.cache", CACHE_KEY)
    cache.store(CONTENT)
    cache.close()
    return tmp_path / "a.wallet"


@pytest.mark.parametrize("time", [None, 1_600_000_000])
def test_marks_go_once_and_the_day_stays(path: Path, time: int | None) -> None:
    lock, wallet_file = opened(path)
    original = wallet_file.state.description
    assert described(wallet_file) == original
    wallet_file.keep_setting(SETTING, {"time": time, "is_due": True})
    lock.release()

    for is_first in (True, False):
        lock, wallet_file = opened(path)
        assert described(wallet_file) == replace(original, birthday_time=time)
        cache = WalletCache(path.with_name("a.cache"), CACHE_KEY)
        content = begin_if_due(wallet_file, cache)
        assert content.transactions == CONTENT.transactions
        assert content.checkpoints == {}
        if is_first:
            # What is scanned from now on counts.
            cache.store(CacheChange(checkpoints={50: b"c" * 32}))
            assert wallet_file.settings[SETTING] == {"time": time, "is_due": False}
            cache.close()
            again = WalletCache(path.with_name("a.cache"), CACHE_KEY)
            assert again.load().checkpoints == {50: b"c" * 32}
            again.store(CacheChange(checkpoints={50: None}))
            again.close()
        else:
            cache.close()
        lock.release()


def test_a_crash_between_the_two_files_scans_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, wallet_file = opened(path)
    wallet_file.keep_setting(SETTING, {"time": None, "is_due": True})

    class Crash(Exception):
        pass

    def crash(_key: str, _value: object) -> None:
        raise Crash

    cache = WalletCache(path.with_name("a.cache"), CACHE_KEY)
    monkeypatch.setattr(wallet_file, "keep_setting", crash)
    with pytest.raises(Crash):
        begin_if_due(wallet_file, cache)
    cache.close()
    lock.release()
    lock, wallet_file = opened(path)
    assert wallet_file.settings[SETTING]["is_due"]
    cache = WalletCache(path.with_name("a.cache"), CACHE_KEY)
    assert begin_if_due(wallet_file, cache).checkpoints == {}
    cache.close()
    lock.release()


@pytest.mark.parametrize(
    "value",
    [
        "x",
        {},
        {"time": 1},
        {"time": "1", "is_due": True},
        {"time": 1, "is_due": 1},
        {"time": -1, "is_due": True},
        {"time": True, "is_due": True},
        {"time": 1 << 40, "is_due": True},
    ],
)
def test_a_value_of_another_shape_counts_as_none(path: Path, value: Any) -> None:
    lock, wallet_file = opened(path)
    wallet_file.keep_setting(SETTING, value)
    assert described(wallet_file) == wallet_file.state.description
    cache = WalletCache(path.with_name("a.cache"), CACHE_KEY)
    assert begin_if_due(wallet_file, cache).checkpoints == CONTENT.checkpoints
    cache.close()
    lock.release()
