"""What the selector asks of a person's own node: a backend, and a look whether it is there again.

These are interfaces and values; `node_access` implements them and loads the node's code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wallet_gui.app.fail_over import NodeNews
from wallet_gui.chain.backend import ChainBackend, ChainStores, EventSink, PeerStore
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.reports import LedgerEntry


class NodeChain(ChainBackend, Protocol):
    """A backend that reads from a person's own node."""

    def node_status(self) -> NodeStatus:
        """Tell where the connection stands."""
        ...


class NodeWatch(Protocol):
    """Tries a node again and again while another source is in use; nothing is read from it."""

    def start(self) -> None:
        """Begin to try."""
        ...

    async def stop(self) -> None:
        """Disconnect. Idempotent."""
        ...

    def node_status(self) -> NodeStatus:
        """Tell where the connection stands."""
        ...

    def ledger(self) -> list[LedgerEntry]:
        """List every contact since `start`, the newest first."""
        ...


class NodeSource(Protocol):
    """A node with all that it takes to reach it."""

    @property
    def address(self) -> str:
        """As the person wrote it."""
        ...

    @property
    def is_asking(self) -> bool:
        """Whether a question to the person is open."""
        ...

    def is_same(self, other: "NodeSource | None") -> bool:
        """Whether a connection made for the other one can go on."""
        ...

    def make_backend(
        self,
        stores: ChainStores,
        sink: EventSink,
        *,
        options: P2POptions | None,
        peer_store: PeerStore | None,
        on_failure: Callable[[BaseException], None],
    ) -> NodeChain:
        """Make a backend that is not started yet.

        `options`: how public peers may be asked besides, None where they may not be.
        """
        ...

    def make_watch(self) -> NodeWatch:
        """Make a watch that is not started yet; it never asks the person anything."""
        ...


@dataclass(frozen=True, slots=True)
class NodePlan:
    """A person wants their node: it alone, or public peers while it is away.

    Without a `source` it cannot be used, and `why_not` says why. `why_not_direct`: public peers may
    not be contacted either, for this reason.
    """

    source: NodeSource | None
    why_not: str = ""
    may_go_direct: bool = False
    why_not_direct: str = ""


def news_of(status: NodeStatus, *, is_asking: bool) -> NodeNews:
    """What `FailOver` wants to know."""
    problem = status.problem
    return NodeNews(
        is_ready=status.is_ready,
        problem="" if problem is None else problem.title,
        is_final=problem is not None and problem.is_final,
        is_asking=is_asking,
    )
