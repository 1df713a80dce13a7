"""Restore a wallet from a regtest chain: our client and bdkpython's (Kyoto), in one run.

    python -m tests.benchmarks.bench_sync [--blocks 10000] [--rounds 3] [--heavy 1500]

Each client runs in a process of its own against the same node, in turns; medians and their ratio
are printed: wall and CPU of the sync itself, and of the whole process with interpreter and imports
(`process`). `--heavy` builds a chain whose filters
have mainnet's average size (`heavy_chain.py`), which takes some minutes; without it the blocks are
nearly empty. bdkpython is told how far the wallet was used, since it finds nothing beyond.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.heavy_chain import extend_heavily
from tests.functional.bitcoind import Node, NodeFactory
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.seed import bip39_seed, entropy_from_words
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.params import REGTEST

REPOSITORY = Path(__file__).resolve().parents[2]

USED = 12  # addresses 0..11 are paid
BITCOIND = ("-checkblockindex=0", "-checkmempool=0", "-checkaddrman=0", "-maxtipage=999999999")
WORDS = "abandon " * 11 + "about"
LIMIT = 900.0
NOBODY = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"  # mining to it is quick


def descriptor() -> str:
    """The public BIP84 descriptor of a well-known test seed."""

    seed = bip39_seed(*entropy_from_words(WORDS), "")
    root = ExtendedPrivateKey.from_seed(seed, REGTEST)
    return account_descriptors(root, REGTEST)[DescriptorType.WPKH].to_string()


# --- measuring ------------------------------------------------------------------------------------


def measure(client: str, port: int, text: str) -> dict[str, Any]:
    """Run one client in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        finished = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.sync_{client}", str(port), text, directory],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT + 60,
        )
        if finished.returncode != 0:
            raise SystemExit(f"{client} failed:\n{finished.stderr}")
        result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
        result["process"] = time.perf_counter() - began
        return result


def compare(name: str, port: int, text: str, rounds: int, expected: int) -> None:
    """Run both in turns and print medians and ratios."""
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "kyoto": []}
    for number in range(rounds):
        for client, results in found.items():
            result = measure(client, port, text)
            results.append(result)
            right = "right" if result["balance"] == expected else f"WRONG, not {expected}"
            print(
                f"{name} round {number + 1} {client:5}: wall {result['wall']:.2f} s, "
                f"cpu {result['cpu']:.2f} s, {result['rss_mb']} MB, balance {right}, "
                f"{result['transactions']} transactions {result.get('phases', '')}",
                flush=True,
            )
    for quantity in ("wall", "cpu", "process", "process_cpu", "rss_mb"):
        ours, theirs = (
            statistics.median(result[quantity] for result in found[client])
            for client in ("ours", "kyoto")
        )
        print(f"{name} {quantity}: ours {ours:.2f}, Kyoto {theirs:.2f}, ratio {theirs / ours:.2f}")


def pay(node: Node, text: str) -> int:
    """Pay the first addresses, a few blocks apart; returns the sum."""

    account = Descriptor.parse(text, REGTEST)
    total = 0
    for index in range(USED):
        address = address_from_script(account.script_pubkey(index), REGTEST)
        assert address is not None
        amount = (index + 1) * 1_000_000
        node.fund(address, amount)
        node.mine(5)
        total += amount
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--heavy", type=int, default=0, metavar="BLOCKS")
    parser.add_argument("--binary", type=Path, help="bitcoind; found by itself otherwise")
    parser.add_argument("--directory", type=Path, help="where the node's data are put for the run")
    options = parser.parse_args()

    binary = options.binary
    if binary is None:
        found = subprocess.run(
            [sys.executable, REPOSITORY / "packaging" / "bitcoind.py"],
            capture_output=True,
            text=True,
            check=True,
        )
        binary = Path(found.stdout.strip())
    text = descriptor()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        factory = NodeFactory(binary, Path(directory))
        node = factory(*BITCOIND)
        try:
            node.mature()
            expected = pay(node, text)
            if options.heavy:
                extend_heavily(node, options.heavy)
                name = f"heavy chain, {node.height} blocks"
            else:
                while node.height < options.blocks:
                    node.mine(min(1000, options.blocks - node.height), NOBODY)
                name = f"light chain, {node.height} blocks"
            node.wait_for_filters(300)
            compare(name, node.p2p_port, text, options.rounds, expected)
        finally:
            factory.close()


if __name__ == "__main__":
    main()
