"""Restore a wallet from a regtest chain: our client and bdkpython's (Kyoto), in one run.

    python tests/benchmarks/bench_sync.py [--blocks 10000] [--rounds 3] [--heavy 1500]

Each client runs in a process of its own, from the start of the interpreter to the balance, against
the same node, in turns; medians and their ratio are printed. `--heavy` builds a chain whose filters
have mainnet's average size (`heavy_chain.py`), which takes some minutes; without it the blocks are
nearly empty. bdkpython is told how far the wallet was used, since it finds nothing beyond.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

USED = 12  # addresses 0..11 are paid
BITCOIND = ("-checkblockindex=0", "-checkmempool=0", "-checkaddrman=0", "-maxtipage=999999999")
WORDS = "abandon " * 11 + "about"
LIMIT = 900.0


def descriptor() -> str:
    """The public BIP84 descriptor of a well-known test seed."""
    from wallet_gui.descriptors.descriptor import DescriptorType
    from wallet_gui.keys.accounts import account_descriptors
    from wallet_gui.keys.seed import bip39_seed, entropy_from_words
    from wallet_gui.keys.xprv import ExtendedPrivateKey
    from wallet_gui.primitives.params import REGTEST

    seed = bip39_seed(*entropy_from_words(WORDS), "")
    root = ExtendedPrivateKey.from_seed(seed, REGTEST)
    return account_descriptors(root, REGTEST)[DescriptorType.WPKH].to_string()


# --- the two clients ------------------------------------------------------------------------------


async def run_ours(port: int, text: str, directory: str) -> dict[str, Any]:
    """Sync with `P2PBackend`, the wallet and the database of the product."""
    from wallet_gui.chain.backend import BlockMatched, ChainEvent, Phase, Scanned, SyncProgress
    from wallet_gui.chain.p2p.addresses import PeerAddress
    from wallet_gui.chain.p2p.backend import P2PBackend
    from wallet_gui.primitives.params import REGTEST
    from wallet_gui.storage.chain_db import ChainDb
    from wallet_gui.wallet.changes import BlockRef, WalletDescription
    from wallet_gui.wallet.wallet import Wallet

    description = WalletDescription("bench", "regtest", (text,), 0, "00000000", None, bytes(32))
    wallet = Wallet(description, REGTEST)
    wallet.take_new_scripts()
    done = asyncio.Event()
    phases: dict[str, float] = {}

    async def sink(event: ChainEvent) -> None:
        match event:
            case BlockMatched(_, height, block):
                wallet.apply_block(block, height)
                if new := wallet.take_new_scripts():
                    backend.extend_watch("bench", new)
            case Scanned(_, height, block_hash):
                wallet.scanned(BlockRef(height, block_hash))
                if backend.is_synced():
                    done.set()
            case SyncProgress(phase):
                phases.setdefault(phase.value, round(time.perf_counter() - START, 3))
                if phase is Phase.SYNCED and backend.is_synced():
                    done.set()
            case _:
                pass

    with ChainDb(Path(directory) / "chain.db", REGTEST) as database:
        backend = P2PBackend(REGTEST, [PeerAddress("127.0.0.1", port)], database, sink)
        backend.watch("bench", wallet.watch_scripts(), checkpoints=(), birthday_time=None)
        await backend.start()
        async with asyncio.timeout(LIMIT):
            await done.wait()
        result = {
            "wall": time.perf_counter() - START,
            "balance": wallet.balance().total,
            "transactions": len(wallet.history()),
            "phases": phases,
        }
        await backend.stop()
    return result


async def run_kyoto(port: int, text: str, directory: str) -> dict[str, Any]:
    """Sync with bdkpython's compact-filter client."""
    import bdkpython as bdk

    public = bdk.Descriptor(text, bdk.NetworkKind.TEST)
    wallet = bdk.Wallet.create_from_two_path_descriptor(
        two_path_descriptor=public,
        network=bdk.Network.REGTEST,
        persister=bdk.Persister.new_in_memory(),
        lookahead=150,
    )
    peer = bdk.Peer(address=bdk.IpAddress.from_ipv4(127, 0, 0, 1), port=port, v2_transport=False)
    genesis = bdk.RecoveryPoint.GENESIS_BLOCK()
    components = (
        bdk.CbfBuilder()
        .connections(1)
        .data_dir(directory)
        .only_configured_peers()
        .peers([peer])
        .configure_timeout_millis(5000, 60000)
        .scan_type(bdk.ScanType.RECOVERY(used_script_index=120, checkpoint=genesis))
        .build(wallet)
    )
    components.node.run()
    async with asyncio.timeout(LIMIT):
        update = await components.client.update()
    wallet.apply_update(update)
    result = {
        "wall": time.perf_counter() - START,
        "balance": wallet.balance().total.to_sat(),
        "transactions": len(wallet.transactions()),
    }
    components.client.shutdown()
    return result


# --- measuring ------------------------------------------------------------------------------------


def measure(client: str, port: int, text: str) -> dict[str, Any]:
    """Run one client in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        finished = subprocess.run(
            [sys.executable, __file__, "--client", client, str(port), text, directory],
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


def client_main(client: str, port: str, text: str, directory: str) -> None:
    run = run_ours if client == "ours" else run_kyoto
    result = asyncio.run(run(int(port), text, directory))
    used = resource.getrusage(resource.RUSAGE_SELF)
    result["cpu"] = used.ru_utime + used.ru_stime
    result["rss_mb"] = used.ru_maxrss // 1024
    print(json.dumps(result), flush=True)


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
    for quantity in ("wall", "cpu", "rss_mb"):
        ours, theirs = (
            statistics.median(result[quantity] for result in found[client])
            for client in ("ours", "kyoto")
        )
        print(
            f"{name} {quantity}: ours {ours:.2f}, Kyoto {theirs:.2f}, Kyoto/ours {theirs / ours:.2f}"
        )


def pay(node: Any, text: str) -> int:
    """Pay the first addresses, a few blocks apart; returns the sum."""
    from wallet_gui.descriptors.descriptor import Descriptor
    from wallet_gui.primitives.address import address_from_script
    from wallet_gui.primitives.params import REGTEST

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
    parser.add_argument("--binary", type=Path)
    options = parser.parse_args()
    from tests.benchmarks.heavy_chain import extend_heavily
    from tests.functional.bitcoind import NodeFactory

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
    with tempfile.TemporaryDirectory() as directory:
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
                    node.mine(min(1000, options.blocks - node.height))
                name = f"light chain, {node.height} blocks"
            node.wait_for_filters(300)
            compare(name, node.p2p_port, text, options.rounds, expected)
        finally:
            factory.close()


if __name__ == "__main__":
    START = time.perf_counter()
    if sys.argv[1:2] == ["--client"]:
        client_main(*sys.argv[2:6])
    else:
        main()
