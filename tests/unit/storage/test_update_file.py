import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.storage.errors import WriteFailed
from wallet_gui.storage.update_file import MAX_SIZE, NAME, UpdateFile, UpdateRecord, _read

RECORD = UpdateRecord(5, 4, "newest", b"\x00signed\xff", ("452C8AB290925948",))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    file = UpdateFile(tmp_path)
    assert file.load() == UpdateRecord()
    file.save(RECORD)
    assert file.load() == RECORD
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"format": 2, "tried": 5}',
        "[" * 100_000,
        "x" * (MAX_SIZE + 1),
    ],
)
def test_what_cannot_be_read_is_nothing_learned(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert UpdateFile(tmp_path).load() == UpdateRecord()


@pytest.mark.parametrize(
    "fields",
    [
        {"tried": -1, "checked": "5", "outcome": 5, "notice": "=", "revoked": "A"},
        {"tried": True, "checked": 1 << 60, "outcome": "x" * 50, "notice": None, "revoked": [5]},
    ],
)
def test_wrong_fields_count_as_nothing(tmp_path: Path, fields: dict[str, object]) -> None:
    (tmp_path / NAME).write_text(json.dumps({"format": 1, **fields}))
    assert UpdateFile(tmp_path).load() == UpdateRecord()


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(WriteFailed, match="newer versions"):
        UpdateFile(tmp_path / "missing").save(RECORD)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 1 << 39))
def test_any_record_survives(data: bytes, when: int) -> None:
    record = UpdateRecord(when, when, "newer", data)
    value = json.loads(record.to_json())
    assert value["format"] == 1
    assert _read(record.to_json()) == record
