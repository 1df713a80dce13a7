"""Tests the way to a person's own node in thirteen steps, and says what the first broken one needs.

It opens the tunnel as the wallet would, asks what listens at its end, logs in and looks at the
node's state. It changes nothing over there, opens no port here, and closes all it has opened, also
when it is cancelled. The window and the command line use it alike.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from wallet_gui.chain.bitcoind import findings, steps
from wallet_gui.chain.bitcoind.connection import LOGIN_IMPOSSIBLE
from wallet_gui.chain.bitcoind.credentials import COOKIE_USER, Credentials
from wallet_gui.chain.bitcoind.networks import P2P_PORTS, RPC_PORTS
from wallet_gui.chain.bitcoind.node_facts import NodeFacts
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.port_kind import PortFinding, PortKind, greet, port_kind
from wallet_gui.chain.bitcoind.probe import probe
from wallet_gui.chain.bitcoind.problems import (
    Code,
    NodeProblem,
    RpcError,
    node_silent,
    node_stopped,
    not_a_node,
    p2p_to_rpc,
    rpc_to_p2p,
    scan_busy,
    wrong_network,
)
from wallet_gui.chain.bitcoind.report import Particulars
from wallet_gui.chain.bitcoind.rights import calls_refused, refused_calls
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.bitcoind.rungs import Choice, P2PFacts, Rung, choose
from wallet_gui.chain.bitcoind.session import client_for, login_for
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, NodeAddress, SshTarget
from wallet_gui.chain.bitcoind.steps import Report, Step
from wallet_gui.chain.bitcoind.ticks import Finding, OnResult, Ticks, TimedAsker
from wallet_gui.chain.bitcoind.tunnel import (
    Asker,
    Channel,
    SshSecrets,
    SshStore,
    Stage,
    Tunnel,
    connect,
)
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.primitives.params import ChainParams

_T = TypeVar("_T")

LOOPBACK: Final = "127.0.0.1"
PORT_SECONDS: Final = 3.0
WARM_UP_SECONDS: Final = 30.0
_WARM_UP_PAUSE: Final = 1.0
# How long the reason for a lost tunnel may take to be known after a call has failed by it.
_REASON_SECONDS: Final = 0.5

_STEP_OF_STAGE: Final = {
    Stage.RESOLVING: steps.MACHINE,
    Stage.CONNECTING: steps.SSH,
    Stage.HOST_KEY: steps.IDENTITY,
    Stage.LOGIN: steps.LOGIN,
}
# Which step a problem belongs to, whatever was going on when it showed: the system's ssh tells of
# no stages, and a missing key is noticed before anything is connected to.
_STEP_OF_CODE: Final = {
    Code.HOST_UNKNOWN: steps.MACHINE,
    Code.SSH_REFUSED: steps.SSH,
    Code.HOST_UNREACHABLE: steps.SSH,
    Code.SSH_SILENT: steps.SSH,
    Code.PORT_IS_RPC: steps.SSH,
    Code.PORT_IS_P2P: steps.SSH,
    Code.NOT_SSH: steps.SSH,
    Code.SSH_TURNED_AWAY: steps.SSH,
    Code.NO_COMMON_ALGORITHM: steps.SSH,
    Code.HOST_KEY_UNKNOWN: steps.IDENTITY,
    Code.HOST_KEY_CHANGED: steps.IDENTITY,
    Code.AUTH_REFUSED: steps.LOGIN,
    Code.NO_KEY: steps.LOGIN,
    Code.KEY_FILE_MISSING: steps.LOGIN,
    Code.KEY_IS_PUBLIC: steps.LOGIN,
    Code.KEY_UNREADABLE: steps.LOGIN,
    Code.PASSPHRASE_NEEDED: steps.LOGIN,
    Code.PASSPHRASE_WRONG: steps.LOGIN,
    Code.FORWARDING_REFUSED: steps.TUNNEL,
    Code.NODE_REFUSED: steps.BITCOIND,
    Code.WRONG_NETWORK: steps.NETWORK,
    Code.TOO_OLD: steps.VERSION,
}
# Noticed on this computer, before anybody else was asked anything.
_BEFORE_CONNECTING: Final = frozenset(
    {
        Code.NO_KEY,
        Code.KEY_FILE_MISSING,
        Code.KEY_IS_PUBLIC,
        Code.KEY_UNREADABLE,
        Code.PASSPHRASE_NEEDED,
        Code.PASSPHRASE_WRONG,
    }
)


async def examine(
    address: NodeAddress,
    options: NodeOptions,
    asker: Asker,
    store: SshStore,
    params: ChainParams,
    *,
    on_result: OnResult,
    secrets: SshSecrets | None = None,
    warm_up_seconds: float = WARM_UP_SECONDS,
) -> Report:
    """Go through the thirteen steps; the first one that fails ends the test.

    Every step is told to `on_result` when it begins and when it ends, those behind a failure as
    SKIPPED. `secrets` may hold what the person was asked before. While bitcoind starts, it is
    waited for up to `warm_up_seconds`. Raises nothing but CancelledError.
    """
    examination = _Examination(address, options, store, params, Ticks(on_result))
    return await examination.run(asker, secrets, warm_up_seconds)


class _Stopped(Exception):
    """A step has failed; it is told already."""


class _Examination:
    """One test, from the address to the report."""

    def __init__(
        self,
        address: NodeAddress,
        options: NodeOptions,
        store: SshStore,
        params: ChainParams,
        ticks: Ticks,
    ) -> None:
        self._address = address
        self._options = options
        self._store = store
        self._params = params
        self._ticks = ticks
        named = address.port if isinstance(address, LocalNode) else None
        self._rpc_port = options.rpc_port or named or RPC_PORTS[params.name]
        self._p2p_port = options.p2p_port or P2P_PORTS[params.name]
        self._host = address.host if isinstance(address, SshTarget) else "this computer"
        self._tunnel: Tunnel | None = None
        self._open_now = contextlib.AsyncExitStack()

    async def run(self, asker: Asker, secrets: SshSecrets | None, warm_up_seconds: float) -> Report:
        """Give the report; the steps are told on the way."""
        choice = None
        with contextlib.suppress(_Stopped):
            async with self._open_now:
                choice = await self._examine(asker, secrets, warm_up_seconds)
        return Report(self._ticks.results, choice, self._params.name, self._private())

    async def _examine(
        self, asker: Asker, secrets: SshSecrets | None, warm_up_seconds: float
    ) -> Choice:
        tunnel = await self._reach(asker, secrets)
        if not self._ticks.is_done(steps.TUNNEL):
            await self._step(steps.TUNNEL, self._may_tunnel(tunnel))
        if self._options.wish.rung is Rung.P2P:
            return await self._examine_p2p(tunnel)
        await self._step(steps.BITCOIND, self._identify(tunnel))
        rpc, greeting = await self._step(
            steps.RPC_LOGIN, self._log_in_or_greet(tunnel, warm_up_seconds)
        )
        if greeting is not None:
            return self._consider_greeting(greeting)
        facts = await self._step(steps.NETWORK, self._look(rpc))
        for step, find in findings.OF_FACTS.items():
            await self._step(step, self._consider(find, facts, rpc))
        await self._step(steps.FEES, self._fees(rpc, facts))
        return choose(facts, p2p=_p2p(await self._greet(tunnel)), wish=self._options.wish)

    async def _examine_p2p(self, tunnel: Tunnel) -> Choice:
        """Steps 6 to 13 for a node that is read over its P2P port only."""
        greeting = await self._step(steps.BITCOIND, self._find_p2p(tunnel))
        self._ticks.skip(steps.RPC_LOGIN, "not needed: only the P2P port is used")
        return self._consider_greeting(greeting)

    def _consider_greeting(self, greeting: PortFinding) -> Choice:
        for step, find in findings.OF_GREETING.items():
            self._ticks.begin(step)
            self._ticks.end(step, find(greeting))
        return choose(None, p2p=_p2p(greeting), wish=self._options.wish)

    async def _step(self, step: Step, asked: Awaitable[tuple[_T, Finding]]) -> _T:
        """Make one step; raise _Stopped when it fails."""
        self._ticks.begin(step)
        try:
            value, finding = await asked
        except NodeProblem as problem:
            problem = await self._reason(problem)
            self._ticks.fail(_STEP_OF_CODE.get(problem.code, step), problem)
            raise _Stopped from None
        self._ticks.end(step, finding)
        return value

    async def _reason(self, problem: NodeProblem) -> NodeProblem:
        """Say why a call's connection was lost: the way to the node, or the node itself."""
        if problem.code is Code.NODE_REFUSED and self._ticks.is_done(steps.BITCOIND):
            return node_stopped()
        if problem.code is not Code.CONNECTION_LOST or self._tunnel is None:
            return problem
        try:
            async with asyncio.timeout(_REASON_SECONDS):
                return await self._tunnel.wait_lost()
        except TimeoutError:
            pass
        try:
            (await self._tunnel.open_channel(LOOPBACK, self._rpc_port)).abort()
        except NodeProblem as why:
            return node_stopped() if why.code is Code.NODE_REFUSED else why
        return problem

    # --- the way: steps 1 to 6

    async def _reach(self, asker: Asker, secrets: SshSecrets | None) -> Tunnel:
        """Steps 1 to 4 come out of one connection."""
        self._ticks.begin(steps.MACHINE)
        try:
            tunnel = await connect(
                self._address,
                self._options.ssh,
                TimedAsker(asker, self._ticks),
                self._store,
                on_stage=self._begin_stage,
                secrets=secrets,
            )
        except NodeProblem as problem:
            self._end_before(problem)
            raise _Stopped from None
        self._tunnel = tunnel
        self._open_now.push_async_callback(tunnel.close)
        if isinstance(self._address, LocalNode):
            self._ticks.end(steps.MACHINE, Finding(self._host))
            for step in (steps.SSH, steps.IDENTITY, steps.LOGIN, steps.TUNNEL):
                self._ticks.skip(step, "not needed on this computer")
            return tunnel
        self._begin_stage(Stage.LOGIN)
        for step, words in (
            (steps.SSH, tunnel.server_version.removeprefix("SSH-2.0-")),
            (steps.IDENTITY, tunnel.host_key_fingerprint),
            (steps.LOGIN, tunnel.auth_method),
        ):
            self._ticks.end(step, Finding(words))
        return tunnel

    def _begin_stage(self, stage: Stage) -> None:
        """A stage of the connection begins: what comes before it is done."""
        step = _STEP_OF_STAGE.get(stage)
        if step is not None and not self._ticks.is_done(step):
            self._end_until(step)
            # Until the first stage, only our own SSH library was loaded.
            self._ticks.begin(step, anew=stage is Stage.RESOLVING)

    def _end_until(self, step: Step) -> None:
        for earlier in steps.STEPS[: step.number - 1]:
            if not self._ticks.is_done(earlier):
                self._ticks.end(earlier, Finding(self._host if earlier == steps.MACHINE else ""))

    def _end_before(self, problem: NodeProblem) -> None:
        """Fail the step to which a problem with the connection belongs."""
        step = _STEP_OF_CODE.get(problem.code, self._ticks.running or steps.MACHINE)
        if problem.code in _BEFORE_CONNECTING:
            for earlier in steps.STEPS[: step.number - 1]:
                if not self._ticks.is_done(earlier):
                    self._ticks.skip(earlier, "not asked yet")
        self._end_until(step)
        self._ticks.fail(step, problem)

    async def _may_tunnel(self, tunnel: Tunnel) -> tuple[None, Finding]:
        try:
            (await tunnel.open_channel(LOOPBACK, self._rpc_port)).abort()
        except NodeProblem as problem:
            # Refused by the node's machine, after the server had let us through.
            if problem.code is not Code.NODE_REFUSED:
                raise
        return None, Finding(f"to {LOOPBACK}:{self._rpc_port}, and nothing listens here")

    async def _identify(self, tunnel: Tunnel) -> tuple[None, Finding]:
        """Make sure that each port speaks what it should."""
        port, network = self._rpc_port, self._params.name
        found = await port_kind(self._opener(tunnel, port), self._params, PORT_SECONDS)
        match found.kind:
            case PortKind.RPC:
                pass
            case PortKind.P2P:
                raise rpc_to_p2p(port, RPC_PORTS[network])
            case PortKind.SILENT:
                raise node_silent("the first request", 2 * PORT_SECONDS)
            case _:
                raise not_a_node(port, f"It is {found.kind.value}.")
        if self._options.p2p_port is not None and await self._is_rpc(tunnel, self._p2p_port):
            raise p2p_to_rpc(self._p2p_port, P2P_PORTS[network])
        return None, Finding(f"on {LOOPBACK}:{port}")

    async def _is_rpc(self, tunnel: Tunnel, port: int) -> bool:
        """Whether a port that should speak P2P is the RPC; a closed one is no mistake."""
        try:
            found = await port_kind(self._opener(tunnel, port), self._params, PORT_SECONDS)
        except NodeProblem:
            return False
        return found.kind is PortKind.RPC

    # --- the node: steps 7 to 13

    async def _find_p2p(self, tunnel: Tunnel) -> tuple[PortFinding, Finding]:
        port, network = self._p2p_port, self._params.name
        found = await port_kind(self._opener(tunnel, port), self._params, PORT_SECONDS)
        match found.kind:
            case PortKind.P2P if found.network == network:
                if not found.services & Services.COMPACT_FILTERS:
                    raise findings.no_filters_served(port)
                return found, Finding(f"its P2P port, on {LOOPBACK}:{port}")
            case PortKind.P2P:
                raise wrong_network(network, found.network or "a network of its own")
            case PortKind.RPC:
                raise p2p_to_rpc(port, P2P_PORTS[network])
            case PortKind.SILENT:
                raise node_silent("the greeting", 2 * PORT_SECONDS)
            case _:
                raise not_a_node(port, f"It is {found.kind.value}.")

    async def _log_in_or_greet(
        self, tunnel: Tunnel, warm_up_seconds: float
    ) -> tuple[tuple[NodeRpc, PortFinding | None], Finding]:
        """Log in; where that is impossible, a P2P port that serves filters is enough."""
        options, params = self._options, self._params
        try:
            login = login_for(tunnel, options, params.name, options.remembered_cookie, None)
        except ValueError as error:
            raise NodeProblem(Code.RPC_AUTH, str(error), is_final=True) from None
        rpc = client_for(tunnel, self._rpc_port, params, login, 2, time.monotonic)
        self._open_now.push_async_callback(rpc.close)
        try:
            return (rpc, None), await self._log_in(rpc, login, warm_up_seconds)
        except NodeProblem as problem:
            if problem.code not in LOGIN_IMPOSSIBLE:
                raise
            greeting = await self._greet(tunnel)
            if greeting is None or not greeting.services & Services.COMPACT_FILTERS:
                raise
            words = "no, but its P2P port serves filters: that will do"
            return (rpc, greeting), Finding(words, problem)

    async def _log_in(
        self, rpc: NodeRpc, credentials: Credentials, warm_up_seconds: float
    ) -> Finding:
        await self._wait_until_warm(rpc, warm_up_seconds)
        refused = await refused_calls(rpc)
        if refused:
            raise calls_refused(refused, credentials.user)
        is_cookie = credentials.user == COOKIE_USER
        return Finding("with its cookie" if is_cookie else f"as user {credentials.user}")

    async def _wait_until_warm(self, rpc: NodeRpc, seconds: float) -> None:
        """Wait while bitcoind starts, and show its own words meanwhile."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                await rpc.call("uptime")
            except RpcError as error:
                if error.code is not Code.WARMING_UP:
                    raise
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                self._ticks.begin(steps.RPC_LOGIN, error.title)
                await asyncio.sleep(min(_WARM_UP_PAUSE, seconds))
            except NodeProblem as problem:
                # That one call is forbidden tells nothing yet of the others.
                if problem.code is not Code.RPC_WHITELIST:
                    raise
                return
            else:
                return

    async def _look(self, rpc: NodeRpc) -> tuple[NodeFacts, Finding]:
        facts = await probe(rpc, self._params)
        return facts, findings.network(facts)

    async def _consider(
        self, find: Callable[[NodeFacts], Finding], facts: NodeFacts, rpc: NodeRpc
    ) -> tuple[None, Finding]:
        finding = find(facts)
        if find is findings.lookup and finding.problem is None and await _is_scanning(rpc):
            finding = Finding(f"{finding.words}; another program uses it now", scan_busy())
        return None, finding

    async def _fees(self, rpc: NodeRpc, facts: NodeFacts) -> tuple[None, Finding]:
        estimate = await rpc.call("estimatesmartfee", findings.FEE_TARGET)
        return None, findings.fees(estimate, facts)

    async def _greet(self, tunnel: Tunnel) -> PortFinding | None:
        """Look at the P2P port, which may be closed or forbidden: RPC is enough."""
        try:
            return await greet(self._opener(tunnel, self._p2p_port), self._params, PORT_SECONDS)
        except NodeProblem:
            return None

    def _opener(self, tunnel: Tunnel, port: int) -> Callable[[], Awaitable[Channel]]:
        return lambda: tunnel.open_channel(LOOPBACK, port)

    def _private(self) -> Particulars:
        """All that the report must not show, as far as it is known here."""
        hosts: set[str | None] = set()
        users: set[str | None] = {self._options.user}
        if isinstance(self._address, SshTarget):
            hosts.add(self._address.host)
            users.add(self._address.user)
        if self._tunnel is not None:
            hosts.add(self._tunnel.description.rpartition("@")[2])
        hosts -= {LOOPBACK, "localhost", "::1"}
        paths = {self._options.ssh.key_path, self._options.cookie_path, str(self._store.key_path)}
        secrets = {self._options.password, self._options.remembered_cookie}
        return Particulars(
            hosts=_known(hosts), users=_known(users), paths=_known(paths), secrets=_known(secrets)
        )


async def _is_scanning(rpc: NodeRpc) -> bool:
    """Whether some program has the node scan at the moment: ours would have to wait."""
    for method in ("scanblocks", "scantxoutset"):
        with contextlib.suppress(RpcError):
            if await rpc.call(method, "status") is not None:
                return True
    return False


def _p2p(greeting: PortFinding | None) -> P2PFacts | None:
    if greeting is None:
        return None
    return P2PFacts(
        has_filters=bool(greeting.services & Services.COMPACT_FILTERS),
        keeps_all_blocks=bool(greeting.services & Services.NETWORK),
    )


def _known(texts: set[str | None]) -> frozenset[str]:
    return frozenset(text for text in texts if text)
