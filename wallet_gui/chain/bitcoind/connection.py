"""The connection to a person's own node, which makes itself anew when it breaks.

One tunnel and at most four channels in it. A tunnel that is lost is opened again after a growing
pause, at once when the network came back or the computer woke up, and not by itself after a problem
that trying again cannot mend (a changed host key, a refused login: servers ban who insists). While
the tunnel holds and only bitcoind is away, its port is tried every two seconds; a cookie that
changed meanwhile is read anew without anybody noticing.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, Protocol

from wallet_gui.chain.bitcoind.contacts import Contacts
from wallet_gui.chain.bitcoind.credentials import Credentials
from wallet_gui.chain.bitcoind.networks import P2P_PORTS, RPC_PORTS
from wallet_gui.chain.bitcoind.node_facts import NodeFacts
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus, told_by
from wallet_gui.chain.bitcoind.probe import probe
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, connection_lost, node_stopped
from wallet_gui.chain.bitcoind.racing import cancelled, unless
from wallet_gui.chain.bitcoind.retry_delay import RetryDelay
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.bitcoind.rungs import Choice, P2PFacts, Rung, choose
from wallet_gui.chain.bitcoind.session import Session, client_for, login_for, p2p_facts
from wallet_gui.chain.bitcoind.sleep_watch import SleepWatch
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, NodeAddress
from wallet_gui.chain.bitcoind.tunnel import connect
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    Asker,
    SshSecrets,
    SshStore,
    Stage,
    Tunnel,
)
from wallet_gui.chain.reports import LedgerEntry
from wallet_gui.primitives.params import ChainParams

HEALTH_SECONDS: Final = 30.0
HEALTH_TIMEOUT: Final = 30.0
MOST_SILENCES: Final = 3
FACTS_SECONDS: Final = 60.0  # after which a node that is busy is asked all the same
TICK_SECONDS: Final = 2.0
NODE_RETRY_SECONDS: Final = 2.0
WARMING_SECONDS: Final = 1.0
SHORT_LIFE: Final = 10.0  # a session that ended sooner counts as a failure
_CLOSED: Final = "Closed."
_PATIENCE: Final = frozenset({Code.NODE_SILENT, Code.BUSY})

# The RPC cannot be logged in to; a P2P port that serves filters is enough.
LOGIN_IMPOSSIBLE: Final = frozenset(
    {Code.RPC_AUTH, Code.COOKIE_MISSING, Code.COOKIE_UNREADABLE, Code.RPC_FORBIDDEN}
)
_STATES: Final = {
    Stage.RESOLVING: NodeState.RESOLVING,
    Stage.CONNECTING: NodeState.CONNECTING,
    Stage.HOST_KEY: NodeState.HOST_KEY,
    Stage.LOGIN: NodeState.LOGIN,
    Stage.DONE: NodeState.CHANNEL,
}


class Connect(Protocol):
    """Opens a tunnel: `tunnel.connect`, or a test's."""

    def __call__(
        self,
        target: NodeAddress,
        options: Any,
        asker: Asker,
        store: SshStore,
        *,
        on_stage: Callable[[Stage], None],
        secrets: SshSecrets | None,
    ) -> Awaitable[Tunnel]: ...


