"""The wallets that are watched: where each scan begins, and what each is told, in which order.

Every wallet has a `WalletScan` of its own; filters and blocks are fetched once for all of them.
A scan can only begin when the header chain shows where: a birthday or a checkpoint may lie above
what is known so far.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.backend import (
    BackendWarning,
    BlockMatched,
    BlockRef,
    ChainEvent,
    PreviewMatched,
    Reorganized,
    Scanned,
)
from wallet_gui.chain.checkpoints import activation_height
from wallet_gui.chain.p2p.chain_start import BIRTHDAY_MARGIN, first_height
from wallet_gui.chain.p2p.long_scans import LongScans, PreviewScripts
from wallet_gui.chain.p2p.sync_state import Instant, SyncState
from wallet_gui.chain.scan import WalletScan
from wallet_gui.primitives.block import ScannedBlock

SCANNED_INTERVAL: Final = 1.0
"""Seconds between two scan marks while the scan moves on; each one costs a write."""

QUIET_DELIVERIES: Final = 8

CORRECTED: Final = (
    "What earlier peers said about some block filters was wrong. The blocks concerned are looked "
    "through again for this wallet."
)


@dataclass(slots=True)
class Watch:
    """One wallet. `scan` is None until its beginning is known."""

    wallet_id: str
    scripts: list[bytes]
    checkpoints: tuple[BlockRef, ...]
    birthday_time: int | None
    anchors: tuple[BlockRef, ...] = ()  # ascending
    preview_scripts: PreviewScripts | None = None
    scan: WalletScan | None = None
    told: BlockRef | None = None  # the last scan mark that was emitted
    told_at: float = float("-inf")
    fell: bool = False  # the watch grew since: the mark is to be told even if it stands still
    delivering: int | None = None
    # What joined before the scan began; it may look further back than where the scan resumes.
    extensions: list[tuple[list[bytes], int | None]] = field(default_factory=list)


class Watches:
    """All wallets of this backend."""

    def __init__(self, state: SyncState, long: LongScans | None = None) -> None:
        self._state = state
        self._watches: dict[str, Watch] = {}
        self.long = LongScans(state) if long is None else long
        self._quiet = 0  # deliveries in a row that widened no window

    def __iter__(self) -> Iterator[Watch]:
        return iter(self._watches.values())

    def scans(self) -> list[WalletScan]:
        """List the scans that have begun."""
        return [w.scan for w in self._watches.values() if w.scan is not None]

    def all_scans(self) -> list[WalletScan]:
        """List what filters are matched for: previews, and the scans that have begun."""
        return [*self.long.previews(), *self.scans()]

    def filter_targets(self) -> list[WalletScan]:
        """List the scans that filters are to be fetched for now."""
        return self.long.filter_targets()

    def block_targets(self) -> list[WalletScan]:
        """List the scans that blocks are to be fetched for now."""
        held = self.long.held_back()
        return [scan for scan in self.all_scans() if scan not in held]

    def watch(
        self,
        wallet_id: str,
        scripts: Sequence[bytes],
        checkpoints: Sequence[BlockRef],
        birthday_time: int | None,
        anchors: Sequence[BlockRef] = (),
        preview_scripts: PreviewScripts | None = None,
    ) -> None:
        """Add a wallet, or begin anew with one that is known."""
        self.long.forget(wallet_id)
        self._watches[wallet_id] = Watch(
            wallet_id,
            list(scripts),
            tuple(checkpoints),
            birthday_time,
            tuple(sorted(anchors, key=lambda ref: ref.height)),
            preview_scripts,
        )

    def extend(
        self, wallet_id: str, scripts: Sequence[bytes], from_height: int | None = None
    ) -> None:
        """Watch more scripts of a wallet; KeyError when it is not watched."""
        watch = self._watches[wallet_id]
        if watch.scan is None:
            watch.extensions.append((list(scripts), from_height))
        elif _extend(watch.scan, scripts, from_height):
            self._quiet = -1  # the delivery that led to it is still to be counted
            # Told again even where it stands still: a wallet that grew trusts no earlier mark.
            watch.fell = True

    def unwatch(self, wallet_id: str) -> None:
        """Forget a wallet; nothing that waits for it is delivered."""
        self._watches.pop(wallet_id, None)
        self.long.forget(wallet_id)
        kept = [e for e in self._state.events if getattr(e, "wallet_id", None) != wallet_id]
        self._state.events.clear()
        self._state.events.extend(kept)

    # --- where a scan begins ----------------------------------------------------------------------

    def begin(self, *, is_synced: bool) -> None:
        """Start the scans whose beginning the header chain now shows."""
        for watch in self._watches.values():
            if watch.scan is None:
                self._begin(watch, is_synced=is_synced)

    def _begin(self, watch: Watch, *, is_synced: bool) -> None:
        state = self._state
        newest = watch.checkpoints[0] if watch.checkpoints else None
        start = self._birth_height(watch, is_synced=is_synced)
        if start is None:
            return  # the birthday lies above or below the headers known so far
        known = next((ref for ref in watch.checkpoints if self._is_active(ref)), None)
        if known is not None and not state.can_judge(known):
            return  # nobody has said yet what the filters up to there are
        stale = next((ref for ref in watch.anchors if not self._is_active(ref)), None)
        if (newest != known or stale is not None) and not is_synced:
            return  # what is missing may be only what we have not fetched yet
        common = self._newest_that_holds(watch, known)
        resume = None
        if common is not None:
            resume = max(common.height + 1, state.lowest_height)
            start = min(start, resume)
        fork = _fork(newest, known, stale, start)
        if fork is not None:
            state.emit(Reorganized(watch.wallet_id, fork))
            if resume is not None and resume > fork + 1:
                # What was confirmed there may have been confirmed again anywhere above.
                resume = max(fork + 1, state.lowest_height)
                start = min(start, resume)
                known = self._mark_at(fork)
        watch.scan = WalletScan(
            watch.wallet_id, watch.scripts, start_height=start, resume_height=resume
        )
        self.long.begin(watch.wallet_id, watch.scan, watch.preview_scripts)
        watch.told = known  # where the scan begins below, the wallet is told so at once
        for scripts, from_height in watch.extensions:
            _extend(watch.scan, scripts, from_height)
        watch.extensions.clear()
        for height in sorted(state.disputed):
            if height >= (start if resume is None else resume):
                watch.scan.include(height)

    def _birth_height(self, watch: Watch, *, is_synced: bool) -> int | None:
        """Find where the wallet's life begins; None while the headers do not show it."""
        headers = self._state.headers
        lowest = self._state.lowest_height
        if watch.birthday_time is None:
            start = activation_height(self._state.params, watch.scripts)
            if start > headers.height:
                return lowest if is_synced else None
        else:
            birth = watch.birthday_time - BIRTHDAY_MARGIN
            if headers.height < headers.start_height:
                return None
            if headers.median_time_past(headers.height) <= birth:
                # In sync, no later block can show it: the clock was ahead when the wallet was
                # made. From the tip on, what was paid before the cache was lost would never be
                # found.
                return lowest if is_synced else None
            start = headers.height_at_or_before(birth)
        if start >= lowest:
            return start
        if start < headers.start_height:
            known = self._state.checkpoints
            start = first_height(self._state.params, known, watch.scripts, watch.birthday_time)
        if self._state.request_start(min(start, lowest - 1)):
            return None  # it begins when the chains reach down there
        self._state.emit(
            BackendWarning(
                f"The chain data here begin at block {lowest}, later than this "
                "wallet; payments before that are not found."
            )
        )
        return lowest

    def _newest_that_holds(self, watch: Watch, known: BlockRef | None) -> BlockRef | None:
        """Find the newest scan mark whose filter header is still agreed on too."""
        found = next((ref for ref in watch.checkpoints if self._still_holds(ref)), None)
        if found != known:
            self._state.emit(BackendWarning(CORRECTED))
        return found

    def _still_holds(self, mark: BlockRef) -> bool:
        """Whether all up to a mark was matched on this chain, and against filters still agreed."""
        filter_headers = self._state.filter_headers
        if not self._is_active(mark):
            return False
        lowest, highest = filter_headers.start_height - 1, filter_headers.height
        if not mark.filter_header or not lowest <= mark.height <= highest:
            return True  # there is nothing to compare
        return filter_headers.header_at(mark.height) == mark.filter_header

    def _is_active(self, ref: BlockRef) -> bool:
        return self._state.headers.height_of(ref.hash) == ref.height

    # --- changes of the chain ---------------------------------------------------------------------

    def rewind(self, height: int, *, is_reorganization: bool) -> None:
        """Everything above `height` is to be matched again."""
        self.long.rewind(height)
        for watch in self._watches.values():
            scan = watch.scan
            if scan is None:
                continue
            scan.rewind(height)
            if is_reorganization:
                self._state.emit(Reorganized(watch.wallet_id, height))
                if watch.told is not None and watch.told.height > height:
                    # Lower marks of the wallet still stand: a fall below them must be told.
                    watch.told = self._mark_at(height)

    def include(self, height: int) -> None:
        """Deliver this block to every wallet: peers disagree about its filter."""
        for scan in self.scans():
            if height >= scan.start_height:
                scan.include(height)

    def is_deliverable(self, height: int) -> bool:
        """Whether a wallet waits for this block and is ready to take it: it comes next."""
        return any(scan.next_block() == height for scan in self.scans())

    @property
    def is_quiet(self) -> bool:
        """Whether the last blocks left all windows as they were: windows grow in bursts."""
        return self._quiet >= QUIET_DELIVERIES

    def may_widen(self) -> bool:
        """Whether a block that waits for delivery may well make a window grow.

        What is matched beyond it would then be matched again.
        """
        return not self.is_quiet and any(
            watch.delivering is not None or watch.scan.next_block() is not None
            for watch in self._watches.values()
            if watch.scan is not None
        )

    # --- delivery ---------------------------------------------------------------------------------

    def next_event(
        self, block_at: Callable[[int], ScannedBlock | None], now: Instant
    ) -> ChainEvent | None:
        """Give the next block or scan mark that can be delivered; the caller must deliver it."""
        ahead = self.long.next_event(block_at)
        if ahead is not None:
            return ahead
        for watch in self._watches.values():
            scan = watch.scan
            if scan is None or watch.delivering is not None:
                continue
            fallen = self._fallen_mark(watch, scan)
            if fallen is not None:
                return fallen
            height = scan.next_block()
            block = None if height is None else block_at(height)
            if height is not None and block is not None:
                scan.begin_delivery(height)
                watch.delivering = height
                return BlockMatched(watch.wallet_id, height, block)
            mark = self._risen_mark(watch, scan, now)
            if mark is not None:
                return mark
        return None

    def delivered(self, event: ChainEvent) -> None:
        """Note that the sink has taken an event."""
        if isinstance(event, PreviewMatched):
            self.long.delivered(event)
        if isinstance(event, BlockMatched):
            watch = self._watches.get(event.wallet_id)
            self._quiet += 1
            if watch is not None and watch.delivering == event.height:
                watch.delivering = None
                if watch.scan is not None:
                    watch.scan.delivered(event.height)

    def _fallen_mark(self, watch: Watch, scan: WalletScan) -> Scanned | None:
        """A mark that fell is told at once, so that a crash repeats the second look."""
        if watch.told is None:
            return None
        height = min(max(scan.mark, self._lowest_mark()), self._state.headers.height)
        if height >= watch.told.height and not watch.fell:
            return None
        watch.fell = False
        return self._tell(watch, height)

    def _risen_mark(self, watch: Watch, scan: WalletScan, now: Instant) -> Scanned | None:
        height = min(scan.mark, self._state.headers.height)
        if height < self._lowest_mark() or (watch.told and watch.told.height == height):
            return None
        is_tip = height == self._state.headers.height
        if not is_tip and now.monotonic - watch.told_at < SCANNED_INTERVAL:
            return None
        watch.told_at = now.monotonic
        return self._tell(watch, height)

    def _tell(self, watch: Watch, height: int) -> Scanned:
        state = self._state
        filter_header = b""
        if state.filter_headers.start_height - 1 <= height <= state.filter_headers.height:
            filter_header = state.filter_headers.header_at(height)
        watch.told = BlockRef(height, state.headers.hash_at(height), filter_header)
        return Scanned(watch.wallet_id, height, watch.told.hash, filter_header)

    def _mark_at(self, height: int) -> BlockRef | None:
        if height < self._lowest_mark():
            return None
        return BlockRef(height, self._state.headers.hash_at(height))

    def _lowest_mark(self) -> int:
        return max(self._state.headers.start_height - 1, 0)


def _extend(scan: WalletScan, scripts: Sequence[bytes], from_height: int | None) -> bool:
    return scan.extend(
        scripts, None if from_height is None else max(from_height, scan.start_height)
    )


def _fork(
    newest: BlockRef | None, common: BlockRef | None, stale: BlockRef | None, start: int
) -> int | None:
    """Find above which height what a wallet remembers is not on the active chain any more."""
    forks = []
    if newest != common:
        forks.append(start - 1 if common is None else common.height)
    if stale is not None:
        forks.append(stale.height - 1)
    return max(min(forks), -1) if forks else None
