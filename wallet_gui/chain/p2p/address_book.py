"""The book of peers' addresses, built so that an attacker cannot fill it: pure, no disk, no clock.

Two tables of buckets: *new* for addresses that somebody told, *tried* for those that we shook hands
with. Where an address may lie is decided by a keyed hash of its netgroup and, in the new table, of
the netgroup of who told it: one source reaches `NEW_BUCKETS_PER_SOURCE` of the buckets however much
it tells, and a place in the tried table is given up only after its holder was tested. Geometry and
rules are those of Core's `addrman.cpp`, scaled to a wallet.

Times are Unix times. The addresses of own and of packaged peers are not kept here.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.netgroup import Netgroup, is_routable, netgroup

NEW_BUCKETS: Final = 64
TRIED_BUCKETS: Final = 16
BUCKET_SIZE: Final = 32
NEW_BUCKETS_PER_SOURCE: Final = 4
TRIED_BUCKETS_PER_GROUP: Final = 1
MAX_REFERENCES: Final = 4  # new buckets that one address may lie in, when several tell it

DAY: Final = 24 * 3600
HORIZON: Final = 30 * DAY  # nobody has seen it for so long
RETRIES: Final = 3  # failures of an address that never answered
MAX_FAILURES: Final = 10  # of one that did, within `MIN_FAIL`
MIN_FAIL: Final = 7 * DAY
TIME_PENALTY: Final = 2 * 3600  # what is told is taken to be older
FUTURE: Final = 600
FRESH_TRY: Final = 600  # who was just tried is hardly tried again
REPLACEMENT: Final = 4 * 3600  # an answer so recent keeps a tried place
TEST_WINDOW: Final = 40 * 60
MAX_COLLISIONS: Final = 10
MAX_ANCHORS: Final = 2
FILTER_RECHECK: Final = 6 * 3600  # who claims filters and did not serve them is tested again then
_MAX_GROUP_BANS: Final = 500
_PROBES: Final = 64
_EPOCH: Final = 0

Table = list[list[PeerAddress | None]]


@dataclass(slots=True)
class Record:
    """What is known about one address. `services` are hearsay until `last_ok` is set."""

    address: PeerAddress
    source: bytes  # netgroup of who told it first
    services: int = 0
    last_seen: int = 0
    last_try: int = 0
    last_ok: int = 0
    fails: int = 0  # attempts since the last success
    speed: int = 0  # bytes/s of filters and blocks, a moving average
    served_filters: bool = False
    no_filters_until: int = 0  # it claimed filters and did not answer for one
    is_v2: bool = False
    v1_only_until: int = 0
    ban_until: int = 0
    is_tried: bool = False
    buckets: set[int] = field(default_factory=set)  # of the new table

    def claims_filters(self, now: int) -> bool:
        """Whether it is worth asking for filters."""
        return bool(self.services & Services.COMPACT_FILTERS) and now >= self.no_filters_until

    def is_terrible(self, now: int) -> bool:
        """Whether it may make way for another (Core `AddrInfo::IsTerrible`)."""
        if now - self.last_try <= 60:
            return False
        return (
            self.last_seen > now + FUTURE
            or now - self.last_seen > HORIZON
            or (not self.last_ok and self.fails >= RETRIES)
            or (now - self.last_ok > MIN_FAIL and self.fails >= MAX_FAILURES)
        )

    def chance(self, now: int) -> float:
        """Weigh it for selection: failures and a recent attempt count against it."""
        just_tried: float = 0.01 if now - self.last_try < FRESH_TRY else 1.0
        return just_tried * 0.66 ** min(self.fails, 8)


class AddressBook:
    """All addresses of one network."""

    def __init__(
        self,
        secret: bytes,
        *,
        group_of: Netgroup = netgroup,
        is_welcome: Callable[[PeerAddress], bool] = is_routable,
        rng: random.Random | None = None,
    ) -> None:
        """Begin empty. `secret` (32 bytes) decides where addresses lie; it never leaves the disk.

        `is_welcome` says which addresses may be in the book at all.
        """
        self.secret = secret
        self.anchors: list[PeerAddress] = []
        self.seeds_asked = _EPOCH
        self.group_bans: dict[bytes, int] = {}
        self.is_changed = False
        self._group_of = group_of
        self._is_welcome = is_welcome
        self._random = rng or random.SystemRandom()
        self._records: dict[PeerAddress, Record] = {}
        self._new: Table = [[None] * BUCKET_SIZE for _ in range(NEW_BUCKETS)]
        self._tried: Table = [[None] * BUCKET_SIZE for _ in range(TRIED_BUCKETS)]
        self._collisions: dict[PeerAddress, None] = {}

    def __len__(self) -> int:
        """Count the addresses."""
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """Go through all records."""
        return iter(self._records.values())

    def record(self, address: PeerAddress) -> Record | None:
        """Give what is known about an address."""
        return self._records.get(address)

    @property
    def tried(self) -> int:
        """Count the addresses that we shook hands with."""
        return sum(record.is_tried for record in self._records.values())

    # --- what is learned --------------------------------------------------------------------------

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
        """Take an address that somebody (netgroup `source`) told; return whether it is new.

        `last_seen` is what was said, with `penalty` seconds taken off.
        """
        if not self._is_welcome(address):
            return False
        seen = now if last_seen is None else last_seen
        if seen > now + FUTURE:
            seen = now - 5 * DAY
        seen = max(0, seen - penalty)
        record = self._records.get(address)
        if record is not None:
            interval = 3600 if now - seen < DAY else DAY
            is_news = record.last_seen < seen - interval
            if is_news:
                record.last_seen = seen
                self.is_changed = True
            if not record.last_ok:
                record.services |= services
            known = len(record.buckets)
            if record.is_tried or not is_news or known >= MAX_REFERENCES:
                return False
            if known and self._random.randrange(1 << known):
                return False  # each further place is half as likely as the one before
        else:
            record = Record(address, source, services, seen)
        return self._place_new(record, source, now)

    def attempt(self, address: PeerAddress, now: int) -> None:
        """Note that it is dialled."""
        record = self._records.get(address)
        if record is not None:
            record.last_try = now
            self.is_changed = True

    def note_speed(self, address: PeerAddress, speed: float) -> None:
        """Remember how fast a peer served, in bytes/s."""
        record = self.record(address)
        if record is not None and speed:
            record.speed = int(speed if not record.speed else 0.7 * record.speed + 0.3 * speed)

    def failed(self, address: PeerAddress, now: int) -> None:
        """Count an attempt that came to nothing; not to be called while we are offline."""
        record = self._records.get(address)
        if record is not None:
            record.fails += 1
            record.last_try = max(record.last_try, now)
            self.is_changed = True

    def succeeded(self, address: PeerAddress, services: int, now: int, *, is_v2: bool) -> None:
        """Note a handshake: the address moves to the tried table where a place is free."""
        record = self._records.get(address)
        if record is None:
            return
        self.is_changed = True
        record.services = services
        record.last_ok = record.last_try = record.last_seen = now
        record.fails = 0
        record.is_v2 = is_v2
        if record.is_tried:
            return
        bucket, place = self._tried_place(address)
        if self._tried[bucket][place] is None:
            self._make_tried(record, now)
        elif len(self._collisions) < MAX_COLLISIONS:
            self._collisions[address] = None

    def ban(self, address: PeerAddress, until: int) -> None:
        """Do not connect to an address before `until`."""
        record = self._records.get(address)
        if record is not None:
            record.ban_until = until
            self.is_changed = True

    def ban_group(self, group: bytes, until: int) -> None:
        """Do not connect to a netgroup before `until`."""
        self.group_bans[group] = until
        while len(self.group_bans) > _MAX_GROUP_BANS:
            del self.group_bans[min(self.group_bans, key=self.group_bans.__getitem__)]
        self.is_changed = True

    def is_banned(self, address: PeerAddress, now: int) -> bool:
        """Whether an address or its netgroup is banned."""
        record = self._records.get(address)
        if record is not None and record.ban_until > now:
            return True
        return bool(self.group_bans) and self.group_bans.get(self._group_of(address), 0) > now

    # --- test before evict ------------------------------------------------------------------------

    def contested(self, now: int) -> PeerAddress | None:
        """Give an address that has to answer to keep its place in the tried table."""
        for challenger in list(self._collisions):
            if challenger in self._records:
                holder = self._holder(challenger)
                if holder is not None and now - holder.last_try >= TEST_WINDOW:
                    return holder.address
        return None

    def resolve_collisions(self, now: int) -> None:
        """Give places of those that did not answer to those that did."""
        for challenger in list(self._collisions):
            record = self._records.get(challenger)
            holder = None if record is None else self._holder(challenger)
            if record is None or record.is_tried:
                del self._collisions[challenger]
            elif holder is None:
                self._make_tried(record, now)
            elif now - holder.last_ok < REPLACEMENT:
                del self._collisions[challenger]
            elif (now - holder.last_try < REPLACEMENT and now - holder.last_try > 60) or (
                now - record.last_ok > TEST_WINDOW
            ):
                self._make_tried(record, now)

    def _holder(self, challenger: PeerAddress) -> Record | None:
        bucket, place = self._tried_place(challenger)
        holder = self._tried[bucket][place]
        return None if holder is None else self._records[holder]

    # --- who is dialled ---------------------------------------------------------------------------

    def select(
        self,
        now: int,
        accepts: Callable[[Record], bool] = lambda _: True,
        *,
        only_new: bool = False,
    ) -> Record | None:
        """Choose an address to dial, at random over buckets; None when none is acceptable.

        Banned addresses are never chosen.
        """
        tables = [self._new] if only_new else [self._tried, self._new]
        if not only_new and self._random.random() < 0.5:
            tables.reverse()
        for table in tables:
            found = self._select_from(table, now, accepts)
            if found is not None:
                return found
        return None

    def _select_from(
        self, table: Table, now: int, accepts: Callable[[Record], bool]
    ) -> Record | None:
        # A bucket first and a place second: who fills one bucket is chosen no more often for it.
        buckets = [bucket for bucket in table if any(bucket)]
        factor = 1.0
        for _ in range(_PROBES if buckets else 0):
            address = self._random.choice([a for a in self._random.choice(buckets) if a])
            record = self._records[address]
            if self._is_acceptable(record, now, accepts):
                if self._random.random() < factor * record.chance(now):
                    return record
                factor *= 1.2
        self._random.shuffle(buckets)
        for bucket in buckets:
            found = [
                self._records[a]
                for a in bucket
                if a and self._is_acceptable(self._records[a], now, accepts)
            ]
            if found:
                weights = [record.chance(now) for record in found]
                return self._random.choices(found, weights)[0]
        return None

    def _is_acceptable(self, record: Record, now: int, accepts: Callable[[Record], bool]) -> bool:
        return accepts(record) and not self.is_banned(record.address, now)

    def usable(self, now: int, accepts: Callable[[Record], bool] = lambda _: True) -> int:
        """Count the addresses that are neither terrible nor banned."""
        return sum(
            not record.is_terrible(now) and self._is_acceptable(record, now, accepts)
            for record in self._records.values()
        )

    # --- places -----------------------------------------------------------------------------------

    def _hash(self, *parts: bytes) -> int:
        digest = blake2b(key=self.secret[:64], digest_size=8)
        for part in parts:
            digest.update(len(part).to_bytes(2, "little") + part)
        return int.from_bytes(digest.digest(), "little")

    def _new_bucket(self, address: PeerAddress, source: bytes) -> int:
        group = self._group_of(address)
        slot = self._hash(b"new", group, source) % NEW_BUCKETS_PER_SOURCE
        return self._hash(b"new source", source, bytes((slot,))) % NEW_BUCKETS

    def _new_place(self, address: PeerAddress, bucket: int) -> int:
        """Give the place that an address has in a bucket, or where it would go.

        That is the one of its hash, or, where that is taken, the next that is free: of the few
        addresses that a seed tells a new book, none is to be lost because two hashes meet. Who
        fills a whole bucket gains no place by it. Only in a full one the hash's place counts.
        """
        places = self._new[bucket]
        if address in places:
            return places.index(address)
        first = self._hash(b"new place", bytes((bucket,)), _key(address)) % BUCKET_SIZE
        order = (place % BUCKET_SIZE for place in range(first, first + BUCKET_SIZE))
        return next((place for place in order if places[place] is None), first)

    def _tried_place(self, address: PeerAddress) -> tuple[int, int]:
        key = _key(address)
        slot = self._hash(b"tried", key) % TRIED_BUCKETS_PER_GROUP
        group = self._group_of(address)
        bucket = self._hash(b"tried group", group, bytes((slot,))) % TRIED_BUCKETS
        return bucket, self._hash(b"tried place", bytes((bucket,)), key) % BUCKET_SIZE

    def _place_new(self, record: Record, source: bytes, now: int) -> bool:
        bucket = self._new_bucket(record.address, source)
        return self._put_new(record, bucket, now)

    def _put_new(self, record: Record, bucket: int, now: int) -> bool:
        """Take a place in the new table unless a better address holds it."""
        place = self._new_place(record.address, bucket)
        holder = self._new[bucket][place]
        if holder == record.address:
            return False
        if holder is not None:
            other = self._records[holder]
            is_spare = len(other.buckets) > 1 and not record.buckets
            if not (other.is_terrible(now) or is_spare):
                return False
            self._leave_new(other, bucket)
        self._new[bucket][place] = record.address
        record.buckets.add(bucket)
        is_unknown = record.address not in self._records
        self._records[record.address] = record
        self.is_changed = True
        return is_unknown

    def _leave_new(self, record: Record, bucket: int) -> None:
        self._new[bucket][self._new_place(record.address, bucket)] = None
        record.buckets.discard(bucket)
        if not record.buckets and not record.is_tried:
            del self._records[record.address]
            self._collisions.pop(record.address, None)

    def _make_tried(self, record: Record, now: int) -> None:
        """Move a record to the tried table; who holds its place goes back to the new one."""
        bucket, place = self._tried_place(record.address)
        holder = self._tried[bucket][place]
        record.is_tried = True
        for old in list(record.buckets):
            self._leave_new(record, old)
        self._tried[bucket][place] = record.address
        self._collisions.pop(record.address, None)
        if holder is not None:
            evicted = self._records[holder]
            evicted.is_tried = False
            target = self._new_bucket(holder, evicted.source)
            occupant = self._new[target][self._new_place(holder, target)]
            if occupant is not None:
                self._leave_new(self._records[occupant], target)
            self._put_new(evicted, target, now)

    def restore(self, record: Record, now: int) -> None:
        """Put a record from the disk where it was, if the place is free."""
        if record.address in self._records or not self._is_welcome(record.address):
            return
        buckets, record.buckets = record.buckets, set()
        if record.is_tried:
            bucket, place = self._tried_place(record.address)
            if self._tried[bucket][place] is None:
                self._tried[bucket][place] = record.address
                self._records[record.address] = record
                return
            record.is_tried = False
            buckets = {self._new_bucket(record.address, record.source)}
        for bucket in sorted(buckets)[:MAX_REFERENCES]:
            if self._new[bucket][self._new_place(record.address, bucket)] is None:
                self._put_new(record, bucket, now)


def _key(address: PeerAddress) -> bytes:
    return address.host.encode("utf-8", "replace") + b"\0" + address.port.to_bytes(4, "little")
