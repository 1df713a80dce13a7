"""The playground with the real bitcoind: money, blocks, restarts, and nothing left behind."""

import asyncio
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from wallet_gui.app.node_process import PlaygroundError
from wallet_gui.app.playground import Playground

REPOSITORY = Path(__file__).resolve().parents[2]
# Somebody's regtest address: BIP84's test vector, encoded for regtest.
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def with_playground(playground: Playground, use: Callable[[Playground], Awaitable[None]]) -> None:
    async def run() -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await playground.start()
                await use(playground)
        finally:
            await playground.stop()

    asyncio.run(run())
    assert not playground.is_running


def services_of(host: str, port: int) -> int:
    """The service bits from the peer's version message, by the bare protocol."""
    magic = bytes.fromhex("fabfb5da")
    payload = (
        (70016).to_bytes(4, "little")
        + bytes(8)
        + int(time.time()).to_bytes(8, "little")
        + bytes(26) * 2
        + os.urandom(8)
        + b"\0"
        + bytes(4)
        + b"\0"
    )
    checksum = hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    message = magic + b"version".ljust(12, b"\0") + len(payload).to_bytes(4, "little")
    with socket.create_connection((host, port), timeout=PATIENCE) as connection:
        connection.sendall(message + checksum + payload)
        answer = b""
        while len(answer) < 24 + 12:
            answer += connection.recv(4096)
    assert answer[:4] == magic
    return int.from_bytes(answer[28:36], "little")


def test_gives_money_and_mines(bitcoind_binary: Path, tmp_path: Path) -> None:
    async def use(playground: Playground) -> None:
        assert await playground.height() == 101
        txid = await playground.fund(ADDRESS, 12_345_678)
        assert len(txid) == 32
        deadline = time.monotonic() + PATIENCE
        while await playground.height() < 103:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert await playground.mine(2) >= 105
        host, port = playground.peer
        assert host == "127.0.0.1"
        # NODE_NETWORK, NODE_WITNESS and NODE_COMPACT_FILTERS (Core's protocol.h)
        assert await asyncio.to_thread(services_of, host, port) & 0x49 == 0x49

    directory = tmp_path / "playground"
    with_playground(Playground(directory, program=bitcoind_binary, block_seconds=0.3), use)
    assert directory.stat().st_mode & 0o777 == 0o700


def test_mines_until_it_can_pay(bitcoind_binary: Path, tmp_path: Path) -> None:
    async def use(playground: Playground) -> None:
        # 50 BTC are mature at height 101; this needs five coinbases, and two payments at once.
        await asyncio.gather(
            playground.fund(ADDRESS, 120 * 100_000_000), playground.fund(ADDRESS, 80 * 100_000_000)
        )
        with pytest.raises(PlaygroundError, match="Ask for less"):
            await playground.fund(ADDRESS, 20_999_999 * 100_000_000)

    with_playground(Playground(tmp_path / "data", program=bitcoind_binary), use)


def test_refusals_are_sentences(bitcoind_binary: Path, tmp_path: Path) -> None:
    async def use(playground: Playground) -> None:
        for address, amount_sat, words in (
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 1000, "refused"),
            (ADDRESS, 1, "too small"),
            (ADDRESS, 0, "more than nothing"),
        ):
            with pytest.raises(PlaygroundError, match=words):
                await playground.fund(address, amount_sat)

    playground = Playground(tmp_path / "data", program=bitcoind_binary)
    with_playground(playground, use)
    with pytest.raises(PlaygroundError, match="not running"):
        asyncio.run(playground.fund(ADDRESS, 1000))


def test_keeps_chain_and_port(bitcoind_binary: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, tuple[str, int]]] = []

    async def use(playground: Playground) -> None:
        seen.append((await playground.height(), playground.peer))

    for _ in range(2):
        with_playground(Playground(tmp_path / "data", program=bitcoind_binary), use)
    (first, peer), (second, same_peer) = seen
    # One block at each start, so that the tip is fresh and payments are relayed.
    assert (first, second) == (101, 102)
    assert peer == same_peer


def test_taken_port_is_replaced(bitcoind_binary: Path, tmp_path: Path) -> None:
    async def run() -> None:
        playground = Playground(tmp_path / "data", program=bitcoind_binary)
        _, port = await playground.start()
        await playground.stop()
        squatter = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
        async with squatter:
            try:
                assert (await playground.start())[1] != port
            finally:
                await playground.stop()

    asyncio.run(run())


def test_unexpected_end_is_reported(bitcoind_binary: Path, tmp_path: Path) -> None:
    said: list[str] = []
    ended = asyncio.Event()

    def failed(sentence: str) -> None:
        said.append(sentence)
        ended.set()

    async def use(playground: Playground) -> None:
        pid_file = tmp_path / "data" / "bitcoind.pid"
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
        await ended.wait()
        with pytest.raises(PlaygroundError, match="does not answer"):
            await playground.height()

    with_playground(Playground(tmp_path / "data", program=bitcoind_binary, on_failure=failed), use)
    assert said[0].startswith("The playground's bitcoind has ended.")


OWNER = """
import asyncio, sys
from pathlib import Path
from wallet_gui.app.playground import Playground

async def run():
    await Playground(Path(sys.argv[1]), program=Path(sys.argv[2])).start()
    print("started", flush=True)
    await asyncio.Event().wait()

asyncio.run(run())
"""


def start_owner(directory: Path, binary: Path, environment: dict[str, str]) -> int:
    """Start a playground in a program of its own and kill that; returns bitcoind's process id."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, directory, binary],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "started\n"
        pid = int((directory / "bitcoind.pid").read_text())
        owner.kill()
    return pid


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a promise on Linux")


@linux_only
def test_killed_wallet_takes_bitcoind_along(bitcoind_binary: Path, tmp_path: Path) -> None:
    pid = start_owner(tmp_path / "data", bitcoind_binary, dict(os.environ))
    deadline = time.monotonic() + PATIENCE
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@linux_only
def test_forgotten_bitcoind_is_ended_at_the_next_start(
    bitcoind_binary: Path, tmp_path: Path
) -> None:
    # Without setpriv on the PATH nobody ends it when the wallet is killed.
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname", "readlink"):
        (tools / tool).symlink_to(f"/usr/bin/{tool}")
    directory = tmp_path / "data"
    pid = start_owner(directory, bitcoind_binary, {**os.environ, "PATH": str(tools)})
    time.sleep(0.5)
    assert is_running(pid)
    heights: list[int] = []

    async def use(playground: Playground) -> None:
        heights.append(await playground.height())

    with_playground(Playground(directory, program=bitcoind_binary), use)
    assert not is_running(pid)
    assert heights == [102]
