"""The person's own node as the command line names it: --node, and what goes with it."""

import argparse
from dataclasses import replace
from typing import Any, Final

from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.app.node_words import MY_NODE
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.chain.bitcoind.node_status import NodeState
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, parse_node
from wallet_gui.cli.result import CommandError, UsageError
from wallet_gui.cli.terminal import Terminal
from wallet_gui.storage.node_settings import ASYNCSSH, NODE, SYSTEM_SSH, NodeSettings

DIRECTLY: Final = "direct"
"""Instead of an address: read from peers, whatever the settings say."""

_IMPLEMENTATIONS: Final = {"built-in": ASYNCSSH, "system": SYSTEM_SSH}


def named_source(
    options: argparse.Namespace, address: str | None, stored: NodeChoice
) -> NodeChoice | None:
    """Where the chain comes from by the command line; None where it does not say.

    A node that is the stored one keeps what is stored of it, except for what is said. Raises
    ParseError for an address that is none, UsageError where options contradict each other.
    """
    said = _said(options)
    if address is None:
        if not said:
            return None
        if not stored.uses_node:
            option = next(iter(said))
            raise UsageError(
                f"--{option.replace('_', '-')} is about your own node, and none is named: add "
                "--node ssh://user@host."
            )
        address = stored.node.address
    if address == DIRECTLY:
        if said:
            raise UsageError("--node direct reads from peers, and needs nothing of a node.")
        return NodeChoice()
    return NodeChoice(NODE, _settings(options, address, stored, said))


def _said(options: argparse.Namespace) -> dict[str, Any]:
    """The options about a node that were given."""
    names = ("key", "own_key", "ssh", "rpc_port", "p2p_port", "cookie", "user", "tell_nothing")
    return {name: value for name in names if (value := getattr(options, name))}


def _settings(
    options: argparse.Namespace, address: str, stored: NodeChoice, said: dict[str, Any]
) -> NodeSettings:
    is_local = isinstance(parse_node(address), LocalNode)
    if options.key and options.own_key:
        raise UsageError("Choose --key or --own-key, not both: only one key is offered.")
    if options.user and options.cookie:
        raise UsageError("Choose --user or --cookie, not both: they are two ways to log in.")
    for option in ("key", "own_key", "ssh"):
        if is_local and option in said:
            raise UsageError(
                f"--{option.replace('_', '-')} is for SSH; a node on this computer needs none."
            )
    node = stored.node if stored.node.address == address else NodeSettings(address=address)
    if "key" in said or "own_key" in said:
        node = replace(node, key_path=options.key or "", own_key=options.own_key)
    if "ssh" in said:
        node = replace(node, implementation=_IMPLEMENTATIONS[options.ssh])
    if "user" in said or "cookie" in said:
        node = replace(node, user=options.user or "", cookie_path=options.cookie or "")
    return replace(
        node,
        rpc_port=options.rpc_port or node.rpc_port,
        p2p_port=options.p2p_port or node.p2p_port,
        tell_nothing=options.tell_nothing or node.tell_nothing,
    )


async def with_password(choice: NodeChoice, terminal: Terminal) -> NodeChoice:
    """Ask for the password of the node's RPC user, if there is one; raises CommandError."""
    user = choice.node.user
    if not user:
        return choice
    password = await terminal.rpc_password(user)
    if not password:
        why = " There is no terminal to ask for it." if terminal.unasked else ""
        raise CommandError(f"The user {user} needs a password.{why}")
    return replace(choice, password=password)


def is_from_node(snapshot: SyncSnapshot) -> bool:
    """Whether the node is what is read from; not while public peers stand in for it."""
    return snapshot.backend == MY_NODE


def why_given_up(snapshot: SyncSnapshot) -> str:
    """Why the node is not tried any more, and what to do; "" while it is."""
    status = snapshot.node
    if not is_from_node(snapshot) or status is None or status.problem is None:
        return ""
    return str(status.problem) if status.state is NodeState.STOPPED else ""


def why_not_there(snapshot: SyncSnapshot) -> str:
    """Why nothing comes from the node at the moment."""
    status = snapshot.node
    if status is None or status.problem is None:
        return "Your node does not answer. Test the way to it with wallet-gui doctor."
    return f"{status.problem} Test the way to it with wallet-gui doctor."


def what_it_waits_for(snapshot: SyncSnapshot) -> str:
    """What does not come from a node that answers, a pruned block for example; "" if nothing."""
    status = snapshot.node
    if not is_from_node(snapshot) or status is None or not status.is_ready:
        return ""
    return "" if status.problem is None else str(status.problem)
