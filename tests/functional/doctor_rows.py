"""The rows of the failure tables, and what it takes to play one through the doctor.

A row is named as in the catalogue: C.1 is SSH, C.2 is HTTP and RPC. A play brings a real sshd and a
real bitcoind into the state of its row, or, marked so, a scripted stand-in where another version, a
fail2ban or a state that lasts milliseconds would be needed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.sshd import Answers, MemoryStore, Sshd, running_sshd
from wallet_gui.chain.bitcoind.doctor import examine
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, NodeAddress
from wallet_gui.chain.bitcoind.steps import Report, Status, Step, StepResult
from wallet_gui.chain.bitcoind.tunnel import SshOptions
from wallet_gui.primitives.params import REGTEST, ChainParams

# A port on which nobody listens: the P2P port of a node that has none, so that RPC has to do.
NO_PORT = 9

C1 = (
    "host name unknown",
    "SSH port closed",
    "unreachable",
    "silent",
    "that port is bitcoind RPC",
    "that port is bitcoind P2P",
    "MaxStartups / fail2ban",
    "host key unknown",
    "host key changed",
    "known_hosts file missing",
    "wrong key / user / password off",
    "no agent, no key",
    "key file missing",
    "key file is .pub",
    "passphrase needed",
    "passphrase wrong",
    "2FA",
    "no common algorithm",
    "forwarding forbidden: AllowTcpForwarding no",
    "forwarding forbidden: PermitOpen",
    "forwarding forbidden: permitopen",
    "RPC port closed on the node",
    "session killed in mid-request",
    "network dead",
    "use after loss",
)
C2 = (
    "RPC request sent to a P2P port",
    "P2P version sent to RPC port",
    "refused",
    "wrong password",
    "old cookie",
    "IP not allowed",
    "rpcwhitelist",
    "warming up",
    "node stopped",
    "node restarted",
    "no wallet / unknown / many",
    "wallet support off",
    "createwallet / loadwallet twice",
    "no filter index",
    "REST off",
    "pruned block",
    "rescan on pruned",
    "wallet left behind by pruning",
    "wrong network",
    "queue full",
    "scan busy",
    "rescan busy",
    "body > 32 MiB",
    "header > 8 kB",
    "big replies",
    "idle",
    "JSON-RPC 2.0",
)


@dataclass
class Rig:
    """What a play is made of: `node` is shared, `make_node` starts another."""

    node: Node
    make_node: NodeFactory
    tmp_path: Path
    monkeypatch: pytest.MonkeyPatch
    told: list[StepResult] = field(default_factory=list)
    on_result: Callable[[StepResult], None] = lambda _: None
    private: set[str] = field(default_factory=set)
    implementation: Literal["asyncssh", "system"] = "asyncssh"

    def sshd(self, **settings: Any) -> AbstractAsyncContextManager[Sshd]:
        return running_sshd(**settings)

    def options(
        self, ssh: SshOptions | None = None, node: Node | None = None, **changes: Any
    ) -> NodeOptions:
        """How to use a node, the shared one unless another is given; no P2P port in reserve."""
        node = node or self.node
        ssh = replace(ssh or SshOptions(), implementation=self.implementation)
        made = NodeOptions(
            ssh=ssh,
            rpc_port=node.rpc_port,
            cookie_path=str(cookie_of(node)),
        )
        return replace(made, **changes)

    async def examine(
        self,
        address: NodeAddress,
        options: NodeOptions,
        *,
        asker: Answers | None = None,
        store: MemoryStore | None = None,
        params: ChainParams = REGTEST,
        warm_up_seconds: float = 0.2,
    ) -> Report:
        def tell(result: StepResult) -> None:
            self.told.append(result)
            self.on_result(result)

        return await examine(
            address,
            options,
            asker or Answers(),
            store or MemoryStore(),
            params,
            on_result=tell,
            warm_up_seconds=warm_up_seconds,
        )

    async def through(
        self,
        server: Sshd,
        *,
        ssh: dict[str, Any] | None = None,
        node: Node | None = None,
        asker: Answers | None = None,
        store: MemoryStore | None = None,
        params: ChainParams = REGTEST,
        user: str | None = None,
        user_name: str | None = None,
        **changes: Any,
    ) -> Report:
        """Examine a node through this server, with a key that it accepts unless `ssh` differs.

        `user` logs in at the server, `user_name` at bitcoind.
        """
        changes["user"] = user_name
        options = self.options(replace(server.options, **(ssh or {})), node, **changes)
        target = server.target if user is None else replace(server.target, user=user)
        store = store or server.store()
        if self.implementation == "system":
            # That one reads the file itself.
            store.known_hosts_path = self.tmp_path / "known_hosts"
            store.known_hosts_path.write_bytes(store.known_hosts())
        return await self.examine(target, options, asker=asker, store=store, params=params)

    async def local(
        self, node: Node | None = None, *, params: ChainParams = REGTEST, **changes: Any
    ) -> Report:
        """Examine a node on this computer."""
        options = self.options(None, node, **changes)
        return await self.examine(LocalNode(), options, params=params)

    def when(self, step: Step, act: Callable[[], None]) -> None:
        """Do something the moment a step begins."""

        def on_result(result: StepResult) -> None:
            if result.step == step and result.status is Status.RUNNING:
                act()

        self.on_result = on_result


Play = Callable[[Rig], Awaitable[Report]]


@dataclass(frozen=True)
class Case:
    """A row, how it is brought about, and how it has to end.

    `code` is None where the program gets over it and nothing fails. `words` have to stand in the
    sentence, or in the step's words when nothing fails.
    """

    row: str
    name: str
    play: Play
    code: Code | None
    step: Step | None
    words: tuple[str, ...]
    is_stand_in: bool

    @property
    def id(self) -> str:
        return f"{self.row}: {self.name}{' (stand-in)' if self.is_stand_in else ''}"


CASES: list[Case] = []


def case(
    row: str, code: Code | None, step: Step | None, *words: str, stand_in: bool = False
) -> Callable[[Play], Play]:
    """Note a play for a row; it ends with that code at that step, and says these words."""
    assert row in C1 + C2, row

    def note(play: Play) -> Play:
        name = getattr(play, "__name__", "").replace("_", " ")
        CASES.append(Case(row, name, play, code, step, words, stand_in))
        return play

    return note


def cookie_of(node: Node) -> Path:
    return node.directory / node.network / ".cookie"


async def in_thread(act: Callable[[], Any]) -> Any:
    """Run what blocks, such as starting a node."""
    return await asyncio.to_thread(act)
