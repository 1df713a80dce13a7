"""What reading the chain needs of a connected node: calls, what it is, and how it is to be used.

`session_link` makes it of a `NodeConnection`; here stands only what it is used for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.bitcoind.problems import NodeProblem, RpcError
from wallet_gui.chain.reports import LedgerEntry, Route

MAX_BLOCK_REPLY = 8_100_000
"""Bytes of the reply that holds the largest block in hexadecimal."""


class Rpc(Protocol):
    """JSON-RPC calls; everything they raise is a `NodeProblem`."""

    @property
    def inbound_bytes(self) -> int:
        """How many bytes have come."""
        ...

    @property
    def outbound_bytes(self) -> int:
        """How many bytes were sent."""
        ...

    async def call(
        self, method: str, /, *params: Any, seconds: float | None = 30.0, limit: int = ...
    ) -> Any:
        """Call a method; no answer within `seconds`, or one longer than `limit`, is a problem."""
        ...

    async def batch(
        self,
        calls: Sequence[tuple[str, Sequence[Any]]],
        /,
        *,
        seconds: float | None = 30.0,
        limit: int = ...,
    ) -> list[Any | RpcError]:
        """Call several methods in one request; errors of single calls stand in their place."""
        ...


class PublicPeers(Protocol):
    """Other nodes, for blocks that a pruned one has thrown away."""

    async def fetch_block(self, height: int, block_hash: bytes) -> bytes:
        """Give the serialized block; raises ChainError when nobody has it. It is checked here."""
        ...


@dataclass(frozen=True, slots=True)
class NodeCalls:
    """One connection: `rpc` for quick calls, `scan` for those that take long, `poll` to wait.

    `is_knots`: a second scan erases what a first one has found (node-over-ssh.md C.5).
    `prune_height` is the lowest block that is kept, None where all are.
    """

    rpc: Rpc
    scan: Rpc
    poll: Rpc
    is_knots: bool = False
    has_activity: bool = False
    prune_height: int | None = None

    def all(self) -> tuple[Rpc, Rpc, Rpc]:
        """List the clients."""
        return self.rpc, self.scan, self.poll


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A connection that is ready, and how the history is read over it."""

    calls: NodeCalls
    mode: ScanMode
    may_ask_for_coins: bool = True  # `scantxoutset` tells the node the scripts
    has_package_relay: bool = False
    route: Route = Route.DIRECT
    via: str = "this computer"
    version: str = ""


class NodeLink(Protocol):
    """The way to the node, which makes itself anew when it breaks."""

    @property
    def problem(self) -> NodeProblem | None:
        """Why there is no connection; None while there is one, or the first is being made."""
        ...

    async def ready(self) -> NodeUse:
        """Wait until the node can be asked; raises NodeProblem when it cannot be by itself."""
        ...

    def failed(self, problem: NodeProblem) -> None:
        """Hear that reading over the present connection ended so."""
        ...

    async def close(self) -> None:
        """Hang up for good. Idempotent."""
        ...

    def ledger(self) -> list[LedgerEntry]:
        """List the contacts since the start, the newest first."""
        ...

    def status(self) -> NodeStatus:
        """Tell where the connection stands."""
        ...
