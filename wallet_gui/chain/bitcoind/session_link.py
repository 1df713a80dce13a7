"""`SessionLink`: a `NodeConnection` as the way to the node that `NodeBackend` reads over."""

import asyncio
import contextlib
from typing import Final

from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.bitcoind.node_session import NodeCalls, NodeUse
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.rungs import Rung
from wallet_gui.chain.bitcoind.session import Session
from wallet_gui.chain.reports import LedgerEntry, Route

GIVE_UP_ON: Final = 5.0
"""Seconds for which a session that broke off is waited for to be taken back."""

_MODES: Final = {
    Rung.ACTIVITY: ScanMode.NODE,
    Rung.SCAN: ScanMode.NODE,
    Rung.COINS: ScanMode.BLOCKS,
}


class SessionLink:
    """See `NodeLink`. `owns`: hang up when the backend stops."""

    def __init__(self, connection: NodeConnection, *, owns: bool = True) -> None:
        self._connection = connection
        self._owns = owns
        self._used: Session | None = None
        self._has_failed = False

    @property
    def problem(self) -> NodeProblem | None:
        """Why there is no connection; None while there is one, or the first is being made."""
        return self._connection.problem

    async def ready(self) -> NodeUse:
        """Wait for a session, another one than the last if that broke off."""
        if self._has_failed and self._used is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GIVE_UP_ON):
                    await self._connection.wait_lost(self._used)
        while (session := await self._connection.ready()).facts is None:
            await self._connection.wait_lost(session)  # only its P2P port can be used
        self._used = session
        self._has_failed = False
        return use_of(session)

    def failed(self, problem: NodeProblem) -> None:
        """Have the connection looked at anew, unless another session has taken its place."""
        self._has_failed = True
        if self._used is not None and self._connection.session is self._used:
            self._connection.failed(problem)

    async def close(self) -> None:
        """Hang up, where the connection is this link's own."""
        if self._owns:
            await self._connection.close()

    def ledger(self) -> list[LedgerEntry]:
        """List the contacts since the start, the newest first."""
        return self._connection.ledger()

    def status(self) -> NodeStatus:
        """Tell where the connection stands."""
        return self._connection.status


def use_of(session: Session) -> NodeUse:
    """Tell how the history is read over a session with a login to the node's RPC."""
    facts, choice = session.facts, session.choice
    if facts is None:
        raise ValueError("this session has no RPC")
    mode = _MODES.get(choice.rung, ScanMode.FILTERS)
    if mode is ScanMode.NODE and not choice.tells_scripts:
        mode = ScanMode.FILTERS
    calls = NodeCalls(
        session.rpc,
        session.scan_rpc,
        session.poll_rpc,
        is_knots="knots" in facts.subversion.lower(),
        has_activity=choice.rung is Rung.ACTIVITY,
        prune_height=facts.prune_height,
    )
    is_local = session.tunnel.description == "this computer"
    return NodeUse(
        calls,
        mode,
        may_ask_for_coins=choice.tells_scripts,
        has_package_relay=facts.has_package_relay,
        route=Route.DIRECT if is_local else Route.SSH,
        via=session.tunnel.description,
        version=facts.subversion,
    )
