import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wallet_gui.app import node_process
from wallet_gui.app.node_process import (
    NodeProcess,
    PlaygroundError,
    Ports,
    fetched_bitcoind,
    find_bitcoind,
)

REPOSITORY = Path(__file__).resolve().parents[3]


def program(path: Path, text: str = "#!/bin/sh\nexit 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_named_program_goes_before_the_path(tmp_path: Path) -> None:
    named, on_path = program(tmp_path / "mine"), program(tmp_path / "bin" / "bitcoind")
    path = str(on_path.parent)
    assert find_bitcoind({"BITCOIND": str(named), "PATH": path}) == named
    assert find_bitcoind({"PATH": path}) == on_path


def test_wrong_name_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlaygroundError, match="BITCOIND is set to"):
        find_bitcoind({"BITCOIND": str(tmp_path / "none"), "PATH": ""})


def test_fetched_program_is_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = tmp_path / "bitcoind"
    monkeypatch.setattr(node_process, "fetched_bitcoind", lambda: fetched)
    with pytest.raises(PlaygroundError, match=r"packaging/run\.py --playground"):
        find_bitcoind({"PATH": ""})
    program(fetched)
    assert find_bitcoind({"PATH": ""}) == fetched


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="apt is on Linux")
@pytest.mark.parametrize("cache", ["cache", ""])
def test_setup_command_and_program_mean_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache) if cache else "")
    there = program(fetched_bitcoind())
    said = subprocess.run(
        [sys.executable, REPOSITORY / "packaging" / "bitcoind.py"],
        env={"PATH": "", "HOME": str(tmp_path), "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(said.stdout.strip()) == there


def test_ports_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    assert Ports.load(file) is None
    Ports(20_000, 20_001).save(file)
    assert Ports.load(file) == Ports(20_000, 20_001)
    for damaged in (b"", b"[]", b'{"p2p": "x", "rpc": 1}', b"\xff"):
        file.write_bytes(damaged)
        assert Ports.load(file) is None


def test_ports_are_free_and_differ() -> None:
    ports = asyncio.run(Ports.free())
    assert ports.p2p != ports.rpc
    assert min(ports.p2p, ports.rpc) > 1023


def test_program_that_ends_is_reported_with_its_words(tmp_path: Path) -> None:
    said = program(tmp_path / "broken", "#!/bin/sh\necho 'Error: disk on fire' >&2\nexit 1\n")
    node = NodeProcess(said, tmp_path / "data")
    with pytest.raises(PlaygroundError, match=r"Error: disk on fire .*only play money"):
        asyncio.run(node.start())
    assert not node.is_running


def test_program_that_cannot_run_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "a-text"
    file.write_text("hello")
    with pytest.raises(PlaygroundError):
        asyncio.run(NodeProcess(file, tmp_path / "data").start())


def test_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    node = NodeProcess(program(tmp_path / "any"), tmp_path / "file" / "data")
    with pytest.raises(PlaygroundError, match="cannot be made"):
        asyncio.run(node.start())
