import random

from wallet_gui.chain.p2p.addr_messages import NodeAddress
from wallet_gui.chain.p2p.address_book import DAY, AddressBook
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.gossip import Gossip
from wallet_gui.chain.p2p.sync_state import Instant

UNIX = 1_800_000_000


def at(seconds: float) -> Instant:
    return Instant(1000.0 + seconds, UNIX + int(seconds))


def told(first: int, count: int, time: int = UNIX) -> list[NodeAddress]:
    return [
        NodeAddress(PeerAddress(f"{11 + n // 250}.{n % 250}.1.1", 8333), 0x49, time)
        for n in range(first, first + count)
    ]


class CountingBook(AddressBook):
    """Counts what is offered, whatever finds a place."""

    def __init__(self) -> None:
        super().__init__(bytes(32), rng=random.Random(1))
        self.offered: list[tuple[PeerAddress, int | None]] = []

    def add(
        self,
        address: PeerAddress,
        source: bytes,
        now: int,
        *,
        services: int = 0,
        last_seen: int | None = None,
        penalty: int = 0,
    ) -> bool:
        self.offered.append((address, last_seen))
        return super().add(
            address, source, now, services=services, last_seen=last_seen, penalty=penalty
        )


def test_only_the_answer_to_our_question_may_be_long() -> None:
    book = CountingBook()
    gossip = Gossip(book)
    gossip.on_ready(1, b"g", at(0))
    gossip.on_addresses(1, told(0, 500), at(0))
    assert len(book.offered) == 1, "a first own address, and nothing more unasked"
    gossip.on_asked(1)
    gossip.on_addresses(1, told(1000, 1000), at(1))
    assert len(book.offered) == 1001
    gossip.on_addresses(1, told(2000, 1000), at(1))
    assert len(book.offered) == 1001
    gossip.on_addresses(1, told(2000, 1000), at(101))
    assert 1010 <= len(book.offered) <= 1012, "one in ten seconds"


def test_credit_does_not_grow_without_end() -> None:
    book = CountingBook()
    gossip = Gossip(book)
    gossip.on_ready(1, b"g", at(0))
    for message in range(5):
        gossip.on_addresses(1, told(1000 * message, 1000), at(10 * DAY))
    assert len(book.offered) == 1000


def test_times_that_cannot_be_are_taken_to_be_old() -> None:
    book = CountingBook()
    gossip = Gossip(book)
    gossip.on_ready(1, b"g", at(0))
    gossip.on_asked(1)
    gossip.on_addresses(1, told(0, 1, UNIX + 3600) + told(1, 1, 5) + told(2, 1), at(0))
    assert [seen for _, seen in book.offered] == [UNIX - 5 * DAY, UNIX - 5 * DAY, UNIX]


def test_peers_that_are_gone_or_not_listened_to() -> None:
    book = CountingBook()
    gossip = Gossip(book)
    assert gossip.on_addresses(7, told(0, 5), at(0)) == 0
    gossip.on_ready(1, b"g", at(0))
    gossip.on_disconnected(1)
    assert gossip.on_addresses(1, told(0, 5), at(0)) == 0
    assert book.offered == []
