"""The networks: what differs between mainnet, testnet4, signet and regtest.

Sources: Core src/kernel/chainparams.cpp, BIP94 (testnet4), BIP325 (signet), SLIP44 and SLIP132.
Tests make variants with `dataclasses.replace`; `genesis_hash` follows the header by itself.
"""

import struct
from dataclasses import dataclass, field

from wallet_gui.primitives.fixed_peers import MAINNET_PEERS, TESTNET4_PEERS
from wallet_gui.primitives.hashes import hash_from_hex, sha256d
from wallet_gui.primitives.serialize import var_bytes


@dataclass(frozen=True, slots=True)
class ChainParams:
    """One network. Hashes and magic in wire order, work and targets as integers."""

    name: str
    magic: bytes
    default_port: int
    bech32_hrp: str
    p2pkh_version: int
    p2sh_version: int
    wif_version: int
    xpub_version: bytes
    xprv_version: bytes
    coin_type: int  # BIP44 path element
    genesis_header: bytes
    pow_limit_bits: int
    pow_limit: int  # the easiest target of all, not rounded to its compact form
    minimum_chain_work: int
    subsidy_halving_interval: int
    segwit_height: int
    taproot_height: int
    no_retargeting: bool = False
    allow_min_difficulty: bool = False  # a block 20 minutes late may have minimum difficulty
    enforce_bip94: bool = False  # retarget from the epoch's first block, no time warp
    signet_challenge: bytes = b""
    dns_seeds: tuple[str, ...] = ()
    fixed_peers: tuple[str, ...] = ()  # "host" or "host:port", for when no DNS seed answers
    genesis_hash: bytes = field(init=False)

    def __post_init__(self) -> None:
        if len(self.genesis_header) != 80:
            raise ValueError("A block header has 80 bytes.")
        object.__setattr__(self, "genesis_hash", sha256d(self.genesis_header))

    @property
    def is_test(self) -> bool:
        """Whether coins of this network are play money."""
        return self.name != "mainnet"


def signet_magic(challenge: bytes) -> bytes:
    """Return the message start of a signet: the hash of its block challenge (BIP325)."""
    return sha256d(var_bytes(challenge))[:4]


def _genesis(merkle_root: str, time: int, bits: int, nonce: int) -> bytes:
    return struct.pack("<i32s32s3I", 1, bytes(32), hash_from_hex(merkle_root), time, bits, nonce)


# The coinbase with the headline of The Times of 3 January 2009; only testnet4 has another one.
_SATOSHIS_MERKLE_ROOT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"

# 1-of-2 multisig of the two keepers of the public signet.
_DEFAULT_SIGNET_CHALLENGE = bytes.fromhex(
    "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430"
    "210359ef5021964fe22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c452ae"
)

MAINNET = ChainParams(
    name="mainnet",
    magic=bytes.fromhex("f9beb4d9"),
    default_port=8333,
    bech32_hrp="bc",
    p2pkh_version=0,
    p2sh_version=5,
    wif_version=128,
    xpub_version=bytes.fromhex("0488b21e"),
    xprv_version=bytes.fromhex("0488ade4"),
    coin_type=0,
    genesis_header=_genesis(_SATOSHIS_MERKLE_ROOT, 1231006505, 0x1D00FFFF, 2083236893),
    pow_limit_bits=0x1D00FFFF,
    pow_limit=(1 << 224) - 1,
    # Through height 953,567, the last epoch of the packaged checkpoints.
    minimum_chain_work=0x12FA7ECF8D5705E356FD4A680,
    subsidy_halving_interval=210_000,
    segwit_height=481_824,
    taproot_height=709_632,
    dns_seeds=(
        "seed.bitcoin.sipa.be",
        "dnsseed.bluematt.me",
        "dnsseed.bitcoin.dashjr-list-of-p2p-nodes.us",
        "seed.bitcoin.jonasschnelli.ch",
        "seed.btc.petertodd.net",
        "seed.bitcoin.sprovoost.nl",
        "dnsseed.emzy.de",
        "seed.bitcoin.wiz.biz",
        "seed.mainnet.achownodes.xyz",
    ),
    fixed_peers=MAINNET_PEERS,
)

