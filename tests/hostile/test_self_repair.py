"""What the machine does to us: a full disk, a damaged database, a clock that jumps. All heals.

The program's own online side, with a wallet file and chain.db on the disk, against scripted nodes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.functional.live_wallet import Keys, Live, online_at
from tests.functional.p2p_wallet import ScriptWallet, run, running
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_peer import FakeNode, serve
from tests.hostile.test_sync import BTC, balance
from wallet_gui.app.session import WalletSession
from wallet_gui.chain.backend import ConnectionState
from wallet_gui.chain.p2p.backend import system_clock
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory


class Served(Node):
    """A scripted node where a real one is expected: it has a port and a tip."""

    def __init__(self, fake: FakeNode, port: int) -> None:
        super().__init__(Path(), Path())
        self.fake = fake
        self.p2p_port = port

    @property
    def tip(self) -> str:
        return self.fake.chain.tip[::-1].hex()

    @property
    def height(self) -> int:
        return self.fake.chain.height


def paid_to(keys: Keys) -> FakeChain:
    chain = FakeChain()
    chain.mine_empty(20)
    chain.mine(to=keys.active.script_pubkey(0, 0))
    chain.mine_empty(20)
    return chain


Play = Callable[[Live, WalletSession, FakeChain], Awaitable[None]]


def with_wallet(tmp_path: Path, play: Play) -> None:
    keys = Keys("repaired")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))
    chain = paid_to(keys)

    async def scenario() -> None:
        node = FakeNode(chain)
        async with serve(node) as port, online_at(Served(node, port), tmp_path, keys) as live:
            session = await live.open(path)
            await live.in_sync()
            assert session.wallet.balance().total == 50 * BTC
            await play(live, session, chain)

    run(scenario)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_gui.app.backend_selector._RESTART_SECONDS", 0.3)


async def again(live: Live, chain: FakeChain, blocks: int) -> None:
    """More blocks come, and the connection is begun anew so that they are heard of."""
    chain.mine_empty(blocks)
    selector = live.online.selector
    assert selector is not None
    await selector.start(selector._source.options)


def test_a_full_disk(tmp_path: Path) -> None:
    """It is said, nothing is lost, and all goes on by itself when there is room again."""

    async def play(live: Live, session: WalletSession, chain: FakeChain) -> None:
        database, selector = live.online._chain_db, live.online.selector
        assert database is not None
        assert selector is not None
        (pages,) = database.connection.execute("PRAGMA page_count").fetchone()
        database.connection.execute(f"PRAGMA max_page_count = {pages}")
        await again(live, chain, 600)
        await live.until(lambda: selector.snapshot.state is ConnectionState.OFFLINE)
        assert "disk" in selector.snapshot.warning, selector.snapshot
        assert session.wallet.balance().total == 50 * BTC
        database.connection.execute("PRAGMA max_page_count = 1000000")
        await live.in_sync()
        assert session.wallet.balance().total == 50 * BTC
        assert selector.snapshot.warning == ""

    with_wallet(tmp_path, play)


def test_a_damaged_database(tmp_path: Path) -> None:
    """Damage that shows while the program runs is mended without a new start of the program."""

    async def play(live: Live, session: WalletSession, chain: FakeChain) -> None:
        database = live.online._chain_db
        assert database is not None
        database.connection.execute("UPDATE headers SET crc = crc + 1")
        database.headers._loaded = None
        await again(live, chain, 10)
        await live.in_sync()
        assert session.wallet.balance().total == 50 * BTC
        assert session.wallet.scan_mark is not None

    with_wallet(tmp_path, play)


@pytest.mark.alone
@pytest.mark.parametrize("jump", [-40 * 365 * 86400, -7200, 7200, 5 * 365 * 86400])
def test_a_clock_that_jumps(tmp_path: Path, jump: int) -> None:
    """Somebody sets the clock, or the computer slept: peers stay unblamed and blocks are found."""
    wallet = ScriptWallet()
    chain = FakeChain()
    chain.mine_empty(5)
    chain.mine(to=wallet.script(0))
    offset = [0]

    def clock() -> Instant:
        now = system_clock()
        return now._replace(unix=now.unix + offset[0])

    async def scenario() -> None:
        node = FakeNode(chain)
        async with serve(node) as port, running(tmp_path, [port], wallet, clock=clock) as client:
            await client.until_synced(chain.height, chain.tip[::-1].hex())
            offset[0] = jump
            await asyncio.sleep(0.5)
            offset[0] = 0  # and is set right again
            chain.mine(to=wallet.script(1))
            began = time.monotonic()
            client.backend.set_options(client.backend._finder.options)
            await client.until(lambda: bool(client.backend.peers()))
        async with serve(node) as port, running(tmp_path, [port], wallet, clock=clock) as client:
            await client.until_synced(chain.height, chain.tip[::-1].hex())
            assert wallet.balance == balance(chain, wallet) == 100 * BTC
            assert time.monotonic() - began < 15

    run(scenario)
