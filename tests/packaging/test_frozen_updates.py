"""The update check of the packaged program: keys, certificate authorities and proxy, for real."""

import asyncio
import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.functional.installed_copy import Ended
from tests.hostile.notice_server import HOST, Authority, NoticeServer, notice_server, ok
from tests.hostile.socks_server import socks_server
from tests.packaging.frozen_copy import copy_of, replace
from tests.patience import PATIENCE
from tests.release_keys import ReleaseSigner
from wallet_gui.app.update_notice import UpdateNotice

KEYS = Path("_internal/wallet_gui/resources/release-keys.txt")


class FrozenCopy:
    """The folder with a release key of the test in it; everything else is the built one's."""

    def __init__(self, built: Path, folder: Path) -> None:
        self.folder = copy_of(built, folder / "wallet-gui")
        self.data = folder / "data"
        self.signer = ReleaseSigner()

    def trust(self, url: str) -> None:
        text = f"notice {url}\nkey {self.signer.public.to_text()} test\n"
        replace(self.folder / KEYS, text.encode())

    async def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *(str(self.folder / "wallet-gui"), *arguments, "--data-dir", str(self.data)),
            env={"HOME": str(self.data), "LANG": "C.UTF-8", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        return Ended(process.returncode or 0, out.decode(), err.decode())

    def notice(self) -> bytes:
        now = int(time.time())
        notice = UpdateNotice("99.0", now - 60, "https://example.org/99", now + 10_000_000)
        return ok(self.signer.notice(notice))


@pytest.fixture
def copy(frozen_folder: Path, tmp_path: Path) -> FrozenCopy:
    return FrozenCopy(frozen_folder, tmp_path)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "authority"
    folder.mkdir()
    return Authority(folder)


def test_the_built_folder_offers_no_check_while_there_is_no_key(copy: FrozenCopy) -> None:
    ended = asyncio.run(copy.run("check-update"))
    assert (ended.status, ended.out) == (1, "")
    assert "no release key built in" in ended.err


def test_a_newer_version_is_told(copy: FrozenCopy, authority: Authority) -> None:
    async def scenario() -> None:
        server = NoticeServer(copy.notice())
        async with notice_server(server, authority.server_context("127.0.0.1")):
            copy.trust(server.url())
            trusted = {"SSL_CERT_FILE": str(authority.file)}
            ended = await copy.run("check-update", environment=trusted)
            assert (ended.status, ended.err) == (0, "")
            assert "Version 99.0 is out" in ended.out
            assert (copy.folder / KEYS).stat().st_nlink == 1  # the built folder is as it was
            # This system's authorities did not sign the server's certificate. Were there none to
            # be found, the sentence would be another one: also where OpenSSL looks in vain, as one
            # does that was built on another system.
            nowhere = {"SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere"}
            for environment in ({}, nowhere):
                ended = await copy.run("check-update", environment=environment)
                assert ended.status == 1
                assert "did not prove that it is 127.0.0.1" in ended.err

    asyncio.run(scenario())


def test_it_goes_through_the_proxy(copy: FrozenCopy, authority: Authority) -> None:
    async def scenario() -> None:
        server = NoticeServer(copy.notice())
        async with (
            notice_server(server, authority.server_context(HOST)),
            socks_server() as proxy,
        ):
            proxy.hosts[HOST] = server.port
            copy.trust(server.url(HOST))
            ended = await copy.run(
                *("check-update", "--json", "--proxy", f"127.0.0.1:{proxy.port}"),
                environment={"SSL_CERT_FILE": str(authority.file)},
            )
            assert ended.status == 0, ended.err
            assert json.loads(ended.out)["outcome"] == "newer"
            assert [request.host for request in proxy.requests] == [HOST]

    asyncio.run(scenario())
