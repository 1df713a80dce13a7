"""Blocks and filters of a real bitcoind, with coins of every kind: an honest filter is no lie."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.functional.bitcoind import Node, to_btc
from wallet_gui.chain.filters import build
from wallet_gui.chain.p2p.filter_evidence import (
    PROOFS,
    Finding,
    judge,
    likely_script,
    nested_script,
    scripts_of,
)
from wallet_gui.primitives.base58 import encode_check
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.transaction import OutPoint

# Nobody knows its discrete logarithm (BIP341), so only the script path can be spent.
NOBODY = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
KINDS = {
    "P2PKH": "pkh({})",
    "P2WPKH": "wpkh({})",
    "nested P2WPKH": "sh(wpkh({}))",
    "P2SH": "sh(multi(1,{}))",
    "P2WSH": "wsh(multi(1,{}))",
    "nested P2WSH": "sh(wsh(multi(1,{})))",
    "taproot script path": f"tr({NOBODY},pk({{}}))",
    "taproot script path in a tree": f"tr({NOBODY},{{{{pk({{}}),pk({NOBODY})}}}})",
}
HIDDEN = {
    "taproot key path": "tr({})",
    "P2PK": "pk({})",
    "bare multisig": "multi(1,{})",
}


def read(node: Node, block_hash: str) -> tuple[Block, bytes]:
    block = Block.parse(bytes.fromhex(node.rpc("getblock", block_hash, 0)))
    return block, bytes.fromhex(node.rpc("getblockfilter", block_hash)["filter"])


def coins_of_every_kind(node: Node) -> dict[str, OutPoint]:
    """Mine one block to each kind of script, all spendable by one wallet."""
    node.rpc("createwallet", "kinds", False, True)
    coins = {}
    for number, (kind, template) in enumerate({**KINDS, **HIDDEN}.items(), 1):
        wif = encode_check(b"\xef" + bytes(31) + bytes([number]) + b"\x01")
        text = template.format(wif)
        info = node.rpc("getdescriptorinfo", text)
        request = {"desc": f"{text}#{info['checksum']}", "timestamp": "now"}
        (answer,) = node.rpc("importdescriptors", [request], wallet="kinds")
        assert answer["success"], (kind, answer)
        (block_hash,) = node.rpc("generatetodescriptor", 1, info["descriptor"])
        block, _ = read(node, block_hash)
        coins[kind] = OutPoint(block.transactions[0].txid, 0)
    return coins


def script_of(node: Node, coin: OutPoint) -> bytes:
    tx: Mapping[str, Any] = node.rpc("getrawtransaction", coin.txid[::-1].hex(), 1)
    return bytes.fromhex(tx["vout"][coin.vout]["scriptPubKey"]["hex"])


def test_coins_of_every_kind(node: Node) -> None:
    coins = coins_of_every_kind(node)
    node.mine(101)
    to = node.bank("getnewaddress")
    sent = node.rpc("sendall", [to], wallet="kinds")
    assert sent["complete"]
    block_hash = node.mine_with([sent["txid"]])
    node.wait_for_filters()
    block, data = read(node, block_hash)
    spent = {i.prevout: i for tx in block.transactions[1:] for i in tx.inputs}
    assert spent.keys() == set(coins.values())
    for kind, coin in coins.items():
        script = script_of(node, coin)
        found = likely_script(spent[coin])
        assert found == (script if kind in KINDS else None), kind
        assert (nested_script(spent[coin]) is not None) == kind.startswith("nested"), kind
    known = {coin: script_of(node, coin) for coin in coins.values()}
    scripts = scripts_of(block)
    assert scripts.hidden == len(HIDDEN)
    assert scripts.unknown == len(coins) - 2
    assert judge(data, block, scripts) is Finding.POSSIBLE
    assert judge(data, block, scripts_of(block, known)) is Finding.EXACT
    # Each coin that is left out is missed: for certain if it is known, likely if it shows.
    for kind, coin in coins.items():
        kept = [script for other, script in known.items() if other != coin]
        lie = build(block, [*kept, b"\x53" * 9]).data
        assert judge(lie, block, scripts_of(block, known)) is Finding.OMISSION, kind
        expected = Finding.POSSIBLE if kind in HIDDEN else Finding.UNLIKELY
        if kind.startswith("nested"):
            expected = Finding.OMISSION
        assert judge(lie, block, scripts) is expected, kind


@pytest.mark.parametrize("blocks", [1000])
def test_no_filter_of_a_thousand_blocks_is_refuted(node: Node, blocks: int) -> None:
    kinds = ("legacy", "p2sh-segwit", "bech32", "bech32m")
    node.mature()
    for round_number in range(30):
        for kind in kinds:
            outputs = {
                node.bank("getnewaddress", "", each): to_btc(20_000 + round_number)
                for each in kinds
            }
            node.bank("send", outputs, None, "unset", 5, {"change_type": kind})
        node.mine(1)
    node.mine(blocks - node.height)
    node.wait_for_filters()
    spends = 0
    for height in range(blocks + 1):
        block, data = read(node, node.block_hash(height))
        scripts = scripts_of(block)
        found = judge(data, block, scripts)
        assert found in {Finding.EXACT, Finding.POSSIBLE}, height
        assert found not in PROOFS
        spends += scripts.unknown
    assert spends > 100
