"""Scans that take long: what they cost is told first, they can be held back, and a preview leads.

A scan goes from the oldest block to the newest, since only so a wallet's window grows rightly. To
give a first answer all the same, the newest two weeks are looked through before a long scan
begins. What that finds is told by events of its own and becomes no part of the wallet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.backend import ChainEvent, PreviewDone, PreviewMatched
from wallet_gui.chain.p2p.scan_plan import Speed, block_bytes, filter_bytes, mean_block_bytes
from wallet_gui.chain.p2p.sync_state import Instant, Lane, SyncState
from wallet_gui.chain.reports import ScanPlan
from wallet_gui.chain.scan import WalletScan
from wallet_gui.primitives.block import ScannedBlock

PREVIEW_BLOCKS: Final = 2016
PREVIEW_ABOVE: Final = 200_000_000
"""Bytes of a scan from which on a preview comes first; below it takes but a moment."""
FOLLOWING: Final = 144
"""A scan that lacks no more filters and blocks than this follows the tip; never held back."""

PAUSED: Final = "Paused. Press Continue to go on."
CAP_REACHED: Final = "The data limit of {size} MB for this session is reached."

PreviewScripts = Callable[[], Sequence[bytes]]
"""Gives the scripts of a preview; called in a worker thread, since deriving many takes long."""


@dataclass(slots=True, eq=False)
class LongScan:
    """What a wallet's scan has beside the scan itself."""

    wallet_id: str
    scan: WalletScan
    preview_scripts: PreviewScripts | None
    remaining: int = 0  # heights whose filters are to come
    blocks: int = 0  # matched, and to come
    owed: int = 0  # bytes of those
    to_height: int = 0
    download: int = 0  # bytes of all that is not matched yet, estimated
    is_approved: bool = False
    is_waiting: bool = False
    held_back: str = ""
    preview_is_due: bool = False  # the scan waits until it is known what to look for
    preview_asked: bool = False
    preview: WalletScan | None = None
    preview_stop: int = 0
    delivering: int | None = None  # the height of a preview's block
    preview_told: bool = False

    @property
    def is_long(self) -> bool:
        return self.remaining + self.blocks > FOLLOWING

    @property
    def is_previewing(self) -> bool:
        return self.preview is not None and self.preview.mark < self.preview_stop


