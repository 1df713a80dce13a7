"""NodeKeeper: the person's node as the online side keeps it: its secrets, SSH files and tests.

Secrets. The RPC password and the last cookie lie in the view box of the wallet that was opened
last, under "node"; while no wallet is open they are in memory only. What opens an SSH key file, and
passwords of the server, are in memory only, always.
"""

import asyncio
import getpass
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wallet_gui.app.node_choice import NodeChoice, NodeSecrets
from wallet_gui.app.node_source import NodePlan
from wallet_gui.app.p2p_choice import NotPossible
from wallet_gui.app.published import NodeTestResult, OwnSshKey
from wallet_gui.chain.bitcoind.networks import FOLDERS, P2P_PORTS, RPC_PORTS
from wallet_gui.chain.bitcoind.ssh_target import SSH_PORT, SshTarget
from wallet_gui.chain.bitcoind.steps import StepResult
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    Asker,
    SshSecrets,
)
from wallet_gui.chain.reports import LedgerEntry, Purpose, Route
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import StorageError
from wallet_gui.storage.ssh_files import SshFiles

if TYPE_CHECKING:
    from wallet_gui.app.session import WalletSession

logger = logging.getLogger(__name__)

KEPT_AS: Final = "node"
"""The name under which a wallet keeps the secrets of the node."""


