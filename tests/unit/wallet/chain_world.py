"""A small world for wallet tests: keys, a miner, a mempool, and a brute-force ledger.

The ledger knows thousands of our scripts at once and walks every block from the first, so it
shares no idea with the wallet under test.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from wallet_gui.curve import ecdsa_sign, schnorr_sign, taproot_secret
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.block import Block, BlockHeader, merkle_root
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.wallet.changes import ChangeSet, Keychain, WalletDescription, WalletState
from wallet_gui.wallet.wallet import Wallet

ROOT = ExtendedPrivateKey.from_seed(bytes(range(64)), REGTEST)
DESCRIPTORS = account_descriptors(ROOT, REGTEST)
ALL_TYPES = tuple(DescriptorType)
COIN = 100_000_000
START = 1_700_000_000


def describe(types: Sequence[DescriptorType] = ALL_TYPES, active: int = 0) -> WalletDescription:
    return WalletDescription(
        name="Test",
        network="regtest",
        descriptors=tuple(DESCRIPTORS[kind].to_string() for kind in types),
        active=active,
        fingerprint=ROOT.fingerprint.hex(),
        birthday_time=None,
        cache_key=bytes(32),
    )


def new_wallet(
    types: Sequence[DescriptorType] = (DescriptorType.WPKH,),
    active: int = 0,
    state: WalletState | None = None,
) -> Wallet:
    return Wallet(describe(types, active), REGTEST, state)


def foreign_script(number: int) -> bytes:
    digest = sha256(b"somebody else" + number.to_bytes(8, "big"))
    return (script.p2wpkh(digest[:20]), script.p2tr(digest), script.p2pkh(digest[:20]))[number % 3]


def foreign_tx(
    number: int, outputs: Iterable[TxOut], prevout: OutPoint | None = None
) -> Transaction:
    spent = prevout or OutPoint(sha256(b"foreign coin" + number.to_bytes(8, "big")), number % 3)
    public_key = b"\x02" + sha256(b"key" + spent.txid)
    witness = (b"\x30" * 71, public_key)
    return Transaction(2, (TxIn(spent, b"", 0xFFFFFFFD, witness),), tuple(outputs), 0)


def coinbase(height: int, salt: int, outputs: Iterable[TxOut]) -> Transaction:
    tag = b"\x04" + height.to_bytes(4, "little") + b"\x08" + salt.to_bytes(8, "little")
    return Transaction(2, (TxIn(OutPoint(bytes(32), 0xFFFFFFFF), tag),), tuple(outputs), 0)


def block_of(transactions: Sequence[Transaction], previous: bytes, height: int) -> Block:
    root = merkle_root([tx.txid for tx in transactions])[0]
    header = BlockHeader(4, previous, root, START + 600 * height, 0x207FFFFF, 0)
    return Block(header, tuple(transactions))


def secret_at(key_path: KeyPath) -> bytes:
    assert key_path.fingerprint == ROOT.fingerprint
    return ROOT.derive(key_path.path).secret


def sign(psbt: Psbt) -> Psbt:
    """Sign every input of ours with the hash type ALL or DEFAULT."""
    signed = psbt.copy()
    spent = [psbt.utxo(index) for index in range(len(psbt.inputs))]
    for index, psbt_input in enumerate(signed.inputs):
        for public_key, key_path in psbt_input.bip32_derivations.items():
            code = script.p2pkh(hash160(public_key))
            if script.classify(spent[index].script_pubkey) is script.ScriptType.P2PKH:
                digest = sighash.legacy(psbt.tx, index, code, sighash.ALL)
            else:
                amount = spent[index].value_sat
                digest = sighash.segwit_v0(psbt.tx, index, code, amount, sighash.ALL)
            der = ecdsa_sign(secret_at(key_path), digest)
            psbt_input.partial_sigs[public_key] = der + bytes([sighash.ALL])
        for _, key_path in psbt_input.tap_bip32_derivations.values():
            digest = sighash.taproot(psbt.tx, index, spent, sighash.DEFAULT)
            secret = taproot_secret(secret_at(key_path))
            psbt_input.tap_key_sig = schnorr_sign(secret, digest, bytes(32))
    return signed


def signed_tx(psbt: Psbt) -> Transaction:
    return sign(psbt).finalize().extract()


@dataclass
class Store:
    """What the wallet's two files would hold."""

    state: WalletState = field(default_factory=WalletState)

    def save(self, wallet: Wallet) -> ChangeSet:
        change = wallet.take_staged()
        self.state = self.state.apply(change)
        return change


