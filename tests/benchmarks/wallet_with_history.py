"""Makes a wallet with a long history in its two files, and measures its life in this process.

    python -m tests.benchmarks.wallet_with_history FOLDER            # measure, prints JSON
    python -m tests.benchmarks.wallet_with_history FOLDER COUNT      # make

Half of the transactions pay a fresh address of ours, half spend two coins with change: as many
addresses as a shop uses.
"""

import asyncio
import json
import random
import resource
import sys
import time
from collections import deque
from pathlib import Path

from tests.unit.wallet.chain_world import block_of, coinbase, describe, foreign_script, foreign_tx
from wallet_gui.app.session import WalletSession
from wallet_gui.app.wallet_opening import open_session
from wallet_gui.chain.backend import BlockMatched, Scanned
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.sealing import VIEW, KdfParameters, seal_box
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import cache_path
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_cache import WalletCache
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.wallet.changes import BlockRef, Keychain, WalletState
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.wallet import Wallet

CHEAP = KdfParameters(8, 1, 1)
KEY = b"V" * 32
IN_A_BLOCK = 100
LABELS = 2_000


def make(folder: Path, count: int) -> None:
    """Write NAME.wallet and NAME.cache of a wallet with `count` confirmed transactions."""
    description = describe([DescriptorType.WPKH])
    state = ViewState(description)
    box = seal_box(KEY, VIEW, CHEAP, bytes(16), state.encode(), minimum=CHEAP)
    path = folder / "long.wallet"
    # Its secrets do not matter here: any bytes of the right form are a box.
    secret = seal_box(KEY, b"secr", CHEAP, bytes(16), b"{}", minimum=CHEAP)
    WalletFile.create(path, box, secret, view_key=KEY, minimum=CHEAP)
    wallet = Wallet(description, REGTEST, WalletState())
    cache = WalletCache(cache_path(path), description.cache_key)
    with FileLock(path) as lock:
        wallet_file = WalletFile.open(lock, KEY, minimum=CHEAP)
        previous = bytes(32)
        history = _History(wallet)
        for height in range(1, count // IN_A_BLOCK + 1):
            block = block_of(history.transactions(height), previous, height)
            previous = block.header.hash
            wallet.apply_block(block, height)
            wallet.scanned(BlockRef(height, previous))
            if height % 50 == 0:
                cache.store(wallet.take_staged().cache)
        for number in range(min(LABELS, count)):
            wallet.set_label("tx", f"{number:064x}", f"Invoice {number}")
        change = wallet.take_staged()
        wallet_file.merge(change.view)
        cache.store(change.cache)
    cache.close()


class _History:
    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet
        self._coins: deque[OutPoint] = deque()
        self._next = {Keychain.RECEIVE: 0, Keychain.CHANGE: 0}
        self._rng = random.Random(1)
        self._number = 0

    def _script(self, keychain: Keychain) -> bytes:
        index = self._next[keychain]
        self._next[keychain] += 1
        return self._wallet.script_at(ScriptPlace(0, keychain, index))

    def transactions(self, height: int) -> list[Transaction]:
        made = [coinbase(height, 0, [TxOut(0, foreign_script(0))])]
        for _ in range(IN_A_BLOCK):
            self._number += 1
            if self._number % 2 or len(self._coins) < 2:
                to_us = TxOut(10_000 + self._number, self._script(Keychain.RECEIVE))
                change = TxOut(99_000, foreign_script(self._number))
                tx = foreign_tx(self._number, [to_us, change])
                self._coins.append(OutPoint(tx.txid, 0))
            else:
                inputs = tuple(
                    TxIn(self._coins.popleft(), b"", 0xFFFFFFFD, (b"\x30" * 71, b"\x02" * 33))
                    for _ in range(2)
                )
                outputs = (
                    TxOut(5_000, foreign_script(self._number)),
                    TxOut(6_000, self._script(Keychain.CHANGE)),
                )
                tx = Transaction(2, inputs, outputs, 0)
                self._coins.append(OutPoint(tx.txid, 1))
            made.append(tx)
        return made


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)


def measure(folder: Path) -> dict[str, float]:
    """Open the wallet as the program does, and use it."""
    found: dict[str, float] = {}
    before = resident_mib()
    began = time.perf_counter()
    session, notices = open_session(
        folder / "long.wallet", KEY, REGTEST, lambda _: None, minimum_kdf=CHEAP
    )
    found["opened in s"] = time.perf_counter() - began
    assert notices == (), notices
    began = time.perf_counter()
    snapshot = session.snapshot()
    found["first picture in s"] = time.perf_counter() - began
    found["transactions"] = len(snapshot.history)
    found["addresses watched"] = len(session.wallet.watch_scripts())
    found["memory for it in MiB"] = resident_mib() - before
    found |= asyncio.run(_use(session))
    found["most memory in MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


async def _use(session: WalletSession) -> dict[str, float]:
    found: dict[str, float] = {}
    wallet = session.wallet
    txid = session.snapshot().history[1_000 if len(wallet.graph) > 1_000 else 0].txid
    began = time.perf_counter()
    await session.set_label("tx", txid[::-1].hex(), "One label")
    found["saving one label in s"] = time.perf_counter() - began
    began = time.perf_counter()
    session.snapshot()
    found["picture after a label in s"] = time.perf_counter() - began
    mark = wallet.scan_mark
    assert mark is not None
    block = _block_with_a_payment(wallet, mark)
    began = time.perf_counter()
    await session.handle(BlockMatched(session.wallet_id, mark.height + 1, block))
    await session.handle(Scanned(session.wallet_id, mark.height + 1, block.header.hash))
    found["adding a block in s"] = time.perf_counter() - began
    began = time.perf_counter()
    session.snapshot()
    found["picture after a block in s"] = time.perf_counter() - began
    await session.close()
    return found


def _block_with_a_payment(wallet: Wallet, mark: BlockRef) -> Block:
    place = ScriptPlace(0, Keychain.RECEIVE, wallet.known_indexes()[0, Keychain.RECEIVE] + 1)
    paid = foreign_tx(10**9, [TxOut(12_345, wallet.script_at(place))])
    height = mark.height + 1
    return block_of([coinbase(height, 0, [TxOut(0, foreign_script(0))]), paid], mark.hash, height)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        make(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        print(json.dumps(measure(Path(sys.argv[1]))))
