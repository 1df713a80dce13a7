"""Benchmark chains that are built once and kept: heavy, and long with nearly empty blocks.

    python -m tests.benchmarks.chain_store DIRECTORY [--heavy 10000] [--light 120000]

A chain is a bitcoind data directory and a `facts.json` beside it: what a well-known test wallet
has at its end according to bitcoind's own wallet. `heavy` has filters of mainnet's average size and
a wallet with 101 receives (addresses 0 to 100) and 23 spends, every third without change, each in
a block of full size. `light` has nearly empty blocks and is long.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.heavy_chain import HeavyBlocks
from tests.functional.bitcoind import BANK, Node, to_btc, to_sat
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.seed import bip39_seed, entropy_from_words
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.params import REGTEST

REPOSITORY: Final = Path(__file__).resolve().parents[2]
# Without these, regtest checks the whole index at every block.
BITCOIND: Final = (
    "-checkblockindex=0",
    "-checkmempool=0",
    "-checkaddrman=0",
    "-maxtipage=999999999",
    "-txindex=0",
    "-addresstype=bech32",
    "-changetype=bech32",
    "-dbcache=300",
    "-par=1",
    "-maxconnections=64",
)
WORDS: Final = "abandon " * 11 + "about"
NOBODY: Final = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"  # mining to it is quick
RESTORED: Final = "restored"
RECEIVES: Final = 101
SPENDS: Final = 23


@dataclass(frozen=True, slots=True)
class Facts:
    """What bitcoind's own wallet says about the test wallet at the chain's end."""

    name: str
    height: int
    balance: int  # sat
    transactions: int
    used: int  # the highest address index that was paid


def find_bitcoind() -> Path:
    """Find the node's program as the tests do."""
    found = subprocess.run(
        [sys.executable, REPOSITORY / "packaging" / "bitcoind.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(found.stdout.strip())


def _root() -> ExtendedPrivateKey:
    return ExtendedPrivateKey.from_seed(bip39_seed(*entropy_from_words(WORDS), ""), REGTEST)


def descriptor(account: int = 0) -> str:
    """The public BIP84 descriptor of a well-known test seed."""
    return account_descriptors(_root(), REGTEST, account)[DescriptorType.WPKH].to_string()


class RestoredWallet:
    """The test wallet inside bitcoind, with its keys: it receives, spends and counts."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._account = Descriptor.parse(descriptor(), REGTEST)
        self.received = 0
        self.spent = 0

    def create(self) -> None:
        """Make it, empty, on a chain that has paid it nothing yet."""
        node = self._node
        node.rpc("createwallet", RESTORED, False, True)
        private = _root().serialize()
        requests = []
        for branch in (0, 1):
            text = f"wpkh({private}/84h/1h/0h/{branch}/*)"
            checksum = node.rpc("getdescriptorinfo", text)["checksum"]
            requests.append(
                {
                    "desc": f"{text}#{checksum}",
                    "active": True,
                    "internal": branch == 1,
                    "range": [0, 10],
                    "timestamp": "now",
                }
            )
        for result in node.rpc("importdescriptors", requests, wallet=RESTORED):
            if not result["success"]:
                raise RuntimeError(f"bitcoind did not take the test wallet: {result}")

    def receive(self) -> bytes:
        """Pay the next address; returns the raw transaction."""
        address = address_from_script(self._account.script_pubkey(self.received), REGTEST)
        if address is None:
            raise RuntimeError("the account has no address")
        self.received += 1
        txid = self._node.fund(address, 1_000_000 * self.received)
        return bytes.fromhex(self._node.rpc("getrawtransaction", txid))

    def spend(self) -> bytes:
        """Pay somebody, every third time a whole coin without change; returns the transaction."""
        node = self._node
        self.spent += 1
        to = node.bank("getnewaddress")
        if self.spent % 3 == 2:
            coins = node.rpc("listunspent", 1, wallet=RESTORED)
            coin = min(coins, key=lambda each: each["amount"])
            options: dict[str, Any] = {
                "inputs": [{"txid": coin["txid"], "vout": coin["vout"]}],
                "add_inputs": False,
                "subtract_fee_from_outputs": [0],
                "fee_rate": 2,
            }
            amount = to_btc(to_sat(coin["amount"]))
        else:
            options = {"fee_rate": 2}
            amount = to_btc(300_000 + self.spent)
        sent = node.rpc("send", {to: amount}, None, "unset", None, options, wallet=RESTORED)
        return bytes.fromhex(node.rpc("getrawtransaction", sent["txid"]))

    def facts(self, name: str) -> Facts:
        """Ask bitcoind."""
        node = self._node
        entries = node.rpc("listtransactions", "*", 100_000, 0, wallet=RESTORED)
        return Facts(
            name,
            node.height,
            to_sat(node.rpc("getbalance", wallet=RESTORED)),
            len({entry["txid"] for entry in entries}),
            self.received - 1,
        )


def _prepared(node: Node) -> RestoredWallet:
    node.mature()
    wallet = RestoredWallet(node)
    wallet.create()
    return wallet


def build_heavy(node: Node, count: int) -> Facts:
    """Add `count` heavy blocks with the wallet's history spread over them."""
    wallet = _prepared(node)
    blocks = HeavyBlocks(node)
    # A spend follows every fourth receive; each event has a block of its own.
    events = [wallet.receive] * RECEIVES
    for number in range(SPENDS):
        events.insert(5 * number + 8, wallet.spend)
    step = count / (len(events) + 1)
    due = [round(step * (i + 1)) for i in range(len(events))]
    for number in range(count):
        extra = []
        while due and due[0] <= number:
            extra.append(events.pop(0)())
            del due[0]
        blocks.add(extra)
        if number % 250 == 0:
            print(f"heavy block {number} of {count}", flush=True)
    for event in events:
        blocks.add([event()])
    return wallet.facts("heavy")


def build_light(node: Node, count: int) -> Facts:
    """Mine nearly empty blocks up to height `count`, a dozen receives among the first."""
    # Each six blocks take at least a second of the chain's time: begin far enough in the past.
    clock = int(time.time()) - count // 2
    node.rpc("setmocktime", clock)
    wallet = _prepared(node)
    for _ in range(12):
        wallet.receive()
        node.mine(5)
    node.rpc("unloadwallet", BANK)
    while node.height < count:
        clock += 250
        node.rpc("setmocktime", clock)
        node.mine(min(1000, count - node.height), NOBODY)
    return wallet.facts("light")


_BUILDERS: Final = {"heavy": build_heavy, "light": build_light}


def ensure(directory: Path, name: str, count: int, binary: Path | None = None) -> Path:
    """Build the chain `name` of this size unless it is there; returns its folder."""
    place = directory / f"{name}-{count}"
    if (place / "facts.json").exists():
        return place
    unfinished = directory / f"{name}-{count}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with Node(binary or find_bitcoind(), unfinished / "node", BITCOIND) as node:
        facts = _BUILDERS[name](node, count)
        node.wait_for_filters(600)
    (unfinished / "facts.json").write_text(
        json.dumps({field: getattr(facts, field) for field in Facts.__slots__})
    )
    unfinished.rename(place)
    return place


@contextmanager
def serving(
    place: Path, *arguments: str, binary: Path | None = None
) -> Iterator[tuple[Node, Facts]]:
    """Run a node over a chain that was built."""
    facts = Facts(**json.loads((place / "facts.json").read_text()))
    with Node(binary or find_bitcoind(), place / "node", (*BITCOIND, *arguments)) as node:
        node.wait_for_filters(600)
        yield node, facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--heavy", type=int, default=0)
    parser.add_argument("--light", type=int, default=0)
    options = parser.parse_args()
    for name in _BUILDERS:
        if count := getattr(options, name):
            print(ensure(options.directory, name, count), flush=True)


if __name__ == "__main__":
    main()
