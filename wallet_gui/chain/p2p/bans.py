"""Who is not connected to again: on proof of a lie only, for a day, and never everybody.

A ban is a weapon too: whoever can make us ban honest peers is left with the field to himself. So
slowness and silence never lead to one, peers that the person named are exempt, and a ban that would
leave fewer than two peers to talk to is not carried out.
"""

from collections.abc import Collection
from enum import Enum
from typing import Final

from wallet_gui.chain.p2p.address_book import AddressBook
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.netgroup import Netgroup
from wallet_gui.chain.p2p.sync_state import Ban

BAN_SECONDS: Final = 24 * 3600
LEAST_USABLE: Final = 2


class BanVerdict(Enum):
    """What became of a ban."""

    NONE = "none"
    BANNED = "banned"
    SPARED = "spared"  # too few others are left


def ban_peer(
    book: AddressBook,
    group_of: Netgroup,
    address: PeerAddress,
    ban: Ban,
    connected: Collection[PeerAddress],
    now: int,
) -> BanVerdict:
    """Ban an address or its netgroup, unless fewer than two usable peers would be left.

    Usable are those who are `connected` to and those in the book that have answered before.
    """
    if ban is Ban.NOBODY:
        return BanVerdict.NONE
    group = group_of(address)

    def stays(other: PeerAddress) -> bool:
        return other != address if ban is Ban.ADDRESS else group_of(other) != group

    others = {other for other in connected if stays(other)}
    left = len(others)
    if left < LEAST_USABLE:
        left += book.usable(
            now, lambda r: bool(r.last_ok) and stays(r.address) and r.address not in others
        )
    if left < LEAST_USABLE:
        return BanVerdict.SPARED
    if ban is Ban.NETGROUP:
        book.ban_group(group, now + BAN_SECONDS)
    book.ban(address, now + BAN_SECONDS)
    return BanVerdict.BANNED
