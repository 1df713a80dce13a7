"""A key made for this wallet, and the line that lets it do one thing on the node's machine.

`restrict,port-forwarding,permitopen=…` by itself would still let the key run any command, so the
line forces one: it prints the node's cookie, which the wallet needs to log in to the node's RPC,
and does nothing else (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").
"""

import shlex
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wallet_gui.chain.bitcoind.known_hosts import HostKey
from wallet_gui.chain.bitcoind.tunnel_protocol import SshStore
from wallet_gui.primitives.serialize import ParseError

COMMENT: Final = "wallet-gui"
_NOTHING: Final = "true"
_LONGEST_PATH: Final = 1024


@dataclass(frozen=True, slots=True)
class PublicKeyLine:
    """The public half of a key; `text` is "ssh-ed25519 AAAA…" with a comment."""

    text: str
    fingerprint: str


def make_key(store: SshStore) -> PublicKeyLine:
    """Return our key's public half; the key is made and saved if there is none yet.

    Blocks: called in a worker thread. Raises OSError when the disk refuses, ParseError when the key
    that is there is damaged (it is left alone).
    """
    private = store.key()
    if private is None:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        line = _line(key)
        store.save_key(private, f"{line.text}\n".encode("ascii"))
        return line
    try:
        loaded = serialization.load_ssh_private_key(private, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        loaded = None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise ParseError(
            f"The key in {store.key_path} is damaged. Move it away; a new one can be made then."
        )
    return _line(loaded)


def authorized_line(
    public: PublicKeyLine, rpc_port: int, p2p_port: int | None, cookie_path: str | None
) -> str:
    """Write the one line for ~/.ssh/authorized_keys on the node's machine.

    `cookie_path` is relative to the login's home unless it begins with `/`; None where the RPC is
    used with user and password. Raises ParseError when it cannot stand in such a line.
    """
    command = _NOTHING if cookie_path is None else f"cat {_quoted(cookie_path)}"
    ports = [rpc_port] if p2p_port is None else [rpc_port, p2p_port]
    opens = "".join(f',permitopen="127.0.0.1:{port}"' for port in ports)
    escaped = command.replace('"', '\\"')
    return f'restrict,port-forwarding{opens},command="{escaped}" {public.text}'


def permits(rpc_port: int, p2p_port: int | None, cookie_path: str | None) -> str:
    """Say in one sentence what that line lets the key do."""
    ports = (
        f"port {rpc_port}" if p2p_port is None else f"the ports {rpc_port} and {p2p_port}"
    ) + " of the node's machine"
    if cookie_path is None:
        return f"With this line the key can reach {ports}, and nothing else."
    return (
        f"With this line the key can reach {ports} and read the node's cookie, and nothing else: "
        "no shell, no other port, no other file."
    )


def _line(key: Ed25519PrivateKey) -> PublicKeyLine:
    text = (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode("ascii")
    )
    return PublicKeyLine(f"{text} {COMMENT}", HostKey.parse(text).fingerprint)


def _quoted(path: str) -> str:
    """Quote a path for the shell of the node's machine, inside an option of authorized_keys."""
    if not path or len(path) > _LONGEST_PATH or not path.isprintable() or "\\" in path:
        raise ParseError(
            "The path of the cookie file cannot stand in authorized_keys. Write it in plain "
            "characters, such as /home/bitcoin/.bitcoin/.cookie."
        )
    path = path.removeprefix("~/")  # sshd starts the command at the home
    if path.startswith("-"):
        path = f"./{path}"
    return shlex.quote(path)
