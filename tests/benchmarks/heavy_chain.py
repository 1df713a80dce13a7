"""Blocks whose filters have mainnet's average size, made without a signature.

Every block spends all outputs of the one before and makes as many new ones, of 22 and 34 bytes, in
transactions of two inputs and two outputs. The scripts are witness programs of versions that are
not defined yet, which anyone may spend by consensus; blocks are handed over with `submitblock`.
"""

import struct
from hashlib import sha256
from typing import Final

from tests.functional.bitcoind import Node
from wallet_gui.primitives.block import Block, BlockHeader, merkle_root, target_from_bits
from wallet_gui.primitives.script import encode_script_number, push
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

OUTPUTS: Final = 2600  # per block
VALUE: Final = 1000
_VERSIONS: Final = range(0x52, 0x61)  # OP_2 .. OP_16


def _script(number: int) -> bytes:
    """An own script for every number: two thirds are as long as P2WPKH, one as P2WSH."""
    size = 32 if number % 3 == 0 else 20
    program = sha256(b"heavy" + struct.pack("<Q", number)).digest()[:size]
    return bytes([_VERSIONS[number % len(_VERSIONS)], size]) + program


def _mined(previous: bytes, time: int, transactions: list[Transaction]) -> Block:
    root, _ = merkle_root([tx.txid for tx in transactions])
    bits = 0x207FFFFF
    target = target_from_bits(bits)
    nonce = 0
    while True:
        header = BlockHeader(0x20000000, previous, root, time, bits, nonce)
        if int.from_bytes(header.hash, "little") <= target:
            return Block(header, tuple(transactions))
        nonce += 1


def _coinbase(height: int) -> Transaction:
    script_sig = push(encode_script_number(height)) + b"\x00"
    spend = TxIn(OutPoint(bytes(32), 0xFFFFFFFF), script_sig, 0xFFFFFFFF)
    return Transaction(2, (spend,), (TxOut(0, _script(1 << 40 | height)),), 0)


def extend_heavily(node: Node, count: int) -> None:
    """Add `count` heavy blocks to a node whose own wallet has a coin to begin with."""
    height = node.height
    begin = _fan_out(node)
    node.rpc("sendrawtransaction", begin.serialize().hex(), 0)
    node.mine(1)
    height += 1
    previous = bytes.fromhex(node.tip)[::-1]
    time = int(node.rpc("getblockheader", node.tip)["time"])
    coins = [
        OutPoint(begin.txid, vout)
        for vout, output in enumerate(begin.outputs)
        if output.value_sat == VALUE
    ]
    number = 0
    for _ in range(count):
        height += 1
        time += height % 4 == 0  # later than the median of eleven, not much later than now
        transactions = [_coinbase(height)]
        made: list[OutPoint] = []
        for first in range(0, len(coins) - 1, 2):
            outputs = (TxOut(VALUE, _script(number)), TxOut(VALUE, _script(number + 1)))
            number += 2
            spends = tuple(TxIn(coin, b"", 0xFFFFFFFF) for coin in coins[first : first + 2])
            tx = Transaction(2, spends, outputs, 0)
            transactions.append(tx)
            txid = tx.txid
            made += [OutPoint(txid, 0), OutPoint(txid, 1)]
        block = _mined(previous, time, transactions)
        refused = node.rpc("submitblock", block.serialize().hex())
        if refused is not None:
            raise RuntimeError(f"block {height} was refused: {refused}")
        previous = block.header.hash
        coins = made


def _fan_out(node: Node) -> Transaction:
    """Split one of the node's coins into many that anyone may spend."""
    outputs = [TxOut(VALUE, _script((1 << 41) + i)) for i in range(OUTPUTS)]
    raw = Transaction(2, (), tuple(outputs), 0)
    funded = node.bank("fundrawtransaction", raw.serialize().hex(), {"fee_rate": 2}, False)
    signed = node.bank("signrawtransactionwithwallet", funded["hex"])
    return Transaction.parse(bytes.fromhex(signed["hex"]))
