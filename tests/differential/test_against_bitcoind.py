"""Addresses, transaction ids and signatures compared with a real bitcoind on random wallets."""

import random
from dataclasses import replace

import pytest

from tests.functional.bitcoind import Node, RpcError
from tests.unit.keys.spending import ALL_TYPES, Coin, Wallet, spend
from wallet_gui.curve import schnorr_verify
from wallet_gui.descriptors.checksum import checksum
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.descriptors.xpub import format_path
from wallet_gui.keys.signer import sign
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import OutPoint, Transaction

pytestmark = pytest.mark.functional

CASES = 1000
ECDSA = ALL_TYPES[:3]
MAX_INDEX = 2**31 - 1


def private_descriptor(wallet: Wallet, coin: Coin) -> str:
    """The coin's descriptor with the private key, as bitcoind takes it for signing."""
    origin = wallet.descriptor(coin.kind).origin
    assert origin is not None
    path = f"{format_path(origin.path)}/{coin.keychain}/{coin.index}"
    name = coin.kind.value
    body = f"{name}({wallet.root.serialize()}/{path}{')' * (name.count('(') + 1)}"
    return f"{body}#{checksum(body)}"


@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_a_thousand_random_addresses(module_node: Node, kind: DescriptorType) -> None:
    source = random.Random(f"bitcoind {kind.name}")
    compared = 0
    while compared < CASES:
        wallet = Wallet.of(source.getrandbits(256), REGTEST)
        ours = wallet.descriptor(kind)
        start = source.choice([0, source.randrange(MAX_INDEX), MAX_INDEX - 25])
        indexes = range(start, min(start + 25, MAX_INDEX))
        answer = module_node.rpc("deriveaddresses", ours.to_string(), [indexes[0], indexes[-1]])
        for keychain, addresses in enumerate(answer):
            assert [ours.address(index, keychain) for index in indexes] == addresses
            compared += len(addresses)
        info = module_node.rpc("getdescriptorinfo", ours.to_string())
        assert info["checksum"] == ours.to_string()[-8:]
        assert info["issolvable"]


def random_index(source: random.Random) -> int:
    return source.choice([source.randrange(1000), source.randrange(MAX_INDEX), MAX_INDEX])


