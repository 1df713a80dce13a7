"""Real coins of every kind: a PSBT goes between bitcoind's wallets and us until it is mined."""

import random
from dataclasses import replace

import pytest

from tests.differential.psbt_interop import KINDS, MULTISIG, Coin, Signer
from tests.functional.bitcoind import Node, to_btc
from wallet_gui.descriptors.checksum import checksum
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet.psbt_roles import combine, extract, finalize

pytestmark = pytest.mark.functional

AMOUNT = 1_000_000


def a_wallet(node: Node, name: str, coin: Coin, signer: Signer | None) -> str:
    """Make a wallet of bitcoind for one coin: one signer's, or one that only watches."""
    node.rpc("createwallet", name, signer is None, True)
    asked = [{"desc": coin.descriptor(signer), "timestamp": "now"}]
    (answer,) = node.rpc("importdescriptors", asked, wallet=name)
    assert answer["success"], answer
    return name


def three_coins(kind: str) -> list[Coin]:
    """Coins of the same signers: 2 of 3 for multisig, at three addresses."""
    source = random.Random(f"wallets {kind}")
    first = Coin.random(source, kind)
    signers = [
        replace(first.signers[0], root=Coin.random(source, kind).signers[0].root)
        for _ in range(3 if kind in MULTISIG else 1)
    ]
    required = 2 if kind in MULTISIG else 1
    return [
        Coin(kind, required, [replace(each, steps=(0, index)) for each in signers], AMOUNT)
        for index in range(3)
    ]


def fund(node: Node, coin: Coin) -> str:
    address = address_from_script(coin.script_pubkey, REGTEST)
    assert address is not None
    return node.fund(address, AMOUNT)


def test_checksums_of_the_rig() -> None:
    for kind in KINDS:
        text = three_coins(kind)[0].descriptor(None)
        assert checksum(text[:-9]) == text[-8:]


@pytest.mark.parametrize("kind", KINDS)
def test_funded_there_signed_here_and_there(module_node: Node, kind: str) -> None:
    node = module_node
    coin = three_coins(kind)[0]
    watching = a_wallet(node, f"watch-{kind}", coin, None)
    fund(node, coin)
    node.mine()
    bank = node.bank("getnewaddress")
    created = node.rpc(
        "walletcreatefundedpsbt",
        [],
        {bank: to_btc(AMOUNT // 2)},
        0,
        {"changeAddress": bank, "fee_rate": 5},
        wallet=watching,
    )
    updated = node.rpc("walletprocesspsbt", created["psbt"], False, wallet=watching)["psbt"]
    psbt = Psbt.read_any(updated)
    assert psbt.to_base64() == updated
    assert Psbt.parse(psbt.serialize(2)).to_version(0).to_base64() == updated
    # One signs here; for multisig, another in a wallet of bitcoind, and their PSBTs meet here.
    parts = [coin.sign(psbt, coin.signers[0])]
    if kind in MULTISIG:
        second = a_wallet(node, f"second-{kind}", coin, coin.signers[1])
        options = ["DEFAULT", True, False]
        theirs = node.rpc("walletprocesspsbt", updated, True, *options, wallet=second)
        assert not theirs["complete"]
        parts.append(Psbt.parse(theirs["psbt"]).to_version(2))
    tx = extract(finalize(combine(parts)))
    send(node, tx)


@pytest.mark.parametrize("kind", KINDS)
def test_made_here_and_signed_by_wallets_of_bitcoind(module_node: Node, kind: str) -> None:
    node = module_node
    _, coin, spent_too = three_coins(kind)
    txids = [fund(node, each) for each in (coin, spent_too)]
    node.mine()
    raw = node.rpc(
        "createrawtransaction",
        [
            {"txid": txid, "vout": vout_of(node, txid, each)}
            for txid, each in pairs(txids, coin, spent_too)
        ],
        {node.bank("getnewaddress"): to_btc(2 * AMOUNT - 10_000)},
    )
    psbt = Psbt.from_unsigned_tx(Transaction.parse_stripped(bytes.fromhex(raw)))
    assert node.rpc("converttopsbt", raw) == psbt.to_base64()
    for index, (txid, each) in enumerate(pairs(txids, coin, spent_too)):
        previous = Transaction.parse(bytes.fromhex(node.rpc("getrawtransaction", txid)))
        psbt.inputs[index].non_witness_utxo = previous
        if kind not in ("pkh", "sh"):
            spent = previous.outputs[psbt.tx.inputs[index].prevout.vout]
            psbt.inputs[index].witness_utxo = spent
        each.tell(psbt, index)
    parts = []
    for number in range(coin.required):
        descriptors = [each.descriptor(each.signers[number]) for each in (coin, spent_too)]
        name = f"signer-{kind}-{number}"
        node.rpc("createwallet", name, False, True)
        asked = [{"desc": text, "timestamp": "now"} for text in descriptors]
        answers = node.rpc("importdescriptors", asked, wallet=name)
        assert all(answer["success"] for answer in answers)
        options = ["DEFAULT", True, False]
        signed = node.rpc("walletprocesspsbt", psbt.to_base64(), True, *options, wallet=name)
        parts.append(Psbt.parse(signed["psbt"]))
    combined = combine([psbt, *reversed(parts)])
    tx = extract(finalize(combined))
    assert node.rpc("finalizepsbt", combined.to_base64())["hex"] == tx.serialize().hex()
    send(node, tx)


def pairs(txids: list[str], *coins: Coin) -> list[tuple[str, Coin]]:
    return list(zip(txids, coins, strict=True))


def vout_of(node: Node, txid: str, coin: Coin) -> int:
    previous = Transaction.parse(bytes.fromhex(node.rpc("getrawtransaction", txid)))
    return [output.script_pubkey for output in previous.outputs].index(coin.script_pubkey)


def send(node: Node, tx: Transaction) -> None:
    raw = tx.serialize().hex()
    (verdict,) = node.rpc("testmempoolaccept", [raw])
    assert verdict["allowed"], verdict
    assert verdict["vsize"] == tx.vsize
    txid = hash_to_hex(tx.txid)
    assert node.rpc("sendrawtransaction", raw) == txid
    node.mine()
    assert node.rpc("getrawtransaction", txid, 1)["confirmations"] == 1
