"""Who is connected to for what: decides, and opens nothing itself. No socket, no clock.

Four peers serve filters (twelve in a big scan), two of all announce transactions, one more is there
for blocks. Automatic peers are of different netgroups. Addresses come from the book, those of the
last session first; from seeds and packaged peers only when the book has none; from nowhere else.
With `only_own_peers` nobody is dialled but whom the person named.
"""

import itertools
import random
from collections import deque
from collections.abc import Iterable
from typing import Final

from wallet_gui.chain.p2p.address_book import FILTER_RECHECK, MAX_ANCHORS, AddressBook
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.back_off import BackOff
from wallet_gui.chain.p2p.candidates import FIXED_SOURCE, SEED_SOURCE, Candidates, fixed_peers
from wallet_gui.chain.p2p.links import Demand, Link, Role
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.netgroup import Netgroup, Network, network_of
from wallet_gui.chain.p2p.options import P2POptions, RelayMode
from wallet_gui.chain.p2p.routes import may_resolve, route_to
from wallet_gui.chain.p2p.seed_names import ASK_INTERVAL, SeedAddress
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.reports import Route
from wallet_gui.primitives.params import ChainParams

FILTER_PEERS: Final = 4
BIG_SCAN_PEERS: Final = 12
RELAY_PEERS: Final = 2
MAX_DIALING: Final = 8
FEELER_INTERVAL: Final = 120.0
YOUNG_BOOK: Final = 100  # tried addresses; from there on feelers are needed for disputes only
POOR_BOOK: Final = 20  # usable addresses that claim filters
GOOD_SESSION: Final = 30.0  # a connection that held this long starts the back-off anew
ADDRESS_PEERS: Final = 2
V1_MEMORY: Final = 24 * 3600
NO_ROUTE_PAUSE: Final = 600.0
OFFLINE_ROUTE_PAUSE: Final = 10.0  # while nobody is there it may be the whole line that is down
FIRST_SEED_RETRY: Final = 60.0  # after seeds that told nothing, doubled each time
SEED_WAIT: Final = 10.0  # how long the book's addresses are tried before seeds are asked
FIXED_WAIT: Final = 60.0
SLOW_SEEDS: Final = (
    3.0  # seconds without an answer after which packaged peers are dialled meanwhile
)
DEATHS: Final = 3
DEATH_WINDOW: Final = 5.0
OFFLINE_PAUSE: Final = 30.0


