"""Signed blocks for a signet of one's own (BIP325), mined at any difficulty."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from wallet_gui import curve
from wallet_gui.chain import signet
from wallet_gui.primitives import sighash
from wallet_gui.primitives.block import Block, BlockHeader, merkle_root, target_from_bits
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.script import encode_script_number, push
from wallet_gui.primitives.serialize import var_bytes
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

Solver = Callable[[Transaction], tuple[bytes, list[bytes]]]
"""Gives scriptSig and witness for the virtual transaction."""

ANYONE = b"\x51"
SECRETS = [sha256(bytes([number])).digest() for number in range(1, 4)]
KEYS = [curve.public_key(secret) for secret in SECRETS]


def signature(secret: bytes, digest: bytes) -> bytes:
    return curve.ecdsa_sign(secret, digest) + bytes([sighash.ALL])


def multisig(wanted: int, keys: Sequence[bytes]) -> bytes:
    listed = b"".join(push(key) for key in keys)
    return bytes([0x50 + wanted]) + listed + bytes([0x50 + len(keys), 0xAE])


def legacy_signatures(script: bytes, *secrets: bytes) -> Callable[[Transaction], list[bytes]]:
    return lambda tx: [
        signature(secret, sighash.legacy(tx, 0, script, sighash.ALL)) for secret in secrets
    ]


def segwit_signatures(script: bytes, *secrets: bytes) -> Callable[[Transaction], list[bytes]]:
    return lambda tx: [
        signature(secret, sighash.segwit_v0(tx, 0, script, 0, sighash.ALL)) for secret in secrets
    ]


def bare_multisig(script: bytes, *secrets: bytes) -> Solver:
    sign = legacy_signatures(script, *secrets)
    return lambda tx: (b"\x00" + b"".join(push(each) for each in sign(tx)), [])


@dataclass
class SignetMiner:
    """Makes blocks on a parent. `bits` is the network's lowest difficulty."""

    challenge: bytes
    solve: Solver
    bits: int
    version: int = 0x20000000

    def block(
        self,
        previous: bytes,
        height: int,
        time: int,
        transactions: Sequence[Transaction] = (),
        *,
        with_solution: bool = True,
        to: bytes = ANYONE,
    ) -> Block:
        tags = [bytes(32), *(tx.wtxid for tx in transactions)]
        commitment = sha256d(merkle_root(tags)[0] + bytes(32))
        place = b"\x6a\x24\xaa\x21\xa9\xed" + commitment
        marked = place + push(signet.HEADER)
        cleared = self._coinbase(height, marked, to)
        root, _ = merkle_root([cleared.txid, *(tx.txid for tx in transactions)])
        data = self.version.to_bytes(4, "little") + previous + root + time.to_bytes(4, "little")
        _, to_sign = signet.spending(data, self.challenge, b"", ())
        script_sig, witness = self.solve(to_sign)
        if with_solution:
            solution = _solution_bytes(script_sig, witness)
            marked = place + push(signet.HEADER + solution)
        coinbase = self._coinbase(height, marked, to)
        root, _ = merkle_root([coinbase.txid, *(tx.txid for tx in transactions)])
        return Block(self._mined(previous, root, time), (coinbase, *transactions))

    def _coinbase(self, height: int, commitment: bytes, to: bytes) -> Transaction:
        script_sig = push(encode_script_number(height)) + push(b"signed here")
        spends = TxIn(OutPoint(bytes(32), 0xFFFFFFFF), script_sig, witness=(bytes(32),))
        outputs = (TxOut(50 * 10**8, to), TxOut(0, commitment))
        return Transaction(2, (spends,), outputs, 0)

    def _mined(self, previous: bytes, root: bytes, time: int) -> BlockHeader:
        target = target_from_bits(self.bits)
        raw = BlockHeader(self.version, previous, root, time, self.bits, 0).serialize()
        begun = sha256(raw[:64])
        for nonce in range(1 << 32):
            attempt = begun.copy()
            attempt.update(raw[64:76] + nonce.to_bytes(4, "little"))
            block_hash = sha256(attempt.digest()).digest()
            if block_hash[-2:] <= b"\xff\x7f" and int.from_bytes(block_hash, "little") <= target:
                return BlockHeader(self.version, previous, root, time, self.bits, nonce)
        raise AssertionError("no nonce will do")


def _solution_bytes(script_sig: bytes, witness: Sequence[bytes]) -> bytes:
    """Write a solution as it lies behind the four marked bytes (BIP325)."""
    stack = b"".join(var_bytes(item) for item in witness)
    return var_bytes(script_sig) + bytes([len(witness)]) + stack
