"""Keeps one address connected: dial, shake hands, wait for the end, back off, dial again."""

import asyncio
import itertools
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.peer import CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, PeerConnection
from wallet_gui.chain.p2p.protocol import Event, PeerProtocol, Ready
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.p2p.transport import ProtocolViolation, V1Transport

FIRST_DELAY: Final = 1.0
LAST_DELAY: Final = 60.0
FAULT_DELAY: Final = 20.0  # it broke a rule: a user's own node may be mended meanwhile
GOOD_SESSION: Final = 30.0  # a connection that held this long starts the back-off anew

_numbers = itertools.count(1)


@dataclass(slots=True)
class Session:
    """A connection after its handshake."""

    number: int
    address: PeerAddress
    connection: PeerConnection
    ready: Ready
    since: Instant
    hung_up_for_fault: bool = False
    reason: str = ""


class Host(Protocol):
    """What a dialer reports to."""

    def now(self) -> Instant:
        """Tell the time."""
        ...

    def on_ready(self, session: Session) -> None:
        """A handshake is done."""
        ...

    def on_events(self, session: Session, events: list[Event]) -> None:
        """Something was received."""
        ...

    def on_progress(self, session: Session) -> None:
        """Part of a long message was received."""
        ...

    def on_closed(self, session: Session) -> None:
        """A connection ended, for whatever reason."""
        ...

    def on_unreachable(self, address: PeerAddress, reason: str) -> None:
        """An attempt ended before the handshake was done."""
        ...


class Dialer:
    """One address, for as long as the backend runs."""

    def __init__(
        self,
        address: PeerAddress,
        magic: bytes,
        host: Host,
        nonces: set[int],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._address = address
        self._magic = magic
        self._host = host
        self._nonces = nonces
        self._jitter = jitter

    async def run(self) -> None:
        """Stay connected until cancelled."""
        delay = FIRST_DELAY
        while True:
            began = self._host.now().monotonic
            session = await self._connect()
            if session is not None:
                lasted = self._host.now().monotonic - began
                if session.hung_up_for_fault:
                    delay = max(delay, FAULT_DELAY)
                elif lasted >= GOOD_SESSION:
                    delay = FIRST_DELAY
            await asyncio.sleep(delay * (0.75 + 0.5 * self._jitter()))
            delay = min(2 * delay, LAST_DELAY)

    async def _connect(self) -> Session | None:
        """Hold one connection from dialling to its end; None if there was no handshake."""
        nonce = secrets.randbits(64) | 1
        self._nonces.add(nonce)
        attempt = _Attempt(self._host)
        connection = attempt.connection(self._magic, nonce, self._nonces)
        try:
            reason = await self._shake_hands(connection, attempt.ready)
            if reason is not None:
                self._host.on_unreachable(self._address, reason)
                return None
            session = Session(
                next(_numbers), self._address, connection, attempt.ready.result(), self._host.now()
            )
            attempt.begin(session)
            await connection.closed
            session.reason = session.reason or describe(connection.error)
            if isinstance(connection.error, ProtocolViolation):
                session.hung_up_for_fault = True
            return session
        finally:
            self._nonces.discard(nonce)
            connection.hang_up()
            attempt.end()

    async def _shake_hands(
        self, connection: PeerConnection, ready: asyncio.Future[Ready]
    ) -> str | None:
        """Dial and wait for the handshake; return why it did not come about, None if it did."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await loop.create_connection(
                    lambda: connection, self._address.host, self._address.port
                )
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                either: set[asyncio.Future[Any]] = {ready, connection.closed}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            step = "connection" if connection.protocol.version is None else "handshake"
            return f"The {step} took too long."
        except OSError as error:
            return describe(error)
        return None if ready.done() else describe(connection.error)


class _Attempt:
    """Where the events of one connection go: kept until the handshake is done, then handed on."""

    def __init__(self, host: Host) -> None:
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._host = host
        self._session: Session | None = None
        self._early: list[Event] = []

    def connection(self, magic: bytes, nonce: int, nonces: set[int]) -> PeerConnection:
        protocol = PeerProtocol(
            V1Transport(magic),
            nonce=nonce,
            own_nonces=nonces,
            unix_time=self._host.now().unix,
            start_height=0,  # the real one would tell where the wallet was left
        )
        return PeerConnection(protocol, on_events=self._on_events, on_progress=self._on_progress)

    def begin(self, session: Session) -> None:
        self._session = session
        self._host.on_ready(session)
        if self._early:
            self._host.on_events(session, self._early)

    def end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._host.on_closed(session)

    def _on_events(self, events: list[Event]) -> None:
        if self._session is not None:
            self._host.on_events(self._session, events)
            return
        for event in events:
            if isinstance(event, Ready) and not self.ready.done():
                self.ready.set_result(event)
            else:
                self._early.append(event)

    def _on_progress(self) -> None:
        if self._session is not None:
            self._host.on_progress(self._session)


def describe(error: BaseException | None) -> str:
    """Say in one sentence why a connection ended."""
    match error:
        case None:
            return "The peer closed the connection."
        case ProtocolViolation():
            return str(error)
        case ConnectionRefusedError():
            return "Nothing listens at this address."
        case ConnectionResetError():
            return "The peer broke off the connection."
        case OSError() if error.strerror:
            return f"{error.strerror}."
        case _:
            return "The connection failed."
