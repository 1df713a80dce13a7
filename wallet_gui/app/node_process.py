"""Finds, starts and stops the playground's bitcoind, so that none is ever left behind."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs

from wallet_gui.app.node_rpc import HOST, NodeRefused, NodeRpc
from wallet_gui.program_start import foreign_environment
from wallet_gui.windows_system import NO_CONSOLE

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05
_PORT_TAKEN = re.compile(
    "Unable to bind|Failed to listen|Unable to start HTTP server|in use", re.IGNORECASE
)
_OTHER_WAYS = (
    "Start the playground with 'python3 packaging/run.py --playground', which brings one, or "
    "install Bitcoin Core and put bitcoind on the PATH, or set BITCOIND to the program's path."
)
OPTIONS = (
    "-regtest",
    "-server=1",
    "-rpcallowip=127.0.0.1",
    "-blockfilterindex=1",
    "-peerblockfilters=1",
    # It talks to this computer only, and looks for nobody.
    "-dnsseed=0",
    "-fixedseeds=0",
    "-discover=0",
    "-listenonion=0",
    # A payment is announced at once, where nodes on the real network wait some seconds.
    "-whitelist=noban@127.0.0.1",
    "-fallbackfee=0.00002",
    "-dbcache=32",
    "-maxconnections=32",
    "-keypool=10",
    "-printtoconsole=0",
)


class PlaygroundError(Exception):
    """The playground cannot go on; the text is a sentence that says what to do."""


def find_bitcoind(environment: Mapping[str, str] = os.environ) -> Path:
    """Return `$BITCOIND`, the bitcoind on the PATH, or the one that the set-up command fetched.

    Raises PlaygroundError when there is none, or when `$BITCOIND` cannot be run.
    """
    named = environment.get("BITCOIND")
    if named:
        found = shutil.which(named, path=environment.get("PATH"))
        if found is None:
            raise PlaygroundError(
                f"BITCOIND is set to {named!r}, which is not a program. Correct it or unset it."
            )
        return Path(found).absolute()
    found = shutil.which("bitcoind", path=environment.get("PATH", ""))
    if found is not None:
        return Path(found).absolute()
    fetched = fetched_bitcoind()
    if os.access(fetched, os.X_OK):
        return fetched
    raise PlaygroundError("The playground needs bitcoind, and none was found. " + _OTHER_WAYS)


def fetched_bitcoind() -> Path:
    """Return where packaging/bitcoind.py puts the program."""
    return platformdirs.user_cache_path("wallet-gui", appauthor=False) / "bitcoind" / "bitcoind"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where it listens on 127.0.0.1. Kept from run to run, so that a noted peer stays right."""

    p2p: int
    rpc: int

    @classmethod
    async def free(cls) -> Self:
        servers = [await asyncio.start_server(_hang_up, HOST, 0) for _ in range(2)]
        p2p, rpc = (int(server.sockets[0].getsockname()[1]) for server in servers)
        for server in servers:
            server.close()
            await server.wait_closed()
        return cls(p2p, rpc)

    @classmethod
    def load(cls, path: Path) -> Self | None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(int(values["p2p"]), int(values["rpc"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # absent or damaged: new ones are chosen, nothing else hangs on it

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"p2p": self.p2p, "rpc": self.rpc}), encoding="utf-8")


