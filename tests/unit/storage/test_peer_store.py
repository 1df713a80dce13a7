import errno
import logging
import os
from pathlib import Path

import pytest

from wallet_gui.storage.peer_store import MAX_SIZE, PeerFile


def test_round_trip_and_replacement(tmp_path: Path) -> None:
    store = PeerFile(tmp_path)
    assert store.load() == b""
    store.save(b"first")
    store.save(b"second")
    assert PeerFile(tmp_path).load() == b"second"
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["peers.dat"]


def test_a_file_beyond_reason_is_cut(tmp_path: Path) -> None:
    store = PeerFile(tmp_path)
    store.path.write_bytes(bytes(MAX_SIZE + 10))
    assert len(store.load()) == MAX_SIZE  # no book is that long, so it is found to be damaged


def test_what_cannot_be_read_counts_as_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = PeerFile(tmp_path)
    store.path.mkdir()
    with caplog.at_level(logging.WARNING):
        assert store.load() == b""
    assert "cannot be read" in caplog.text


def test_a_full_disk_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = PeerFile(tmp_path)
    store.save(b"old")

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with caplog.at_level(logging.WARNING):
        store.save(b"new")
    monkeypatch.undo()
    assert store.load() == b"old"
    assert "could not be saved" in caplog.text
