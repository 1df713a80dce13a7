"""The small interface between the node's client and whatever carries its bytes.

A `Tunnel` is a way to the node's machine: SSH inside this process (`ssh_session`), the system's own
`ssh` (`system_ssh`), or nothing at all because the node is on this computer (`local_socket`). It
opens channels to ports over there, reads small files, and says when it is gone. Nothing listens on
any port here. Nobody above sees an exception of the SSH library: all is `NodeProblem`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, Literal, Protocol

from wallet_gui.chain.bitcoind.problems import NodeProblem

MOST_OF_A_FILE: Final = 65536  # bytes
MOST_OF_A_FORCED_OUTPUT: Final = 4096


class Channel(Protocol):
    """One connection to a port on the node's machine; for one task at a time on each side.

    `reader` ends (b"") when the other side has closed. After the tunnel is lost, `read` ends and
    `drain` raises `NodeProblem`.
    """

    @property
    def reader(self) -> asyncio.StreamReader:
        """What arrives, from the beginning; not together with `attach`."""
        ...

    async def read(self, count: int) -> bytes:
        """Return at most `count` bytes as soon as there are some; b"" at the end."""
        ...

    async def readexactly(self, count: int) -> bytes:
        """Return `count` bytes; raises asyncio.IncompleteReadError when the end comes before."""
        ...

    def write(self, data: bytes) -> None:
        """Send, without waiting; what is written after the end is dropped."""
        ...

    async def drain(self) -> None:
        """Wait until there is room to write; raises NodeProblem when the channel is gone."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        ...

    def close(self) -> None:
        """Close after what was written was sent. Idempotent."""
        ...

    def abort(self) -> None:
        """Close at once. Idempotent."""
        ...

    async def wait_closed(self) -> None:
        """Return when the channel is closed on this side; raises nothing."""
        ...

    def attach(self, protocol: asyncio.Protocol | asyncio.BufferedProtocol) -> asyncio.Transport:
        """Let an asyncio protocol have the channel, beginning with what has already arrived.

        `connection_made` was called when this returns. `reader` must not be used any more.
        """
        ...


class Tunnel(Protocol):
    """A way to the node's machine that is open."""

    description: str
    """For a person: "ssh bitcoin@mynode.local", "this computer"."""
    server_version: str
    """What the SSH server calls itself (cleaned), "" without SSH."""
    host_key_fingerprint: str
    """ "SHA256:…" of the server's key, "" where it is not known."""
    auth_method: str
    """How the login was made, in words: "key from the agent", "password"; "" without SSH."""

    async def open_channel(self, host: str, port: int) -> Channel:
        """Connect to a port as seen from the node's machine; raises NodeProblem."""
        ...

    async def read_file(self, path: str, limit: int = MOST_OF_A_FILE) -> bytes:
        """Return a file of the node's machine; `~/` and relative paths begin at the login's home.

        Raises FileNotFoundError; PermissionError when the file, or files as such, may not be read
        with this login; NodeProblem when it is larger than `limit` or the tunnel is gone.
        """
        ...

    async def forced_output(self, limit: int = MOST_OF_A_FORCED_OUTPUT) -> bytes:
        """Return what the login's forced command prints (it prints the cookie, see `ssh_keys`).

        b"" when there is none, so that nothing was run. A shell that greets prints its greeting:
        whoever calls checks the form of what came. Raises NodeProblem when the tunnel is gone.
        """
        ...

    async def close(self) -> None:
        """Close with every channel. Idempotent."""
        ...

    async def wait_lost(self) -> NodeProblem:
        """Return when the tunnel is gone, with the reason."""
        ...


class Stage(Enum):
    """How far `connect` is; each is told when it begins, `DONE` at the end."""

    RESOLVING = "resolving"
    CONNECTING = "connecting"
    HOST_KEY = "host key"  # the server has answered as an SSH server
    LOGIN = "login"  # the server is the one we know
    DONE = "done"


class SecretKind(Enum):
    """What is asked for."""

    PASSPHRASE = "passphrase"  # noqa: S105 - opens a key file on this computer
    PASSWORD = "password"  # noqa: S105 - a name, not a secret
    CHALLENGE = "challenge"  # whatever the server asks, e.g. for a one-time code


@dataclass(frozen=True, slots=True)
class HostKeyQuestion:
    """A server that nobody has vouched for yet: is this its key."""

    host: str
    port: int
    key_type: str
    """For example "ssh-ed25519"."""
    fingerprint: str
    """ "SHA256:" and 43 characters of base64."""
    compare_command: str
    """What prints the same fingerprint when typed at the server itself."""


@dataclass(frozen=True, slots=True)
class SecretQuestion:
    """Something that only the person knows; `prompt` may be the server's own words, cleaned."""

    kind: SecretKind
    prompt: str
    echo: bool = False
    is_retry: bool = False


class Asker(Protocol):
    """Asks the person; may take minutes. None or False: the person said no."""

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask whether the server is the right one."""
        ...

    async def secret(self, question: SecretQuestion) -> str | None:
        """Ask for a passphrase, a password or a code."""
        ...


class SshStore(Protocol):
    """Our own files about SSH (storage/ssh_files.py); synchronous, called in a worker thread.

    Every method may raise OSError.
    """

    @property
    def key_path(self) -> Path:
        """Where our own private key is, or would be."""
        ...

    @property
    def known_hosts_path(self) -> Path:
        """Where our own known_hosts file is, or would be; for the system's ssh."""
        ...

    def known_hosts(self) -> bytes:
        """Our own known_hosts file; b"" when there is none."""
        ...

    def trust(self, line: str) -> None:
        """Add a line to it."""
        ...

    def forget(self, host: str, port: int) -> bool:
        """Take the server out of it; whether it was in it."""
        ...

    def key(self) -> bytes | None:
        """Our own private key, an OpenSSH file; None when none was made."""
        ...

    def save_key(self, private: bytes, public: bytes) -> None:
        """Store our own key, and its public half beside it, for the owner only."""
        ...

    def read_local(self, path: Path, limit: int, /) -> bytes:
        """Read at most `limit` + 1 bytes of a file of this computer, e.g. a local node's cookie."""
        ...


@dataclass(frozen=True, slots=True)
class SshOptions:
    """How to log in. A key that is named here, or our own, is the only one that is offered."""

    key_path: str | None = None
    use_agent: bool = True
    use_user_config: bool = True
    """Whether ~/.ssh/config and the known_hosts files of the user and the system count."""
    own_key: bool = False
    """Whether the key that this program made is used."""
    implementation: Literal["asyncssh", "system"] = "asyncssh"
    connect_timeout: float = 10.0  # seconds, for TCP
    login_timeout: float = 20.0  # seconds, without those in which a question was open
    keepalive_interval: float = 5.0  # seconds
    keepalive_count: int = 3


@dataclass(slots=True, repr=False)
class SshSecrets:
    """What a person was asked for, kept in memory so that a reconnect does not ask again.

    Give the same object to each `connect` of one connection; drop it to forget. Never saved.
    """

    keys: dict[str, object] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Tell how much is in there, not what."""
        return f"<SshSecrets of {len(self.keys)} keys, {len(self.passwords)} passwords>"

    def forget(self) -> None:
        """Drop everything."""
        self.keys.clear()
        self.passwords.clear()


ReadFile = Callable[[Path, int], bytes]
"""Reads at most so many bytes of a file of this computer; raises OSError. Called in a thread."""


def no_stage(stage: Stage) -> None:
    """Tell nobody."""
    del stage
