"""`wallet-gui check-update` as a person runs it, against a real server with TLS."""

import asyncio
import contextlib
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.installed_copy import InstalledCopy
from tests.hostile.notice_server import HOST, Authority, NoticeServer, notice_server, ok
from tests.hostile.socks_server import socks_server
from tests.release_keys import ReleaseSigner
from wallet_gui.app.update_notice import Level, UpdateNotice
from wallet_gui.storage.update_file import NAME, UpdateFile

LOCAL = "127.0.0.1"
NEWER = UpdateNotice(
    "99.0.0",
    int(time.time()) - 3600,
    "https://updates.example.org/99",
    expires=int(time.time()) + 1_000_000,
    sha256sums="ab" * 32,
    text="<b>What</b> is new.",
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "authority"
    folder.mkdir()
    return Authority(folder)


@pytest.fixture
def copy(tmp_path: Path, authority: Authority) -> InstalledCopy:
    folder = tmp_path / "copy"
    folder.mkdir()
    return InstalledCopy(folder, authority.file)


def test_what_the_notice_says_is_printed(copy: InstalledCopy, authority: Authority) -> None:
    async def scenario() -> None:
        server = NoticeServer()
        async with notice_server(server, authority.server_context(LOCAL)):
            copy.trust(server.url())
            server.answer = ok(copy.signer.notice(NEWER))
            ended = await copy.run("check-update")
            assert (ended.status, ended.err) == (0, "")
            assert ended.out.startswith("Version 99.0.0 is out, says the notice of ")
            assert "<b>What</b> is new.\n" in ended.out
            assert "\nhttps://updates.example.org/99\n" in ended.out
            assert "wallet-gui verify FILE\n" in ended.out
            assert f"The SHA-256 of SHA256SUMS is {'ab' * 32}\n" in ended.out
            # Once more, for a program to read.
            document = (await copy.run("check-update", "--json")).document
            assert document["outcome"] == "newer"
            assert document["newer"] is True
            assert document["notice"]["page"] == "https://updates.example.org/99"
            # The newest version.
            own = replace(NEWER, version="0.0.1", date=NEWER.date + 1)
            server.answer = ok(copy.signer.notice(own))
            ended = await copy.run("check-update")
            assert ended.status == 0
            assert "is the newest version, says 127.0.0.1, asked directly.\n" in ended.out
            # An older notice: what is known stays.
            server.answer = ok(copy.signer.notice(NEWER))
            ended = await copy.run("check-update")
            assert ended.status == 1
            assert "older than one already seen" in ended.err
            assert server.connections == len(server.requests) == 4

    asyncio.run(scenario())


def test_nothing_of_a_forgery_is_printed(copy: InstalledCopy, authority: Authority) -> None:
    async def scenario() -> None:
        server = NoticeServer()
        async with notice_server(server, authority.server_context(LOCAL)):
            copy.trust(server.url())
            evil = replace(NEWER, page="https://evil.example", text="Update now", level=Level.KEY)
            server.answer = ok(ReleaseSigner().notice(evil))
            ended = await copy.run("check-update")
            assert (ended.status, ended.out) == (1, "")
            assert "not signed by the makers of this program" in ended.err
            assert "evil" not in ended.err
            document = (await copy.run("check-update", "--json")).document
            assert document["outcome"] == "forged"
            assert document["notice"] is None
            assert "evil" not in json.dumps(document)
            server.answer = ok(b"<!DOCTYPE html><title>Sign in to this Wi-Fi</title>\n" * 9)
            ended = await copy.run("check-update")
            assert (ended.status, ended.out) == (1, "")
            assert "no update notice" in ended.err

    asyncio.run(scenario())


def test_a_certificate_of_nobody_is_refused(copy: InstalledCopy, tmp_path: Path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "other"
        folder.mkdir()
        server = NoticeServer(ok(copy.signer.notice(NEWER)))
        async with notice_server(server, Authority(folder).server_context(LOCAL)):
            copy.trust(server.url())
            ended = await copy.run("check-update")
            assert (ended.status, ended.out) == (1, "")
            assert "did not prove" in ended.err
            assert server.requests == []

    asyncio.run(scenario())


def test_it_goes_through_the_proxy(copy: InstalledCopy, authority: Authority) -> None:
    async def scenario() -> None:
        server = NoticeServer(ok(copy.signer.notice(NEWER)))
        async with (
            notice_server(server, authority.server_context(HOST)),
            socks_server() as proxy,
        ):
            copy.trust(server.url(HOST))
            proxy.hosts[HOST] = server.port
            # The guard of the tests ends the program should it look the name up.
            ended = await copy.run("check-update", "--proxy", f"127.0.0.1:{proxy.port}")
            assert ended.status == 0, ended.err
            assert proxy.requests[0].host == HOST
            # And by the settings; when the proxy is gone, nothing goes past it.
            path = copy.data / "settings.json"
            chosen = {"proxy": f"127.0.0.1:{proxy.port}", "proxy_use": "onion", "format": 1}
            path.write_text(json.dumps(chosen))
            assert (await copy.run("check-update")).status == 0
            assert len(proxy.requests) == 2
        ended = await copy.run("check-update")
        assert ended.status == 1
        assert "Tor does not answer" in ended.err
        assert "99.0.0 is out" in ended.out  # which was verified before

    asyncio.run(scenario())


def test_damaged_settings_contact_nobody(copy: InstalledCopy, authority: Authority) -> None:
    async def scenario() -> None:
        server = NoticeServer(ok(copy.signer.notice(NEWER)))
        async with notice_server(server, authority.server_context(LOCAL)):
            copy.trust(server.url())
            copy.data.mkdir()
            (copy.data / "settings.json").write_text("{")
            ended = await copy.run("check-update")
            assert ended.status == 1
            # What the next run would do is said, as by every command that connects.
            assert "Nothing was connected to." in ended.err
            assert "or run the command again to use the standard settings." in ended.err
            assert server.connections == 0

    asyncio.run(scenario())


def test_offline_nobody_is_asked(copy: InstalledCopy, authority: Authority) -> None:
    async def scenario() -> None:
        server = NoticeServer(ok(copy.signer.notice(NEWER)))
        async with notice_server(server, authority.server_context(LOCAL)):
            copy.trust(server.url())
            ended = await copy.run("--offline", "check-update")
            assert ended.status == 1
            assert "needs the network, and --offline blocks it" in ended.err
            assert server.connections == 0
            assert not (copy.data / NAME).exists()

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["", "# no key\nnotice https://127.0.0.1/n\n"])
def test_without_a_key_it_says_so(copy: InstalledCopy, text: str) -> None:
    (copy.folder / "wallet_gui" / "resources" / "release-keys.txt").write_text(text)
    ended = asyncio.run(copy.run("check-update"))
    assert (ended.status, ended.out) == (1, "")
    assert "no release key built in" in ended.err
    assert not copy.data.exists()


def test_damaged_keys_trust_nobody(copy: InstalledCopy) -> None:
    (copy.folder / "wallet_gui" / "resources" / "release-keys.txt").write_text("key nonsense\n")
    ended = asyncio.run(copy.run("check-update"))
    assert ended.status != 0
    assert "install the program again" in ended.err


def test_killed_while_it_asks_nothing_is_lost(copy: InstalledCopy, authority: Authority) -> None:
    async def scenario() -> None:
        server = NoticeServer(ok(copy.signer.notice(NEWER)))
        async with notice_server(server, authority.server_context(LOCAL)):
            copy.trust(server.url())
            assert (await copy.run("check-update")).status == 0
            before = UpdateFile(copy.data).load()
            assert before.notice

            async def half(writer: asyncio.StreamWriter) -> None:
                writer.write(server.answer[:200])
                await writer.drain()
                await asyncio.Event().wait()

            server.script = half
            server.asked.clear()
            process = await copy.start("check-update", "--data-dir", str(copy.data))
            await server.asked.wait()
            process.kill()
            await process.communicate()
            assert UpdateFile(copy.data).load() == before
            server.script = None
            assert (await copy.run("check-update")).status == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.06, 0.12])