class NodeConnection:
    """The way to one node, from `start` to `close`, on one loop.

    `on_state` hears of every change; `on_remember(kind, value)` is told a "cookie" to keep.
    """

    def __init__(
        self,
        address: NodeAddress,
        options: NodeOptions,
        asker: Asker,
        store: SshStore,
        params: ChainParams,
        on_state: Callable[[NodeStatus], None] | None = None,
        *,
        on_remember: Callable[[str, str], Awaitable[None]] | None = None,
        ssh_secrets: SshSecrets | None = None,
        connect: Connect = connect,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._address = address
        self._options = options
        self._asker = asker
        self._store = store
        self._params = params
        self._on_state = on_state
        self._on_remember = on_remember
        self._secrets = ssh_secrets if ssh_secrets is not None else SshSecrets()
        self._connect = connect
        self._clock = clock
        self._wall_clock = wall_clock
        chance = rng if rng is not None else random.SystemRandom()
        self._tunnel_delay = RetryDelay(chance)
        self._node_delay = RetryDelay(chance, last=NODE_RETRY_SECONDS)
        self._rpc_port = options.rpc_port or RPC_PORTS[params.name]
        if isinstance(address, LocalNode) and address.port is not None:
            self._rpc_port = options.rpc_port or address.port
        self._p2p_port = options.p2p_port or P2P_PORTS[params.name]
        self._remembered = options.remembered_cookie
        self._status = NodeStatus(address=address.text)
        self._session: Session | None = None
        self._was_ready = False
        self._broken: BaseException | None = None  # an error of this program
        self._failure: NodeProblem | None = None  # what a user of the session met with
        self._changed = asyncio.Condition()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closed = False
        self._keeping: list[asyncio.Future[None]] = []
        is_elsewhere = not isinstance(address, LocalNode)
        self._contacts = Contacts(address.text) if is_elsewhere else None
        self._clients: list[NodeRpc] = []
        self._moved = (0, 0)  # bytes over this tunnel by clients that are closed
        self._sleep = SleepWatch(clock(), wall_clock())

    # What its users see

    @property
    def status(self) -> NodeStatus:
        return self._status

    @property
    def problem(self) -> NodeProblem | None:
        """Why there is no connection; None while there is one, or the first is being made."""
        return self._status.problem

    @property
    def session(self) -> Session | None:
        """The present session, if there is one."""
        return self._session

    def ledger(self) -> list[LedgerEntry]:
        """List the contacts with the node's machine since the start, the newest first.

        Attempts that failed are among them. A node on this computer is no contact.
        """
        if self._contacts is None:
            return []
        self._contacts.moved(*self._bytes())
        return self._contacts.entries()

    def start(self) -> None:
        """Begin to connect; returns at once. One that was closed stays so."""
        if not self._tasks and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(self._run()), loop.create_task(self._tick())]
            for task in self._tasks:
                task.add_done_callback(self._ended)

    async def ready(self) -> Session:
        """Wait until the node can be asked; starts the connection if nobody has.

        Raises NodeProblem when that cannot happen by itself.
        """
        self.start()
        async with self._changed:
            while True:
                if self._broken is not None:
                    raise self._broken
                if self._session is not None:
                    return self._session
                if self._status.state is NodeState.STOPPED and self._status.problem is not None:
                    raise self._status.problem
                if self._status.state is NodeState.OFF and not self._tasks:
                    raise connection_lost()
                await self._changed.wait()

    async def wait_lost(self, session: Session) -> None:
        """Return when this session is over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._session is not session)

    def failed(self, problem: NodeProblem) -> None:
        """Hear that somebody who used the session met with this: it is looked at anew.

        It goes on where the node still answers, so that scans which are on their way survive.
        """
        if self._session is not None:
            if problem.is_final:
                self._failure = problem
            self._wake.set()

    def network_changed(self) -> None:
        """Try at once what waits, and see whether the connection still holds."""
        self._tunnel_delay.reset()
        self._node_delay.reset()
        self._wake.set()

    def retry(self) -> None:
        """Try again after a problem that stopped the attempts: the person has changed something."""
        self.network_changed()
        if self._status.state is NodeState.STOPPED:
            self._tell(NodeState.RECONNECTING, None)

    async def close(self) -> None:
        """Hang up for good. Idempotent."""
        self._is_closed = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        keeping, self._keeping = self._keeping, []
        await asyncio.gather(*tasks, *keeping, return_exceptions=True)
        self._end_contact(_CLOSED)
        self._tell(NodeState.OFF, None)
        await self._notify()

    def _ended(self, task: "asyncio.Future[None]") -> None:
        """Let whoever waits hear of an error that is ours; there would be no end to the wait."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error
            self._tasks.append(asyncio.get_running_loop().create_task(self._notify()))

    # The tasks

    async def _run(self) -> None:
        while True:
            try:
                tunnel = await self._reach()
            except NodeProblem as problem:
                if self._contacts is not None:
                    self._contacts.failed(self._unix(), problem.title)
                await self._pause(problem, self._tunnel_delay)
                continue
            self._moved = (0, 0)
            if self._contacts is not None:
                self._contacts.connected(tunnel.server_version)
            outcome = _CLOSED
            try:
                try:
                    why_lost = await self._serve(tunnel)
                except NodeProblem as problem:
                    why_lost = problem
                outcome = why_lost.title
            finally:
                await tunnel.close()
                self._end_contact(outcome)
            await self._pause(why_lost, self._tunnel_delay)

    async def _reach(self) -> Tunnel:
        def on_stage(stage: Stage) -> None:
            self._tell(_STATES[stage], self._status.problem)

        if self._contacts is not None:
            self._contacts.begin(self._unix())
        return await self._connect(
            self._address,
            self._options.ssh,
            self._asker,
            self._store,
            on_stage=on_stage,
            secrets=self._secrets,
        )

    async def _serve(self, tunnel: Tunnel) -> NodeProblem:
        """Use one tunnel until it is lost; return why it was."""
        lost = asyncio.ensure_future(tunnel.wait_lost())
        self._node_delay.reset()
        self._tell(self._status.state, self._status.problem, via=tunnel.description)
        try:
            login = login_for(
                tunnel, self._options, self._params.name, self._remembered, self._remember
            )
            while not lost.done():
                problem = await self._try_node(tunnel, login, lost)
                if lost.done():
                    break
                if problem is None:
                    await self._notify()
                    continue
                pause = asyncio.ensure_future(self._pause(problem, self._node_delay))
                try:
                    await asyncio.wait([lost, pause], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await cancelled(pause)
            return lost.result()
        finally:
            await cancelled(lost)

    async def _try_node(
        self, tunnel: Tunnel, login: Credentials, lost: "asyncio.Future[NodeProblem]"
    ) -> NodeProblem | None:
        try:
            return await self._serve_node(tunnel, login, lost)
        except NodeProblem as problem:
            is_away = problem.code is Code.NODE_REFUSED and self._was_ready
            return node_stopped() if is_away else problem

    async def _serve_node(
        self, tunnel: Tunnel, login: Credentials, lost: "asyncio.Future[NodeProblem]"
    ) -> NodeProblem | None:
        """Make a session over a tunnel that holds, and keep it until it fails.

        None: it is to be made anew, for the node can do other things by now.
        """
        self._clients = clients = [
            client_for(tunnel, self._rpc_port, self._params, login, channels, self._clock)
            for channels in (2, 1, 1)
        ]
        rpc, scan_rpc, poll_rpc = clients
        try:
            self._tell(NodeState.RPC_LOGIN, self._status.problem)
            facts, p2p, choice = await unless(lost, self._examine(tunnel, rpc))
            session = Session(tunnel, rpc, scan_rpc, poll_rpc, facts, choice, self._p2p_port, p2p)
            began = self._clock()
            await self._publish(session)
            problem = await unless(lost, self._watch(session))
            if self._clock() - began > SHORT_LIFE:
                self._tunnel_delay.reset()
                self._node_delay.reset()
            return problem
        finally:
            self._session = None
            for client in clients:
                await client.close()
            self._moved = self._bytes()
            self._clients = []

    async def _examine(
        self, tunnel: Tunnel, rpc: NodeRpc
    ) -> tuple[NodeFacts | None, P2PFacts | None, Choice]:
        """Find out what the node can, waiting while it warms up."""
        wish = self._options.wish
        if wish.rung is Rung.P2P and (p2p := await self._served_filters(tunnel)) is not None:
            return None, p2p, choose(None, p2p=p2p, wish=wish)
        try:
            facts = await self._probe(rpc)
        except NodeProblem as problem:
            if problem.code not in LOGIN_IMPOSSIBLE or wish.rung is Rung.P2P:
                raise
            if (p2p := await self._served_filters(tunnel)) is None:
                raise
            return None, p2p, choose(None, p2p=p2p, wish=wish)
        self._tell(NodeState.CHECKING, None)
        # Asked only where the answer may matter: it costs a few ways there and back.
        matters = wish.tell_nothing or wish.rung is Rung.P2P or not facts.has_index
        p2p = await p2p_facts(tunnel, self._p2p_port, self._params) if matters else None
        return facts, p2p, choose(facts, p2p=p2p, wish=wish)

    async def _served_filters(self, tunnel: Tunnel) -> P2PFacts | None:
        """Tell what the P2P port offers, if that includes filters."""
        p2p = await p2p_facts(tunnel, self._p2p_port, self._params)
        return p2p if p2p is not None and p2p.has_filters else None

    async def _probe(self, rpc: NodeRpc) -> NodeFacts:
        while True:
            try:
                return await probe(rpc, self._params)
            except NodeProblem as problem:
                if problem.code is not Code.WARMING_UP:
                    raise
                self._tell(NodeState.WARMING_UP, problem)
                await self._notify()
                await asyncio.sleep(WARMING_SECONDS)

    async def _watch(self, session: Session) -> NodeProblem | None:
        """Look after a session: return the problem that ends it, None when it is out of date."""
        checked = self._clock()
        silent = 0
        while True:
            try:
                async with asyncio.timeout(HEALTH_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                is_asked = False
            else:
                self._wake.clear()
                is_asked = True
            if self._failure is not None:
                failure, self._failure = self._failure, None
                return failure
            now = self._clock()
            is_idle = now - session.rpc.last_answer >= HEALTH_SECONDS - 1
            if is_asked or is_idle or now - checked >= FACTS_SECONDS:
                checked = now
                try:
                    if not await self._is_up_to_date(session):
                        return None
                    silent = 0
                except NodeProblem as problem:
                    # A slow machine may be at work on a block or on our own scan; that the line
                    # holds is the tunnel's to see.
                    silent += 1
                    if problem.code not in _PATIENCE or silent >= MOST_SILENCES:
                        return problem

    async def _is_up_to_date(self, session: Session) -> bool:
        """Ask the node anew what it can: an index gets ready, a restart brings other options."""
        if session.facts is None:
            return True
        facts = await probe(session.rpc, self._params, seconds=HEALTH_TIMEOUT)
        self._tell(NodeState.READY, None, **told_by(facts, self._unix()))
        choice = choose(facts, p2p=session.p2p, wish=self._options.wish)
        return choice == session.choice and facts.version == session.facts.version

    async def _pause(self, problem: NodeProblem, delay: RetryDelay) -> None:
        """Tell what is wrong and wait: a while, or for `retry` where waiting alone is no use."""
        if problem.is_final:
            self._wake.clear()
            self._tell(NodeState.STOPPED, problem)
            await self._notify()
            while self._status.state is NodeState.STOPPED:
                await self._wake.wait()
                self._wake.clear()
            return
        self._tell(NodeState.RECONNECTING, problem)
        await self._notify()
        try:
            async with asyncio.timeout(delay.next()):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.look_at_clocks()

    def look_at_clocks(self) -> None:
        """See whether the computer has slept."""
        if self._sleep.has_slept(self._clock(), self._wall_clock()):
            self.network_changed()

    # Parts

    async def _remember(self, cookie: str) -> None:
        self._remembered = cookie
        if self._session is not None:
            self._wake.set()  # the node was started anew, perhaps as another version
        if self._on_remember is not None:
            # Beside the call that was just answered, which need not wait for a disk.
            task = asyncio.ensure_future(self._on_remember("cookie", cookie))
            task.add_done_callback(self._ended)
            self._keeping = [each for each in self._keeping if not each.done()]
            self._keeping.append(task)

    async def _publish(self, session: Session) -> None:
        facts = session.facts
        self._session = session
        self._was_ready = True
        self._failure = None
        self._wake.clear()
        self._tell(
            NodeState.READY,
            None,
            rung=session.choice.sentence,
            learns=session.choice.learns,
            **(told_by(facts, self._unix()) if facts is not None else {}),
        )
        await self._notify()

    def _tell(self, state: NodeState, problem: NodeProblem | None, **changes: Any) -> None:
        status = replace(self._status, state=state, problem=problem, **changes)
        if status != self._status:
            self._status = status
            if self._on_state is not None:
                self._on_state(status)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _end_contact(self, outcome: str) -> None:
        if self._contacts is not None:
            self._contacts.moved(*self._bytes())
            self._contacts.ended(self._unix(), outcome)

    def _bytes(self) -> tuple[int, int]:
        inbound = self._moved[0] + sum(client.inbound_bytes for client in self._clients)
        outbound = self._moved[1] + sum(client.outbound_bytes for client in self._clients)
        return inbound, outbound

    def _unix(self) -> int:
        return int(self._wall_clock())
