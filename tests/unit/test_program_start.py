import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from wallet_gui import program_start
from wallet_gui.chain.bitcoind.process_transport import ProcessTransport

PRINT_ENVIRONMENT = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True)"


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packaged application that was started with a foreign folder of plugins."""
    monkeypatch.setattr(program_start, "_taken", {})
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setenv("QT_PLUGIN_PATH", "/somewhere/plugins")
    monkeypatch.setenv("OPENSSL_CONF", "/somewhere/openssl.cnf")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("QT_SCALE_FACTOR", "2")
    monkeypatch.setenv("_PYI_ARCHIVE_FILE", "/somewhere/wallet-gui")
    # What the test changes is undone, whatever the subject does.
    monkeypatch.delenv("APPIMAGE", raising=False)
    monkeypatch.delenv("APPDIR", raising=False)


@pytest.mark.usefixtures("frozen")
def test_code_of_others_is_forgotten_and_looks_stay() -> None:
    program_start.forget_loaders()
    assert not set(program_start.LOADERS) & set(os.environ)
    assert not [name for name in os.environ if name.startswith("_PYI_")]
    assert os.environ["QT_QPA_PLATFORM"] == "offscreen"
    assert os.environ["QT_SCALE_FACTOR"] == "2"
    assert "QT_PLUGIN_PATH" not in program_start.own_environment()


@pytest.mark.usefixtures("frozen")
def test_programs_of_others_get_back_what_was_taken() -> None:
    program_start.forget_loaders()
    program_start.forget_loaders()  # a second time loses nothing
    given = program_start.foreign_environment()
    assert given["QT_PLUGIN_PATH"] == "/somewhere/plugins"
    assert given["OPENSSL_CONF"] == "/somewhere/openssl.cnf"
    assert given["QT_QPA_PLATFORM"] == "offscreen"
    assert "_PYI_ARCHIVE_FILE" not in given


@pytest.mark.usefixtures("frozen")
def test_ssh_gets_the_original_environment() -> None:
    program_start.forget_loaders()
    said = b""

    class Listener(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            nonlocal said
            said += data

    async def run() -> None:
        process = ProcessTransport(Listener(), lambda _line: None)
        await process.start([sys.executable, "-c", PRINT_ENVIRONMENT])
        await process.ended

    asyncio.run(run())
    environment = json.loads(said)
    assert environment["QT_PLUGIN_PATH"] == "/somewhere/plugins"
    assert environment["LC_ALL"] == "C"


def test_from_sources_the_package_is_found_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    root = Path(__file__).resolve().parents[2]
    assert program_start.own_program() == [sys.executable, "-m", "wallet_gui"]
    assert program_start.own_environment()["PYTHONPATH"] == f"{root}{os.pathsep}/somewhere"


@pytest.mark.usefixtures("frozen")
def test_frozen_the_executable_is_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/wallet-gui/wallet-gui")
    assert program_start.own_program() == ["/opt/wallet-gui/wallet-gui"]
    assert program_start.own_program(outlives_us=True) == ["/opt/wallet-gui/wallet-gui"]
    assert "PYTHONPATH" not in set(program_start.own_environment()) - set(os.environ)


@pytest.mark.usefixtures("frozen")
def test_what_outlives_an_appimage_starts_from_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    image = tmp_path / "wallet.AppImage"
    image.touch()
    mounted = tmp_path / "mounted"
    monkeypatch.setattr(sys, "executable", str(mounted / "usr/lib/wallet-gui/wallet-gui"))
    monkeypatch.setenv("APPIMAGE", str(image))
    monkeypatch.setenv("APPDIR", str(mounted))
    assert program_start.own_program(outlives_us=True) == [str(image)]
    assert program_start.own_program() == [sys.executable]
    monkeypatch.setenv("ARGV0", "wallet.AppImage")
    assert not {"APPIMAGE", "APPDIR", "ARGV0"} & set(program_start.foreign_environment())
    # A terminal in the AppImage of another program: those variables are not about us.
    monkeypatch.setenv("APPDIR", str(tmp_path / "other"))
    assert program_start.own_program(outlives_us=True) == [sys.executable]
    assert program_start.foreign_environment()["ARGV0"] == "wallet.AppImage"