class Connections:
    """The plan, and what came of it so far."""

    def __init__(
        self,
        params: ChainParams,
        options: P2POptions,
        book: AddressBook,
        group_of: Netgroup,
        now: Instant,
        rng: random.Random | None = None,
    ) -> None:
        self.links: dict[int, Link] = {}
        self.book = book
        self.options = options
        self._params = params
        self.group_of = group_of
        self._random = rng or random.SystemRandom()
        self._numbers = itertools.count(1)
        self._candidates = Candidates(book, options, group_of)
        self._fixed = fixed_peers(params)
        self._back_off = BackOff(self._random)
        self._fetch_from: deque[PeerAddress] = deque()
        self._began = self._alone_since = now.monotonic
        self._last_feeler = now.monotonic
        self._next_look = float("-inf")
        self._seeds_due = float("-inf")
        self._seed_retry = FIRST_SEED_RETRY
        self._is_asking_seeds = False
        self._deaths: deque[float] = deque()
        self._scores: deque[tuple[float, PeerAddress]] = deque()
        self.offline_until = float("-inf")
        self.lacks_broadcast_peer = False  # nobody is left to be dialled for a payment

    # --- looking at it ----------------------------------------------------------------------------

    def ready(self, *roles: Role) -> list[Link]:
        """List the connections whose handshake is done, with these roles or any."""
        return [
            link
            for link in self.links.values()
            if link.is_ready and (not roles or link.role in roles)
        ]

    def filter_links(self) -> list[Link]:
        """List the connections that serve filters."""
        return [k for k in self.ready(Role.OWN, Role.FILTER, Role.RELAY) if k.serves_filters]

    def is_offline(self, now: Instant) -> bool:
        """Whether it seems to be our own line that fails."""
        return now.monotonic < self.offline_until

    @property
    def wants_relay(self) -> bool:
        return self.options.relay is not RelayMode.OFF

    def target(self, demand: Demand) -> int:
        """Say how many peers should serve filters."""
        return (BIG_SCAN_PEERS if demand.is_big_scan else FILTER_PEERS) + demand.wants_extra_peer

    # --- planning ---------------------------------------------------------------------------------

    def plan(self, now: Instant, demand: Demand) -> list[Link]:
        """Say who is to be dialled now; each link counts as being dialled from here on."""
        self._score(now)
        planned = self._plan_own(now)
        if self.options.only_own_peers:
            return planned
        self.book.resolve_collisions(now.unix)
        self._remember_anchors()
        if now.monotonic >= self._next_look:
            room = MAX_DIALING - sum(not link.is_ready for link in self.links.values())
            if self.is_offline(now):
                room = min(room, 1)
            wanted = self._wanted(now, demand, room)
            planned += wanted
            if not wanted:
                self._next_look = now.monotonic + 0.5
        return planned

    def _plan_own(self, now: Instant) -> list[Link]:
        linked = {link.address for link in self.links.values() if link.is_own}
        planned = []
        for address in dict.fromkeys(self.options.own_peers):
            if address in linked or not self._back_off.is_due(address, now.monotonic):
                continue
            route = route_to(address, self.options)
            if route is not None:
                planned.append(
                    self._link(address, route, Role.OWN, b"own", now, relay=self.wants_relay)
                )
        return planned

    def _wanted(self, now: Instant, demand: Demand, room: int) -> list[Link]:
        planned: list[Link] = []

        def add(role: Role, count: int) -> None:
            for _ in range(min(count, room - len(planned))):
                link = self._pick(role, now)
                if link is None:
                    return
                planned.append(link)

        ready = len(self.filter_links())
        missing = self.target(demand) - ready
        dialing = self._count(Role.FILTER) - len(self.ready(Role.FILTER))
        payments = demand.broadcasts - self._count(Role.BROADCAST)
        payments += len(self.ready(Role.BROADCAST))
        add(Role.BROADCAST, payments)
        self.lacks_broadcast_peer = payments > 0 and room > 0 and not planned
        # Twice as many as are missing: most addresses do not answer, and the first ones win.
        add(Role.FILTER, 2 * missing - dialing if missing > 0 else 0)
        if self.wants_relay and ready >= FILTER_PEERS:
            add(Role.RELAY, RELAY_PEERS - sum(link.relay for link in self.links.values()))
        if ready >= 2:
            add(Role.BLOCKS, 1 - self._count(Role.BLOCKS))
        for address in self._to_ask(now, planned, is_lacking=missing > dialing):
            link = self._open(address, Role.ADDRESSES, now)
            planned += [] if link is None else [link]
        if ready and room > len(planned):
            planned += self._feelers(now)
        return planned

    def _to_ask(self, now: Instant, planned: list[Link], *, is_lacking: bool) -> list[PeerAddress]:
        """Say who is connected to for addresses only: a seed host, or anyone if nobody is known."""
        if self._count(Role.ADDRESSES) >= ADDRESS_PEERS or len(planned) >= MAX_DIALING:
            return []
        if self._fetch_from:
            return [self._fetch_from.popleft()]
        if not is_lacking or planned:
            return []
        address = self._candidates.pick(Role.ADDRESSES, self.links.values(), now)
        return [] if address is None else [address]

    def _feelers(self, now: Instant) -> list[Link]:
        if now.monotonic - self._last_feeler < FEELER_INTERVAL:
            return []
        self._last_feeler = now.monotonic
        address = self.book.contested(now.unix)
        if address is None and self.book.tried < YOUNG_BOOK:
            address = self._candidates.pick(Role.FEELER, self.links.values(), now)
        link = None if address is None else self._open(address, Role.FEELER, now)
        return [] if link is None else [link]

    def _count(self, role: Role) -> int:
        return sum(link.role is role for link in self.links.values())

    # --- one link ---------------------------------------------------------------------------------

    def _pick(self, role: Role, now: Instant) -> Link | None:
        """Choose an address for a role and note that it is dialled."""
        address = self._candidates.pick(role, self.links.values(), now)
        if address is None and role is Role.FILTER and self._may_use_fixed(now):
            due = [a for a in self._fixed if self._back_off.is_due(a, now.monotonic)]
            self._random.shuffle(due)  # not the same first peer for everybody
            address = self._candidates.first_free(due, role, self.links.values(), now)
        return None if address is None else self._open(address, role, now)

    def _may_use_fixed(self, now: Instant) -> bool:
        if self.ready(Role.FILTER, Role.OWN):
            return False
        if self._is_asking_seeds:
            return now.monotonic - (self._seeds_due - ASK_INTERVAL) >= SLOW_SEEDS
        was_asked = self._seeds_due > float("-inf") or not self._params.dns_seeds
        return was_asked or now.monotonic - self._alone_since >= FIXED_WAIT

    def _open(self, address: PeerAddress, role: Role, now: Instant) -> Link | None:
        route = self._candidates.route(address, role, now)
        if route is None:
            return None
        record = self.book.record(address)
        source = FIXED_SOURCE if record is None else record.source
        relays = sum(link.relay for link in self.links.values())
        relay = role in {Role.RELAY, Role.BROADCAST} or (
            role is Role.FILTER and self.wants_relay and relays < RELAY_PEERS
        )
        self.book.attempt(address, now.unix)
        self._candidates.note_dialed(address, now)
        return self._link(address, route, role, source, now, relay=relay)

    def _link(
        self,
        address: PeerAddress,
        route: Route,
        role: Role,
        source: bytes,
        now: Instant,
        *,
        relay: bool,
    ) -> Link:
        link = Link(
            next(self._numbers),
            address,
            route,
            role,
            relay,
            self.group_of(address),
            source,
            now.monotonic,
        )
        record = self.book.record(address)
        if record is not None:
            if record.is_v2 or record.services & Services.P2P_V2:
                link.prefer_v2 = True
            if record.v1_only_until > now.unix:
                link.prefer_v2 = False
            link.needs_probe = not record.served_filters
        is_seed = network_of(address) is Network.NAME  # it is not one node, but any
        link.needs_probe = link.needs_probe and not link.is_own and not is_seed
        self.links[link.number] = link
        return link

    # --- what came of it --------------------------------------------------------------------------

    def is_to_be_probed(self, link: Link, services: Services, demand: Demand) -> bool:
        """Whether a peer is to show that it serves filters before its role is decided."""
        if not link.needs_probe or not services & Services.COMPACT_FILTERS:
            return False
        is_missed = link.role is Role.FEELER and self._lacks_filters(demand)
        return link.role.is_sync or link.role is Role.ADDRESSES or is_missed

    def on_ready(
        self,
        link: Link,
        services: Services,
        now: Instant,
        demand: Demand,
        *,
        serves_filters: bool | None = None,
        transport: str = "v1",
    ) -> bool:
        """Take a handshake; return whether the connection is kept. Its role may have changed.

        `serves_filters` is what a probe found; None when it was not probed.
        """
        link.services = services
        if serves_filters is False:
            link.services &= ~Services.COMPACT_FILTERS
        self.offline_until = float("-inf")
        self.book.succeeded(link.address, int(services), now.unix, is_v2=transport == "v2")
        record = self.book.record(link.address)
        if record is not None:
            if serves_filters is not None:
                record.served_filters = serves_filters
                record.no_filters_until = 0 if serves_filters else now.unix + FILTER_RECHECK
            if transport == "v1" and link.prefer_v2 is not False:
                record.v1_only_until = now.unix + V1_MEMORY
        role = self._role_of(link, demand, now)
        if role is None:
            return False
        link.role = role
        link.ready_at = now.monotonic
        self._remember_anchors()
        return True

    def _role_of(self, link: Link, demand: Demand, now: Instant) -> Role | None:
        """Decide what a connection is good for, now that it is known what it serves."""
        if link.role in {Role.OWN, Role.BROADCAST}:
            return link.role
        is_lacking = self._lacks_filters(demand)
        if is_lacking and self._can_serve_filters(link):
            return Role.FILTER
        if not link.role.is_sync:
            return None if link.role is Role.FEELER else link.role
        is_asked = len(self.ready(Role.ADDRESSES)) >= ADDRESS_PEERS
        addresses = Role.ADDRESSES if not is_asked and self._is_book_poor(now) else None
        # While filters are missing, what it knows is worth more than what it serves.
        return (addresses if is_lacking else None) or self._side_role_of(link) or addresses

    def _side_role_of(self, link: Link) -> Role | None:
        full = link.services & Services.NETWORK and link.services & Services.WITNESS
        if link.relay and sum(k.relay for k in self.ready()) < RELAY_PEERS and self.wants_relay:
            return Role.RELAY
        if full and not self.ready(Role.BLOCKS):
            return Role.BLOCKS
        return None

    def _is_book_poor(self, now: Instant) -> bool:
        """Whether few addresses are known that may serve filters."""
        return self.book.usable(now.unix, lambda r: r.claims_filters(now.unix)) < POOR_BOOK

    def _lacks_filters(self, demand: Demand) -> bool:
        return len(self.filter_links()) < self.target(demand)

    def _can_serve_filters(self, link: Link) -> bool:
        """Whether a connection, whatever it was opened for, is as good as one for filters."""
        others = (k for k in self.ready() if k.role.is_sync and k is not link)
        return (
            link.serves_filters
            and network_of(link.address) is not Network.NAME
            and (link.role.is_sync or all(k.netgroup != link.netgroup for k in others))
        )

    def take_over(self, demand: Demand) -> list[Link]:
        """Have connections with other roles serve filters, while peers for that are missing.

        Whoever has the only honest node may have it for another purpose, and would not dial it
        again soon. Return those that took no part in the sync so far.
        """
        taken = []
        for link in self.ready(Role.ADDRESSES, Role.BLOCKS):
            if self._lacks_filters(demand) and self._can_serve_filters(link):
                if not link.role.is_sync:
                    taken.append(link)
                link.role = Role.FILTER
        return taken

    def on_failed(
        self, link: Link, now: Instant, *, was_reached: bool, has_no_route: bool = False
    ) -> None:
        """Take note that an attempt came to nothing."""
        self.links.pop(link.number, None)
        self._back_off.delay(link.address, now.monotonic, is_own=link.is_own)
        kind = network_of(link.address)
        if has_no_route and link.route is Route.DIRECT:
            # Most often IPv6 where there is none: no fault of the address.
            pause = NO_ROUTE_PAUSE if self.ready() else OFFLINE_ROUTE_PAUSE
            self._candidates.avoid(kind, now.monotonic + pause)
            return
        if was_reached or self.ready():
            self._scores.append((now.monotonic, link.address))

    def on_closed(
        self, link: Link, now: Instant, *, is_fault: bool = False, by_us: bool = False
    ) -> None:
        """Take note that a connection ended."""
        self.links.pop(link.number, None)
        if not link.is_ready:
            return
        was_long = now.monotonic - (link.ready_at or 0.0) >= GOOD_SESSION
        self._back_off.delay(
            link.address,
            now.monotonic,
            is_own=link.is_own,
            is_fault=is_fault,
            was_good=was_long and link.role.is_sync,
        )
        if not self.ready():
            self._alone_since = now.monotonic
        if is_fault:
            self.book.failed(link.address, now.unix)
            self.book.anchors = [a for a in self.book.anchors if a != link.address]
        elif not by_us and not link.is_own:
            self._scores.append((now.monotonic, link.address))
            self._note_death(now)

    def on_line_dead(self, now: Instant) -> None:
        """Take note that all peers fell silent at once: that is us."""
        self._scores.clear()
        self.offline_until = now.monotonic + OFFLINE_PAUSE

    def _note_death(self, now: Instant) -> None:
        self._deaths.append(now.monotonic)
        while self._deaths[0] < now.monotonic - DEATH_WINDOW:
            self._deaths.popleft()
        if len(self._deaths) >= DEATHS:
            self.on_line_dead(now)

    def _score(self, now: Instant) -> None:
        """Count failures once it is clear that it was not our own line."""
        while self._scores and now.monotonic - self._scores[0][0] >= DEATH_WINDOW:
            self.book.failed(self._scores.popleft()[1], now.unix)

    def _remember_anchors(self) -> None:
        """Keep the two longest connected for the next start, however this one ends."""
        kept = [k for k in self.ready(Role.BLOCKS, Role.FILTER) if not k.relay]
        kept.sort(key=lambda link: (link.role is not Role.BLOCKS, link.ready_at))
        # Those of before stay until others take their place.
        found = dict.fromkeys([*(link.address for link in kept), *self.book.anchors])
        anchors = list(found)[:MAX_ANCHORS]
        if anchors != self.book.anchors:
            self.book.anchors = anchors
            self.book.is_changed = True

    def has_sources(self) -> bool:
        """Whether there is anywhere to get addresses from."""
        return bool(len(self.book) or self._params.dns_seeds or self._fixed)

    # --- seeds ------------------------------------------------------------------------------------

    def wants_seeds(self, now: Instant) -> bool:
        """Whether DNS seeds are to be asked now (or seed hosts dialled through the proxy)."""
        if self.options.only_own_peers or not self._params.dns_seeds or self._is_asking_seeds:
            return False
        if now.monotonic < self._seeds_due or len(self.filter_links()) >= 2:
            return False
        usable = self.book.usable(now.unix, lambda r: r.claims_filters(now.unix))
        if usable and now.monotonic - self._alone_since < SEED_WAIT:
            return False
        is_recent = 0 <= now.unix - self.book.seeds_asked < ASK_INTERVAL
        return not (is_recent and usable >= POOR_BOOK)

    def begin_seeds(self, now: Instant) -> bool:
        """Note that seeds are asked; return whether by DNS, else they are dialled here."""
        self.book.seeds_asked = now.unix
        self.book.is_changed = True
        self._seeds_due = now.monotonic + ASK_INTERVAL
        if may_resolve(self.options):
            self._is_asking_seeds = True
            return True
        # Not even the names go out unprotected: the exit looks them up (Core AddAddrFetch).
        seeds = list(self._params.dns_seeds)
        self._random.shuffle(seeds)
        self._fetch_from = deque(PeerAddress(seed, self._params.default_port) for seed in seeds)
        return False

    def on_seeds(self, found: Iterable[SeedAddress], now: Instant) -> None:
        """Take what the seeds told; where that is nothing, they are asked again before long."""
        found = list(found)
        self._is_asking_seeds = False
        if found:
            self._seed_retry = FIRST_SEED_RETRY
        else:
            self._seeds_due = now.monotonic + self._seed_retry
            self._seed_retry = min(2 * self._seed_retry, float(ASK_INTERVAL))
        self._next_look = float("-inf")
        for item in found:
            self.book.add(
                item.address,
                SEED_SOURCE + item.seed.encode(),
                now.unix,
                services=int(item.services),
                last_seen=now.unix - 3 * 24 * 3600,  # as Core does: not fresher than gossip
            )

    # --- letting go -------------------------------------------------------------------------------

    def set_options(self, options: P2POptions) -> list[Link]:
        """Take other options; return the connections that they do not allow."""
        self.options = self._candidates.options = options
        self._back_off.clear()
        self._candidates.forget_attempts()
        self._next_look = float("-inf")
        own = set(options.own_peers)
        dropped = []
        for link in self.links.values():
            is_named = link.address in own
            is_allowed = is_named if link.is_own else not (options.only_own_peers or is_named)
            is_payment = link.role is Role.BROADCAST
            if (
                not is_allowed
                or route_to(link.address, options, is_payment=is_payment) is not link.route
                or (link.role.is_sync and link.relay and not self.wants_relay)
                or (link.is_own and link.relay is not self.wants_relay)
            ):
                dropped.append(link)
        return dropped
