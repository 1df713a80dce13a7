"""Which address is dialled next for a role: from the last session, the book, or nowhere."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Final

from wallet_gui.chain.p2p.address_book import AddressBook, Record
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.links import Link, Role
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.netgroup import Netgroup, Network, network_of
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.routes import has_tor, route_to
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.reports import Route
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError

SEED_SOURCE: Final = b"seed:"
FIXED_SOURCE: Final = b"packaged"
REDIAL_ALONE: Final = 60  # seconds before an address is dialled again, while nobody is there
REDIAL: Final = 600
REDIAL_WORKING: Final = 10
MOST_OF_SEED: Final = 2
MAX_DIALED: Final = 2000  # attempts remembered


class Candidates:
    """Chooses; what is connected already comes in as an argument."""

    def __init__(self, book: AddressBook, options: P2POptions, group_of: Netgroup) -> None:
        self.options = options
        self._book = book
        self._group_of = group_of
        self._anchors = list(book.anchors)
        self._avoided: dict[Network, float] = {}
        self._dialed: dict[PeerAddress, float] = {}

    def avoid(self, network: Network, until: float) -> None:
        """Do not dial such addresses directly: there is no route to them."""
        self._avoided[network] = until

    def route(self, address: PeerAddress, role: Role, now: Instant) -> Route | None:
        """Give the way to an address, None when there is none at present."""
        route = route_to(address, self.options, is_payment=role is Role.BROADCAST)
        is_avoided = self._avoided.get(network_of(address), 0.0) > now.monotonic
        return None if is_avoided and route is Route.DIRECT else route

    def pick(self, role: Role, links: Collection[Link], now: Instant) -> PeerAddress | None:
        """Choose an address of the book for a role.

        Those whom one seed named stay no more than the others, where there are others: whoever
        answers for a seed, which takes no more than a position on the way, shall not decide alone.
        """
        is_free = self._freedom(role, links, now)
        if role in {Role.FILTER, Role.BLOCKS}:
            while self._anchors:
                anchor = self._anchors.pop(0)
                if is_free(anchor) and not self._book.is_banned(anchor, now.unix):
                    return anchor
        sources = Counter(link.source for link in links if link.role.is_sync)
        redial = REDIAL if any(link.is_ready for link in links) else REDIAL_ALONE

        def accepts(record: Record) -> bool:
            return (
                self._is_due(record, redial, now)
                and is_free(record.address)
                and _suits(record, role, now)
            )

        def is_no_majority(record: Record) -> bool:
            count = sources[record.source]
            is_seed = record.source.startswith(SEED_SOURCE)
            return not is_seed or count < max(MOST_OF_SEED, sources.total() - count)

        tests: list[Callable[[Record], bool]] = [lambda r: is_no_majority(r) and accepts(r)]
        if self._prefers_onion(role, links):
            tests.insert(0, lambda r: network_of(r.address) is Network.ONION and accepts(r))
        if len(sources) <= 1:
            tests.append(accepts)  # there is nobody else
        for test in tests:
            record = self._book.select(now.unix, test, only_new=role is Role.FEELER)
            if record is not None:
                return record.address
        return None

    def forget_attempts(self) -> None:
        """Let addresses be dialled again at once: the way to them is another."""
        self._dialed.clear()

    def note_dialed(self, address: PeerAddress, now: Instant) -> None:
        """Do not dial it again for a while, whatever comes of it."""
        self._dialed.pop(address, None)
        self._dialed[address] = now.monotonic  # the newest come last
        if len(self._dialed) > MAX_DIALED:
            recent = {a: when for a, when in self._dialed.items() if now.monotonic - when < REDIAL}
            excess = max(0, len(recent) - MAX_DIALED)
            self._dialed = dict(list(recent.items())[excess:])

    def _is_due(self, record: Record, redial: int, now: Instant) -> bool:
        dialed = self._dialed.get(record.address, float("-inf"))
        if record.last_try <= record.last_ok:
            # It answered, and was let go because there were enough.
            return now.monotonic - dialed >= REDIAL_WORKING
        if now.monotonic - dialed < redial:
            return False
        since = now.unix - record.last_try
        return not 0 <= since < redial << min(record.fails, 4)

    def first_free(
        self, addresses: Iterable[PeerAddress], role: Role, links: Collection[Link], now: Instant
    ) -> PeerAddress | None:
        """Give the first address that may be dialled now."""
        return next(filter(self._freedom(role, links, now), addresses), None)

    def _freedom(
        self, role: Role, links: Collection[Link], now: Instant
    ) -> Callable[[PeerAddress], bool]:
        """Tell of addresses whether they may be dialled beside the present ones."""
        taken = {link.address for link in links} | set(self.options.own_peers)
        passing = {Role.FEELER}
        if role.is_sync:
            passing.add(Role.ADDRESSES)  # these are gone soon, and stand in nobody's way
        groups = {link.netgroup for link in links if link.role not in passing}

        def is_free(address: PeerAddress) -> bool:
            return (
                address not in taken
                and self.route(address, role, now) is not None
                and (role is Role.FEELER or self._group_of(address) not in groups)
            )

        return is_free

    def _prefers_onion(self, role: Role, links: Collection[Link]) -> bool:
        """Whether an onion service comes first: one at least, and for payments always."""
        if not has_tor(self.options) or role not in {Role.FILTER, Role.BROADCAST}:
            return False
        return role is Role.BROADCAST or not any(
            network_of(link.address) is Network.ONION for link in links
        )


def _suits(record: Record, role: Role, now: Instant) -> bool:
    match role:
        case Role.FILTER:
            return record.claims_filters(now.unix)
        case Role.BLOCKS:
            return bool(record.services & Services.WITNESS and record.services & Services.NETWORK)
        case _:
            return True


def fixed_peers(params: ChainParams) -> list[PeerAddress]:
    """List the packaged peers of a network."""
    peers = []
    for text in params.fixed_peers:
        try:
            peers.append(PeerAddress.parse(text, params.default_port))
        except ParseError as error:  # a packaged list is right, or the program is wrong
            raise ValueError(f"{text} is not an address.") from error
    return peers
