"""The node and public peers look after each other: their chains are compared now and then.

What differs for a moment is ordinary: blocks take seconds to spread, and two may be found at once.
Filter headers do not differ for a moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from wallet_gui.chain.audit import MAX_LOOK_BACK, ChainView, Comparison, Verdict, compare

INTERVAL: Final = 30.0  # seconds between comparisons
FIRST_INTERVAL: Final = 1.0  # until there was something to compare with
PATIENCE: Final = 90.0  # seconds for which a difference lasts before it is told
_NOTHING: Final = Comparison(Verdict.UNKNOWN)
_ORDINARY: Final = frozenset({Verdict.NODE_BEHIND, Verdict.SPLIT})

FilterHeaderOf = Callable[[int, bytes], Awaitable[bytes | None]]
"""Asks the node for its filter header of the block of that height and hash, None without one."""


class SecondView(Protocol):
    """Public peers."""

    def view(self) -> ChainView | None:
        """Tell what they show."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known: `doubt` is a sentence of what differs and lasts, `compared` of what agrees."""

    comparison: Comparison = _NOTHING
    doubt: str = ""
    compared: str = ""


class NodeAudit:
    """Compares until it is cancelled."""

    def __init__(
        self,
        node: Callable[[], ChainView | None],
        filter_header: FilterHeaderOf | None,
        peers: SecondView,
        monotonic: Callable[[], float],
        *,
        patience: float = PATIENCE,
    ) -> None:
        """Compare what `node` shows; `filter_header` is asked where that has no filter headers."""
        self.finding = Finding()
        self._node = node
        self._filter_header = filter_header
        self._peers = peers
        self._monotonic = monotonic
        self._patience = patience
        self._since: tuple[Verdict, float] | None = None

    async def run(self, told: Callable[[Finding], None]) -> None:
        """Compare again and again; `told` hears of every finding that is new."""
        while True:
            finding = await self.look()
            if finding != self.finding:
                self.finding = finding
                told(finding)
            is_new = finding.comparison.verdict is Verdict.UNKNOWN or self._since is not None
            await asyncio.sleep(FIRST_INTERVAL if is_new else INTERVAL)

    async def look(self) -> Finding:
        """Compare once."""
        node, peers = self._node(), self._peers.view()
        if node is None or peers is None:
            return Finding()
        comparison = compare(await self._with_filter_header(node, peers), peers)
        verdict = comparison.verdict
        if verdict in _ORDINARY:
            now = self._monotonic()
            if self._since is None or self._since[0] is not verdict:
                self._since = (verdict, now)
            if now - self._since[1] < self._patience:
                return Finding(comparison)
        else:
            self._since = None
        return Finding(comparison, comparison.sentence, _agreement(comparison, peers.networks))

    async def _with_filter_header(self, node: ChainView, peers: ChainView) -> ChainView:
        """Add the node's filter header of the highest block whose one the peers have told."""
        if self._filter_header is None:
            return node
        low = min(node.tip.height, peers.tip.height)
        for height in range(low, max(low - MAX_LOOK_BACK, -1), -1):
            if peers.filter_header_at(height) is None:
                continue
            block_hash = node.hash_at(height)
            if block_hash is None:
                break
            told = {height: await self._filter_header(height, block_hash)}
            return replace(node, filter_header_at=told.get)
        return node


def _agreement(comparison: Comparison, networks: int) -> str:
    if comparison.verdict not in {Verdict.AGREES, Verdict.PEERS_BEHIND}:
        return ""
    others = "one public peer shows" if networks == 1 else f"{networks} networks show"
    if comparison.height is None:
        return f"Its blocks agree with what {others}."
    return f"Its blocks and filters agree with what {others}."
