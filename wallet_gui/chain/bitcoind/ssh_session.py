"""SSH inside this process: from an address to a tunnel, and everything that may go wrong between.

Nothing listens anywhere: channels are `direct-tcpip` streams of the connection (RFC 4254 7.2). The
library reads no configuration of its own, starts no program and logs nothing. Everything that it
raises becomes a `NodeProblem` here. Importing this module imports the library (0.3 s).
"""

import asyncio
import contextlib
import getpass
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from wallet_gui.chain.bitcoind import ssh_problems
from wallet_gui.chain.bitcoind.dialing import Address, dial, open_directly, resolve
from wallet_gui.chain.bitcoind.known_hosts import (
    HostKey,
    KnownHosts,
    Verdict,
    host_name,
    trust_line,
)
from wallet_gui.chain.bitcoind.port_kind import OpenChannel, PortKind, port_kind
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.ssh_config import (
    HostSettings,
    ProxyCommandWanted,
    SshConfig,
    read_user_config,
)
from wallet_gui.chain.bitcoind.ssh_login import LoginClient, Patience, Questions
from wallet_gui.chain.bitcoind.ssh_target import SSH_PORT, SshTarget, checked_user
from wallet_gui.chain.bitcoind.ssh_tunnel import SshTunnel, open_stream
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    Asker,
    Channel,
    HostKeyQuestion,
    SshOptions,
    SshSecrets,
    SshStore,
    Stage,
)
from wallet_gui.primitives.serialize import ParseError

# AES-GCM costs 1.7 times less than the library's first choice; CTR is for old servers.
CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
)
_METHODS: Final = ("publickey", "keyboard-interactive", "password")
_WEAK_HOST_KEYS: Final = frozenset({"ssh-rsa", "ssh-dss"})  # signatures with SHA-1
_OWN_FILE: Final = "the wallet's own file"
_MOST_OF_KNOWN_HOSTS: Final = 4 * 1024 * 1024  # bytes
_PORT_SECONDS: Final = 8.0  # to find out what answers instead of SSH
_SILENCE: Final = 2.0  # seconds without a word from a server before it is asked what it is
_ATTEMPTS: Final = 4  # a new key to trust, a question that outlived its connection, and one more
_FAILURES: Final = (OSError, asyncssh.Error, ValueError, KeyError, EOFError, RuntimeError)
"""What the library lets out of a connection: its own errors, and those of damaged packets."""

# It would name machines and users.
logging.getLogger("asyncssh").setLevel(logging.CRITICAL + 1)


async def connect(
    target: SshTarget,
    options: SshOptions,
    asker: Asker,
    store: SshStore,
    *,
    on_stage: Callable[[Stage], None],
    secrets: SshSecrets,
) -> SshTunnel:
    """Log in to a machine, through others where the configuration says so; raises NodeProblem."""
    route = await _route(target, options)
    known = await _known_hosts(store, options, route)
    connections: list[asyncssh.SSHClientConnection] = []
    clients: list[LoginClient] = []
    try:
        for index, settings in enumerate(route):
            is_last = index == len(route) - 1
            login = _Login(
                settings,
                # A key that was chosen is for the node, not for machines on the way to it.
                options if is_last else _for_jump(options),
                asker,
                store,
                secrets,
                known,
                on_stage if is_last else _only_early(on_stage),
                connections[-1] if connections else None,
            )
            client, connection = await login.run()
            known = login.known
            connections.append(connection)
            clients.append(client)
        on_stage(Stage.DONE)
        return SshTunnel(target, route[-1], clients, options)
    except BaseException:
        for connection in reversed(connections):
            connection.abort()
        raise


async def _route(target: SshTarget, options: SshOptions) -> list[HostSettings]:
    """Tell the machines on the way as the user's configuration has them."""
    user = _local_user()
    config = SshConfig()
    if options.use_user_config:
        config = await asyncio.to_thread(read_user_config, Path.home())
    try:
        return config.route(target, user, str(Path.home()))
    except ProxyCommandWanted as wanted:
        raise ssh_problems.proxy_command_not_run(wanted.host) from None
    except ParseError as error:
        raise ssh_problems.config_invalid(str(error)) from None


