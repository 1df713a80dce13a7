"""Names that other tools rely on: they may grow, but not change."""

from wallet_gui.chain.filters import BlockFilter
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.descriptors.xpub import ExtendedPublicKey
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives import sighash
from wallet_gui.primitives.address import address_from_script, script_from_address
from wallet_gui.primitives.block import BlockHeader
from wallet_gui.primitives.params import MAINNET, REGTEST, SIGNET, TESTNET4
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.primitives.uri import PaymentUri

# BIP84's test vector.
SEED = bytes.fromhex(
    "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
    "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
)
FIRST_ADDRESS = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"


def test_networks() -> None:
    assert [p.name for p in (MAINNET, TESTNET4, SIGNET, REGTEST)] == [
        "mainnet",
        "testnet4",
        "signet",
        "regtest",
    ]


def test_keys_descriptors_and_addresses() -> None:
    root = ExtendedPrivateKey.from_seed(SEED)
    assert ExtendedPrivateKey.parse(root.serialize()) == root
    account = root.derive("m/84'/0'/0'").neuter()
    assert isinstance(account, ExtendedPublicKey)
    assert ExtendedPublicKey.parse(account.serialize()) == account
    assert account.derive("0/0").public_key == root.derive("m/84h/0h/0h/0/0").neuter().public_key
    descriptor = Descriptor.parse(f"wpkh({account.serialize()}/0/*)", MAINNET)
    script = descriptor.script_pubkey(0)
    assert address_from_script(script, MAINNET) == FIRST_ADDRESS
    assert script_from_address(FIRST_ADDRESS, MAINNET) == script
    text = descriptor.to_string()
    assert text[-9] == "#"
    assert Descriptor.parse(text, MAINNET).to_string() == text


def test_transactions_sighashes_and_psbts() -> None:
    script = script_from_address(FIRST_ADDRESS, MAINNET)
    coin = TxOut(value_sat=70_000, script_pubkey=script)
    tx = Transaction(2, (TxIn(OutPoint(bytes(32), 1)),), (TxOut(60_000, script),), 0)
    assert Transaction.parse(tx.serialize()) == tx
    assert (len(tx.txid), len(tx.wtxid)) == (32, 32)
    assert tx.vsize == -(-tx.weight // 4)
    digests = {
        sighash.legacy(tx, 0, script, 1),
        sighash.segwit_v0(tx, 0, script, 70_000, 1),
        sighash.taproot(tx, 0, [coin], 0),
    }
    assert {len(digest) for digest in digests} == {32}
    assert len(digests) == 3
    psbt = Psbt.from_unsigned_tx(tx)
    assert Psbt.parse(psbt.serialize()).serialize() == psbt.serialize()
    assert Psbt.parse(psbt.to_base64()).to_base64() == psbt.to_base64()


def test_links() -> None:
    uri = PaymentUri.parse(f"bitcoin:{FIRST_ADDRESS}?amount=0.001&label=x", MAINNET)
    assert (uri.address, uri.amount_sat, uri.label) == (FIRST_ADDRESS, 100_000, "x")


def test_filters_and_headers() -> None:
    empty = BlockFilter(bytes(32), b"\x00")
    assert not empty.match_any([b"\x51"])
    assert len(empty.filter_hash) == len(empty.header(bytes(32))) == 32
    chain = HeaderChain(REGTEST, anchor=None)
    assert chain.height == 0
    assert chain.tip.hash == REGTEST.genesis_hash
    genesis = BlockHeader.parse(REGTEST.genesis_header)
    chain.accept([genesis], genesis.time + 1)
    assert chain.height == 0


def test_every_parse_failure_is_a_parse_error() -> None:
    assert issubclass(ParseError, ValueError)
