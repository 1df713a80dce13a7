"""Fetches one small file for the update check: HTTPS, or HTTP from an onion service, and no more.

Whether the file may be believed is decided by its signature, not here; TLS only keeps others from
seeing what is asked and from sending rubbish. The request says nothing about this computer, no
redirect is followed, nothing is unpacked, and what a proxy was set for goes through it or not at
all. The name of an onion service is its key, so that Tor already does what TLS would.
"""

import asyncio
import errno
import ipaddress
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.bitcoind.http import HttpViolation, ReplyTooLong, Response, ResponseReader
from wallet_gui.chain.p2p import onion
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.p2p.socks5 import Credentials, Socks5Client, SocksFailed
from wallet_gui.chain.reports import LedgerEntry, Purpose, Route
from wallet_gui.primitives.serialize import ParseError

MAX_SIZE: Final = 16 * 1024
"""Bytes of the file."""
MAX_RECEIVED: Final = 256 * 1024
"""Bytes on the wire, certificates and headers included: more is read from nobody."""
CONNECT_SECONDS: Final = 10.0
TOTAL_SECONDS: Final = 30.0
SLOW_TOTAL_SECONDS: Final = 90.0  # through Tor or another proxy

_CHUNK: Final = 16 * 1024
# Where systems keep their certificate authorities. A packaged build brings the OpenSSL of the
# system that it was built on, which looks where that system has them.
BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo, NixOS
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older ones of these
    "/var/lib/ca-certificates/ca-bundle.pem",  # openSUSE
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",  # Alpine, macOS, OpenBSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD
)


class NoticeFailed(ChainError):
    """The file did not come; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class NoticePlace:
    """Where the file lies: `https://host[:port]/path`, or `http://` at an onion service."""

    host: str
    port: int
    path: str
    is_encrypted: bool

    @classmethod
    def parse(cls, url: str) -> "NoticePlace":
        """Read an address of the release keys; raises ParseError."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ParseError("The address of the update notice cannot be read.") from None
        is_encrypted = parts.scheme == "https"
        host = parts.hostname or ""
        if not host or not (is_encrypted or (parts.scheme == "http" and onion.is_onion(host))):
            raise ParseError("The update notice must lie at an https address.")
        return cls(host, port or (443 if is_encrypted else 80), parts.path or "/", is_encrypted)

    @property
    def name(self) -> str:
        """Host and port as the ledger shows them."""
        return f"{self.host}:{self.port}"

    def request(self) -> bytes:
        """The whole of what the server is told."""
        usual = 443 if self.is_encrypted else 80
        host = self.host if self.port == usual else self.name
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\n"
            "Connection: close\r\n\r\n"
        ).encode("ascii")


def route_to(place: NoticePlace, options: P2POptions) -> Route:
    """By which way the file may be fetched: a proxy that is used for anything is used for this.

    Raises NoticeFailed where there is no way that the person allows.
    """
    if options.proxy_use is ProxyUse.NEVER:
        if onion.is_onion(place.host):
            raise NoticeFailed(
                "The update notice lies at an onion service; set Tor's proxy in the settings."
            )
        return Route.DIRECT
    if options.proxy is None:
        raise NoticeFailed(
            "Connections shall go through a proxy, and none is named. Write its address in "
            "Settings."
        )
    if options.is_tor:
        return Route.TOR
    if onion.is_onion(place.host):
        raise NoticeFailed(
            "The update notice lies at an onion service, and the proxy in the settings is not Tor."
        )
    return Route.PROXY


