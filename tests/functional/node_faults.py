"""Random faults while the wallet reads from a real node: no wrong balance is ever called checked.

`python -m tests.functional.node_faults ROUNDS [SEED]` runs it as long as one likes. In each round
payments are made, received and spent, and meanwhile connections drop, scans are aborted, other
programs scan, the node restarts or is killed, prunes, reorganises, and the program itself starts
again, reads in another way, or begins anew. What is true is computed from the blocks themselves.
"""

import asyncio
import contextlib
import http.client
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.functional.bitcoind import Node, NodeFailed, RpcError, to_btc
from tests.functional.node_wallet import DirectLink, NodeClient
from tests.functional.p2p_wallet import ScriptWallet
from tests.patience import PATIENCE
from wallet_gui.chain.backend import BalanceChecked, ChainEvent, CheckState, NoPeers, Scanned
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.storage.chain_db import ChainDb

ADDRESSES = 120
GAP = 2_000  # so many scripts that a scan takes long enough to be met by what goes wrong
ARGUMENTS = ("-prune=1", "-fastprune", "-txindex=0", "-rpcworkqueue=64")
USER = "user"
KEPT = 288  # blocks that a node never prunes
ROUND_SECONDS = PATIENCE
FOREIGN = "raw(0014" + "11" * 20 + ")"


class UserWallet(ScriptWallet):
    """Scripts of a wallet inside the node, so that coins can be spent; then some nobody has."""

    def __init__(self, name: str, addresses: list[str]) -> None:
        self._addresses = addresses
        self._known = [script_from_address(text, REGTEST) for text in addresses]
        super().__init__(name, gap=GAP)

    def script(self, index: int) -> bytes:
        return self._known[index] if index < len(self._known) else super().script(index)


@dataclass(frozen=True)
class Truth:
    """What is so after one block: coins by outpoint, and the heights that concern the wallet."""

    height: int
    coins: dict[OutPoint, int]
    heights: frozenset[int]

    @property
    def balance(self) -> int:
        return sum(self.coins.values())


@dataclass
class Archive:
    """Every block that ever was, as public peers would have them, and what is true after it."""

    node: Node
    scripts: frozenset[bytes] = frozenset()
    blocks: dict[bytes, bytes] = field(default_factory=dict)
    truths: dict[bytes, Truth] = field(default_factory=dict)
    served: int = 0

    def record(self) -> None:
        """Take in what is new on the node's chain."""
        new = []
        height, text = self.node.height, self.node.tip
        while bytes.fromhex(text)[::-1] not in self.truths:
            raw = bytes.fromhex(self.node.rpc("getblock", text, 0))
            block = Block.parse(raw)
            new.append((height, raw, block))
            if height == 0:
                break
            height -= 1
            text = block.header.prev_blockhash[::-1].hex()
        for at, raw, block in reversed(new):
            before = self.truths.get(block.header.prev_blockhash, Truth(-1, {}, frozenset()))
            self.blocks[block.header.hash] = raw
            self.truths[block.header.hash] = self._after(before, at, block)

    def _after(self, before: Truth, height: int, block: Block) -> Truth:
        coins = dict(before.coins)
        is_touched = False
        for tx in block.transactions:
            for tx_input in tx.inputs:
                is_touched |= coins.pop(tx_input.prevout, None) is not None
            for vout, output in enumerate(tx.outputs):
                if output.script_pubkey in self.scripts:
                    coins[OutPoint(tx.txid, vout)] = output.value_sat
                    is_touched = True
        return Truth(height, coins, before.heights | {height} if is_touched else before.heights)

    async def fetch_block(self, height: int, block_hash: bytes) -> bytes:
        """Serve a block as public peers do (`PublicPeers`)."""
        raw = self.blocks.get(block_hash)
        if raw is None:
            raise NoPeers(f"Nobody has block {height}.")
        self.served += 1
        return raw


