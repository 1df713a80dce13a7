"""Opens the connections that are planned and asks the seeds; on asyncio.

Each connection is one task from dialling to its end, and one entry of the ledger. A peer that
claims to serve filters and was never seen to do so is asked for one before it takes part.
"""

import asyncio
import errno
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.connect import ConnectFailed, Connector, describe
from wallet_gui.chain.p2p.connections import Connections
from wallet_gui.chain.p2p.filter_messages import GetCFilters
from wallet_gui.chain.p2p.ledger import Ledger
from wallet_gui.chain.p2p.links import Demand, Link
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.peer import Connection
from wallet_gui.chain.p2p.protocol import Event, FilterRun, Ready
from wallet_gui.chain.p2p.seeds import LookUp, Resolver, ask_seeds
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.p2p.transport import ProtocolViolation
from wallet_gui.chain.reports import Purpose, Route
from wallet_gui.primitives.params import ChainParams

PROBE_TIMEOUT: Final = 2.0
SLOW_PROBE_TIMEOUT: Final = 10.0  # through Tor
NO_FILTERS_SERVED: Final = "It claims to serve filters and did not answer when asked for one."
_NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


@dataclass(slots=True, eq=False)
class Session:
    """A connection after its handshake."""

    link: Link
    connection: Connection
    ready: Ready
    since: Instant
    ledger_number: int
    hung_up_for_fault: bool = False
    by_us: bool = False
    reason: str = ""
    note: str = ""
    noted_bytes: int = 0  # received when progress was last noted

    @property
    def number(self) -> int:
        return self.link.number

    @property
    def address(self) -> PeerAddress:
        return self.link.address


class Host(Protocol):
    """What a dialer reports to."""

    def demand(self) -> Demand:
        """Tell what connections are wanted."""
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

    def on_unreachable(self, link: Link, reason: str) -> None:
        """An attempt ended before the handshake was done."""
        ...


class Dialer:
    """Carries the plan of the connections out."""

    def __init__(
        self,
        params: ChainParams,
        connections: Connections,
        connector: Connector,
        resolver: Resolver,
        host: Host,
        ledger: Ledger,
        clock: Callable[[], Instant],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._params = params
        self._connections = connections
        self._connector = connector
        self._resolver = resolver
        self._host = host
        self._ledger = ledger
        self._clock = clock
        self._spawn = spawn

    def tick(self) -> None:
        """Dial whom the plan names, and ask the seeds where that is due."""
        now = self._clock()
        self._dial(self._connections.plan(now, self._host.demand()))
        if self._connections.wants_seeds(now) and self._connections.begin_seeds(now):
            self._spawn(self._ask_seeds())

    def _dial(self, links: Iterable[Link]) -> None:
        for link in links:
            self._spawn(self._run(link))

    async def _ask_seeds(self) -> None:
        began = self._clock().unix

        def note(told: LookUp) -> None:
            number = self._ledger.begin(told.name, Purpose.SEED, Route.DIRECT, began)
            outcome = told.failure or f"{len(told.hosts)} addresses"
            self._ledger.end(number, outcome, self._clock().unix)

        found = await ask_seeds(
            self._params.dns_seeds, self._params.default_port, self._resolver, note
        )
        self._connections.on_seeds(found, self._clock())
        self.tick()

    async def _run(self, link: Link) -> None:
        """Hold one connection from dialling to its end."""
        number = self._ledger.begin(
            str(link.address), link.purposes()[0], link.route, self._clock().unix
        )
        attempt = _Attempt(self._host)
        outcome = "The program hung up."
        try:
            connection = await self._connector.open(
                link.address,
                link.route,
                relay=link.relay,
                on_events=attempt.on_events,
                on_progress=attempt.on_progress,
                prefer_v2=link.prefer_v2,
            )
            attempt.connection = connection
            connection.begin()
            ready = await self._introduce(link, connection, attempt)
            if ready is None:
                outcome = "It answers."
                return
            attempt.session = session = Session(link, connection, ready, self._clock(), number)
            claimed = Services(connection.ready.version.services)
            if claimed & ~link.services & Services.COMPACT_FILTERS:
                session.note = NO_FILTERS_SERVED
            attempt.begin()
            await connection.closed
            session.reason = session.reason or describe(connection.error)
            if isinstance(connection.error, ProtocolViolation):
                session.hung_up_for_fault = True
            outcome = session.reason
        except ConnectFailed as failure:
            outcome = failure.reason
            self._connections.on_failed(
                link,
                self._clock(),
                was_reached=failure.was_reached,
                has_no_route=_has_no_route(failure),
            )
            self._host.on_unreachable(link, failure.reason)
        finally:
            self._end(link, attempt, number, outcome)

    async def _introduce(
        self, link: Link, connection: Connection, attempt: "_Attempt"
    ) -> Ready | None:
        """Find out what a peer is good for; None when it is not kept."""
        version = connection.ready.version
        services = Services(version.services)
        serves_filters: bool | None = None
        if self._connections.is_to_be_probed(link, services, self._host.demand()):
            serves_filters = await self._probe(link, connection, attempt)
            if connection.closed.done():
                raise ConnectFailed(describe(connection.error), was_reached=True)
        is_kept = self._connections.on_ready(
            link,
            services,
            self._clock(),
            self._host.demand(),
            serves_filters=serves_filters,
            transport=connection.transport_name,
        )
        return Ready(replace(version, services=int(link.services))) if is_kept else None

    async def _probe(self, link: Link, connection: Connection, attempt: "_Attempt") -> bool:
        """Ask for the filter of the genesis block, which every node with filters has."""
        connection.protocol.send(GetCFilters(0, self._params.genesis_hash))
        connection.flush()
        seconds = PROBE_TIMEOUT if link.route is Route.DIRECT else SLOW_PROBE_TIMEOUT
        waiting: set[asyncio.Future[Any]] = {attempt.filters, connection.closed}
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return attempt.filters.done()

    def _end(self, link: Link, attempt: "_Attempt", number: int, outcome: str) -> None:
        connection, session = attempt.connection, attempt.session
        if connection is not None:
            connection.hang_up()
            self._ledger.update(
                number,
                inbound_bytes=connection.received_bytes,
                outbound_bytes=connection.sent_bytes,
                transport=connection.transport_name,
            )
        now = self._clock()
        self._ledger.end(number, outcome, now.unix)
        self._connections.on_closed(
            link,
            now,
            is_fault=session is not None and session.hung_up_for_fault,
            by_us=session is not None and session.by_us,
        )
        if session is not None:
            self._host.on_closed(session)


class _Attempt:
    """Where the events of one connection go: kept until it takes part, then handed on."""

    def __init__(self, host: Host) -> None:
        self.connection: Connection | None = None
        self.session: Session | None = None
        self.filters: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._host = host
        self._early: list[Event] = []

    def begin(self) -> None:
        """Let the peer take part."""
        if self.session is not None:
            self._host.on_ready(self.session)
            if self._early:
                self._host.on_events(self.session, self._early)

    def on_events(self, events: list[Event]) -> None:
        if self.session is not None:
            self._host.on_events(self.session, events)
            return
        for event in events:
            if not isinstance(event, FilterRun):
                self._early.append(event)
            elif not self.filters.done():
                self.filters.set_result(None)  # the answer to the probe: nothing else was asked

    def on_progress(self) -> None:
        if self.session is not None:
            self._host.on_progress(self.session)


def _has_no_route(failure: ConnectFailed) -> bool:
    cause = failure.__cause__
    return isinstance(cause, OSError) and cause.errno in _NO_ROUTE