@dataclass
class World:
    """A chain of blocks and a mempool that everybody agrees on."""

    rng: Random
    blocks: list[Block] = field(default_factory=list)
    mempool: dict[bytes, Transaction] = field(default_factory=dict)
    known: dict[bytes, Transaction] = field(default_factory=dict)
    salt: int = 0

    def __post_init__(self) -> None:
        self.mine(())

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    def hash_at(self, height: int) -> bytes:
        return self.blocks[height].header.hash

    def mine(self, transactions: Iterable[Transaction], reward: Sequence[TxOut] = ()) -> Block:
        self.salt += 1
        outputs = reward or (TxOut(50 * COIN, foreign_script(self.salt)),)
        height = len(self.blocks)
        included = [coinbase(height, self.salt, outputs), *transactions]
        previous = self.hash_at(height - 1) if height else bytes(32)
        block = block_of(included, previous, height)
        self.blocks.append(block)
        spent = {tx_in.prevout for tx in included for tx_in in tx.inputs}
        for tx in included:
            self.known[tx.txid] = tx
            self.mempool.pop(tx.txid, None)
        for tx in list(self.mempool.values()):
            if tx.txid in self.mempool and any(i.prevout in spent for i in tx.inputs):
                self.evict(tx.txid)
        return block

    def evict(self, txid: bytes) -> None:
        self.mempool.pop(txid, None)
        for tx in list(self.mempool.values()):
            if any(i.prevout.txid == txid for i in tx.inputs):
                self.evict(tx.txid)

    def relay(self, tx: Transaction) -> None:
        """Accept a transaction; what it replaces goes with its descendants."""
        spent = {tx_in.prevout for tx_in in tx.inputs}
        for other in list(self.mempool.values()):
            if any(i.prevout in spent for i in other.inputs):
                self.evict(other.txid)
        self.mempool[tx.txid] = tx
        self.known[tx.txid] = tx

    def package(self, txid: bytes) -> list[Transaction]:
        """List a mempool transaction behind its unconfirmed ancestors."""
        found: list[Transaction] = []
        for tx_in in self.mempool[txid].inputs:
            if tx_in.prevout.txid in self.mempool:
                found += [t for t in self.package(tx_in.prevout.txid) if t not in found]
        return [*found, self.mempool[txid]]

    def disconnect(self, count: int) -> None:
        """Take blocks away; their transactions wait again, not coinbases and what spends them."""
        gone = self.blocks[-count:]
        del self.blocks[-count:]
        waiting = list(self.mempool.values())
        self.mempool.clear()
        for block in gone:
            for tx in block.transactions[1:]:
                self.mempool[tx.txid] = tx
        for tx in waiting:
            self.mempool[tx.txid] = tx
        for block in gone:
            self.evict(block.transactions[0].txid)

    # --- the brute-force ledger

    def matching(self, height: int, scripts: set[bytes]) -> bool:
        """Tell what a perfect filter would: an output or a spent coin has one of the scripts."""
        for tx in self.blocks[height].transactions:
            if any(output.script_pubkey in scripts for output in tx.outputs):
                return True
            for tx_in in tx.inputs:
                parent = self.known.get(tx_in.prevout.txid)
                if parent:
                    spent = parent.outputs[tx_in.prevout.vout].script_pubkey
                else:
                    spent = script.p2wpkh(hash160(tx_in.witness[1])) if tx_in.witness else b""
                if spent in scripts:
                    return True
        return False

    def unspent(self, ours: set[bytes]) -> tuple[dict[OutPoint, int], dict[OutPoint, int]]:
        """List our unspent outputs, those in blocks and those in the mempool, with values."""
        confirmed: dict[OutPoint, int] = {}
        for block in self.blocks:
            for tx in block.transactions:
                _spend_and_pay(tx, confirmed, confirmed, ours)
        pending: dict[OutPoint, int] = {}
        left = dict(self.mempool)
        while left:
            ready = [t for t in left.values() if not any(i.prevout.txid in left for i in t.inputs)]
            for tx in ready:
                for tx_in in tx.inputs:
                    confirmed.pop(tx_in.prevout, None)
                _spend_and_pay(tx, pending, pending, ours)
                del left[tx.txid]
        return confirmed, pending

    def involving(self, ours: set[bytes]) -> dict[bytes, int | None]:
        """List every transaction that pays us or spends from us, with its height."""
        places: dict[bytes, int | None] = dict.fromkeys(self.mempool)
        for height, block in enumerate(self.blocks):
            places.update(dict.fromkeys((tx.txid for tx in block.transactions), height))
        return {txid: h for txid, h in places.items() if self.is_ours(self.known[txid], ours)}

    def is_ours(self, tx: Transaction, ours: set[bytes]) -> bool:
        if any(output.script_pubkey in ours for output in tx.outputs):
            return True
        parents = [(i.prevout, self.known.get(i.prevout.txid)) for i in tx.inputs]
        return any(p and p.outputs[o.vout].script_pubkey in ours for o, p in parents)


def _spend_and_pay(
    tx: Transaction, spent: dict[OutPoint, int], paid: dict[OutPoint, int], ours: set[bytes]
) -> None:
    for tx_in in tx.inputs:
        spent.pop(tx_in.prevout, None)
    for vout, output in enumerate(tx.outputs):
        if output.script_pubkey in ours:
            paid[OutPoint(tx.txid, vout)] = output.value_sat


def scripts_of(descriptors: Iterable[Descriptor], count: int) -> set[bytes]:
    return {d.script_pubkey(i, k) for d in descriptors for k in Keychain for i in range(count)}