class Faults:
    """The node, the program reading from it, and what goes wrong."""

    def __init__(self, node: Node, directory: Path, seed: int) -> None:
        self.node = node
        self.directory = directory
        self.rng = Random(seed)
        self.done: Counter[str] = Counter()
        self.rounds = 0
        self.agreed = 0  # how often a balance was called checked
        self.wrong: list[str] = []
        self.repairs = 0
        self.disturbances = 0
        node.mature()
        node.mine(KEPT + 60)
        node.rpc("createwallet", USER)
        self.addresses = [
            str(node.rpc("getnewaddress", "", "bech32", wallet=USER)) for _ in range(ADDRESSES)
        ]
        self.archive = Archive(node)
        self.archive.scripts = frozenset(UserWallet("x", self.addresses).scripts)
        self.wallet = UserWallet("w", self.addresses)
        self.archive.record()
        self.used = 0

    # --- what happens on the chain ----------------------------------------------------------------

    def user(self, method: str, *params: object) -> object:
        if USER not in self.node.rpc("listwallets"):
            self.node.rpc("loadwallet", USER)
        return self.node.rpc(method, *params, wallet=USER)

    def live(self) -> None:
        """Receive, spend and mine a little."""
        for _ in range(self.rng.randint(0, 2)):
            self.used = min(self.used + self.rng.randint(0, 2), ADDRESSES - 1)
            self.node.fund(self.addresses[self.used], self.rng.randrange(10_000, 50_000_000))
        if self.rng.random() < 0.5:
            with contextlib.suppress(RpcError):  # it may have nothing to spend
                amount = to_btc(self.rng.randrange(1_000, 1_000_000))
                self.user("sendtoaddress", self.node.bank("getnewaddress"), amount)
        self.node.mine(self.rng.choice((1, 1, 2, 3, 20)))
        self.archive.record()

    def reorganize(self) -> None:
        self.node.reorganize(self.rng.randint(1, 6))
        self.archive.record()

    def prune(self) -> None:
        with contextlib.suppress(RpcError):  # there may be too few blocks
            self.node.rpc("pruneblockchain", self.node.height - KEPT)

    def restart(self) -> None:
        self.node.stop()
        time.sleep(self.rng.random() / 2)
        self.node.start()

    def kill(self) -> None:
        """A power cut: what was not written to the disk yet is gone."""
        self.archive.record()
        known = self.node.tip
        self.node.kill()
        try:
            self.node.start()
        except NodeFailed:
            # A power cut may leave an index that bitcoind itself refuses: it begins from nothing.
            self.done["node begun anew"] += 1
            for part in ("blocks", "chainstate", "indexes"):
                shutil.rmtree(self.node.directory / "regtest" / part, ignore_errors=True)
            self.node.start()
        self._give_back(bytes.fromhex(known)[::-1])

    def _give_back(self, tip: bytes) -> None:
        """Give the node the blocks that it lost, as its own peers would."""
        missing = []
        while tip in self.archive.blocks:
            with contextlib.suppress(RpcError):
                if self.node.rpc("getblockheader", tip[::-1].hex())["confirmations"] > 0:
                    break
            raw = self.archive.blocks[tip]
            missing.append(raw)
            tip = raw[4:36]
        for raw in reversed(missing):
            self.node.rpc("submitblock", raw.hex())

    def foreign_scans(self) -> None:
        for _ in range(self.rng.randint(1, 8)):
            with contextlib.suppress(RpcError):
                self.node.rpc(self.rng.choice(("scanblocks", "scantxoutset")), "start", [FOREIGN])
            time.sleep(self.rng.random() / 20)

    async def _busy_neighbour(self) -> None:
        self.done["busy neighbour"] += 1
        pause = self.rng.choice((0.02, 0.1, 0.2))
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            with contextlib.suppress(RpcError, OSError, http.client.HTTPException):
                await asyncio.to_thread(self.node.rpc, "scanblocks", "start", [FOREIGN])
            await asyncio.sleep(pause)

    def foreign_aborts(self) -> None:
        for _ in range(self.rng.randint(1, 20)):
            self.node.rpc(self.rng.choice(("scanblocks", "scantxoutset")), "abort")
            time.sleep(self.rng.random() / 50)

    # --- one round --------------------------------------------------------------------------------

    async def round(self) -> None:
        """Let something happen and go wrong; in the end everything is right and checked."""
        rng = self.rng
        self.rounds += 1
        if rng.random() < 0.4:
            self.wallet = UserWallet("w", self.addresses)  # begins anew: a whole scan
            self.done["begun anew"] += 1
        mode = rng.choices(list(ScanMode), (10, 3, 1))[0]
        self.done[mode.name] += 1
        link = DirectLink(self.node, mode)
        if rng.random() < 0.8:
            await asyncio.to_thread(self.live)
        with ChainDb(self.directory / "chain.db", REGTEST) as database:
            client = NodeClient(database, link, [self.wallet], public=self.archive)
            client.on_event = lambda event: self._look(client, event)
            await client.start()
            try:
                # Others may begin scans all the time, one fault may come with the next.
                busy = asyncio.create_task(self._busy_neighbour()) if rng.random() < 0.3 else None
                for _ in range(rng.randint(1, 3)):
                    await asyncio.sleep(rng.random() ** 2 / 2)
                    await self._fault(client)
                if busy is not None:
                    await busy
                await client.until_checked(self.node, ROUND_SECONDS)
                self._verify(client)
            finally:
                sync = client.backend._sync
                if sync is not None:
                    self.repairs += sync.check.repairs
                    self.disturbances += sync.scans.disturbances
                await client.backend.stop()
            if client.failures:
                raise client.failures[0]

    async def _fault(self, client: NodeClient) -> None:
        faults: list[tuple[Callable[[], None], int]] = [
            (self.live, 6),
            (client.link.drop, 6),
            (self.foreign_scans, 6),
            (self.foreign_aborts, 4),
            (self.reorganize, 4),
            (self.prune, 2),
            (self.restart, 1),
            (self.kill, 1),
        ]
        fault = self.rng.choices([f for f, _ in faults], [w for _, w in faults])[0]
        self.done[fault.__name__] += 1
        if fault == client.link.drop:
            fault()
        else:
            await asyncio.to_thread(fault)

    def _look(self, client: NodeClient, event: ChainEvent) -> None:
        """Whenever a balance is called checked, it is that of its block."""
        match event:
            case BalanceChecked(state=CheckState.AGREES, height=height):
                assert height is not None
                self.agreed += 1
                block_hash = self.wallet.marks.get(height)
            case Scanned(height=height, hash=block_hash):
                is_tip = client.tip is not None and client.tip.hash == block_hash
                if client.checks.get("w") is not CheckState.AGREES or not is_tip:
                    return
            case _:
                return
        truth = None if block_hash is None else self.archive.truths.get(block_hash)
        if truth is None:
            return  # the node has mined it this moment
        if truth.balance != self.wallet.balance:
            self.wrong.append(
                f"round {self.rounds}, block {height}: {self.wallet.balance}, not {truth.balance}"
            )

    def _verify(self, client: NodeClient) -> None:
        self.archive.record()
        truth = self.archive.truths[bytes.fromhex(self.node.tip)[::-1]]
        assert self.wallet.balance == truth.balance, (self.wallet.balance, truth.balance)
        missing = truth.heights - self.wallet.blocks.keys()
        assert not missing, f"history lacks blocks {sorted(missing)[:5]}"
        assert client.backend.is_synced()


