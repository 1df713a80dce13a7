"""The connection to a node as reading the chain needs it: a `NodeLink`."""

from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.bitcoind.node_session import NodeCalls, NodeUse
from wallet_gui.chain.bitcoind.probe import NodeFacts
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.rungs import Choice, Rung
from wallet_gui.chain.bitcoind.session import Session
from wallet_gui.chain.reports import LedgerEntry


class ConnectionLink:
    """Lends a connection out; whoever made the connection closes it."""

    def __init__(self, connection: NodeConnection) -> None:
        self._connection = connection

    @property
    def problem(self) -> NodeProblem | None:
        """Why there is no connection; None while there is one, or the first is being made."""
        return self._connection.problem

    async def ready(self) -> NodeUse:
        """Wait until the node's RPC can be asked; raises NodeProblem when it cannot by itself."""
        while True:
            session = await self._connection.ready()
            if session.facts is not None:
                return use_of(session, session.facts)
            await self._connection.wait_lost(session)  # only its P2P port could be used

    def failed(self, problem: NodeProblem) -> None:
        """Hear that reading over the present connection ended so."""
        self._connection.failed(problem)

    async def close(self) -> None:
        """Leave it open."""

    def ledger(self) -> list[LedgerEntry]:
        """List the contacts since the start, the newest first."""
        return self._connection.ledger()


def use_of(session: Session, facts: NodeFacts) -> NodeUse:
    """Tell how the history is read over this session."""
    choice = session.choice
    calls = NodeCalls(
        rpc=session.rpc,
        scan=session.scan_rpc,
        poll=session.poll_rpc,
        is_knots="knots" in facts.subversion.lower(),
        has_activity=facts.has_activity and choice.rung is Rung.ACTIVITY,
        prune_height=facts.prune_height if facts.is_pruned else None,
    )
    return NodeUse(calls, mode_of(choice, facts), may_ask_for_coins=choice.tells_scripts)


def mode_of(choice: Choice, facts: NodeFacts) -> ScanMode:
    """Tell who finds out which blocks concern a wallet."""
    if choice.rung in {Rung.ACTIVITY, Rung.SCAN} and choice.tells_scripts:
        return ScanMode.NODE
    return ScanMode.FILTERS if facts.has_index else ScanMode.BLOCKS
