"""Compares every wallet's coins with the node's own set of unspent outputs, and repairs.

A scan may miss something without a sign of it (node-over-ssh.md C.5), so no balance counts as
checked before the set says the same at the same block. A coin that is missing is looked up where
the set says it was mined, that block being read in full; for one that is there too much all from
its height on is matched anew, by filters and here, and read in full if that does not help.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.backend import (
    BalanceChecked,
    BlockRef,
    CheckState,
    CoinsOf,
    OwnCoins,
)
from wallet_gui.chain.bitcoind.node_chain import NodeChain
from wallet_gui.chain.bitcoind.node_session import NodeCalls
from wallet_gui.chain.bitcoind.scan_problems import balance_differs
from wallet_gui.chain.bitcoind.unspent import CoinScan, UnspentSet
from wallet_gui.chain.p2p.watches import Watch, Watches
from wallet_gui.chain.scan import WalletScan
from wallet_gui.primitives.transaction import OutPoint

SHARE: Final = 200.0
"""A check is repeated no sooner than after so many times what it took."""
LONGEST_INTERVAL: Final = 6 * 3600.0
FAILED_INTERVALS: Final = (0.0, 0.0, 2.0, 10.0, 60.0, 300.0)
"""Seconds to the next look while coins differ; the first two follow a repair at once."""
WHOLE_BLOCKS: Final = 2016  # of which at most all are read when filters do not explain a coin

CONTRADICTION: Final = (
    "The node's own list of coins and its blocks contradict each other. The balance is not shown "
    "until they agree; the node may be damaged."
)


@dataclass(slots=True)
class Check:
    """One wallet's comparison."""

    wallet_id: str
    coins: CoinsOf
    state: CheckState | None = None
    sentence: str = ""
    is_asked_for: bool = True  # since the start, or since the node scanned for it
    due_at: float = 0.0
    checked: BlockRef | None = None
    failures: int = 0
    extra_from: dict[OutPoint, int] = field(default_factory=dict)


