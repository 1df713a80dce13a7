"""The fetch of the update notice against servers that behave in every wrong way."""

import asyncio
import gzip
import re
import ssl
from pathlib import Path

import pytest

from tests.hostile.notice_rig import BODY, DIRECT, Rig, run
from tests.hostile.notice_server import HOST, PATH, Authority, Script, chunked, notice_server, ok
from wallet_gui.chain import notice
from wallet_gui.chain.notice import (
    MAX_RECEIVED,
    MAX_SIZE,
    NoticeFailed,
    NoticePlace,
    fetch,
    trusted,
)
from wallet_gui.chain.reports import Purpose, Route
from wallet_gui.primitives.serialize import ParseError


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def rig(authority: Authority) -> Rig:
    return Rig(authority)


def sends(data: bytes, *, then_waits: bool = False) -> Script:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if then_waits:
            await asyncio.Event().wait()

    return script


# What works


@pytest.mark.parametrize("answer", [ok(BODY), chunked(BODY), ok(BODY, "X-Other: 1")])
def test_a_file_is_fetched(rig: Rig, answer: bytes) -> None:
    rig.server.answer = answer
    assert run(rig.fetch()) == BODY
    entry = rig.notes[0]
    assert entry.host == f"127.0.0.1:{rig.server.port}"
    assert (entry.purpose, entry.route, entry.transport) == (Purpose.UPDATE, Route.DIRECT, "TLS")
    assert entry.inbound_bytes > len(BODY)
    assert entry.outbound_bytes > 100
    assert entry.outcome == "It answered."


def test_a_body_that_ends_with_the_connection_is_taken(rig: Rig) -> None:
    rig.server.answer = b"HTTP/1.0 200 OK\r\n\r\n" + BODY
    assert run(rig.fetch()) == BODY


def test_the_request_tells_nothing_about_this_computer(rig: Rig) -> None:
    run(rig.fetch())
    assert rig.server.requests == [
        f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{rig.server.port}\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n".encode()
    ]


def test_nothing_else_is_fetched(rig: Rig) -> None:
    rig.server.answer = ok(BODY, "Link: </style.css>; rel=preload", "Set-Cookie: id=1")
    run(rig.fetch())
    run(rig.fetch())
    assert rig.server.connections == 2
    assert len({re.sub(rb":\d+\r", b"\r", each) for each in rig.server.requests}) == 1


def test_the_largest_file_is_taken_and_no_larger_one(rig: Rig) -> None:
    rig.server.answer = ok(bytes(MAX_SIZE))
    assert run(rig.fetch()) == bytes(MAX_SIZE)
    rig.notes.clear()
    rig.server.answer = ok(bytes(MAX_SIZE + 1))
    assert "too large" in rig.failure()


# Hostile servers


def test_an_endless_body_is_cut_off(rig: Rig) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(4096))
            await writer.drain()
            sent += 4096

    rig.server.script = endless
    assert "too large" in rig.failure()
    assert rig.notes[0].inbound_bytes < MAX_RECEIVED + MAX_SIZE


def test_endless_headers_are_cut_off(rig: Rig) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Again: and again\r\n" * 50)
            await writer.drain()

    rig.server.script = endless
    assert "did not answer as a website does" in rig.failure()


def test_endless_chunks_are_cut_off(rig: Rig) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n" * 200)
            await writer.drain()

    rig.server.script = endless
    assert "too large" in rig.failure()


def test_a_slow_drip_ends(rig: Rig) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    rig.server.script = drip
    assert "took too long" in rig.failure(seconds=1.0)


def test_silence_ends(rig: Rig) -> None:
    rig.server.script = sends(b"", then_waits=True)
    assert "took too long" in rig.failure(seconds=0.7)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary"])
@pytest.mark.parametrize("where", ["https://evil.example/n", "/elsewhere", "http://127.0.0.1:1/"])
def test_a_redirect_leads_nowhere(rig: Rig, status: str, where: str) -> None:
    rig.server.answer = (
        f"HTTP/1.1 {status}\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert "goes nowhere else" in rig.failure()
    assert rig.server.connections == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n", "answer 404"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "answer 503"),
        (b"HTTP/1.1 204 None\r\n\r\n", "answer 204"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + BODY, "cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n" + BODY, "ambiguous"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + BODY, "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "too large"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "interim"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + BODY, "ambiguous"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed chunk"),
        (b"HTTP/2 200\r\n\r\n", "malformed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (b"\x00" * 100, "not HTTP"),
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\n", "cut off"),
        (b"HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n", "malformed header"),
    ],
)
def test_wrong_answers_are_told(rig: Rig, answer: bytes, words: str) -> None:
    rig.server.answer = answer
    assert words in rig.failure()


def test_bytes_after_the_body_change_nothing(rig: Rig) -> None:
    rig.server.answer = ok(BODY) + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore"
    assert run(rig.fetch()) == BODY


