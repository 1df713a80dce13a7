"""The system's own `ssh` as a tunnel: each channel is one `ssh -W`, spoken to through its pipes.

For what the built-in SSH cannot do (security keys on Windows, GSSAPI, a ProxyCommand). It honours
the user's whole configuration, and costs a login for each channel. Not possible this way: being
asked for a fingerprint, a passphrase or a code. A new server has to be confirmed in a terminal, a
key with a passphrase loaded into the agent. No shell is involved on this side, nothing listens.
"""

import asyncio
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wallet_gui.chain.bitcoind import ssh_problems, system_ssh_words
from wallet_gui.chain.bitcoind.channel import ByteChannel
from wallet_gui.chain.bitcoind.dialing import open_at
from wallet_gui.chain.bitcoind.key_files import is_locked, read_key
from wallet_gui.chain.bitcoind.port_kind import PortKind, port_kind
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, clean
from wallet_gui.chain.bitcoind.process_transport import ProcessTransport
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.system_ssh_words import Words
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    MOST_OF_A_FILE,
    MOST_OF_A_FORCED_OUTPUT,
    Channel,
    SshOptions,
    SshStore,
    Stage,
)
from wallet_gui.chain.unbroken import to_the_end

_SSH_FAILED: Final = 255  # the exit status of ssh itself; any other is the remote command's
_NO_FILE: Final = 44
_NO_RIGHT: Final = 45
_FILE_SECONDS: Final = 20.0
_PORT_SECONDS: Final = 8.0  # to find out what answers instead of SSH
_UNFORCED: Final = "true"
_NO_COMMANDS: Final = ("exec request failed", "shell request failed")
_NO_GREETING: Final = "timed out during banner exchange"
_UNNAMED_VERSION_SECONDS: Final = 1.0
_METHODS: Final = {"publickey": "key", "none": "no login"}


async def connect(
    target: SshTarget,
    options: SshOptions,
    store: SshStore,
    *,
    on_stage: Callable[[Stage], None],
) -> "SystemTunnel":
    """Find `ssh`, log in once to see that it works; raises NodeProblem."""
    program = shutil.which("ssh")
    if program is None:
        raise ssh_problems.ssh_program_missing()
    key = str(store.key_path) if options.own_key else options.key_path
    is_key_locked = False
    if key is not None:
        key, is_key_locked = await asyncio.to_thread(_look_at, key)
    line = system_ssh_words.arguments(program, target, options, str(store.known_hosts_path), key)
    tunnel = SystemTunnel(target, options, line, key if is_key_locked else None)
    on_stage(Stage.RESOLVING)
    await tunnel.log_in(on_stage)
    on_stage(Stage.DONE)
    return tunnel


def _look_at(path: str) -> tuple[str, bool]:
    """Give a key's path in full, and whether it has a passphrase; raises NodeProblem."""
    data = read_key(path)
    return str(Path(path).expanduser()), is_locked(data)


