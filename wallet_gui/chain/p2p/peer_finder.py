"""What a backend has for finding peers: the book, the plan, the dialer and the ledger."""

import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final

from wallet_gui.chain.backend import BackendWarning, ChainEvent, PeerStore
from wallet_gui.chain.p2p.address_book import AddressBook
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.book_format import read_book, write_book
from wallet_gui.chain.p2p.connect import Connector, TunnelDial
from wallet_gui.chain.p2p.connections import Connections
from wallet_gui.chain.p2p.dialer import Dialer
from wallet_gui.chain.p2p.ledger import Ledger
from wallet_gui.chain.p2p.netgroup import Netgroup, ip_of, is_routable, netgroup
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.peer_group import PeerGroup
from wallet_gui.chain.p2p.seeds import Resolver, system_resolver
from wallet_gui.chain.p2p.sync import ChainSync
from wallet_gui.chain.p2p.sync_state import Action, Instant, Lane, Work
from wallet_gui.chain.reports import LedgerEntry
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError

FIRST_SAVE: Final = 30.0
SAVE_INTERVAL: Final = 300.0
BOOK_DAMAGED: Final = (
    "The list of known peers was damaged and is begun anew. Nothing of your wallets is concerned."
)


@dataclass(frozen=True, slots=True)
class PeerSources:
    """Where addresses come from; tests give their own."""

    store: PeerStore | None = None
    resolver: Resolver = system_resolver
    group_of: Netgroup = netgroup
    tunnel: TunnelDial | None = None


class PeerFinder:
    """Keeps a backend connected; lives from its start to its stop."""

    def __init__(
        self,
        params: ChainParams,
        options: P2POptions,
        sources: PeerSources,
        clock: Callable[[], Instant],
        news: deque[ChainEvent],
    ) -> None:
        """Put what a person should know into `news`."""
        self.ledger = Ledger()
        self.options = options
        self._params = params
        self._sources = sources
        self._clock = clock
        self._news = news
        self._connector = Connector(params, options, clock, sources.tunnel)
        self._book: AddressBook | None = None
        self._dialer: Dialer | None = None
        self._saved = 0.0

    def read(self) -> AddressBook:
        """Read the book; blocking. One that is damaged is begun anew."""
        store = self._sources.store
        raw = b"" if store is None else store.load()
        self._book = self._parse(raw)
        return self._book

    def _parse(self, raw: bytes) -> AddressBook:
        welcome = _is_loopback if self._params.name == "regtest" else is_routable
        group_of = self._sources.group_of
        if raw:
            try:
                return read_book(raw, self._clock().unix, group_of=group_of, is_welcome=welcome)
            except ParseError:
                self._news.append(BackendWarning(BOOK_DAMAGED))
        return AddressBook(secrets.token_bytes(32), group_of=group_of, is_welcome=welcome)

    def start(
        self,
        sync: ChainSync,
        book: AddressBook,
        perform: Callable[[Iterable[Action]], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> PeerGroup:
        """Begin to connect; return the group of those who are."""
        now = self._clock()
        sync.state.options = self.options
        connections = Connections(self._params, self.options, book, self._sources.group_of, now)
        group = PeerGroup(sync, connections, self.ledger, self._clock, perform, self._news)
        self._dialer = Dialer(
            self._params,
            connections,
            self._connector,
            self._sources.resolver,
            group,
            self.ledger,
            self._clock,
            spawn,
        )
        self._saved = now.monotonic + FIRST_SAVE - SAVE_INTERVAL
        return group

    def tick(self, now: Instant, perform: Callable[[Iterable[Action]], None]) -> None:
        """Dial whom the plan names; store the book now and then."""
        if self._dialer is not None:
            self._dialer.tick()
        if now.monotonic - self._saved >= SAVE_INTERVAL:
            self._saved = now.monotonic
            save = self.save_later()
            if save is not None:
                perform([Work(Lane.STORE, save, lambda _result, _now: None)])

    def save_later(self) -> Callable[[], None] | None:
        """Give what stores the book as it is now, to be called in a worker; None when unchanged."""
        store, book = self._sources.store, self._book
        if store is None or book is None or not book.is_changed:
            return None
        book.is_changed = False
        data = write_book(book)
        return lambda: store.save(data)

    def set_options(self, options: P2POptions) -> None:
        """Take other options; what is connected is looked at by the group."""
        self.options = self._connector.options = options

    def entries(self) -> list[LedgerEntry]:
        """List every contact, the newest first."""
        return self.ledger.entries()


def _is_loopback(address: PeerAddress) -> bool:
    """Regtest is a network of one computer."""
    ip = ip_of(address.host)
    return ip is not None and ip.is_loopback and 0 < address.port < 65536
