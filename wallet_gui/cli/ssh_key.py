"""`ssh-key` makes a key that is good for one's own node only, and says where its line goes."""

import asyncio

from wallet_gui.chain.bitcoind.networks import FOLDERS, P2P_PORTS, RPC_PORTS
from wallet_gui.chain.bitcoind.ssh_keys import authorized_line, make_key, permits
from wallet_gui.cli.context import Context
from wallet_gui.cli.result import CommandError, Result
from wallet_gui.storage.ssh_files import SshFiles


async def ssh_key(context: Context) -> Result:
    """Print the line for authorized_keys of our own key, which is made if there is none."""
    options, network = context.options, context.params.name
    files = SshFiles(context.directory.root)
    try:
        if options.show and await asyncio.to_thread(files.key) is None:
            raise CommandError("No key was made yet. Make one with wallet-gui ssh-key.")
        had_key = await asyncio.to_thread(files.key) is not None
        public = await asyncio.to_thread(make_key, files)
    except OSError as error:
        raise CommandError(
            f"The key in {files.key_path} cannot be read or written: {error.strerror}."
        ) from error
    rpc_port = options.rpc_port or RPC_PORTS[network]
    p2p_port = options.p2p_port or P2P_PORTS[network]
    # With a user and password of the RPC, the key has no business with the cookie.
    cookie = None if options.user is not None else options.cookie or _usual_cookie(network)
    line = authorized_line(public, rpc_port, p2p_port, cookie)
    sentence = permits(rpc_port, p2p_port, cookie)
    return Result(
        {
            "key": str(files.key_path),
            "fingerprint": public.fingerprint,
            "authorized_keys": line,
            "permits": sentence,
            "made": not had_key,
        },
        [
            f"The key is in {files.key_path} ({public.fingerprint}).",
            "Add this one line to ~/.ssh/authorized_keys of the user on the node's machine:",
            "",
            line,
            "",
            sentence,
            "Then test it: wallet-gui doctor ssh://user@host --own-key",
        ],
    )


def _usual_cookie(network: str) -> str:
    """Where bitcoind keeps it, seen from the home of the user that runs it."""
    folder = FOLDERS[network]
    return f".bitcoin/{folder}/.cookie" if folder else ".bitcoin/.cookie"