class SystemTunnel:
    """A `Tunnel` made of as many programs as there are channels."""

    def __init__(
        self, target: SshTarget, options: SshOptions, line: list[str], locked_key: str | None
    ) -> None:
        """`line` is the command line up to the host."""
        self._target = target
        self._options = options
        self._line = line
        self._locked_key = locked_key
        self._running: set[ProcessTransport] = set()
        self._lost: asyncio.Future[NodeProblem] = asyncio.get_running_loop().create_future()
        self._forced = b""
        user = f"{target.user}@" if target.user is not None else ""
        self.description = f"ssh {user}{target.host}"
        self.server_version = ""
        self.host_key_fingerprint = ""
        self.auth_method = ""

    async def log_in(self, on_stage: Callable[[Stage], None]) -> None:
        """Run a command that does nothing, which shows whether the login works."""
        words = _TellingWords(on_stage)
        status, self._forced = await self._run(
            _UNFORCED, words, MOST_OF_A_FORCED_OUTPUT, self._options.login_timeout
        )
        is_in = bool(words.method) and any(each in words.text for each in _NO_COMMANDS)
        if status == _SSH_FAILED and not is_in:
            raise await self._explain(words)
        self.server_version = clean(words.server_version, 80)
        self.host_key_fingerprint = words.fingerprint
        self.auth_method = f"{_METHODS.get(words.method, words.method)}, by the system's ssh"

    async def open_channel(self, host: str, port: int) -> Channel:
        """Start one `ssh -W`; raises NodeProblem."""
        self._check()
        words = Words()
        channel = ByteChannel(lambda: self._ending(words))
        process = ProcessTransport(channel, words.hear)
        try:
            async with asyncio.timeout(self._options.login_timeout):
                await self._start(
                    process,
                    system_ssh_words.to_port(self._line, self._target, host, port),
                )
                await self._until_open(process, words)
        except TimeoutError:
            await self._end(process)
            raise ssh_problems.login_timed_out(
                self._target.host, self._options.login_timeout
            ) from None
        except BaseException:
            await self._end(process)
            raise
        if process.ended.done() and not words.is_open:
            problem = system_ssh_words.channel_problem(
                words, self._target, self._options, host, port
            )
            raise problem if problem is not None else await self._explain(words)
        process.ended.add_done_callback(lambda ended: self._note_end(ended.result(), words))
        return channel

    async def read_file(self, path: str, limit: int = MOST_OF_A_FILE) -> bytes:
        """Print a file over there; raises FileNotFoundError, PermissionError, NodeProblem."""
        self._check()
        where = path.removeprefix("~/")  # commands start at the home
        quoted = shlex.quote(f"./{where}" if where.startswith("-") else where)
        command = (
            f"test -e {quoted} || exit {_NO_FILE}; test -r {quoted} || exit {_NO_RIGHT}; "
            f"test -f {quoted} || exit 1; exec cat {quoted}"
        )
        words = Words()
        status, data = await self._run(command, words, limit + 1, _FILE_SECONDS)
        if status == _NO_FILE:
            raise FileNotFoundError(path)
        if status == _NO_RIGHT or any(each in words.text for each in _NO_COMMANDS):
            raise PermissionError(path)
        if status == _SSH_FAILED:
            problem = await self._explain(words)
            self._lose(problem)
            raise problem
        if len(data) > limit:
            raise ssh_problems.file_unreadable(path, f"It has more than {limit} bytes.")
        if status != 0:
            raise ssh_problems.file_unreadable(path, words.text)
        return data

    async def forced_output(self, limit: int = MOST_OF_A_FORCED_OUTPUT) -> bytes:
        """Return what the login's forced command prints."""
        self._check()
        words = Words()
        status, data = await self._run(_UNFORCED, words, limit, _FILE_SECONDS)
        if status == _SSH_FAILED and not any(each in words.text for each in _NO_COMMANDS):
            problem = await self._explain(words)
            self._lose(problem)
            raise problem
        return data[:limit]

    async def close(self) -> None:
        """End every program."""
        self._lose(ssh_problems.connection_ended(self._target.host))
        running = list(self._running)
        for process in running:
            process.abort()
        for process in running:
            await process.wait()

    async def wait_lost(self) -> NodeProblem:
        """Return when one of the programs lost its connection, with the reason."""
        return await asyncio.shield(self._lost)

    # Programs

    def _check(self) -> None:
        if self._lost.done():
            raise self._lost.result()

    async def _start(self, process: ProcessTransport, line: list[str]) -> None:
        try:
            await process.start(line)
        except OSError as error:
            raise ssh_problems.ssh_failed(self._target.host, str(error)) from None
        self._running.add(process)
        process.ended.add_done_callback(lambda _: self._running.discard(process))
        self._check()  # closed meanwhile: nobody would end this one

    async def _end(self, process: ProcessTransport) -> None:
        """End a program, and wait for that unless it was never begun."""
        process.abort()
        if process in self._running:
            await to_the_end(process.wait())

    async def _until_open(self, process: ProcessTransport, words: Words) -> None:
        """Wait until the channel is open or the program has ended."""
        loop = asyncio.get_running_loop()
        logged_in: float | None = None
        while not words.is_open and not process.ended.done():
            if words.method:
                # Should a future ssh have other words for an open channel, none is bad news.
                logged_in = logged_in or loop.time()
                if loop.time() - logged_in > _UNNAMED_VERSION_SECONDS:
                    words.is_open = True
            await asyncio.wait([process.ended], timeout=0.005)

    async def _run(
        self, command: str, words: Words, limit: int, seconds: float
    ) -> tuple[int, bytes]:
        """Run a command over there; gives its exit status and the beginning of its output."""
        output = _Output(limit)
        process = ProcessTransport(output, words.hear)
        try:
            async with asyncio.timeout(seconds):
                await self._start(
                    process, system_ssh_words.to_run(self._line, self._target, command)
                )
                await process.wait()
        except TimeoutError:
            host = self._target.host
            if words.server_version:
                raise ssh_problems.login_timed_out(host, seconds) from None
            # Connected at the most: another protocol may leave ssh waiting for a greeting.
            silent = ssh_problems.ssh_silent(host, seconds)
            raise await self._explain_port(words, silent) from None
        finally:
            await self._end(process)
        status = process.ended.result()
        return (_SSH_FAILED if status is None else status), bytes(output.data)

    # Reasons

    async def _explain(self, words: Words) -> NodeProblem:
        """Say why a login failed; looks at the port where ssh's words leave it open."""
        problem = system_ssh_words.problem_of(words, self._target, self._options)
        if problem is not None:
            if problem.code is Code.AUTH_REFUSED and self._locked_key is not None:
                return ssh_problems.passphrase_needed(self._locked_key)
            if _NO_GREETING in words.text:
                # Connected: a node's P2P port may wait for more than ssh's own greeting.
                return await self._explain_port(words, problem)
            return problem
        return await self._explain_port(
            words, ssh_problems.turned_away(self._target.host, words.text)
        )

    async def _explain_port(self, words: Words, otherwise: NodeProblem) -> NodeProblem:
        """Say what it is that answers instead of SSH, if it is anything."""
        host, port = self._target.host, 0
        kind = PortKind.SILENT
        if words.address is not None:
            address = words.address
            port = address[1]
            try:
                async with asyncio.timeout(_PORT_SECONDS):
                    kind = (await port_kind(lambda: open_at(*address))).kind
            except (NodeProblem, OSError):  # closed meanwhile, or never reached (a TimeoutError)
                kind = PortKind.SILENT
        match kind:
            case PortKind.RPC:
                return ssh_problems.port_is_rpc(host, port)
            case PortKind.P2P:
                return ssh_problems.port_is_p2p(host, port)
            case PortKind.WEB | PortKind.OTHER:
                return ssh_problems.not_ssh(host, port, words.text)
            case _:
                return otherwise

    def _ending(self, words: Words) -> NodeProblem:
        """Say how a channel that was open ended."""
        if self._lost.done():
            return self._lost.result()
        return ssh_problems.connection_ended(self._target.host, words.text)

    def _note_end(self, status: int | None, words: Words) -> None:
        """A program that ends by itself with this status has lost the server."""
        if status == _SSH_FAILED and words.is_open and "open failed" not in words.text:
            problem = system_ssh_words.problem_of(words, self._target, self._options)
            self._lose(problem or ssh_problems.connection_ended(self._target.host, words.text))

    def _lose(self, problem: NodeProblem) -> None:
        if not self._lost.done():
            self._lost.set_result(problem)


class _TellingWords(Words):
    """Tells the stages of a login as they are heard."""

    def __init__(self, on_stage: Callable[[Stage], None]) -> None:
        super().__init__()
        self._on_stage = on_stage
        self._told: set[Stage] = set()

    def hear(self, line: str) -> None:
        """Take one line of the standard error."""
        super().hear(line)
        for stage, is_reached in (
            (Stage.CONNECTING, self.address is not None or bool(self.server_version)),
            (Stage.HOST_KEY, bool(self.server_version)),
            (Stage.LOGIN, "SSH2_MSG_SERVICE_ACCEPT" in line or bool(self.method)),
        ):
            if is_reached and stage not in self._told:
                self._told.add(stage)
                self._on_stage(stage)


class _Output(asyncio.Protocol):
    """Keeps the beginning of what a program prints."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self._limit = limit
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the program, to end it when it prints too much."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep it up to the limit."""
        self.data += data[: self._limit - len(self.data)]
        if len(self.data) >= self._limit and self._transport is not None:
            self._transport.abort()
