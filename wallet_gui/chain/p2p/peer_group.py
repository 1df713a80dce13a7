"""All connected peers of a backend: what they send is dealt out, and they are kept alive.

The sync gets what is about blocks; announced transactions go to the relay and our own to the
broadcasts. Pings find out who is gone.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    ChainEvent,
    ConnectionState,
    TxSeen,
)
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.broadcast import Broadcasts
from wallet_gui.chain.p2p.dialer import Session
from wallet_gui.chain.p2p.messages import (
    FeeFilter,
    GetData,
    Inv,
    NotFound,
    Ping,
    Pong,
    Services,
    Tx,
)
from wallet_gui.chain.p2p.protocol import Event
from wallet_gui.chain.p2p.relay import Relay
from wallet_gui.chain.p2p.sync import ChainSync
from wallet_gui.chain.p2p.sync_state import Action, Instant, Send
from wallet_gui.chain.reports import PeerInfo

PING_INTERVAL: Final = 30.0
PONG_TIMEOUT: Final = 40.0
PAUSE_AT: Final = 32_000_000  # bytes that wait for the engine

NO_FILTERS: Final = (
    "The node {address} does not serve compact filters. If it is yours, start it with "
    "-blockfilterindex=1 -peerblockfilters=1."
)


class PeerGroup:
    """The sessions of this moment; what dialers report to (`dialer.Host`)."""

    def __init__(
        self,
        sync: ChainSync,
        clock: Callable[[], Instant],
        perform: Callable[[Iterable[Action]], None],
        news: deque[ChainEvent],
    ) -> None:
        """Have actions done by `perform`; put what a person should know into `news`."""
        self.sessions: dict[int, Session] = {}
        self.relay = Relay()
        self.broadcasts = Broadcasts()
        self.fee_filters: dict[int, int] = {}
        self._sync = sync
        self._clock = clock
        self._perform = perform
        self._news = news
        self._pings: dict[int, tuple[int, float]] = {}  # nonce and when, while no pong came
        self._pinged: dict[int, float] = {}
        self._ping_ms: dict[int, int] = {}
        self._unreachable = ""
        self._told: BackendState | None = None

    def tick(self, now: Instant) -> None:
        """Look at the clock."""
        self._perform(self.relay.tick(now))
        self._perform(self.broadcasts.tick(now))
        for number, session in list(self.sessions.items()):
            waiting = self._pings.get(number)
            if waiting is not None:
                if now.monotonic - waiting[1] >= PONG_TIMEOUT:
                    session.reason = "The peer does not answer any more."
                    session.connection.hang_up()
            elif now.monotonic - self._pinged.get(number, float("-inf")) >= PING_INTERVAL:
                nonce = (number << 32) | (int(now.monotonic * 1000) & 0xFFFFFFFF)
                self._pings[number] = (nonce, now.monotonic)
                self._pinged[number] = now.monotonic
                self._perform([Send(number, Ping(nonce))])

    def control_flow(self) -> None:
        """Read slower while the engine has more than it can do."""
        is_full = self._sync.filters.unverified_bytes >= PAUSE_AT
        for session in self.sessions.values():
            session.connection.pause(wanted=is_full)

    def received_bytes(self) -> int:
        """Count what the present connections have received."""
        return sum(session.connection.received_bytes for session in self.sessions.values())

    def infos(self) -> list[PeerInfo]:
        """Describe the connections."""
        return [
            PeerInfo(
                address=str(session.address),
                user_agent=session.ready.version.user_agent,
                services=session.ready.version.services,
                best_height=self._best_height(session),
                inbound_bytes=session.connection.received_bytes,
                outbound_bytes=session.connection.sent_bytes,
                connected_since=session.since.unix,
                ping_ms=self._ping_ms.get(session.number),
                transport=session.connection.transport_name,
            )
            for session in self.sessions.values()
        ]

    def _best_height(self, session: Session) -> int:
        peer = self._sync.state.peers.get(session.number)
        return max(session.ready.version.start_height, -1 if peer is None else peer.shown_height)

    # --- what dialers report ----------------------------------------------------------------------

    def now(self) -> Instant:
        """Tell the time."""
        return self._clock()

    def on_ready(self, session: Session) -> None:
        """Let a new peer take part."""
        self.sessions[session.number] = session
        self._unreachable = ""
        if not session.ready.services & Services.COMPACT_FILTERS:
            self._news.append(BackendWarning(NO_FILTERS.format(address=session.address)))
        now = self._clock()
        self.tell_state()
        self._perform(
            self._sync.connected(session.number, str(session.address), session.ready, now)
        )
        self._perform(self.broadcasts.on_ready(session.number, now))

    def on_events(self, session: Session, events: list[Event]) -> None:
        """Hand on what was received."""
        now = self._clock()
        for event in events:
            if session.number not in self.sessions:
                return  # hung up on meanwhile
            self._perform(self._sync.handle(session.number, event, now))
            self._perform(self._on_message(session, event, now))
        self.control_flow()

    def _on_message(self, session: Session, event: Event, now: Instant) -> list[Action]:
        """Deal with what is not about blocks: transactions, pings, fees."""
        number = session.number
        match event:
            case Inv():
                self.broadcasts.on_inv(number, event)
                return self.relay.on_inv(number, event, now)
            case Tx(tx):
                if self.broadcasts.is_ours(tx.wtxid):
                    self.broadcasts.on_tx(number, tx)
                elif self.relay.on_tx(tx):
                    self._sync.state.emit(TxSeen(tx, str(session.address)))
            case NotFound():
                self.broadcasts.on_notfound(number, event, now)
                return self.relay.on_notfound(number, event, now)
            case GetData():
                return self.broadcasts.on_getdata(number, event, now)
            case FeeFilter(rate):
                self.fee_filters[number] = rate
            case Pong(nonce):
                self._on_pong(number, nonce, now)
            case _:
                pass
        return []

    def _on_pong(self, number: int, nonce: int, now: Instant) -> None:
        waiting = self._pings.get(number)
        if waiting is not None and waiting[0] == nonce:
            del self._pings[number]
            self._ping_ms[number] = round((now.monotonic - waiting[1]) * 1000)

    def on_progress(self, session: Session) -> None:
        """Note that a peer is slow, not silent."""
        command = session.connection.protocol.partial()
        self._sync.progressed(session.number, self._clock(), command)

    def on_closed(self, session: Session) -> None:
        """Let a peer go."""
        if session.number in self.sessions:
            self._perform(self.drop(session))
        if not self.sessions:
            self._unreachable = f"{session.address}: {session.reason}"
            self.tell_state()

    def on_unreachable(self, address: PeerAddress, reason: str) -> None:
        """Show why nobody can be reached, if that is so."""
        if not self.sessions:
            self._unreachable = f"{address}: {reason}"
            self.tell_state()

    def drop(self, session: Session) -> list[Action]:
        """Forget a session; what it owed is asked of others."""
        number = session.number
        self.sessions.pop(number, None)
        self.fee_filters.pop(number, None)
        self._pings.pop(number, None)
        self._pinged.pop(number, None)
        self._ping_ms.pop(number, None)
        self.broadcasts.on_disconnected(number)
        now = self._clock()
        actions = self.relay.on_disconnected(number, now)
        actions += self._sync.disconnected(number, now)
        self.tell_state()
        return actions

    def tell_state(self) -> None:
        """Report the connection as a whole, if it changed."""
        if self.sessions:
            state, detail = ConnectionState.ONLINE, ""
        elif self._unreachable:
            state, detail = ConnectionState.OFFLINE, self._unreachable
        else:
            state, detail = ConnectionState.CONNECTING, ""
        told = BackendState(state, len(self.sessions), detail)
        if told != self._told:
            self._told = told
            self._news.append(told)