class LongScans:
    """Decides which scans are served with filters now."""

    def __init__(self, state: SyncState) -> None:
        self._state = state
        self._scans: dict[str, LongScan] = {}
        self._is_paused = False
        self._speed = Speed()
        self._mean_size = 0.0

    def begin(
        self, wallet_id: str, scan: WalletScan, preview_scripts: PreviewScripts | None
    ) -> None:
        """Take in a scan that begins."""
        self._scans[wallet_id] = LongScan(wallet_id, scan, preview_scripts)

    def forget(self, wallet_id: str) -> None:
        """Let a wallet go."""
        self._scans.pop(wallet_id, None)

    # --- what a person decides --------------------------------------------------------------------

    def approve(self, wallet_id: str) -> None:
        """Let a scan begin that waits; nothing happens when none does."""
        found = self._scans.get(wallet_id)
        if found is not None:
            found.is_approved = True
            found.is_waiting = False

    def pause(self, *, paused: bool) -> None:
        """Hold back what long scans download."""
        self._is_paused = paused

    def plans(self) -> list[ScanPlan]:
        """Describe the scans that do not merely follow the tip."""
        sources, networks = self._state.sources()
        headers = self._state.headers
        plans = []
        for each in self._scans.values():
            if not each.is_long:
                continue
            first = max(each.scan.mark + 1, 0)
            has_header = headers.start_height <= first <= headers.height
            plans.append(
                ScanPlan(
                    wallet_id=each.wallet_id,
                    from_height=first,
                    from_time=headers.header_at(first).time if has_header else None,
                    to_height=each.to_height,
                    filters=each.remaining,
                    download_bytes=each.download + each.owed,
                    seconds=self._speed.seconds_for(each.download + each.owed),
                    sources=sources,
                    networks=networks,
                    is_waiting=each.is_waiting,
                    held_back=each.held_back,
                )
            )
        return plans

    # --- which scans are served -------------------------------------------------------------------

    def supervise(
        self, *, received_bytes: int, mean_size: float, is_synced: bool, now: Instant
    ) -> None:
        """Work out anew what each scan costs, what holds it back, and where a preview is due.

        `received_bytes` are those of all filters and blocks of this session.
        """
        self._mean_size = mean_size
        options = self._state.options
        cap = options.data_cap
        is_served = False
        top = self._expected_height(is_synced=is_synced)
        for each in self._scans.values():
            self._estimate(each, top)
            is_long = each.is_long
            if is_synced and not is_long:
                each.is_approved = True  # it is through: what comes later is small
            above = options.ask_above is not None and each.download > options.ask_above
            each.is_waiting = is_long and above and not each.is_approved
            each.held_back = ""
            if is_long and self._is_paused:
                each.held_back = PAUSED
            elif is_long and cap is not None and received_bytes >= cap:
                each.held_back = CAP_REACHED.format(size=cap // 1_000_000)
            is_served |= is_long and not each.is_waiting and not each.held_back
            is_worth_it = self._is_worth_a_preview(each)
            if not each.preview_asked:
                # Before all headers are there the lines would be idle, and peers may have claimed
                # a longer chain than they have: until then the scan goes on from below.
                each.preview_is_due = (
                    is_worth_it and is_synced and self._state.scannable_height >= top
                )
                if each.preview_is_due:
                    self._begin_preview(each)
        if is_served or any(each.is_previewing for each in self._scans.values()):
            self._speed.note(received_bytes, now)
        else:
            self._speed.restart()

    def _expected_height(self, *, is_synced: bool) -> int:
        """Tell where the chain will end: while headers come in, the peers' claims say it."""
        height = self._state.headers.height
        return height if is_synced else max(height, self._state.claimed_height())

    def _estimate(self, each: LongScan, top: int) -> None:
        first = max(each.scan.matched_through + 1, 0)
        each.remaining = max(0, top + 1 - first)
        each.blocks = each.scan.pending_count
        each.to_height = top
        each.download = self._download(first, top, each.scan.script_count)
        each.owed = each.blocks * mean_block_bytes(self._state.params, self._mean_size)

    def _download(self, first: int, top: int, scripts: int) -> int:
        """Estimate the bytes that it takes to scan the heights `first..top`."""
        params, size = self._state.params, self._mean_size
        count = max(0, top + 1 - first)
        return filter_bytes(params, first, top, size) + block_bytes(params, count, scripts, size)

    def _is_worth_a_preview(self, each: LongScan) -> bool:
        return each.download > PREVIEW_ABOVE and each.remaining > 2 * PREVIEW_BLOCKS

    def _preview_start(self, each: LongScan, top: int) -> int:
        return max(top + 1 - PREVIEW_BLOCKS, each.scan.mark + 1, 1)

    def filter_targets(self) -> list[WalletScan]:
        """List the scans to fetch filters for: previews first, then all that nothing holds back."""
        previews = [
            each.preview
            for each in self._scans.values()
            if each.preview is not None
            and each.preview.matched_through < each.preview_stop
            and not each.held_back
        ]
        if previews:
            return previews
        return [
            each.scan
            for each in self._scans.values()
            if not (each.is_waiting or each.held_back or each.preview_is_due)
        ]

    def held_back(self) -> list[WalletScan]:
        """List the scans, and their previews, that may download nothing now."""
        held = [each for each in self._scans.values() if each.held_back]
        return [s for each in held for s in (each.scan, each.preview) if s is not None]

    def previews(self) -> list[WalletScan]:
        """List the previews that go on."""
        return [
            each.preview
            for each in self._scans.values()
            if each.preview is not None and each.is_previewing
        ]

    # --- previews ---------------------------------------------------------------------------------

    def _begin_preview(self, each: LongScan) -> None:
        state = self._state
        each.preview_asked = True
        scripts = each.scan.scripts
        give = each.preview_scripts

        def run() -> Sequence[bytes]:
            return scripts if give is None else [*scripts, *give()]

        def done(wanted: Sequence[bytes], _now: Instant) -> None:
            each.preview_is_due = False
            top = state.headers.height
            first = self._preview_start(each, top)
            if self._scans.get(each.wallet_id) is each and first <= top:
                each.preview = WalletScan(each.wallet_id, wanted, start_height=first)
                each.preview_stop = top

        state.work(Lane.ENGINE, run, done)

    def next_event(self, block_at: Callable[[int], ScannedBlock | None]) -> ChainEvent | None:
        """Give the next block of a preview, or that it is through."""
        for each in self._scans.values():
            preview = each.preview
            if preview is None or each.delivering is not None or each.preview_told:
                continue
            height = preview.next_block()
            block = None if height is None else block_at(height)
            if height is not None and block is not None:
                preview.begin_delivery(height)
                each.delivering = height
                return PreviewMatched(each.wallet_id, height, block)
            if not each.is_previewing:
                each.preview_told = True
                return PreviewDone(each.wallet_id, preview.start_height, each.preview_stop)
        return None

    def delivered(self, event: PreviewMatched) -> None:
        """Note that a preview's block was taken."""
        each = self._scans.get(event.wallet_id)
        if each is not None and each.delivering == event.height:
            each.delivering = None
            if each.preview is not None:
                each.preview.delivered(event.height)

    def rewind(self, height: int) -> None:
        """The chain was reorganised above `height`."""
        for each in self._scans.values():
            if each.preview is not None and not each.preview_told:
                each.preview.rewind(height)
