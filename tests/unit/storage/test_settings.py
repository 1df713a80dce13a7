import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import InUse, NewerFormat, WriteFailed
from wallet_gui.storage.settings import (
    DataDirectory,
    Settings,
    SettingsFile,
    cache_path,
    check_wallet_name,
    default_root,
)

CHOSEN = Settings(
    appearance="dark",
    unit="sat",
    network="regtest",
    peers={"regtest": ("127.0.0.1:18444",)},
    recent_wallets=("/w/a.wallet",),
    lock_after_minutes=0,
    hide_amounts=True,
    filter_cache_mib=0,
    window_geometry="AAAA",
    others={"future": {"a": [1]}},
)


def test_directories_are_private_and_apart_by_network(tmp_path: Path) -> None:
    root = tmp_path / "data"
    main, test = DataDirectory(root, MAINNET), DataDirectory(root, REGTEST)
    main.create()
    test.create()
    test.create()
    for directory in (root, main.network_directory, test.wallets_directory):
        assert directory.stat().st_mode & 0o777 == 0o700
    assert main.chain_db_path == root / "mainnet" / "chain.db"
    assert test.wallet_path("Savings") == root / "regtest" / "wallets" / "Savings.wallet"
    assert main.settings_path == test.settings_path == root / "settings.json"


def test_default_place_is_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert DataDirectory(None, MAINNET).root == default_root()
    assert default_root().name == "wallet-gui"
    assert not default_root().exists()


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteFailed, match="The data folder"):
        DataDirectory(tmp_path / "file" / "data", MAINNET).create()


def test_wallets_are_listed_by_name_even_if_only_a_copy_is_left(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path, REGTEST)
    assert directory.wallets() == []
    directory.create()
    for name in ("b.wallet", "A.wallet", "A.wallet.1", "A.wallet.lock", "A.cache", "c.wallet.2"):
        (directory.wallets_directory / name).write_text("")
    for name in ("notes.txt", ".wallet", "d.wallet.lock", "e.wallet.4"):
        (directory.wallets_directory / name).write_text("")
    (directory.wallets_directory / "folder.wallet").mkdir()
    found = [path.name for path in directory.wallets()]
    assert found == ["A.wallet", "b.wallet", "c.wallet"]


def test_one_program_per_data_directory(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path, REGTEST)
    with directory.instance_lock(), pytest.raises(InUse, match="This data folder is in use"):
        DataDirectory(tmp_path, MAINNET).instance_lock().acquire()


def test_cache_lies_beside_the_wallet() -> None:
    assert cache_path(Path("/w/a.b.wallet")) == Path("/w/a.b.cache")
    assert cache_path(Path("/w/odd name")) == Path("/w/odd name.cache")


@pytest.mark.parametrize("name", ["Savings", "Müllers 2. Konto", "日本", "a" * 100, "con1"])
def test_good_names(name: str) -> None:
    assert check_wallet_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", " a", "a ", ".", "..", ".a", "a.", "a/b", "a\\b", "../a", "a:b", "a\nb"),
        *("a\0b", "a\u202eb", "CON", "nul", "com1", "é" * 51, "a*", "a?", '"', "<a>", "a|b"),
    ],
)
def test_bad_names_get_a_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^(A wallet's name|This name) .*"):
        DataDirectory(tmp_path, REGTEST).wallet_path(name)


def test_settings_come_back(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert SettingsFile(path).load() == Settings()
    SettingsFile(path).save(CHOSEN)
    assert SettingsFile(path).load() == CHOSEN
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["future"] == {"a": [1]}
    assert [item.name for item in tmp_path.iterdir()] == ["settings.json"]


def test_save_after_a_crash_inside_a_save(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    SettingsFile(path).save(Settings())
    path.with_name("settings.json.new").write_text("torn")
    assert SettingsFile(path).load() == Settings()
    SettingsFile(path).save(CHOSEN)
    assert SettingsFile(path).load() == CHOSEN


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 200_000, b'{"format":"1"}'])
def test_damaged_settings_are_set_aside_and_said_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    file = SettingsFile(path)
    assert file.load() == Settings()
    assert file.notices
    assert path.with_name("settings.json.damaged").read_bytes() == content
    file.save(CHOSEN)
    assert SettingsFile(path).load() == CHOSEN


def test_newer_settings_are_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"format": 2, "appearance": {"new": 1}}')
    before = path.read_bytes()
    file = SettingsFile(path)
    assert file.load() == Settings()
    assert "newer version" in file.notices[0]
    with pytest.raises(NewerFormat):
        file.save(CHOSEN)
    assert path.read_bytes() == before


json_value: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*Settings.__dataclass_fields__, "x"]), json_value))
@settings(deadline=None)
def test_any_values_give_settings_that_are_kept(value: dict[str, Any]) -> None:
    read = Settings.from_json(json.dumps({**value, "format": 1}).encode())
    assert Settings.from_json(read.to_json()) == read


@given(st.binary(max_size=50))
@settings(deadline=None)
def test_any_bytes_are_settings_or_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        Settings.from_json(data)


def test_recent_wallets_are_newest_first_and_capped() -> None:
    chosen = Settings()
    for number in (*range(12), 5):
        chosen = chosen.with_recent(Path(f"/w/{number}.wallet"))
    assert chosen.recent_wallets[:2] == ("/w/5.wallet", "/w/11.wallet")
    assert len(chosen.recent_wallets) == 10


def test_save_without_a_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WriteFailed, match="Your settings could not be saved"):
        SettingsFile(tmp_path / "gone" / "settings.json").save(Settings())