def test_killed_after_the_answer_the_file_is_whole(
    copy: InstalledCopy, authority: Authority, delay: float
) -> None:
    async def scenario() -> None:
        server = NoticeServer(ok(copy.signer.notice(NEWER)))
        async with notice_server(server, authority.server_context(LOCAL)):
            copy.trust(server.url())
            assert (await copy.run("check-update")).status == 0
            before = UpdateFile(copy.data).load()
            later = replace(NEWER, date=NEWER.date + 60)
            server.answer = ok(copy.signer.notice(later))
            server.asked.clear()
            process = await copy.start("check-update", "--data-dir", str(copy.data))
            await server.asked.wait()
            await asyncio.sleep(delay)
            with contextlib.suppress(ProcessLookupError):  # a fast one has ended by itself
                process.kill()
            await process.communicate()
            after = UpdateFile(copy.data).load()
            assert after == before or after.notice == copy.signer.notice(later)

    asyncio.run(scenario())


# Off by default

RECORDER = """
import atexit, json, os, sys
seen = []

def hook(event, arguments):
    if event in {{"socket.connect", "socket.getaddrinfo", "socket.gethostbyname"}}:
        seen.append(repr(arguments))

def record():
    with open({path!r}, "w") as file:
        json.dump({{"seen": seen, "modules": sorted(sys.modules)}}, file)

if "--vault" not in sys.orig_argv:
    sys.addaudithook(hook)
    atexit.register(record)
"""