def rules() -> ssl.SSLContext:
    """Make the rules for TLS, which trust nobody yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificates and names
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def trusted() -> ssl.SSLContext:
    """Make the rules for TLS, with the certificate authorities of this system; reads files.

    Raises NoticeFailed when there are none: then nobody is connected to.
    """
    context = rules()
    context.load_default_certs()
    # Whoever named authorities of their own meant these and no others.
    own = [os.environ.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")]
    is_chosen = any(text and Path(text).exists() for text in own)
    is_ready = is_chosen or context.cert_store_stats()["x509_ca"] > 0
    if not is_ready and not any(_loads(context, bundle) for bundle in BUNDLES):
        raise NoticeFailed(
            "This computer has no list of certificate authorities, so that no website can be told "
            "from an impostor. Install it (on Debian: ca-certificates) and try again."
        )
    return context


def _loads(context: ssl.SSLContext, bundle: str) -> bool:
    """Whether a file is there and holds authorities; one that is damaged counts as none."""
    try:
        context.load_verify_locations(bundle)
    except OSError:
        return False
    return True


async def fetch(
    url: str,
    options: P2POptions,
    note: Callable[[LedgerEntry], None],
    *,
    trust: Callable[[], ssl.SSLContext] = trusted,
    clock: Callable[[], int] = lambda: int(time.time()),
    seconds: float | None = None,
) -> bytes:
    """Return the file, at most MAX_SIZE bytes. Raises NoticeFailed, ParseError.

    `note` gets the contact once it is over, however it ended. `seconds` is the time for all of it.
    """
    place = NoticePlace.parse(url)
    route = route_to(place, options)
    context = await asyncio.to_thread(trust) if place.is_encrypted else None
    wire = _Wire()
    began, outcome = clock(), "The program hung up."
    if seconds is None:
        seconds = TOTAL_SECONDS if route is Route.DIRECT else SLOW_TOTAL_SECONDS
    try:
        async with asyncio.timeout(seconds):
            data = await _exchange(wire, place, options, route, context)
        outcome = "It answered."
    except TimeoutError:
        outcome = f"{place.host} took too long to answer. Try again later."
        raise NoticeFailed(outcome) from None
    except (NoticeFailed, SocksFailed) as error:
        outcome = str(error)
        raise NoticeFailed(outcome) from error
    except ssl.SSLCertVerificationError as error:
        outcome = (
            f"{place.host} did not prove that it is {place.host}: its certificate is not valid "
            "here. A network that wants you to sign in first does so, and so does somebody who "
            "reads along; or this computer's clock is wrong."
        )
        raise NoticeFailed(outcome) from error
    except (OSError, HttpViolation) as error:
        outcome = _words(place, error)
        raise NoticeFailed(outcome) from error
    finally:
        wire.close()
        entry = LedgerEntry(
            place.name,
            Purpose.UPDATE,
            route,
            began,
            ended=clock(),
            transport="TLS" if place.is_encrypted else "Tor",
            inbound_bytes=wire.received,
            outbound_bytes=wire.sent,
            outcome=outcome,
        )
        note(entry)
    return data


def _words(place: NoticePlace, error: OSError | HttpViolation) -> str:
    match error:
        case ReplyTooLong():
            words = f"What {place.host} sent is too large for an update notice; it was not read."
        case HttpViolation():
            words = f"{place.host} did not answer as a website does. {error}"
        case ConnectionRefusedError():
            words = f"Nothing listens at {place.name}. Try again later."
        case ConnectionError() | ssl.SSLEOFError():
            words = f"{place.host} broke the connection off. Try again later."
        case ssl.SSLError():
            words = f"No encrypted connection to {place.host} could be made. Try again later."
        case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH):
            words = "There is no way to the internet. Check the connection."
        case _:
            words = f"{place.host} cannot be reached. Check the connection to the internet."
    return words


class _Wire:
    """One TCP connection, perhaps through a proxy, perhaps with TLS over it; counts every byte.

    TLS runs over bytes in memory (`ssl.MemoryBIO`), so that both ways of connecting are one, and
    what is received is bounded before anything is decrypted.
    """

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._early = b""  # the peer's, received together with the proxy's answer
        self._tls: ssl.SSLObject | None = None
        self._to_tls = ssl.MemoryBIO()
        self._from_tls = ssl.MemoryBIO()

    async def connect(self, host: str, port: int) -> None:
        async with asyncio.timeout(CONNECT_SECONDS):
            self._reader, self._writer = await asyncio.open_connection(
                host, port, happy_eyeballs_delay=0.25
            )

    async def ask_proxy(self, client: Socks5Client) -> None:
        """Let the proxy make the connection. Raises SocksFailed."""
        await self._write(client.data_to_send())
        while not client.is_done:
            data = await self._read()
            if not data:
                raise SocksFailed("The proxy closed the connection.")
            self._early = client.receive_data(data)
            await self._write(client.data_to_send())

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Shake hands; from here on TLS is spoken. Raises ssl.SSLError."""
        self._tls = context.wrap_bio(self._to_tls, self._from_tls, server_hostname=host)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._feed_tls()
            except ssl.SSLError:
                # The alert tells the server why.
                await self._write(self._from_tls.read())
                raise
            else:
                return

    async def send(self, data: bytes) -> None:
        if self._tls is None:
            await self._write(data)
            return
        self._tls.write(data)
        await self._write(self._from_tls.read())

    async def receive(self) -> bytes:
        """Return some bytes, b"" once the other side has said that these were all."""
        while True:
            if self._tls is None:
                return await self._read()
            try:
                return self._tls.read(_CHUNK)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                await self._feed_tls()

    async def _feed_tls(self) -> None:
        await self._write(self._from_tls.read())
        data = await self._read()
        if data:
            self._to_tls.write(data)
        else:
            self._to_tls.write_eof()  # now reading tells whether that was the end or a cut

    async def _read(self) -> bytes:
        early, self._early = self._early, b""
        if early or self._reader is None:
            return early
        data = await self._reader.read(_CHUNK)
        self.received += len(data)
        if self.received > MAX_RECEIVED:
            raise ReplyTooLong(MAX_RECEIVED)
        return data

    async def _write(self, data: bytes) -> None:
        if data and self._writer is not None:
            self.sent += len(data)
            self._writer.write(data)
            await self._writer.drain()

    def close(self) -> None:
        """Hang up at once; nobody is waited for."""
        if self._writer is not None:
            self._writer.transport.abort()