class NodeProcess:
    """One bitcoind in one private data directory; start it from the thread that outlives it."""

    def __init__(self, program: Path, directory: Path) -> None:
        self._program = program
        self._directory = directory
        self._ports_file = directory / "ports.json"
        self._pid_file = directory / "bitcoind.pid"
        self._process: asyncio.subprocess.Process | None = None
        self.ports = Ports(0, 0)
        self.rpc = self._client(0)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start it and return when it answers.

        Raises PlaygroundError with its last words when it does not come up.
        """
        await asyncio.to_thread(self._make_directory)
        await self._end_forgotten()
        ports = await asyncio.to_thread(Ports.load, self._ports_file)
        for _ in range(5):
            self.ports = ports or await Ports.free()
            self.rpc = self._client(self.ports.rpc)
            await self._launch()
            try:
                await self._wait_until_answering()
            except PlaygroundError as error:
                if not _PORT_TAKEN.search(str(error)):
                    raise
                ports = None  # another program has it by now
            else:
                await asyncio.to_thread(self.ports.save, self._ports_file)
                return
        raise PlaygroundError("No free port was found for the playground. Please try again.")

    async def wait(self) -> None:
        """Return when it has ended, at once when it does not run."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """Stop it in order, by force when it takes longer than half a minute."""
        process = self._process
        if process is None:
            return
        try:
            if process.returncode is None:
                await self._ask_to_end(process)
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        finally:
            if process.returncode is None:  # we were cancelled; it must not stay all the same
                process.kill()
            self._process = None

    async def _ask_to_end(self, process: asyncio.subprocess.Process) -> None:
        if sys.platform == "win32":  # there, "terminate" is no request
            with contextlib.suppress(OSError, NodeRefused):
                await self.rpc.call("stop", seconds=5.0)
        else:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()

    def _client(self, port: int) -> NodeRpc:
        return NodeRpc(self._directory / "regtest" / ".cookie", port)

    def _make_directory(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PlaygroundError(
                f"The playground's folder {self._directory} cannot be made: {error.strerror}."
            ) from error

    async def _launch(self) -> None:
        with (self._directory / "output.txt").open("wb") as output:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *_ends_with_this_thread(),
                    self._program,
                    *OPTIONS,
                    f"-datadir={self._directory}",
                    f"-pid={self._pid_file}",
                    f"-bind={HOST}:{self.ports.p2p}",
                    f"-rpcbind={HOST}:{self.ports.rpc}",
                    f"-rpcport={self.ports.rpc}",
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    env=foreign_environment(),
                    # Ctrl-C in a terminal is for the wallet, which then stops bitcoind in order.
                    start_new_session=os.name == "posix",
                    creationflags=NO_CONSOLE,
                )
            except OSError as error:
                raise PlaygroundError(
                    f"{self._program} could not be started: {error.strerror}. " + _OTHER_WAYS
                ) from error

    async def _wait_until_answering(self) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await _answers(self.rpc):
                    if not self.is_running:
                        raise PlaygroundError(
                            "The playground's bitcoind ended at once. "
                            + await asyncio.to_thread(self.last_words)
                        )
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            await self.stop()
            raise PlaygroundError(
                "The playground's bitcoind does not answer. "
                + await asyncio.to_thread(self.last_words)
            ) from error

    def last_words(self) -> str:
        """Return its last error line and where the rest is."""
        log = self._directory / "regtest" / "debug.log"
        lines: list[str] = []
        for path in (log, self._directory / "output.txt"):
            with contextlib.suppress(OSError):
                lines += path.read_text(encoding="utf-8", errors="replace").splitlines()[-200:]
        errors = [line for line in lines if "error" in line.lower()]
        said = f"It said: {errors[-1][:300]} " if errors else ""
        return (
            f"{said}More is in {log}. If it does not help to start again, remove the folder "
            f"{self._directory}: there is only play money in it."
        )

    # What a killed program left behind

    async def _end_forgotten(self) -> None:
        """End a bitcoind that still runs on this directory after its wallet was killed."""
        pid = await asyncio.to_thread(self._forgotten)
        if pid is None:
            return
        # Windows has no SIGKILL; nothing is ever found there (see _forgotten).
        for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            if await self._is_gone_soon():
                return

    async def _is_gone_soon(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                while await asyncio.to_thread(self._forgotten) is not None:  # noqa: ASYNC110 - no event to wait for
                    await asyncio.sleep(_POLL_SECONDS)
                return True
        return False

    def _forgotten(self) -> int | None:
        """Return the process id from the pid file if that process is bitcoind on our directory.

        The number alone proves nothing: the system gives it away again. Where the command line of
        a process cannot be read (not Linux), bitcoind's own lock on the directory decides, and the
        start fails with its words.
        """
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(f"-datadir={self._directory}") in command else None


async def _answers(rpc: NodeRpc) -> bool:
    try:
        await rpc.call("getblockcount", seconds=5.0)
    except (NodeRefused, OSError):
        return False  # it is still loading (code -28), or does not listen yet
    return True


def _ends_with_this_thread() -> list[str]:
    """Return a prefix that has the kernel end bitcoind when the starting thread ends, on Linux."""
    if not sys.platform.startswith("linux"):
        return []
    tool = shutil.which("setpriv")  # util-linux; it becomes the program, so the process id stays
    return [tool, "--pdeathsig", "TERM"] if tool is not None else []


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
