"""Opens the way to a node: a `Tunnel` for an address, whichever of the three kinds it takes.

Cheap to import; the SSH library (0.3 s) is loaded by the first `connect` that needs it.
"""

import asyncio
import importlib
from collections.abc import Callable
from typing import Final

from wallet_gui.chain.bitcoind.local_socket import LocalTunnel
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, NodeAddress
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    MOST_OF_A_FILE,
    MOST_OF_A_FORCED_OUTPUT,
    Asker,
    Channel,
    HostKeyQuestion,
    ReadFile,
    SecretKind,
    SecretQuestion,
    SshOptions,
    SshSecrets,
    SshStore,
    Stage,
    Tunnel,
    no_stage,
)

__all__ = [
    "MOST_OF_A_FILE",
    "MOST_OF_A_FORCED_OUTPUT",
    "Asker",
    "Channel",
    "HostKeyQuestion",
    "ReadFile",
    "SecretKind",
    "SecretQuestion",
    "SshOptions",
    "SshSecrets",
    "SshStore",
    "Stage",
    "Tunnel",
    "connect",
    "no_stage",
]

_SSH: Final = "wallet_gui.chain.bitcoind.ssh_session"


async def connect(
    target: NodeAddress,
    options: SshOptions,
    asker: Asker,
    store: SshStore,
    *,
    on_stage: Callable[[Stage], None] = no_stage,
    secrets: SshSecrets | None = None,
) -> Tunnel:
    """Open the way to a node; raises NodeProblem. Cancelling it leaves nothing open."""
    if isinstance(target, LocalNode):
        on_stage(Stage.DONE)
        return LocalTunnel(store.read_local)
    if options.implementation == "system":
        from wallet_gui.chain.bitcoind import system_ssh  # noqa: PLC0415

        return await system_ssh.connect(target, options, store, on_stage=on_stage)
    # In a thread, so that the loop goes on meanwhile.
    await asyncio.to_thread(importlib.import_module, _SSH)
    from wallet_gui.chain.bitcoind import ssh_session  # noqa: PLC0415

    return await ssh_session.connect(
        target, options, asker, store, on_stage=on_stage, secrets=secrets or SshSecrets()
    )