TESTNET4 = ChainParams(
    name="testnet4",
    magic=bytes.fromhex("1c163f28"),
    default_port=48333,
    bech32_hrp="tb",
    p2pkh_version=111,
    p2sh_version=196,
    wif_version=239,
    xpub_version=bytes.fromhex("043587cf"),
    xprv_version=bytes.fromhex("04358394"),
    coin_type=1,
    genesis_header=_genesis(
        "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e",
        1714777860,
        0x1D00FFFF,
        393743547,
    ),
    pow_limit_bits=0x1D00FFFF,
    pow_limit=(1 << 224) - 1,
    minimum_chain_work=0x5FAA15D02E6202F3BA,  # Core 28.1
    subsidy_halving_interval=210_000,
    segwit_height=1,
    taproot_height=0,
    allow_min_difficulty=True,
    enforce_bip94=True,
    dns_seeds=("seed.testnet4.bitcoin.sprovoost.nl", "seed.testnet4.wiz.biz"),
    fixed_peers=TESTNET4_PEERS,
)

SIGNET = ChainParams(
    name="signet",
    magic=signet_magic(_DEFAULT_SIGNET_CHALLENGE),
    default_port=38333,
    bech32_hrp="tb",
    p2pkh_version=111,
    p2sh_version=196,
    wif_version=239,
    xpub_version=bytes.fromhex("043587cf"),
    xprv_version=bytes.fromhex("04358394"),
    coin_type=1,
    genesis_header=_genesis(_SATOSHIS_MERKLE_ROOT, 1598918400, 0x1E0377AE, 52613770),
    pow_limit_bits=0x1E0377AE,
    pow_limit=0x0377AE << (8 * (0x1E - 3)),
    minimum_chain_work=0x25DBD66E58F,  # Core 28.1
    subsidy_halving_interval=210_000,
    segwit_height=1,
    taproot_height=0,
    signet_challenge=_DEFAULT_SIGNET_CHALLENGE,
    dns_seeds=("seed.signet.bitcoin.sprovoost.nl", "seed.signet.achownodes.xyz"),
    fixed_peers=(
        "178.128.221.177:38333",
        "v7ajjeirttkbnt32wpy3c6w3emwnfr3fkla7hpxcfokr3ysd3kqtzmqd.onion:38333",
    ),
)

REGTEST = ChainParams(
    name="regtest",
    magic=bytes.fromhex("fabfb5da"),
    default_port=18444,
    bech32_hrp="bcrt",
    p2pkh_version=111,
    p2sh_version=196,
    wif_version=239,
    xpub_version=bytes.fromhex("043587cf"),
    xprv_version=bytes.fromhex("04358394"),
    coin_type=1,
    genesis_header=_genesis(_SATOSHIS_MERKLE_ROOT, 1296688602, 0x207FFFFF, 2),
    pow_limit_bits=0x207FFFFF,
    pow_limit=(1 << 255) - 1,
    minimum_chain_work=0,
    subsidy_halving_interval=150,
    segwit_height=0,
    taproot_height=0,
    no_retargeting=True,
    allow_min_difficulty=True,
)

NETWORKS: dict[str, ChainParams] = {
    params.name: params for params in (MAINNET, TESTNET4, SIGNET, REGTEST)
}


def by_name(name: str) -> ChainParams:
    """Return the network called `name`; ValueError with a sentence when there is none."""
    try:
        return NETWORKS[name]
    except KeyError:
        known = ", ".join(NETWORKS)
        raise ValueError(
            f"There is no network called {name[:40]!r}; choose one of {known}."
        ) from None