def random_psbt(
    source: random.Random, wallet: Wallet, kinds: tuple[DescriptorType, ...]
) -> tuple[Psbt, list[Coin]]:
    places = {
        (source.choice(kinds), source.randrange(2), random_index(source))
        for _ in range(source.randint(1, 15))
    }
    shuffled = sorted(places, key=str)
    source.shuffle(shuffled)
    coins = [Coin(kind, source.randint(50_000, 10**10), *place) for kind, *place in shuffled]
    total = sum(coin.value_sat for coin in coins)
    change = [Coin(source.choice(ALL_TYPES), total // 3, 1, source.randrange(1000))]
    payments = [(pay_to(source), total // 2 - 10_000)]
    psbt = spend(
        wallet,
        coins,
        payments,
        change * source.randrange(2),
        lock_time=source.choice([0, source.randrange(500_000_000)]),
        sequence=source.choice([0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF]),
    )
    return psbt, coins


def pay_to(source: random.Random) -> bytes:
    make = source.choice([script.p2pkh, script.p2sh, script.p2wpkh, script.p2wsh])
    return make(source.randbytes(32 if make is script.p2wsh else 20))


def signed_by_bitcoind(node: Node, wallet: Wallet, psbt: Psbt, coins: list[Coin]) -> Psbt:
    descriptors = [private_descriptor(wallet, coin) for coin in coins]
    arguments = (psbt.to_base64(), descriptors, "DEFAULT", True, False)
    return Psbt.parse(node.rpc("descriptorprocesspsbt", *arguments)["psbt"])


def test_a_thousand_random_signatures_are_byte_equal(module_node: Node) -> None:
    source = random.Random("signatures")
    compared = 0
    while compared < CASES:
        wallet = Wallet.of(source.getrandbits(256), REGTEST)
        psbt, coins = random_psbt(source, wallet, ECDSA)
        theirs = signed_by_bitcoind(module_node, wallet, psbt, coins)
        ours = sign(psbt, wallet.root, wallet.descriptors, REGTEST)
        for mine, other in zip(ours.inputs, theirs.inputs, strict=True):
            assert mine.partial_sigs == other.partial_sigs
            assert len(mine.partial_sigs) == 1
            compared += 1
        tx = ours.finalize().extract()
        decoded = module_node.rpc("decoderawtransaction", tx.serialize().hex())
        assert decoded["txid"] == hash_to_hex(tx.txid)
        assert decoded["hash"] == hash_to_hex(tx.wtxid)
        assert (decoded["weight"], decoded["vsize"]) == (tx.weight, tx.vsize)
        final = module_node.rpc("finalizepsbt", ours.to_base64())
        assert final["complete"]
        assert final["hex"] == tx.serialize().hex()


def test_a_thousand_random_taproot_signatures_verify_both_ways(module_node: Node) -> None:
    # BIP340 signing takes fresh randomness on both sides; so each side checks the other's.
    source = random.Random("taproot")
    compared = 0
    while compared < CASES:
        wallet = Wallet.of(source.getrandbits(256), REGTEST)
        psbt, coins = random_psbt(source, wallet, (DescriptorType.TR,))
        theirs = signed_by_bitcoind(module_node, wallet, psbt, coins)
        ours = sign(psbt, wallet.root, wallet.descriptors, REGTEST)
        spent = [psbt.utxo(index) for index in range(len(psbt.inputs))]
        for index, other in enumerate(theirs.inputs):
            digest = sighash.taproot(psbt.tx, index, spent, sighash.DEFAULT)
            assert other.tap_key_sig is not None
            assert schnorr_verify(spent[index].script_pubkey[2:], digest, other.tap_key_sig)
            compared += 1
        final = module_node.rpc("finalizepsbt", ours.to_base64())
        assert final["complete"]
        analysis = module_node.rpc("analyzepsbt", ours.to_base64())
        assert all(
            entry["is_final"] or entry["next"] == "finalizer" for entry in analysis["inputs"]
        )


def test_bitcoind_accepts_a_real_spend_of_every_type(module_node: Node) -> None:
    source = random.Random("real")
    node = module_node
    wallet = Wallet.of(source.getrandbits(256), REGTEST)
    places = [(kind, source.randrange(2), source.randrange(50)) for kind in ALL_TYPES]
    paid = [
        node.fund(wallet.descriptor(kind).address(index, keychain), 100_000)
        for kind, keychain, index in places
    ]
    node.mine()
    template = spend(
        wallet,
        [Coin(kind, 100_000, keychain, index) for kind, keychain, index in places],
        [(pay_to(source), 390_000)],
    )
    psbt = with_real_coins(node, template, paid)
    tx = sign(psbt, wallet.root, wallet.descriptors, REGTEST).finalize().extract()
    (verdict,) = node.rpc("testmempoolaccept", [tx.serialize().hex()])
    assert verdict["allowed"], verdict
    assert verdict["vsize"] == tx.vsize
    assert node.rpc("sendrawtransaction", tx.serialize().hex()) == hash_to_hex(tx.txid)
    node.mine()
    with pytest.raises(RpcError):
        node.rpc("sendrawtransaction", tx.serialize().hex())


def with_real_coins(node: Node, template: Psbt, txids: list[str]) -> Psbt:
    """Put the transactions that bitcoind made where the template has invented ones."""
    inputs = []
    for psbt_input, tx_input, txid in zip(template.inputs, template.tx.inputs, txids, strict=True):
        previous = Transaction.parse(bytes.fromhex(node.rpc("getrawtransaction", txid)))
        assert psbt_input.non_witness_utxo is not None
        wanted = psbt_input.non_witness_utxo.outputs[1].script_pubkey
        scripts = [output.script_pubkey for output in previous.outputs]
        vout = scripts.index(wanted)
        psbt_input.non_witness_utxo = previous
        if psbt_input.witness_utxo is not None:
            psbt_input.witness_utxo = previous.outputs[vout]
        inputs.append(replace(tx_input, prevout=OutPoint(previous.txid, vout)))
    template.tx = replace(template.tx, inputs=tuple(inputs))
    return template