async def _exchange(
    wire: _Wire,
    place: NoticePlace,
    options: P2POptions,
    route: Route,
    context: ssl.SSLContext | None,
) -> bytes:
    if route is Route.DIRECT:
        await wire.connect(place.host, place.port)
    else:
        client = Socks5Client(place.host, place.port, Credentials.random())
        await _reach_proxy(wire, options, route)
        await wire.ask_proxy(client)
    if context is not None:
        await wire.encrypt(context, place.host)
    await wire.send(place.request())
    response = await _response(wire)
    if response.status == 200:
        return response.body
    if 300 <= response.status < 400:
        raise NoticeFailed(
            f"{place.host} wants to send the program elsewhere, and it goes nowhere else. Look for "
            "a newer version where you got this one."
        )
    raise NoticeFailed(
        f"{place.host} has no update notice now (answer {response.status}). Try again later."
    )


async def _reach_proxy(wire: _Wire, options: P2POptions, route: Route) -> None:
    """Connect to the proxy, by its IP address: not even its own name may be looked up."""
    proxy = options.proxy
    if proxy is None:
        raise NoticeFailed("No proxy is set; give its address in the settings.")
    host = "127.0.0.1" if proxy.host.lower() == "localhost" else proxy.host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise NoticeFailed(
            "Give the proxy as an IP address, for example 127.0.0.1:9050; its name is not looked "
            "up."
        ) from None
    try:
        await wire.connect(host, proxy.port)
    except (OSError, TimeoutError) as error:
        what = "Tor does not" if route is Route.TOR else "The proxy does not"
        raise NoticeFailed(
            f"{what} answer at {proxy}, and nothing goes past it. Start it, or correct its address."
        ) from error


async def _response(wire: _Wire) -> Response:
    reader = ResponseReader()
    reader.expect(MAX_SIZE)
    while data := await wire.receive():
        for response in reader.receive(data):
            return response
    at_end = reader.end()
    if at_end is None:
        raise HttpViolation("The connection was closed without an answer.")
    return at_end
