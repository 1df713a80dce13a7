"""Kill -9 a syncing process again and again; after each, a new start ends with the right balance.

Arguments: the folder of the program, that of a running bitcoind, its two ports, how many rounds, a
seed. Prints one JSON object of what happened. A process of its own, since it forks. Between the
rounds the chain grows, is reorganised and pays beyond the window; now and then chain.db is gone.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.functional.bitcoind import COIN, Node
from tests.functional.live_wallet import Keys, online_at
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory

REPORT: Counter[str] = Counter()
FIRST_LIFE = 0.3  # seconds; then as long as a sync takes here, found by trying
LONGER, SHORTER = 1.2, 0.75
GAP = 20
MOST_INDEXES = 400


class Found(NamedTuple):
    """What a process that was let run to the end says of the wallet."""

    confirmed: int
    heights: dict[str, int | None]  # of the payments, by txid


def fork(action: Callable[[int], None]) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            action(writing)
        except BaseException as error:  # noqa: BLE001 - the child ends here, whatever it was
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    return child, reading


def sync_for_ever(root: Path, node: Node, keys: Keys, path: Path, pipe: int) -> None:
    async def live() -> None:
        async with online_at(node, root, keys) as live:
            await live.open(path)
            await live.in_sync()
            os.write(pipe, b"d")
            await asyncio.sleep(60)

    os.write(pipe, b"s")
    asyncio.run(live())


def sync_to_the_end(root: Path, node: Node, keys: Keys, path: Path, pipe: int) -> None:
    async def live() -> None:
        async with online_at(node, root, keys) as live:
            session = await live.open(path)
            await live.in_sync()
            wallet = session.wallet
            heights = {hash_to_hex(e.txid): e.height for e in wallet.history() if e.is_live}
            said = {"confirmed": wallet.balance().confirmed, "heights": heights}
            os.write(pipe, json.dumps(said).encode())

    asyncio.run(live())


def drain(reading: int) -> bytes:
    received = b""
    while part := os.read(reading, 65536):
        received += part
    os.close(reading)
    return received


class Rounds:
    """One node, one wallet, many lives."""

    def __init__(self, root: Path, node: Node, seed: int) -> None:
        self.root, self.node = root, node
        self.rng = random.Random(seed)
        self.longest_life = FIRST_LIFE
        self.keys = Keys("killed")
        self.directory = DataDirectory(root, REGTEST)
        self.path = self.keys.create_file(self.directory)
        self.highest = -1

    def pay(self) -> None:
        """Pay to a few addresses, the last as far off as the gap allows."""
        for _ in range(self.rng.randrange(1, 4)):
            index = self.highest + GAP if self.rng.random() < 0.3 else self.rng.randrange(GAP)
            self.highest = max(self.highest, index)
            address = self.keys.active.address(index, 0)
            self.node.fund(address, self.rng.randrange(COIN // 100, COIN // 10))
            self.node.mine(self.rng.randrange(1, 4))

    def advance(self) -> None:
        """Let something happen on the chain."""
        self.pay()
        if self.rng.random() < 0.4:
            depth = self.rng.randrange(1, 12)
            self.node.reorganize(depth)
            self.node.mine(1)  # what was in those blocks, or part of it
            REPORT["reorganized"] += 1
        if self.rng.random() < 0.4:
            for path in self.directory.chain_db_path.parent.glob("chain.db*"):
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.suffix != ".lock":
                    path.unlink()
            REPORT["database lost"] += 1
        self.node.wait_for_filters()

    def kill_once(self) -> None:
        child, reading = fork(
            lambda pipe: sync_for_ever(self.root, self.node, self.keys, self.path, pipe)
        )
        assert os.read(reading, 1) == b"s", "it did not start"
        time.sleep(self.rng.uniform(0, self.longest_life))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        REPORT["kills"] += 1
        is_unfinished = b"d" not in drain(reading)
        REPORT["killed before the end"] += is_unfinished
        self.longest_life *= LONGER if is_unfinished else SHORTER

    def look(self) -> Found:
        child, reading = fork(
            lambda pipe: sync_to_the_end(self.root, self.node, self.keys, self.path, pipe)
        )
        said = drain(reading)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, "the sync did not end well"
        return Found(**json.loads(said))

    def expected(self) -> tuple[int, dict[str, int]]:
        """Ask the node itself: the coins, and where they were mined."""
        descriptor = self.keys.active.to_string().partition("#")[0]
        ranges = [
            {"desc": descriptor.replace("<0;1>", chain), "range": MOST_INDEXES} for chain in "01"
        ]
        unspent = self.node.rpc("scantxoutset", "start", ranges)
        heights = {coin["txid"]: int(coin["height"]) for coin in unspent["unspents"]}
        return int(unspent["total_amount"] * COIN), heights

    def play(self) -> None:
        self.advance()
        for _ in range(self.rng.randrange(1, 3)):
            self.kill_once()
        found = self.look()
        confirmed, heights = self.expected()
        mined = {txid: height for txid, height in found.heights.items() if height is not None}
        if found.confirmed != confirmed or mined != heights:
            REPORT["wrong"] += 1
            print(f"{found} but {confirmed} {heights}", file=sys.stderr)


def main() -> None:
    root, directory = Path(sys.argv[1]), Path(sys.argv[2])
    node = Node(Path(), directory)
    node.p2p_port, node.rpc_port = int(sys.argv[3]), int(sys.argv[4])
    REPORT.update(dict.fromkeys(("wrong", "kills"), 0))
    rounds = Rounds(root, node, int(sys.argv[6]))
    for _ in range(int(sys.argv[5])):
        rounds.play()
    print(json.dumps(REPORT))


if __name__ == "__main__":
    main()