SHORT_START = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.gui.application import Application
from wallet_gui.app.instance import Instance
from wallet_gui.primitives.params import MAINNET
from wallet_gui.storage.settings import DataDirectory, Settings

qt = QApplication(["wallet-gui"])
directory = DataDirectory(Path(sys.argv[1]), MAINNET)
directory.create()
instance = Instance(directory.instance_lock(), directory.root / "instance.socket")
assert instance.acquire()
# Peers are contacted at a fresh start, and are not what is asked about here.
application = Application(qt, directory, Settings(), instance, MAINNET, connects=False)
application.start()
assert application.window.settings is not None  # made when it is first asked for, with the card

def look():
    if application.window.update_flow.card.isHidden():
        QTimer.singleShot(100, look)
    else:
        QTimer.singleShot(2000, qt.quit)

QTimer.singleShot(100, look)
QTimer.singleShot(60000, lambda: qt.exit(3))
status = qt.exec()
application.stop()
sys.exit(status)
"""


def test_a_fresh_start_asks_nobody(
    copy: InstalledCopy, authority: Authority, tmp_path: Path
) -> None:
    """The window of a copy that could look for updates is started, and ended after a while."""
    path = tmp_path / "record.json"
    # In the place of the guard of the tests: here nothing is allowed.
    (copy.folder / "sitecustomize.py").write_text(RECORDER.format(path=str(path)))

    async def scenario() -> None:
        server = NoticeServer(ok(copy.signer.notice(NEWER)))
        async with notice_server(server, authority.server_context(LOCAL)):
            copy.trust(server.url())
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", SHORT_START, str(copy.data)),
                cwd=copy.folder,
                env=copy.environment(is_guarded=False),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            out, _ = await process.communicate()
            assert process.returncode == 0, out.decode()
            assert server.connections == 0

    asyncio.run(scenario())
    record = json.loads(path.read_text())
    assert record["seen"] == []
    # It was there and ready to be switched on, and its network code was not even loaded.
    assert "wallet_gui.app.updates" in record["modules"]
    assert "wallet_gui.chain.notice" not in record["modules"]
    assert not (copy.data / NAME).exists()