async def _known_hosts(
    store: SshStore, options: SshOptions, route: Sequence[HostSettings]
) -> KnownHosts:
    """Take our own file and, read only, those of the user and the system together."""
    try:
        known = KnownHosts.parse(await asyncio.to_thread(store.known_hosts), _OWN_FILE)
    except OSError as error:
        raise ssh_problems.ssh_failed(
            route[-1].host, f"The wallet's known_hosts cannot be read: {error}"
        ) from None
    if options.use_user_config:
        files = [path for settings in route for path in settings.known_hosts_files]
        files += [str(Path.home() / ".ssh" / name) for name in ("known_hosts", "known_hosts2")]
        files.append("/etc/ssh/ssh_known_hosts")
        for path in dict.fromkeys(files):
            known += await asyncio.to_thread(_read_known_hosts, path)
    return known


def _read_known_hosts(path: str) -> KnownHosts:
    try:
        if not Path(path).is_file():
            return KnownHosts()
        with Path(path).open("rb") as file:
            return KnownHosts.parse(file.read(_MOST_OF_KNOWN_HOSTS), path)
    except OSError:
        return KnownHosts()


def _local_user() -> str:
    try:
        return checked_user(getpass.getuser())
    except (ParseError, KeyError, OSError, ImportError):  # no name, or none that SSH may carry
        return "bitcoin"


def _for_jump(options: SshOptions) -> SshOptions:
    return SshOptions(
        use_agent=options.use_agent,
        use_user_config=options.use_user_config,
        connect_timeout=options.connect_timeout,
        login_timeout=options.login_timeout,
        keepalive_interval=options.keepalive_interval,
        keepalive_count=options.keepalive_count,
    )