@contextlib.contextmanager
def faulty_node(binary: Path, directory: Path) -> Iterator[Node]:
    """A running node that prunes when it is told to."""
    with Node(binary, directory / "node", ARGUMENTS) as node:
        yield node


async def run_rounds(faults: Faults, rounds: int, report_every: int = 0) -> None:
    """Run so many rounds; raises AssertionError for a round that does not end right."""
    began = time.monotonic()
    for number in range(1, rounds + 1):
        await faults.round()
        assert faults.wrong == []
        if report_every and number % report_every == 0:
            print(
                f"{number} rounds in {time.monotonic() - began:.0f} s: {faults.agreed} checked "
                f"balances, {faults.repairs} repairs, {faults.disturbances} disturbed scans, "
                f"{faults.archive.served} pruned blocks, {dict(faults.done)}",
                flush=True,
            )


def main() -> None:
    """Run from the command line."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    found = subprocess.run(
        [sys.executable, "packaging/bitcoind.py"], capture_output=True, text=True, check=True
    )
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        with faulty_node(Path(found.stdout.strip()), directory) as node:
            faults = Faults(node, directory, seed)
            asyncio.run(run_rounds(faults, rounds, report_every=10))
            print("no wrong balance was called checked", faults.wrong)


if __name__ == "__main__":
    main()
