"""Which heights one wallet still needs filters and blocks for, and for which scripts.

Shared by both backends, and pure: heights and scripts go in, ranges to match and blocks to
deliver come out. The rules that keep a balance right under a growing address window:

1. Scripts are matched in *groups*. A group has matched every height below its `next_height`.
   Scripts that come later form a group of their own that starts again at the wallet's start
   height; the lowest group works first, and two groups that meet become one.
2. A matched block is delivered only when every group was matched through its height. So blocks
   come in ascending order, and where new scripts look back, higher blocks wait for them.
3. The mark is the height up to which everything was matched *and* delivered. It falls when a
   group starts again, and that is what must be stored: a crash then repeats the second look.

Neither is a block that came before needed again after an earlier find, unless the new scripts
match it too: a filter holds the scripts that a block spends as well as those it pays.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScanRange:
    """Heights `start..stop` (both included) to match against `scripts`.

    `group` is the same only while the scripts are: it may key a cache of prepared scripts.
    """

    start: int
    stop: int
    scripts: tuple[bytes, ...]
    group: int


@dataclass(slots=True)
class _Group:
    number: int
    next_height: int
    scripts: tuple[bytes, ...]


class WalletScan:
    """The state of one wallet's scan of the active chain.

    A caller repeats three steps until `mark` is the tip:

    - `wanted_range` tells which filters to fetch; with filters at hand, `range_within` tells what
      to match them against, and `results` takes the outcome;
    - `pending` tells which blocks to fetch ahead;
    - `next_block`, once at hand, is delivered: `begin_delivery`, the wallet applies it (and may
      call `extend` meanwhile), `delivered`.
    """

    def __init__(
        self,
        wallet_id: str,
        scripts: Sequence[bytes],
        *,
        start_height: int,
        resume_height: int | None = None,
    ) -> None:
        """Start to scan at `resume_height`, or at `start_height` where none is given.

        `start_height` is where scripts that come later begin. A wallet whose earlier scan went
        through to the tip may resume far above it.
        """
        self.wallet_id = wallet_id
        self.start_height = start_height
        unique = tuple(dict.fromkeys(scripts))
        self._known = set(unique)
        self._numbers = 0
        first = start_height if resume_height is None else resume_height
        self._groups = [_Group(0, first, unique)]  # ascending by next_height, no two equal
        self._pending: list[int] = []  # ascending, distinct
        self._in_flight: int | None = None

    def __contains__(self, script: object) -> bool:
        return script in self._known

    @property
    def scripts(self) -> tuple[bytes, ...]:
        """Every script ever watched."""
        return tuple(script for group in self._groups for script in group.scripts)

    @property
    def script_count(self) -> int:
        """How many scripts are watched."""
        return len(self._known)

    @property
    def matched_through(self) -> int:
        """The height up to which all was matched against all scripts, delivered or not."""
        return self._groups[0].next_height - 1

    @property
    def mark(self) -> int:
        """The height up to which all was matched against all scripts, and every hit delivered."""
        mark = self.matched_through
        if self._pending:
            mark = min(mark, self._pending[0] - 1)
        if self._in_flight is not None:
            mark = min(mark, self._in_flight - 1)
        return mark

    # --- matching ---------------------------------------------------------------------------------

    def wanted_range(self, limit: int, tip: int) -> ScanRange | None:
        """Give the next range of at most `limit` heights up to `tip`; None when all is matched.

        The same range comes again until `results` takes it.
        """
        return self.range_within(self._groups[0].next_height, tip, limit)

    def range_within(self, first: int, last: int, limit: int | None = None) -> ScanRange | None:
        """Give what filters of the heights `first..last`, all at hand, can be matched for now.

        Ask again after `results` until it gives None: only then may the filters be dropped, since
        a lower group may have caught up with a higher one inside the range.
        """
        for position, group in enumerate(self._groups):
            if not first <= group.next_height <= last:
                continue
            stop = last
            if position + 1 < len(self._groups):
                # No further than the next group, so that the two meet and become one.
                stop = min(stop, self._groups[position + 1].next_height - 1)
            if limit is not None:
                stop = min(stop, group.next_height + limit - 1)
            return ScanRange(group.next_height, stop, group.scripts, group.number)
        return None

    def results(self, scanned: ScanRange, matched: Iterable[int]) -> bool:
        """Take the heights of `scanned` whose filters matched any of its scripts.

        Returns False, and changes nothing, when the range is out of date: the group grew, was
        rewound or is further on already. Raises ValueError for a height outside the range.
        """
        for group in self._groups:
            if group.number == scanned.group and group.next_height == scanned.start:
                break
        else:
            return False
        heights = sorted(set(matched))
        if heights and not (scanned.start <= heights[0] and heights[-1] <= scanned.stop):
            raise ValueError("a matched height lies outside the range that was scanned")
        for height in heights:
            self._add_pending(height)
        group.next_height = scanned.stop + 1
        self._settle()
        return True

    def include(self, height: int) -> None:
        """Deliver this block whatever its filter says: its filter is disputed (p2p.md 1.7)."""
        self._add_pending(height)

    # --- delivery ---------------------------------------------------------------------------------

    def pending(self, limit: int) -> list[int]:
        """List the lowest matched heights that were not delivered yet, to fetch them ahead."""
        return self._pending[:limit]

    @property
    def pending_count(self) -> int:
        """How many matched heights were not delivered yet."""
        return len(self._pending)

    def next_block(self) -> int | None:
        """Give the height to deliver now, or None.

        It is the lowest pending one, given only if every group was matched through it and no
        other delivery is going on.
        """
        if not self._pending or self._in_flight is not None:
            return None
        height = self._pending[0]
        return height if height < self._groups[0].next_height else None

    def begin_delivery(self, height: int) -> None:
        """Note that the wallet is being given the block at `height`, which `next_block` named."""
        if height != self.next_block():
            raise ValueError(f"height {height} is not the next block to deliver")
        del self._pending[0]
        self._in_flight = height

    def delivered(self, height: int) -> None:
        """Note that the wallet has taken (stored) the block; ignored after a rewind below it."""
        if self._in_flight == height:
            self._in_flight = None

    # --- changes from outside ---------------------------------------------------------------------

    def extend(self, scripts: Iterable[bytes], from_height: int | None = None) -> bool:
        """Watch more scripts, matched again from `from_height` (`start_height` if None).

        Returns False when all of them were watched already.
        """
        new = tuple(script for script in dict.fromkeys(scripts) if script not in self._known)
        if not new:
            return False
        self._known.update(new)
        start = self.start_height if from_height is None else from_height
        self._groups.append(_Group(self._next_number(), start, new))
        self._settle()
        return True

    def repeat(self, height: int) -> None:
        """Match everything from `height` on again: what was matched there missed something."""
        for group in self._groups:
            group.number = self._next_number()
            group.next_height = min(group.next_height, max(height, 0))
        self._settle()

    def rewind(self, height: int) -> None:
        """Forget everything above `height`, the last block that both branches have.

        Ranges given out before are out of date, wherever they reach above it.
        """
        del self._pending[bisect_right(self._pending, height) :]
        if self._in_flight is not None and self._in_flight > height:
            self._in_flight = None
        self.start_height = min(self.start_height, height + 1)
        for group in self._groups:
            # A new number for all: a result of the old branch may begin below the fork.
            group.number = self._next_number()
            group.next_height = min(group.next_height, height + 1)
        self._settle()

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _add_pending(self, height: int) -> None:
        position = bisect_right(self._pending, height)
        if position == 0 or self._pending[position - 1] != height:
            insort(self._pending, height)

    def _settle(self) -> None:
        """Sort the groups, and make one of those that stand at the same height."""
        self._groups.sort(key=lambda group: group.next_height)
        settled = [self._groups[0]]
        for group in self._groups[1:]:
            below = settled[-1]
            if below.next_height == group.next_height:
                below.scripts += group.scripts
                below.number = self._next_number()
            else:
                settled.append(group)
        self._groups = settled
