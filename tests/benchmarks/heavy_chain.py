"""Blocks whose filters have mainnet's average size, made without a signature.

Every block spends all outputs of the one before and makes as many new ones, of 22 and 34 bytes, in
transactions of two inputs and two outputs. The scripts are witness programs of versions that are
not defined yet, which anyone may spend by consensus; blocks are handed over with `submitblock`.
Everything is put together as bytes: there are thousands of such blocks to make.
"""

import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from tests.functional.bitcoind import Node
from wallet_gui.primitives.block import merkle_root, target_from_bits
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.script import encode_script_number, push
from wallet_gui.primitives.serialize import compact_size
from wallet_gui.primitives.transaction import Transaction, TxOut

OUTPUTS: Final = 2600  # per block
VALUE: Final = 1000
BITS: Final = 0x207FFFFF
_VERSIONS: Final = range(0x52, 0x61)  # OP_2 .. OP_16
_NULL: Final = bytes(32) + b"\xff\xff\xff\xff"
_COMMITMENT: Final = bytes.fromhex("6a24aa21a9ed")


def _script(number: int) -> bytes:
    """An own script for every number: two thirds are as long as P2WPKH, one as P2WSH."""
    size = 32 if number % 3 == 0 else 20
    program = sha256(b"heavy" + struct.pack("<Q", number)).digest()[:size]
    return bytes([_VERSIONS[number % len(_VERSIONS)], size]) + program


def _output(value: int, script: bytes) -> bytes:
    return struct.pack("<QB", value, len(script)) + script


class HeavyBlocks:
    """Adds heavy blocks to a node whose own wallet has a coin to begin with."""

    def __init__(self, node: Node) -> None:
        self._node = node
        begin = self._fan_out()
        node.rpc("sendrawtransaction", begin.serialize().hex(), 0)
        node.mine(1)
        txid = begin.txid
        self._coins = [
            txid + struct.pack("<I", vout)
            for vout, output in enumerate(begin.outputs)
            if output.value_sat == VALUE
        ]
        self._number = 0
        self._tip = ""
        self._time = 0

    def add(self, extra: Sequence[bytes] = ()) -> None:
        """Add one block that also holds these raw transactions."""
        node = self._node
        height = self._look()
        transactions = [_with_ids(raw) for raw in extra]
        transactions += self._moves()
        base, full = _coinbase(height, [wtxid for _, _, wtxid in transactions])
        txids = [sha256d(base), *(txid for _, txid, _ in transactions)]
        header = _mined(bytes.fromhex(self._tip)[::-1], self._time, merkle_root(txids)[0])
        count = compact_size(len(txids))
        raw = b"".join((header, count, full, *(each[0] for each in transactions)))
        refused = node.rpc("submitblock", raw.hex())
        if refused is not None:
            raise RuntimeError(f"block {height} was refused: {refused}")
        self._tip = sha256d(header)[::-1].hex()

    def _look(self) -> int:
        """See where the chain ends: the node's wallet may have mined meanwhile."""
        tip = self._node.tip
        found = self._node.rpc("getblockheader", tip)
        height = int(found["height"]) + 1
        # Later than the median of eleven, not much later than now.
        self._time = max(self._time, int(found["time"])) + (height % 4 == 0)
        self._tip = tip
        return height

    def _moves(self) -> list[tuple[bytes, bytes, bytes]]:
        """Spend every coin; returns each transaction with its txid and wtxid."""
        moves = []
        made: list[bytes] = []
        for first in range(0, len(self._coins) - 1, 2):
            one, two = self._coins[first : first + 2]
            raw = b"".join(
                (
                    b"\x02\x00\x00\x00\x02",
                    one,
                    b"\x00\xff\xff\xff\xff",
                    two,
                    b"\x00\xff\xff\xff\xff\x02",
                    _output(VALUE, _script(self._number)),
                    _output(VALUE, _script(self._number + 1)),
                    bytes(4),
                )
            )
            self._number += 2
            txid = sha256d(raw)
            moves.append((raw, txid, txid))
            made += [txid + bytes(4), txid + b"\x01\x00\x00\x00"]
        self._coins = made
        return moves

    def _fan_out(self) -> Transaction:
        """Split one of the node's coins into many that anyone may spend."""
        node = self._node
        outputs = [TxOut(VALUE, _script((1 << 41) + i)) for i in range(OUTPUTS)]
        raw = Transaction(2, (), tuple(outputs), 0)
        funded = node.bank("fundrawtransaction", raw.serialize().hex(), {"fee_rate": 2}, False)
        signed = node.bank("signrawtransactionwithwallet", funded["hex"])
        return Transaction.parse(bytes.fromhex(signed["hex"]))


def extend_heavily(node: Node, count: int) -> None:
    """Add `count` heavy blocks to a node whose own wallet has a coin to begin with."""
    blocks = HeavyBlocks(node)
    for _ in range(count):
        blocks.add()


def _with_ids(raw: bytes) -> tuple[bytes, bytes, bytes]:
    transaction = Transaction.parse(raw)
    return raw, transaction.txid, transaction.wtxid


def _coinbase(height: int, wtxids: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Make a coinbase that commits to the witnesses; returns it without and with its own."""
    root, _ = merkle_root([bytes(32), *wtxids])
    script_sig = push(encode_script_number(height)) + b"\x00"
    outputs = b"\x02" + _output(0, _script(1 << 40 | height))
    outputs += _output(0, _COMMITMENT + sha256d(root + bytes(32)))
    body = b"\x01" + _NULL + bytes([len(script_sig)]) + script_sig + b"\xff\xff\xff\xff" + outputs
    version, lock = b"\x02\x00\x00\x00", bytes(4)
    witness = b"\x01\x20" + bytes(32)
    return version + body + lock, version + b"\x00\x01" + body + witness + lock


def _mined(previous: bytes, time: int, root: bytes) -> bytes:
    target = target_from_bits(BITS)
    nonce = 0
    while True:
        header = struct.pack("<I32s32sIII", 0x20000000, previous, root, time, BITS, nonce)
        if int.from_bytes(sha256d(header), "little") <= target:
            return header
        nonce += 1
