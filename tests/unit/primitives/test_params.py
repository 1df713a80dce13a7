import csv
import dataclasses
import struct
from pathlib import Path

import pytest

from wallet_gui.primitives import params
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET4, ChainParams

EPOCHS = Path("shared", "data", "mainnet-epochs.csv")

# Source: Core 28.1 src/kernel/chainparams.cpp and BIP94.
GENESIS = {
    "mainnet": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    "testnet4": "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
    "signet": "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    "regtest": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_genesis_has_its_hash_and_its_proof_of_work(network: ChainParams) -> None:
    assert hash_to_hex(network.genesis_hash) == GENESIS[network.name]
    bits = struct.unpack_from("<I", network.genesis_header, 72)[0]
    assert bits == network.pow_limit_bits
    assert int.from_bytes(network.genesis_hash, "little") <= network.pow_limit


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_compact_and_full_limit_of_work_agree(network: ChainParams) -> None:
    exponent, mantissa = network.pow_limit_bits >> 24, network.pow_limit_bits & 0xFFFFFF
    shift = 8 * (exponent - 3)
    assert network.pow_limit >> shift == mantissa


def test_signet_magic_follows_from_its_challenge() -> None:
    assert SIGNET.magic.hex() == "0a03cf40"
    # A custom signet with challenge OP_TRUE has another one.
    assert params.signet_magic(b"\x51") != SIGNET.magic


def test_what_differs_is_different() -> None:
    networks = list(NETWORKS.values())
    for distinct in ("name", "magic", "default_port", "genesis_hash"):
        assert len({getattr(network, distinct) for network in networks}) == 4
    for network in (TESTNET4, SIGNET, REGTEST):
        assert network.is_test
        assert network.coin_type == 1
        assert network.xpub_version != MAINNET.xpub_version
        assert network.p2pkh_version != MAINNET.p2pkh_version
        assert network.bech32_hrp != MAINNET.bech32_hrp
    assert not MAINNET.is_test
    assert MAINNET.coin_type == 0


def test_networks_are_found_by_name() -> None:
    assert params.by_name("signet") is SIGNET
    with pytest.raises(ValueError, match="no network called 'testnet3'; choose one of mainnet"):
        params.by_name("testnet3")


def test_variants_follow_their_header() -> None:
    variant = dataclasses.replace(REGTEST, no_retargeting=False, enforce_bip94=True)
    assert variant.genesis_hash == REGTEST.genesis_hash
    other = dataclasses.replace(REGTEST, genesis_header=MAINNET.genesis_header)
    assert other.genesis_hash == MAINNET.genesis_hash
    with pytest.raises(ValueError, match="80 bytes"):
        dataclasses.replace(REGTEST, genesis_header=b"")


def test_minimum_work_is_that_of_the_last_packaged_epoch() -> None:
    places = [parent / EPOCHS for parent in Path(__file__).resolve().parents]
    table = next(filter(Path.is_file, places), None)
    if table is None:
        pytest.skip("the table of epochs does not lie beside the repository")
    with table.open(newline="") as lines:
        last = list(csv.DictReader(lines))[-1]
    assert int(last["chainwork_through_last_height"], 16) == MAINNET.minimum_chain_work
