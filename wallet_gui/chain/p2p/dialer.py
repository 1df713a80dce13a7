"""Keeps one address connected: dial, shake hands, wait for the end, back off, dial again."""

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.connect import ConnectFailed, Connector, describe
from wallet_gui.chain.p2p.peer import Connection
from wallet_gui.chain.p2p.protocol import Event, Ready
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.p2p.transport import ProtocolViolation

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
    connection: Connection
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
        connector: Connector,
        host: Host,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._address = address
        self._connector = connector
        self._host = host
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
        session: Session | None = None

        def on_events(events: list[Event]) -> None:
            if session is not None:
                self._host.on_events(session, events)

        def on_progress() -> None:
            if session is not None:
                self._host.on_progress(session)

        try:
            connection = await self._connector.open(
                self._address,
                self._connector.route(self._address),
                relay=True,
                on_events=on_events,
                on_progress=on_progress,
            )
        except ConnectFailed as failure:
            self._host.on_unreachable(self._address, failure.reason)
            return None
        session = Session(
            next(_numbers), self._address, connection, connection.ready, self._host.now()
        )
        try:
            self._host.on_ready(session)
            connection.begin()
            await connection.closed
            session.reason = session.reason or describe(connection.error)
            if isinstance(connection.error, ProtocolViolation):
                session.hung_up_for_fault = True
        finally:
            connection.hang_up()
            self._host.on_closed(session)
        return session