def _only_early(on_stage: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """A machine on the way is part of reaching the one that is meant."""

    def tell(stage: Stage) -> None:
        if stage in (Stage.RESOLVING, Stage.CONNECTING):
            on_stage(stage)

    return tell


class _Login:
    """Getting into one machine: again after its key was trusted or a question answered late."""

    def __init__(
        self,
        settings: HostSettings,
        options: SshOptions,
        asker: Asker,
        store: SshStore,
        secrets: SshSecrets,
        known: KnownHosts,
        on_stage: Callable[[Stage], None],
        through: asyncssh.SSHClientConnection | None,
    ) -> None:
        self._settings = settings
        self._options = options
        self._asker = asker
        self._store = store
        self._secrets = secrets
        self.known = known
        self._through = through
        self._on_stage = _Forward(on_stage)
        self._addresses: list[Address] = []
        self._client: LoginClient | None = None  # of the latest attempt
        self._patience = Patience(options.login_timeout)
        self._questions = Questions(asker, lambda: self._patience)

    async def run(self) -> tuple[LoginClient, asyncssh.SSHClientConnection]:
        """Log in; raises NodeProblem. Cancelled at any moment, it leaves no connection."""
        try:
            return await self._get_in()
        except BaseException:
            if self._client is not None and self._client.connection is not None:
                self._client.connection.abort()
            raise
        finally:
            await self._questions.drop()

    async def _get_in(self) -> tuple[LoginClient, asyncssh.SSHClientConnection]:
        for _ in range(_ATTEMPTS):
            client = await self._attempt()
            if client.is_logged_in and client.connection is not None:
                client.remember()
                return client, client.connection
            if client.verdict is not None and client.verdict[0] is not Verdict.TRUSTED:
                await self._settle_trust(client)
            elif not (self._questions.is_open and await self._questions.wait_answered()):
                break
        if self._client is not None and self._questions.was_declined:
            raise self._client.refusal()
        raise ssh_problems.answered_too_late(self._settings.host)

    async def _attempt(self) -> LoginClient:
        """Connect once. Raises NodeProblem unless another attempt may help."""
        client = LoginClient(
            self._settings,
            self._options,
            self._store,
            self._secrets,
            self._questions,
            self.known,
            self._on_stage,
        )
        self._client = client
        failure = await self._failure(client)
        if failure is None or (client.verdict and client.verdict[0] is not Verdict.TRUSTED):
            return client
        if isinstance(failure, asyncssh.PermissionDenied) or _is_refusal(failure):
            raise client.refusal()
        if isinstance(failure, asyncssh.KeyExchangeFailed):
            raise ssh_problems.no_common_algorithm(self._settings.host, str(failure))
        if self._questions.is_open and not isinstance(failure, TimeoutError):
            return client
        raise await self._explain(client, failure)

    async def _failure(self, client: LoginClient) -> Exception | None:
        """Connect and log in; gives what the library raised, None when we are in."""
        settings, options = self._settings, self._options
        sock = None
        if self._through is None:
            self._on_stage(Stage.RESOLVING)
            self._addresses = await resolve(settings.host, settings.port, options.connect_timeout)
            self._on_stage(Stage.CONNECTING)
            sock = await dial(
                settings.host, settings.port, self._addresses, options.connect_timeout
            )
        self._patience = Patience(options.login_timeout)
        try:
            async with self._patience, _watching(client, self._opener()):
                await asyncssh.connect(
                    settings.host,
                    settings.port,
                    sock=sock,
                    tunnel=self._through if self._through is not None else (),
                    **self._arguments(client),
                )
        except _FAILURES as error:
            return error
        finally:
            client.identities.close()
            if sock is not None and client.connection is None:
                sock.close()
        # Without a login, `_watching` has seen enough.
        return None if client.is_logged_in else ConnectionError("")

    def _arguments(self, client: LoginClient) -> dict[str, Any]:
        settings, options = self._settings, self._options
        return {
            "client_factory": lambda: client,
            "username": settings.user,
            "config": None,
            "client_keys": None,  # `LoginClient` gives them
            "agent_forwarding": False,
            "known_hosts": ([], [], [*self._revoked()], [], [], [], []),
            "x509_trusted_certs": None,
            "server_host_key_algs": self._host_key_algorithms(),
            "host_key_alias": settings.key_name,
            "encryption_algs": list(CIPHERS),
            "compression_algs": ["none"],
            "preferred_auth": list(_METHODS),
            "gss_host": None,
            "login_timeout": 0,  # `Patience` counts, for a person may be thinking
            "keepalive_interval": options.keepalive_interval,
            "keepalive_count_max": options.keepalive_count,
        }

    def _revoked(self) -> list[asyncssh.SSHKey]:
        keys = []
        for key in self.known.revoked(*self._settings.key_place):
            with contextlib.suppress(asyncssh.KeyImportError):
                keys.append(asyncssh.import_public_key(key.text))
        return keys

    def _host_key_algorithms(self) -> list[str]:
        """The kinds of keys that we know the server by first, or it would show another one."""
        place = self._settings.key_place
        every = [name.decode("ascii") for name in get_default_public_key_algs()]
        every = [name for name in every if name not in _WEAK_HOST_KEYS]
        every.sort(key=lambda name: ("ed25519" not in name, "ecdsa" not in name))
        keys = self.known.keys(*place)
        if place[1] != SSH_PORT:
            keys += self.known.keys(place[0], SSH_PORT)
        preferred = [name for key in keys for name in key.algorithms if name in every]
        if self.known.authorities(*place):
            certificates = [name.decode("ascii") for name in get_default_certificate_algs()]
            preferred = [
                name for name in certificates if not name.startswith(tuple(_WEAK_HOST_KEYS))
            ] + preferred
        return list(dict.fromkeys(preferred + every))

    def _opener(self) -> OpenChannel:
        """How the port is reached a second time, to ask what answers there."""
        through, settings = self._through, self._settings

        async def opened() -> Channel:
            try:
                if through is not None:
                    return await open_stream(through, settings.host, settings.port)
                return await open_directly(self._addresses[0])
            except _FAILURES as error:
                raise ssh_problems.ssh_refused(settings.host, settings.port, str(error)) from None

        return opened

    async def _settle_trust(self, client: LoginClient) -> None:
        """Ask about a server that nobody knows; raises NodeProblem unless it may be trusted."""
        (host, port), key = self._settings.key_place, client.host_key
        if client.verdict is None or key is None:
            raise ssh_problems.ssh_failed(host)
        verdict, where = client.verdict
        if verdict is Verdict.CHANGED:
            file = where.rpartition(", line ")[0]
            # Our own file has a button in the settings; those of the user are only read.
            command = ssh_problems.forget_command(host_name(host, port), file)
            forget = "" if file == _OWN_FILE else command
            raise ssh_problems.host_key_changed(host, key.fingerprint, where, forget)
        if verdict is Verdict.REVOKED:
            raise ssh_problems.host_key_revoked(host, where)
        question = HostKeyQuestion(
            host, port, key.type, key.fingerprint, ssh_problems.compare_command(key.type)
        )
        if not await self._asker.trust_host_key(question):
            raise ssh_problems.host_key_unknown(host, key.fingerprint, key.type)
        await self._trust(host, port, key)

    async def _trust(self, host: str, port: int, key: HostKey) -> None:
        line = trust_line(host, port, key)
        try:
            await asyncio.to_thread(self._store.trust, line)
        except OSError as error:
            raise ssh_problems.ssh_failed(
                host, f"The server's key could not be saved: {error}"
            ) from None
        self.known += KnownHosts.parse(line.encode(), "the wallet's own file")

    async def _explain(self, client: LoginClient, failure: Exception) -> NodeProblem:
        """Make a sentence of how a connection ended before the login."""
        host, port = self._settings.host, self._settings.port
        text = str(failure)
        if isinstance(failure, asyncssh.ChannelOpenError):  # the machine before did not reach it
            if failure.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
                return ssh_problems.forwarding_refused("The machine on the way", host, port, text)
            return ssh_problems.ssh_refused(host, port, text)
        if client.server_version:
            return self._explain_ssh(client, failure)
        problem = ssh_problems.turned_away(host, text)
        match client.port_kind or await _kind_of(self._opener()):
            case PortKind.RPC:
                problem = ssh_problems.port_is_rpc(host, port)
            case PortKind.P2P:
                problem = ssh_problems.port_is_p2p(host, port)
            case PortKind.WEB | PortKind.OTHER:
                problem = ssh_problems.not_ssh(host, port, text)
            case _ if isinstance(failure, TimeoutError):
                problem = ssh_problems.ssh_silent(host, self._options.login_timeout, text)
        return problem

    def _explain_ssh(self, client: LoginClient, failure: Exception) -> NodeProblem:
        """The same where the server did introduce itself as one of SSH."""
        host, text = self._settings.host, str(failure)
        if isinstance(failure, asyncssh.HostKeyNotVerifiable):
            if "revoked" in text:
                return ssh_problems.host_key_revoked(host)
            return ssh_problems.host_certificate_refused(host, text)
        if isinstance(failure, TimeoutError):
            return ssh_problems.login_timed_out(host, self._options.login_timeout)
        if not isinstance(failure, asyncssh.ConnectionLost | OSError):
            return ssh_problems.ssh_failed(host, text)
        if client.host_key is None and not client.is_certified:
            return ssh_problems.hung_up_while_agreeing(host, text)
        return ssh_problems.connection_ended(host, text)


def _is_refusal(failure: Exception) -> bool:
    """Whether a server hung up because of too many attempts to log in (OpenSSH auth.c)."""
    is_said = isinstance(failure, asyncssh.DisconnectError)
    return is_said and "authentication failures" in str(failure)


class _Forward:
    """Tells each stage once, and never one that lies behind: attempts repeat themselves."""

    def __init__(self, on_stage: Callable[[Stage], None]) -> None:
        self._on_stage = on_stage
        self._reached = -1

    def __call__(self, stage: Stage) -> None:
        order = list(Stage).index(stage)
        if order > self._reached:
            self._reached = order
            self._on_stage(stage)


@asynccontextmanager
async def _watching(client: LoginClient, opener: OpenChannel) -> AsyncIterator[None]:
    """Ask what is on the port when it does not introduce itself; give up when that is known."""
    task = asyncio.ensure_future(_watch(client, opener))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(client: LoginClient, opener: OpenChannel) -> None:
    await asyncio.sleep(_SILENCE)
    if client.server_version:
        return
    client.port_kind = await _kind_of(opener)
    if client.port_kind in (PortKind.RPC, PortKind.P2P) and client.connection is not None:
        client.connection.abort()


async def _kind_of(opener: OpenChannel) -> PortKind:
    try:
        async with asyncio.timeout(_PORT_SECONDS):
            return (await port_kind(opener)).kind
    except (NodeProblem, TimeoutError):  # closed meanwhile, or it lets nobody in any more
        return PortKind.SILENT