def test_a_bomb_is_not_unpacked(rig: Rig) -> None:
    bomb = gzip.compress(bytes(8_000_000))
    assert len(bomb) < MAX_SIZE
    rig.server.answer = ok(bomb, "Content-Encoding: gzip")
    assert run(rig.fetch()) == bomb


def test_a_connection_that_breaks_is_told(rig: Rig) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
        await writer.drain()
        writer.transport.abort()

    rig.server.script = cut
    assert "broke the connection off" in rig.failure()


# Certificates


def test_another_hosts_certificate_is_refused(rig: Rig) -> None:
    assert "did not prove" in rig.failure(certified=HOST)
    assert rig.server.requests == []


def test_an_expired_certificate_is_refused(rig: Rig) -> None:
    assert "did not prove" in rig.failure(days=-2)


def test_an_unknown_authority_is_refused(rig: Rig, tmp_path: Path) -> None:
    rig.authority = Authority(tmp_path)
    real = rig.authority.server_context
    context = real("127.0.0.1")
    stranger = ssl.create_default_context()

    async def attempt() -> None:
        async with notice_server(rig.server, context):
            await fetch(rig.server.url(), DIRECT, rig.notes.append, trust=lambda: stranger)

    with pytest.raises(NoticeFailed, match="did not prove"):
        run(attempt())
    assert rig.server.requests == []


@pytest.mark.parametrize(
    "talk", [b"HTTP/1.1 400 Bad\r\n\r\n", b"\x05\x00", b"\x15\x03\x03\x00\x02"]
)
def test_a_server_without_tls_is_told(rig: Rig, talk: bytes) -> None:
    async def attempt() -> None:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(talk)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            url = f"https://127.0.0.1:{port}/n"
            await fetch(url, DIRECT, rig.notes.append, trust=rig.authority.client_context)

    with pytest.raises(NoticeFailed, match=r"No encrypted connection|broke the connection off"):
        run(attempt())


def test_an_old_version_of_tls_is_refused(rig: Rig) -> None:
    # The server's own context would not offer one: what counts is that ours refuses.
    assert trusted().minimum_version is ssl.TLSVersion.TLSv1_2
    assert trusted().verify_mode is ssl.CERT_REQUIRED
    assert trusted().check_hostname


def test_nobody_listens(rig: Rig) -> None:
    async def attempt() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        url = f"https://127.0.0.1:{port}/n"
        await fetch(url, DIRECT, rig.notes.append, trust=rig.authority.client_context)

    with pytest.raises(NoticeFailed, match="Nothing listens"):
        run(attempt())
    assert rig.notes[0].inbound_bytes == 0


def test_a_cancelled_fetch_is_noted_and_hangs_up(rig: Rig) -> None:
    rig.server.script = sends(b"HTTP/1.1 200 OK\r\n", then_waits=True)

    async def attempt() -> None:
        context = rig.authority.server_context("127.0.0.1")
        async with notice_server(rig.server, context):
            task = asyncio.create_task(
                fetch(
                    rig.server.url(),
                    DIRECT,
                    rig.notes.append,
                    trust=rig.authority.client_context,
                )
            )
            await rig.server.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(attempt())
    assert rig.notes[0].outcome == "The program hung up."


# Certificate authorities of other systems


@pytest.fixture
def built_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL looks where this system has nothing, as one that was built on another does."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):  # whoever runs the tests may have them
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda _, purpose=None: purpose)


@pytest.mark.usefixtures("built_elsewhere")
def test_authorities_are_found_where_other_systems_keep_them(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "damaged.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    files = (tmp_path / "none.pem", tmp_path / "damaged.pem", tmp_path, authority.file)
    monkeypatch.setattr(notice, "BUNDLES", tuple(map(str, files)))
    assert trusted().cert_store_stats()["x509_ca"] == 1


def test_authorities_that_a_person_named_are_the_only_ones(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert trusted().cert_store_stats()["x509_ca"] == 1
    # A folder is read when a certificate is looked for in it: nothing is added to it here.
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setattr(notice, "BUNDLES", (str(authority.file),))
    assert trusted().cert_store_stats()["x509_ca"] == 0
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    assert trusted().cert_store_stats()["x509_ca"] == 1


@pytest.mark.usefixtures("built_elsewhere")
def test_without_authorities_nobody_is_connected_to(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice, "BUNDLES", ())

    async def attempt() -> None:
        async with notice_server(rig.server, None):
            await fetch(rig.server.url(), DIRECT, rig.notes.append)

    with pytest.raises(NoticeFailed, match="no list of certificate authorities"):
        run(attempt())
    assert rig.server.connections == 0


# Where it lies


@pytest.mark.parametrize(
    "url",
    ["http://example.org/n", "ftp://example.org/n", "https://", "example.org", "https://a:b/"],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ParseError):
        NoticePlace.parse(url)


def test_the_usual_port_is_not_repeated() -> None:
    assert b"Host: example.org\r\n" in NoticePlace.parse("https://example.org/n").request()
    assert b"Host: example.org:81\r\n" in NoticePlace.parse("https://example.org:81/n").request()
