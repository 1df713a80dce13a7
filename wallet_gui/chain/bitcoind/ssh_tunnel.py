"""An SSH connection that is logged in, as a `Tunnel`; loaded by `ssh_session` alone."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import asyncssh

from wallet_gui.chain.bitcoind import ssh_problems
from wallet_gui.chain.bitcoind.channel import ByteChannel, deliver
from wallet_gui.chain.bitcoind.problems import NodeProblem, node_refused
from wallet_gui.chain.bitcoind.ssh_config import HostSettings
from wallet_gui.chain.bitcoind.ssh_login import LoginClient
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    MOST_OF_A_FILE,
    MOST_OF_A_FORCED_OUTPUT,
    Channel,
    SshOptions,
)

CHANNEL_SECONDS: Final = 20.0
FILE_SECONDS: Final = 20.0
_CLOSE_SECONDS: Final = 2.0
_WINDOW: Final = 4 * 1024 * 1024  # bytes on the way before the server waits for us
_PACKET: Final = 256 * 1024  # larger packets cost less each
_AFTER_EXIT: Final = 0.3  # seconds in which the rest of a command's output may come
_LOOK: Final = 0.05
_CLOSED_MEANWHILE: Final = "SSH connection closed"  # the library's words
_Result = TypeVar("_Result")
_UNFORCED: Final = "true"
"""Does nothing; where a command is forced, the server runs that one instead."""
_EXIT_SECONDS: Final = 1.0  # between the end of a command's output and its own
_BROKEN_OFF: Final = (None, -1)  # the exit status of what the server told no end of, or a signal's
_SESSION_ENDED: Final = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.SFTPBadMessage,
)
_FAILURES: Final = (OSError, asyncssh.Error, ValueError, EOFError, RuntimeError)


class _EndedEarlyError(Exception):
    """A session ended before it was through, by itself or because the connection is ending."""

    def __init__(self, text: str, data: bytes = b"") -> None:
        super().__init__(text)
        self.data = data


class StreamTransport(asyncssh.SSHTCPSession[bytes], asyncio.Transport):
    """A channel of SSH in the form of an asyncio transport."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        asyncio.Transport.__init__(self)
        self._protocol = protocol
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._is_closing = False
        self._is_buffered = False
        self.set_protocol(protocol)

    # What the SSH library calls

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        """Take the channel, which is open from now on."""
        self._channel = chan
        self._protocol.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the protocol."""
        self._is_closing = True
        self._channel = None
        self._protocol.connection_lost(exc)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Hand on what arrived."""
        del datatype
        protocol = self._protocol
        if isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol):
            deliver(protocol, data)

    def eof_received(self) -> bool:
        """Hand on the end; a protocol that wants to go on writing says True."""
        protocol = self._protocol
        if isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol):
            return bool(protocol.eof_received())
        return False

    def pause_writing(self) -> None:
        """Hand on that there is no room."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that there is room again."""
        self._protocol.resume_writing()

    # What a protocol calls

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give everything to another protocol from now on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Tell who gets it."""
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell what the channel knows; there is no socket of its own."""
        return default if self._channel is None else self._channel.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._is_closing or self._channel is None or self._channel.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        if data and self._channel is not None and not self.is_closing():
            with contextlib.suppress(BrokenPipeError):  # it ended just now: connection_lost follows
                self._channel.write(bytes(data))

    def can_write_eof(self) -> bool:
        """Whether one direction can be closed by itself."""
        return True

    def write_eof(self) -> None:
        """Say that nothing more comes."""
        if self._channel is not None and not self.is_closing():
            self._channel.write_eof()

    def get_write_buffer_size(self) -> int:
        """Tell how many bytes wait for the server."""
        return 0 if self._channel is None else self._channel.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when writers are to wait."""
        if self._channel is not None:
            self._channel.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        """Take no more for now; the server notices when its window is used up."""
        if self._channel is not None:
            self._channel.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        if self._channel is not None:
            self._channel.resume_reading()

    def close(self) -> None:
        """Close after what was written was sent."""
        self._is_closing = True
        if self._channel is not None:
            self._channel.close()

    def abort(self) -> None:
        """Close at once."""
        self._is_closing = True
        if self._channel is not None:
            self._channel.abort()


async def open_stream(
    connection: asyncssh.SSHClientConnection, host: str, port: int
) -> ByteChannel:
    """Open a channel; raises what the library raises."""
    channel = ByteChannel()
    await connection.create_connection(
        lambda: StreamTransport(channel),
        host,
        port,
        window=_WINDOW,
        max_pktsize=_PACKET,
    )
    return channel


class SshTunnel:
    """A `Tunnel` through one SSH connection (and those of machines on the way)."""

    def __init__(
        self,
        target: SshTarget,
        settings: HostSettings,
        clients: Sequence[LoginClient],
        options: SshOptions,
    ) -> None:
        """`clients` are all logged in; the last one is the node's machine."""
        self._settings = settings
        self._options = options
        self._clients = list(clients)
        self._client = clients[-1]
        if self._client.connection is None:
            raise ValueError("not connected")
        self._connection = self._client.connection
        self._sftp: asyncssh.SFTPClient | None = None
        self._sftp_lock = asyncio.Lock()
        self._has_no_sftp = False
        self._had_files = False  # so there is SFTP, whatever happens to a session of it
        self.description = f"ssh {settings.user}@{target.host}"
        self.server_version = self._client.server_version
        key = self._client.host_key
        self.host_key_fingerprint = key.fingerprint if key is not None else ""
        self.auth_method = self._client.method
        self._warming = asyncio.ensure_future(self._warm_up())

    async def _warm_up(self) -> None:
        """Open the session for files, wanted or not.

        Only when a session runs something does sshd send small answers at once (its
        ssh_packet_set_interactive sets TCP_NODELAY); with channels alone they wait 40 ms.
        """
        with contextlib.suppress(*_FAILURES, _EndedEarlyError):
            async with asyncio.timeout(FILE_SECONDS):
                await self._files()

    async def open_channel(self, host: str, port: int) -> Channel:
        """Connect to a port of the node's machine; raises NodeProblem."""
        patience = asyncio.timeout(CHANNEL_SECONDS)
        try:
            async with patience:
                return await open_stream(self._connection, host, port)
        except asyncssh.ChannelOpenError as error:
            await self._check(error)
            text = str(error)
            if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
                raise ssh_problems.forwarding_refused(
                    self._settings.host, host, port, text
                ) from None
            raise node_refused(host, port, text) from None
        except _FAILURES as error:
            if patience.expired():
                raise ssh_problems.channel_silent(host, port, CHANNEL_SECONDS) from None
            raise self._problem(error) from None

    async def read_file(self, path: str, limit: int = MOST_OF_A_FILE) -> bytes:
        """Read a file over SFTP, on a session that is kept.

        Raises FileNotFoundError, PermissionError, NodeProblem.
        """
        path = path.removeprefix("~/")  # SFTP begins at the home
        patience = asyncio.timeout(FILE_SECONDS)
        try:
            async with patience:
                data = await _twice(lambda: self._read(path, limit + 1))
        except _EndedEarlyError as error:
            if self._sftp is None and not self._had_files:
                # No SFTP on this server, or a forced command that speaks something else.
                self._has_no_sftp = True
                raise PermissionError(path, str(error)) from None
            raise ssh_problems.file_unreadable(path, str(error)) from None
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            raise FileNotFoundError(path) from None
        except asyncssh.SFTPPermissionDenied:
            raise PermissionError(path) from None
        except asyncssh.SFTPError as error:
            raise ssh_problems.file_unreadable(path, str(error)) from None
        except _FAILURES as error:
            if patience.expired():
                raise ssh_problems.file_unreadable(
                    path, "The server did not answer.", is_late=True
                ) from None
            raise self._problem(error) from None
        if data is None:
            raise PermissionError(path)
        if len(data) > limit:
            raise ssh_problems.file_unreadable(path, f"It has more than {limit} bytes.")
        return data

    async def _read(self, path: str, count: int) -> bytes | None:
        """Read so many bytes; None where there is no SFTP.

        Raises _EndedEarlyError when the session ended before it was all.
        """
        sftp = await self._files()
        if sftp is None:
            return None
        data = bytearray()
        try:
            # Without blocks, for those are read by tasks that nobody ends.
            file = await sftp.open(path, "rb", block_size=0)
            try:
                await _read_into(data, file, count)
            except asyncssh.SFTPError:
                await file.close()
                raise
            # Only a server that answers is asked to close it: what is given up ends with the
            # session, and no word of a server that has fallen silent is waited for.
            await file.close()
        except _SESSION_ENDED as error:
            self._drop(sftp)
            await self._check(error)
            raise _EndedEarlyError(str(error)) from None
        except asyncssh.SFTPError:
            raise  # the server's answer about this file
        except BaseException:
            self._drop(sftp)
            raise
        return bytes(data)

    def _drop(self, sftp: asyncssh.SFTPClient) -> None:
        """Use another session from now on."""
        if self._sftp is sftp:
            self._sftp = None
        sftp.exit()

    async def _files(self) -> asyncssh.SFTPClient | None:
        """Open the session for files unless it is open; None where there is no such thing.

        Raises _EndedEarlyError, and what the library raises when the connection ends.
        """
        async with self._sftp_lock:
            if self._sftp is None and not self._has_no_sftp:
                try:
                    self._sftp = await self._connection.start_sftp_client()
                except (asyncssh.ChannelOpenError, asyncssh.SFTPError) as error:
                    await self._check(error)
                    raise _EndedEarlyError(str(error)) from None
                self._had_files = True
            return self._sftp

    async def forced_output(self, limit: int = MOST_OF_A_FORCED_OUTPUT) -> bytes:
        """Return what the login's forced command prints, b"" without one."""
        patience = asyncio.timeout(FILE_SECONDS)
        try:
            async with patience:
                return await _twice(lambda: self._run_forced(limit))
        except _EndedEarlyError as error:
            return error.data  # a login that may run nothing, or a server that tells no endings
        except _FAILURES as error:
            if patience.expired():
                raise ssh_problems.file_unreadable(
                    "", "The command does not end.", is_late=True
                ) from None
            raise self._problem(error) from None

    async def _run_forced(self, limit: int) -> bytes:
        """Let the server run its command.

        Raises _EndedEarlyError when it did not come to its end, as far as the server tells.
        """
        try:
            process = await self._connection.create_process(
                _UNFORCED, encoding=None, stdin=asyncssh.DEVNULL, stderr=asyncssh.DEVNULL
            )
        except asyncssh.ChannelOpenError as error:
            await self._check(error)
            raise _EndedEarlyError(str(error)) from None
        try:
            data = await _read_until_exit(process, limit)
            if len(data) >= limit:
                return data
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EXIT_SECONDS):
                    await process.wait_closed()
                if process.exit_status in _BROKEN_OFF:
                    await self._check()
                    raise _EndedEarlyError("The command was broken off.", data)
        finally:
            process.close()
        return data

    async def _check(self, error: BaseException | None = None) -> None:
        """Raise NodeProblem when the connection is gone.

        Between its end and the moment when the library says so it opens no channels.
        """
        if str(error) == _CLOSED_MEANWHILE:
            await asyncio.sleep(0)  # the reason is told in the meantime
            raise self._problem(error)
        if self._client.lost is not None or self._connection.is_closed():
            raise self._problem(error)

    async def close(self) -> None:
        """Close the connection and those on the way; also when this is cancelled."""
        connections = [each.connection for each in self._clients if each.connection is not None]
        self._warming.cancel()
        for connection in reversed(connections):
            connection.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await asyncio.gather(self._warming, return_exceptions=True)
                for connection in reversed(connections):
                    await connection.wait_closed()
        except TimeoutError:
            pass  # the other side does not answer; it is left alone
        finally:
            for connection in reversed(connections):
                connection.abort()

    async def wait_lost(self) -> NodeProblem:
        """Return when the connection is gone, with the reason."""
        await self._connection.wait_closed()
        for client in self._clients[:-1]:
            if client.connection is not None:
                client.connection.abort()
        return self._problem()

    def _problem(self, error: BaseException | None = None) -> NodeProblem:
        """Say how the connection ended."""
        reasons = [client.lost for client in self._clients if client.lost is not None]
        reason = reasons[0] if reasons else error
        text = str(reason) if reason is not None else ""
        if "keepalive" in text:
            seconds = self._options.keepalive_interval * (self._options.keepalive_count + 1)
            return ssh_problems.keepalive_lost(self._settings.host, seconds)
        return ssh_problems.connection_ended(self._settings.host, text)


async def _twice(session: Callable[[], Awaitable[_Result]]) -> _Result:
    """Use a session, and another one when it ends early; raises _EndedEarlyError if both do.

    The server's processes end one after the other when it goes down, so the first sign of a lost
    connection may be a session that ends, as one does that the server does not grant. What it
    answers to the next one tells which it is.
    """
    try:
        return await session()
    except _EndedEarlyError:
        return await session()


async def _read_until_exit(process: asyncssh.SSHClientProcess[bytes], limit: int) -> bytes:
    """Read what a command prints; its end counts even where something keeps its output open."""
    data = bytearray()
    reading = asyncio.ensure_future(_read_into(data, process.stdout, limit))
    try:
        left = _AFTER_EXIT
        while left > 0 and not reading.done():
            await asyncio.wait([reading], timeout=_LOOK)
            if process.exit_status is not None:
                left -= _LOOK
        if reading.done():
            reading.result()
        return bytes(data)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read_into(data: bytearray, reader: Any, limit: int) -> None:
    """Read from a stream of bytes (the library's types say str) until its end or the limit."""
    while len(data) < limit and (more := await reader.read(limit - len(data))):
        data += more
