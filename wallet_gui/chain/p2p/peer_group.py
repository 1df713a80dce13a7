"""All connected peers of a backend: what they send is dealt out, and they are kept alive.

The sync gets what is about blocks, `transactions` what is about those that wait for one, and
addresses go to the book.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from wallet_gui.chain.backend import BackendState, BackendWarning, ChainEvent, PendingChanged
from wallet_gui.chain.p2p.addr_messages import Addr, AddrV2, GetAddr
from wallet_gui.chain.p2p.bans import BanVerdict, ban_peer
from wallet_gui.chain.p2p.connections import Connections
from wallet_gui.chain.p2p.dialer import Session
from wallet_gui.chain.p2p.eviction import Eviction, PeerView
from wallet_gui.chain.p2p.gossip import Gossip
from wallet_gui.chain.p2p.keep_alive import KeepAlive
from wallet_gui.chain.p2p.ledger import Ledger
from wallet_gui.chain.p2p.links import Demand, Link, Role
from wallet_gui.chain.p2p.messages import (
    FeeFilter,
    Ping,
    Pong,
    RawBlock,
)
from wallet_gui.chain.p2p.netgroup import group_text
from wallet_gui.chain.p2p.options import P2POptions, RelayMode
from wallet_gui.chain.p2p.protocol import Event, FilterRun
from wallet_gui.chain.p2p.speeds import Speeds
from wallet_gui.chain.p2p.status import Status
from wallet_gui.chain.p2p.sync import ChainSync
from wallet_gui.chain.p2p.sync_state import Action, Ban, Disconnect, Instant, Send
from wallet_gui.chain.p2p.transactions import Transactions
from wallet_gui.chain.reports import PeerInfo, Route

PAUSE_AT: Final = 32_000_000  # bytes that wait for the engine
BIG_SCAN: Final = 4000  # blocks whose filters are wanted: more peers are worth it
ADDRESS_PATIENCE: Final = 30.0
LEAST_PROGRESS: Final = 4096  # bytes of a long message that count as an answer, if others are there
BROADCAST_TRIES: Final = 3
MAX_MONEY: Final = 21_000_000 * 100_000_000
_BULK: Final = (FilterRun, RawBlock)

NO_FILTERS: Final = (
    "The node {address} does not serve compact filters. If it is yours, start it with "
    "-blockfilterindex=1 -peerblockfilters=1."
)


class PeerGroup:
    """The sessions of this moment; what the dialer reports to (`dialer.Host`)."""

    def __init__(
        self,
        sync: ChainSync,
        connections: Connections,
        ledger: Ledger,
        clock: Callable[[], Instant],
        perform: Callable[[Iterable[Action]], None],
        news: deque[ChainEvent],
    ) -> None:
        """Have actions done by `perform`; put what a person should know into `news`."""
        self.sessions: dict[int, Session] = {}
        self.transactions = Transactions(sync.state, sync.blocks)
        self.connections = connections
        self._sync = sync
        self._ledger = ledger
        self._clock = clock
        self._perform = perform
        self._news = news
        self._gossip = Gossip(connections.book)
        self._keep_alive = KeepAlive()
        self._speeds = Speeds()
        self._eviction = Eviction()
        self._status = Status(connections)
        self._told: BackendState | None = None
        self._told_of_pending = self.transactions.stamp()
        self._spent: set[int] = set()  # those asked for addresses that have answered
        self._has_big_scan = False
        self._is_receiving = False
        self._broadcast_failures = 0

    def demand(self) -> Demand:
        """Tell what connections the sync and the payments want."""
        return Demand(
            is_big_scan=self._has_big_scan,
            wants_extra_peer=self._sync.state.wants_extra_peer,
            broadcasts=self.transactions.broadcasts.wanted_connections(),
        )

    def tick(self, now: Instant) -> None:
        """Look at the clock."""
        self._serve_payments(now)
        self._look_after(now)
        wanted = self._sync.filters.lowest_wanted()
        left = 0 if wanted is None else self._sync.state.filter_headers.height + 1 - wanted
        self._has_big_scan = left >= (BIG_SCAN // 2 if self._has_big_scan else BIG_SCAN)
        for number, reason in self._eviction.look(self._views(now), self.demand(), now):
            self.hang_up(number, reason)
        for link in self.connections.take_over(self.demand()):
            if link.number in self.sessions:
                self._join(self.sessions[link.number], now)
                self.tell_state()
        self.count_bytes()
        for number, session in list(self.sessions.items()):
            is_late = now.monotonic - session.since.monotonic >= ADDRESS_PATIENCE
            if session.link.role is Role.ADDRESSES and (number in self._spent or is_late):
                self.hang_up(number, "It was asked for addresses.")
        self.tell_state()

    def _serve_payments(self, now: Instant) -> None:
        options, broadcasts = self.connections.options, self.transactions.broadcasts
        is_open = not options.only_own_peers
        broadcasts.can_open = is_open and bool(len(self.connections.book))
        if self.connections.lacks_broadcast_peer or self._broadcast_failures >= BROADCAST_TRIES:
            self.connections.lacks_broadcast_peer = False
            self._broadcast_failures = 0
            self._perform(broadcasts.on_not_opened(now))
        self._perform(self.transactions.tick(now))
        stamp = self.transactions.stamp()
        if stamp != self._told_of_pending:
            self._told_of_pending = stamp
            self._news.append(PendingChanged())

    def _look_after(self, now: Instant) -> None:
        verdict = self._keep_alive.tick(now)
        self._perform([Send(number, Ping(nonce)) for number, nonce in verdict.pings])
        if verdict.is_line_dead:
            self.connections.on_line_dead(now)
            for number in list(self.sessions):
                self.hang_up(number, "Nobody answers any more: the connection was interrupted.")
        for number in verdict.silent:
            self.hang_up(number, "The peer does not answer any more.")

    def hang_up(self, number: int, reason: str) -> None:
        """End a connection for no fault of the peer's."""
        self._perform([Disconnect(number, reason, is_fault=False)])

    def set_options(self, options: P2POptions) -> None:
        """Let go of connections that the options do not allow any more."""
        self._sync.state.options = options
        before = self.connections.options.relay
        for link in self.connections.set_options(options):
            self.hang_up(link.number, "The settings were changed.")
        if options.relay is not before:
            for session in self.sessions.values():
                self._mute(session.link, changes=True)
        self.tell_state()

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
                ping_ms=self._keep_alive.milliseconds(session.number),
                transport=session.connection.transport_name,
                network=group_text(session.address),
                route=session.link.route,
                is_own=session.link.is_own,
                purposes=session.link.purposes(),
                bytes_per_second=self._speeds.average(session.number),
                note=session.note,
            )
            for session in self.sessions.values()
        ]

    def _best_height(self, session: Session) -> int:
        peer = self._sync.state.peers.get(session.number)
        return max(session.ready.version.start_height, -1 if peer is None else peer.shown_height)

    def _views(self, now: Instant) -> list[PeerView]:
        peers = self._sync.state.peers
        return [
            PeerView(
                session.link,
                is_stalled=number in peers and not peers[number].is_usable(now),
                speed=self._speeds.sustained(number, now.monotonic),
                average=self._speeds.average(number),
            )
            for number, session in self.sessions.items()
        ]

    def count_bytes(self) -> None:
        """Bring the ledger up to this moment."""
        for session in self.sessions.values():
            self._count_bytes(session)

    def _count_bytes(self, session: Session) -> None:
        self._ledger.update(
            session.ledger_number,
            inbound_bytes=session.connection.received_bytes,
            outbound_bytes=session.connection.sent_bytes,
            transport=session.connection.transport_name,
            purpose=session.link.purposes()[0],
        )

    # --- what the dialer reports ------------------------------------------------------------------

    def on_ready(self, session: Session) -> None:
        """Let a new peer take part."""
        link, now = session.link, self._clock()
        self.sessions[link.number] = session
        self._keep_alive.on_ready(link.number, now)
        if link.is_own and not link.serves_filters:
            self._news.append(BackendWarning(NO_FILTERS.format(address=session.address)))
        self._ask_for_addresses(link, now)
        self.tell_state()
        self._mute(link)
        self._join(session, now)

    def _join(self, session: Session, now: Instant) -> None:
        """Let a peer take part in what its role is about."""
        link = session.link
        if link.role.is_sync:
            self._perform(
                self._sync.connected(
                    link.number,
                    str(session.address),
                    session.ready,
                    now,
                    netgroup=link.netgroup,
                    is_own=link.is_own,
                )
            )
        if link.role.is_sync or link.role is Role.BROADCAST:
            self._perform(
                self.transactions.on_ready(
                    link.number,
                    link.netgroup,
                    now,
                    relays=link.relay,
                    is_one_shot=link.role is Role.BROADCAST,
                    is_direct=link.route is Route.DIRECT,
                )
            )

    def set_receiving(self, *, is_receiving: bool) -> None:
        """Have peers announce transactions, or not, where that depends on a person waiting."""
        self._is_receiving = is_receiving
        if self.connections.options.relay is RelayMode.RECEIVING:
            for session in self.sessions.values():
                self._mute(session.link, changes=True)

    def _mute(self, link: Link, *, changes: bool = False) -> None:
        """Tell a peer by a fee filter (BIP133) whether announcements are wanted.

        Whether a peer announces anything is settled by its first message; connecting anew each
        time that a person looks at an address would tell everybody so.
        """
        depends = self.connections.options.relay is RelayMode.RECEIVING
        is_wanted = self._is_receiving or not depends
        if link.relay and (changes or not is_wanted):
            self._perform([Send(link.number, FeeFilter(0 if is_wanted else MAX_MONEY))])

    def _ask_for_addresses(self, link: Link, now: Instant) -> None:
        """Ask once, but not those that are there for blocks only, so that they stay unknown."""
        is_public = self.connections.has_sources() and not self.connections.options.only_own_peers
        if not is_public or link.role in {Role.BLOCKS, Role.BROADCAST}:
            return
        self._gossip.on_ready(link.number, link.netgroup, now)
        self._gossip.on_asked(link.number)
        self._perform([Send(link.number, GetAddr())])

    def on_events(self, session: Session, events: list[Event]) -> None:
        """Hand on what was received."""
        now = self._clock()
        self._note_received(session, now, is_bulk=any(isinstance(e, _BULK) for e in events))
        for left, event in zip(range(len(events) - 1, -1, -1), events, strict=True):
            if session.number not in self.sessions:
                return  # hung up on meanwhile
            if session.link.role.is_sync:
                more = left > 0
                self._perform(self._sync.ahead(session.number, event, now))
                self._perform(self._sync.handle(session.number, event, now, has_more=more))
            self._perform(self._on_message(session, event, now))
        session.connection.is_urgent = self._sync.is_urgent(session.number)
        self.control_flow()

    def _on_message(self, session: Session, event: Event, now: Instant) -> list[Action]:
        """Deal with what is not about blocks."""
        number = session.number
        match event:
            case Pong(nonce):
                self._keep_alive.on_pong(number, nonce, now)
            case Addr(entries) | AddrV2(entries):
                self._gossip.on_addresses(number, entries, now)
                if len(entries) > 1:  # one alone is the peer's own
                    self._spent.add(number)
            case _:
                return self.transactions.on_event(number, event, now)
        return []

    def on_progress(self, session: Session) -> None:
        """Note that a peer is slow, not silent.

        A few bytes now and then are no progress, or one byte a second would stall us for ever.
        """
        now = self._clock()
        self._note_received(session, now, is_bulk=True)
        received = session.connection.received_bytes
        if received - session.noted_bytes < LEAST_PROGRESS and len(self.sessions) > 1:
            return
        session.noted_bytes = received
        self._sync.progressed(session.number, now, session.connection.protocol.partial())

    def _note_received(self, session: Session, now: Instant, *, is_bulk: bool) -> None:
        self._keep_alive.heard(session.number, now)
        received = session.connection.received_bytes
        self._speeds.note(session.number, received, now.monotonic, is_bulk=is_bulk)

    def on_closed(self, session: Session) -> None:
        """Let a peer go."""
        if session.number in self.sessions:
            self._perform(self.drop(session))
        if session.link.role.is_sync:
            self._status.on_unreachable(
                f"{session.address}: {session.reason}", is_own=session.link.is_own
            )
        self.tell_state()

    def on_unreachable(self, link: Link, reason: str) -> None:
        """Show why nobody can be reached, if that is so."""
        self._broadcast_failures += link.role is Role.BROADCAST
        self._status.on_unreachable(f"{link.address}: {reason}", is_own=link.is_own)
        self.tell_state()

    def disconnect(self, action: Disconnect) -> list[Action]:
        """Hang up as the sync wants it, and ban where that is due."""
        session = self.sessions.get(action.peer)
        if session is None:
            return []
        session.reason = action.reason
        session.hung_up_for_fault = action.is_fault
        session.by_us = True
        self._ban(session, action.ban)
        session.connection.hang_up()
        return self.drop(session)

    def _ban(self, session: Session, ban: Ban) -> None:
        link, now = session.link, self._clock()
        if ban is Ban.NOBODY or link.is_own:
            return
        connected = [other.address for other in self.sessions.values() if other.link.role.is_sync]
        connections = self.connections
        verdict = ban_peer(
            connections.book, connections.group_of, link.address, ban, connected, now.unix
        )
        if verdict is BanVerdict.BANNED:
            session.reason += " It is not connected to again for a day."

    def drop(self, session: Session) -> list[Action]:
        """Forget a session; what it owed is asked of others."""
        number = session.number
        self.sessions.pop(number, None)
        self._count_bytes(session)
        self.connections.book.note_speed(session.address, self._speeds.average(number))
        self._spent.discard(number)
        self._gossip.on_disconnected(number)
        self._keep_alive.on_disconnected(number)
        self._speeds.forget(number)
        now = self._clock()
        actions = self.transactions.on_disconnected(number, now)
        actions += self._sync.disconnected(number, now)
        self.tell_state()
        return actions

    def tell_state(self) -> None:
        """Report the connection as a whole, if it changed."""
        peers = sum(session.link.role.is_sync for session in self.sessions.values())
        told = self._status.state(peers, self._clock())
        if told != self._told:
            self._told = told
            self._news.append(told)