class NodeKeeper:
    """One per online side. `asker` is set by the window; until then nobody is asked."""

    def __init__(
        self,
        params: ChainParams,
        root: Path,
        note_contacts: Callable[[Sequence[LedgerEntry]], None],
        *,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        self._params = params
        self._note_contacts = note_contacts
        self._clock = clock
        self._secrets = NodeSecrets()
        self._keeper: WalletSession | None = None
        self.ssh_files = SshFiles(root)
        self.ssh_secrets = SshSecrets()
        self.asker: Asker | None = None
        self.for_now: NodeChoice | None = None

    # --- secrets

    async def use_for_now(self, choice: NodeChoice) -> None:
        """Put this in the place of what is stored, until something else is chosen."""
        self.for_now = choice
        await self.take_password(choice, None)

    def has_password(self, choice: NodeChoice) -> bool:
        """Whether the password of this node is known."""
        return bool(choice.secrets(self._secrets).password)

    async def take_password(self, choice: NodeChoice, session: "WalletSession | None") -> None:
        """Take over what was typed; it is kept in the wallet when one is open."""
        self._secrets = choice.secrets(self._secrets)
        self._keeper = session
        await self._keep()

    async def wallet_opened(self, choice: NodeChoice, session: "WalletSession") -> bool:
        """Take over what a wallet holds for this node; whether that opens a way that was closed."""
        self._keeper = session
        known, found = (
            choice.secrets(self._secrets),
            NodeSecrets.from_json(session.kept_setting(KEPT_AS)),
        )
        if not choice.uses_node:
            return False
        if known.password or known.cookie:
            # Learned while no wallet was open.
            self._secrets = known
            await self._keep()
            return False
        self._secrets = choice.secrets(found)
        return bool(choice.node.user and self._secrets.password)

    def wallet_closed(self, session: "WalletSession") -> None:
        """Write nothing into a wallet that was closed; what is in memory serves on."""
        if self._keeper is session:
            self._keeper = None

    async def _remember(self, address: str, cookie: str) -> None:
        """Remember the cookie that the node has just taken."""
        if self._secrets.address in ("", address) and self._secrets.cookie != cookie:
            self._secrets = replace(self._secrets, address=address, cookie=cookie)
            try:
                await self._keep()
            except StorageError as error:
                # It is read again from the node at the next start.
                logger.warning("Keeping the node's cookie failed: %s", type(error).__name__)

    async def _keep(self) -> None:
        keeper = self._keeper
        if keeper is None or self._secrets == NodeSecrets():
            return
        kept = NodeSecrets.from_json(keeper.kept_setting(KEPT_AS))
        if kept.password and kept.address != self._secrets.address and not self._secrets.password:
            return  # A node that is used for once does not cost another one its password.
        await keeper.keep_setting(KEPT_AS, self._secrets.to_json())

    # --- how to reach it

    def plan(self, choice: NodeChoice, why_not_direct: str = "") -> NodePlan | None:
        """What the selector may use of it; None when only public peers are wanted."""
        if not choice.uses_node:
            return None
        from wallet_gui.app.node_access import CountingAsker, NodeAccess  # noqa: PLC0415

        try:
            address = choice.address()
            choice.options(self._secrets)
        except NotPossible as error:
            return NodePlan(
                None,
                why_not=str(error),
                may_go_direct=choice.may_go_direct,
                why_not_direct=why_not_direct,
            )
        source = NodeAccess(
            self._params,
            choice.without_password(),
            address,
            self.ssh_files,
            self.ssh_secrets,
            CountingAsker(lambda: self.asker),
            lambda: self._secrets,
            self._remember,
        )
        return NodePlan(source, may_go_direct=choice.may_go_direct, why_not_direct=why_not_direct)

    async def test(
        self, choice: NodeChoice, asker: Asker, on_result: Callable[[StepResult], None]
    ) -> NodeTestResult:
        """Go through the thirteen steps. Raises NotPossible when nothing can be tried."""
        from wallet_gui.chain.bitcoind.doctor import examine  # noqa: PLC0415

        address = choice.address()
        options = choice.options(self._secrets)
        began = self._clock()
        outcome = "The test was stopped."
        try:
            report = await examine(
                address,
                options,
                asker,
                self.ssh_files,
                self._params,
                on_result=on_result,
                secrets=self.ssh_secrets,
            )
            outcome = "All steps passed." if report.is_ready else "A step failed."
        finally:
            self._note_contacts(
                (
                    LedgerEntry(
                        address.text,
                        Purpose.NODE_TEST,
                        Route.SSH if isinstance(address, SshTarget) else Route.DIRECT,
                        began,
                        self._clock(),
                        outcome=outcome,
                    ),
                )
            )
        return NodeTestResult(
            is_ready=report.is_ready,
            sentence=report.sentence if report.is_ready else "",
            report=report.redacted_text(),
        )

    # --- SSH

    async def aliases(self) -> tuple[str, ...]:
        """The hosts that the person's ssh configuration names."""
        from wallet_gui.chain.bitcoind.ssh_config import read_user_config  # noqa: PLC0415

        config = await asyncio.to_thread(read_user_config, Path.home())
        return tuple(config.aliases())

    async def forget_server(self, choice: NodeChoice) -> bool:
        """Forget the identity of the node's machine; whether it was known here.

        Raises NotPossible when there is no address, OSError when the disk refuses.
        """
        target = choice.address()
        if not isinstance(target, SshTarget):
            return False
        host, port = await asyncio.to_thread(_known_as, target)
        self.ssh_secrets.forget()
        return await asyncio.to_thread(self.ssh_files.forget, host, port)

    async def make_key(self, choice: NodeChoice) -> OwnSshKey:
        """Make the program's own key unless there is one; raises OSError or NotPossible."""
        from wallet_gui.chain.bitcoind.ssh_keys import (  # noqa: PLC0415
            authorized_line,
            make_key,
            permits,
        )

        node, name = choice.node, self._params.name
        rpc_port = node.rpc_port or RPC_PORTS[name]
        p2p_port = node.p2p_port or P2P_PORTS[name]
        folder = f"{FOLDERS[name]}/" if FOLDERS[name] else ""
        cookie = None if node.user else node.cookie_path or f".bitcoin/{folder}.cookie"
        try:
            public = await asyncio.to_thread(make_key, self.ssh_files)
            line = authorized_line(public, rpc_port, p2p_port, cookie)
        except ParseError as error:
            raise NotPossible(str(error)) from None
        return OwnSshKey(line, permits(rpc_port, p2p_port, cookie))

    async def key(self, choice: NodeChoice) -> OwnSshKey | None:
        """The line of the key that was made; None while there is none."""
        if await asyncio.to_thread(self.ssh_files.key) is None:
            return None
        return await self.make_key(choice)


def _known_as(target: SshTarget) -> tuple[str, int]:
    """Under which name and port known_hosts has a machine: an alias stands for another name."""
    from wallet_gui.chain.bitcoind.ssh_config import read_user_config  # noqa: PLC0415

    home = Path.home()
    try:
        last = read_user_config(home).route(target, getpass.getuser(), str(home))[-1]
    except ParseError:
        return target.host, target.port or SSH_PORT
    return last.key_name, last.port
