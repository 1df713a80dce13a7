"""The person's own node as the command line names it: --node, and what goes with it."""

import argparse

from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.rungs import Wish
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, NodeAddress, parse_node
from wallet_gui.chain.bitcoind.tunnel import SshOptions
from wallet_gui.cli.result import CommandError, UsageError
from wallet_gui.cli.terminal import Terminal

_FOR_SSH = (("key", "--key"), ("own_key", "--own-key"))


def node_address(text: str) -> NodeAddress:
    """Read the address of a node; raises ParseError."""
    return parse_node(text)


async def node_options(
    options: argparse.Namespace,
    address: NodeAddress,
    terminal: Terminal,
    remembered_cookie: str | None = None,
) -> NodeOptions:
    """Put together how to log in; asks for the password that goes with --user.

    Raises UsageError where the options contradict each other, CommandError without a password.
    """
    if options.key is not None and options.own_key:
        raise UsageError("Choose --key or --own-key, not both: only one key is offered.")
    if options.user is not None and options.cookie is not None:
        raise UsageError("Choose --user or --cookie, not both: they are two ways to log in.")
    if isinstance(address, LocalNode):
        for name, option in _FOR_SSH:
            if getattr(options, name):
                raise UsageError(f"{option} is for SSH; a node on this computer needs none.")
    password = None
    if options.user is not None:
        password = await terminal.rpc_password(options.user)
        if password is None:
            why = " There is no terminal to ask for it." if terminal.unasked else ""
            raise CommandError(f"The user {options.user} needs a password.{why}")
    ssh = SshOptions(
        key_path=options.key,
        own_key=options.own_key,
        implementation="system" if options.ssh == "system" else "asyncssh",
    )
    return NodeOptions(
        ssh=ssh,
        rpc_port=options.rpc_port,
        p2p_port=options.p2p_port,
        cookie_path=options.cookie,
        user=options.user,
        password=password,
        remembered_cookie=remembered_cookie,
        wish=Wish(tell_nothing=options.tell_nothing),
    )
