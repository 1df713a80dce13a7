"""What bitcoind calls the networks, and where it listens and keeps its files on each.

Source: Core src/chainparamsbase.cpp and src/util/chaintype.cpp.
"""

from typing import Final

RPC_PORTS: Final = {"mainnet": 8332, "testnet4": 48332, "signet": 38332, "regtest": 18443}
P2P_PORTS: Final = {"mainnet": 8333, "testnet4": 48333, "signet": 38333, "regtest": 18444}

CHAIN_NAMES: Final = {
    "mainnet": "main",
    "testnet4": "testnet4",
    "signet": "signet",
    "regtest": "regtest",
}
"""The `chain` field of getblockchaininfo for each of our networks."""

FOLDERS: Final = {"mainnet": "", "testnet4": "testnet4", "signet": "signet", "regtest": "regtest"}
"""The folder below the data directory in which a network's cookie lies."""


def named(chain: str) -> str:
    """Turn bitcoind's `chain` into the name that people use; other texts stay as they are."""
    by_chain = {theirs: ours for ours, theirs in CHAIN_NAMES.items()}
    return by_chain.get(chain, "testnet3" if chain == "test" else chain)
