"""Keeps one address connected: dial, shake hands, wait for the end, back off, dial again."""

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.peer import CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, PeerConnection
from wallet_gui.chain.p2p.protocol import Event, PeerProtocol, Ready, State
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.p2p.transport import ProtocolViolation, V1Transport

FIRST_DELAY: Final = 1.0
LAST_DELAY: Final = 60.0
FAULT_DELAY: Final = 20.0  # it broke a rule: a user's own node may be mended meanwhile
GOOD_SESSION: Final = 30.0  # a connection that held this long starts the back-off anew


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

    def height(self) -> int:
        """Tell the height to claim in the handshake."""
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

    _numbers = 0

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
        self._connection: PeerConnection | None = None

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
        loop = asyncio.get_running_loop()
        host = self._host
        nonce = secrets.randbits(64) | 1
        self._nonces.add(nonce)
        ready: asyncio.Future[Ready] = loop.create_future()
        session: Session | None = None
        early: list[Event] = []

        def on_events(events: list[Event]) -> None:
            if session is not None:
                host.on_events(session, events)
                return
            for event in events:
                if isinstance(event, Ready) and not ready.done():
                    ready.set_result(event)
                else:
                    early.append(event)

        def on_progress() -> None:
            if session is not None:
                host.on_progress(session)

        protocol = PeerProtocol(
            V1Transport(self._magic),
            nonce=nonce,
            own_nonces=self._nonces,
            unix_time=host.now().unix,
            start_height=host.height(),
        )
        connection = PeerConnection(protocol, on_events=on_events, on_progress=on_progress)
        try:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await loop.create_connection(
                        lambda: connection, self._address.host, self._address.port
                    )
                async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                    await asyncio.wait(
                        {ready, connection.closed}, return_when=asyncio.FIRST_COMPLETED
                    )
            except TimeoutError:
                step = "connection" if protocol.version is None else "handshake"
                host.on_unreachable(self._address, f"The {step} took too long.")
                return None
            except OSError as error:
                host.on_unreachable(self._address, describe(error))
                return None
            if not ready.done():
                host.on_unreachable(self._address, describe(connection.error))
                return None
            Dialer._numbers += 1
            session = Session(
                Dialer._numbers, self._address, connection, ready.result(), host.now()
            )
            host.on_ready(session)
            if early:
                host.on_events(session, early)
            await connection.closed
            session.reason = session.reason or describe(connection.error)
            if isinstance(connection.error, ProtocolViolation):
                session.hung_up_for_fault = True
            return session
        finally:
            self._nonces.discard(nonce)
            connection.hang_up()
            if session is not None:
                host.on_closed(session)


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


__all__ = ["Dialer", "Host", "Session", "State", "describe"]