class CrossCheck:
    """Decides when to compare, compares, and sets repairs going."""

    def __init__(
        self,
        chain: NodeChain,
        watches: Watches,
        on_repair: Callable[[WalletScan, int], None],
        monotonic: Callable[[], float],
    ) -> None:
        """`on_repair(scan, height)`: match all from `height` on again, here."""
        self._chain = chain
        self._watches = watches
        self._on_repair = on_repair
        self._monotonic = monotonic
        self._checks: dict[str, Check] = {}
        self._interval = 0.0
        self.scan = CoinScan(monotonic)
        self.repairs = 0

    def watch(self, wallet_id: str, coins: CoinsOf | None) -> None:
        """Compare a wallet from now on."""
        self._checks.pop(wallet_id, None)
        if coins is not None:
            self._checks[wallet_id] = Check(wallet_id, coins)

    def unwatch(self, wallet_id: str) -> None:
        """Forget a wallet."""
        self._checks.pop(wallet_id, None)

    def scanned_by_node(self, wallet_id: str) -> None:
        """The node looked for a wallet's scripts by itself: what it found is to be compared."""
        check = self._checks.get(wallet_id)
        if check is not None:
            check.is_asked_for = True
            check.due_at = 0.0
            self._tell(check, CheckState.CHECKING)

    def rewind(self, height: int) -> None:
        """The chain changed above `height`: what was compared there says nothing any more."""
        for check in self._checks.values():
            if check.checked is not None and check.checked.height > height:
                check.checked = None
                check.due_at = 0.0

    @property
    def differs(self) -> bool:
        """Whether some wallet's coins are known to differ."""
        return any(check.state is CheckState.DIFFERS for check in self._checks.values())

    def agrees(self, wallet_id: str) -> bool:
        """Whether a wallet's coins were the node's when they were compared last."""
        check = self._checks.get(wallet_id)
        return check is not None and check.state is CheckState.AGREES

    def state(self) -> CheckState | None:
        """The worst state of all wallets; None where none is compared."""
        states = {check.state for check in self._checks.values()}
        for state in (CheckState.DIFFERS, CheckState.CHECKING, CheckState.AGREES):
            if state in states:
                return state
        return None

    # --- when -------------------------------------------------------------------------------------

    def due(self) -> list[Check]:
        """List the wallets to compare now: all that wait, as soon as one of them is due."""
        ready = [
            check
            for check in self._checks.values()
            if self._mark_of(check.wallet_id) == self._chain.headers.tip
            and self._chain.is_synced
            and check.checked != self._chain.headers.tip
        ]
        now = self._monotonic()
        if not any(check.due_at <= now for check in ready):
            return []
        return ready

    def seconds_until_due(self) -> float | None:
        """Tell when to look again; None where nothing is waited for."""
        now = self._monotonic()
        times = [check.due_at - now for check in self._checks.values() if check.due_at > now]
        return min(times, default=None)

    def _watch_of(self, wallet_id: str) -> Watch | None:
        return next((w for w in self._watches if w.wallet_id == wallet_id), None)

    def _mark_of(self, wallet_id: str) -> BlockRef | None:
        """Give the block up to which a wallet was told everything; None while it is being told."""
        watch = self._watch_of(wallet_id)
        if watch is None or watch.scan is None or watch.told is None:
            return None
        is_quiet = watch.delivering is None and watch.scan.mark == watch.told.height
        return watch.told if is_quiet else None

    # --- comparing --------------------------------------------------------------------------------

    async def run(self, node: NodeCalls, checks: Collection[Check]) -> None:
        """Compare wallets with the node's set; raises NodeProblem when it cannot be had."""
        before: dict[str, tuple[BlockRef, OwnCoins]] = {}
        for check in checks:
            mark = self._mark_of(check.wallet_id)
            if mark is not None and self._checks.get(check.wallet_id) is check:
                before[check.wallet_id] = mark, check.coins()
                if check.state is None:
                    self._tell(check, CheckState.CHECKING)
        scripts = {script for _, own in before.values() for script in own.scripts}
        if not before:
            return
        began = self._monotonic()
        found = await self.scan.run(node.scan, scripts)
        now = self._monotonic()
        self._interval = min(LONGEST_INTERVAL, SHARE * (now - began))
        for check in checks:
            if self._checks.get(check.wallet_id) is not check or check.wallet_id not in before:
                continue
            mark, own = before[check.wallet_id]
            present = self._mark_of(check.wallet_id)
            if mark.hash != found.block_hash:
                if present is None or present.hash != found.block_hash:
                    continue  # not at one block: it is due again when the wallet has caught up
                mark, own = present, check.coins()
                if not set(own.scripts) <= scripts:
                    continue
            self._compare(check, mark, own, found)

    def _compare(self, check: Check, mark: BlockRef, own: OwnCoins, found: UnspentSet) -> None:
        scripts = frozenset(own.scripts)
        theirs = {
            outpoint: (coin.value_sat, coin.height)
            for outpoint, coin in found.coins.items()
            if coin.script in scripts
        }
        now = self._monotonic()
        if theirs == dict(own.coins):
            check.checked = BlockRef(mark.height, mark.hash)
            check.due_at = now + self._interval
            check.is_asked_for = False
            check.failures = 0
            self._tell(check, CheckState.AGREES, height=mark.height)
            return
        self._tell(
            check,
            CheckState.DIFFERS,
            CONTRADICTION if check.failures > 2 else str(balance_differs()),
            height=mark.height,
        )
        wait = FAILED_INTERVALS[min(check.failures, len(FAILED_INTERVALS) - 1)]
        check.due_at = now + wait
        check.failures += 1
        self._repair(check, own.coins, theirs)

    def _repair(
        self,
        check: Check,
        ours: Mapping[OutPoint, tuple[int, int]],
        theirs: Mapping[OutPoint, tuple[int, int]],
    ) -> None:
        watch = self._watch_of(check.wallet_id)
        if watch is None or watch.scan is None:
            return
        scan, top = watch.scan, self._chain.headers.height
        self.repairs += 1
        missing = {h for coin, (_, h) in theirs.items() if ours.get(coin) != theirs[coin]}
        for height in missing:
            if height <= top:
                scan.include(height)
        extra = [h for coin, (_, h) in ours.items() if theirs.get(coin) != ours[coin]]
        if extra:
            lowest = min(extra)
            if check.failures > 1 and top - lowest < WHOLE_BLOCKS:
                for height in range(lowest, top + 1):
                    scan.include(height)
            else:
                self._on_repair(scan, lowest)

    def _tell(
        self, check: Check, state: CheckState, sentence: str = "", height: int | None = None
    ) -> None:
        is_same = (check.state, check.sentence) == (state, sentence)
        if is_same and state is not CheckState.AGREES:
            return
        check.state, check.sentence = state, sentence
        self._chain.emit(BalanceChecked(check.wallet_id, state, sentence, height))
