"""PSBTs signed here and finalized by bitcoind and bdk, and the other way round, at random.

As a command it runs as many cases of each kind as it is told:
`python -m tests.differential.psbt_interop --count 500`. It names the seed; the same seed does the
same again.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bdkpython  # type: ignore[import-untyped]

from tests.functional.bitcoind import Node, to_sat
from tests.unit.keys.spending import previous_transaction
from wallet_gui import curve
from wallet_gui.descriptors.checksum import checksum
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.descriptors.xpub import HARDENED, format_path
from wallet_gui.keys.signer import sign
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives import script
from wallet_gui.primitives.base58 import decode_check
from wallet_gui.primitives.hashes import hash160, hash_to_hex, sha256
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.wallet.psbt_roles import combine, extract, finalize

KINDS = ("pkh", "sh-wpkh", "wpkh", "tr", "sh", "wsh", "sh-wsh")
MULTISIG = ("sh", "wsh", "sh-wsh")
REPOSITORY = Path(__file__).resolve().parents[2]

_OPENING = {
    "pkh": "pkh(",
    "sh-wpkh": "sh(wpkh(",
    "wpkh": "wpkh(",
    "tr": "tr(",
    "sh": "sh(sortedmulti({},",
    "wsh": "wsh(sortedmulti({},",
    "sh-wsh": "sh(wsh(sortedmulti({},",
}
_ACCOUNT = {
    "pkh": (44, 1, 0),
    "sh-wpkh": (49, 1, 0),
    "wpkh": (84, 1, 0),
    "tr": (86, 1, 0),
    "sh": (45,),
    "wsh": (48, 1, 0, 2),
    "sh-wsh": (48, 1, 0, 1),
}


@dataclass
class Signer:
    """One person's key of one coin: below their own master key, hardened account first."""

    root: ExtendedPrivateKey
    account: tuple[int, ...]
    steps: tuple[int, int]
    secret: bytes = field(init=False, repr=False)
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        leaf = self.root.derive(self.path)
        self.secret, self.key = leaf.secret, leaf.public_key

    @property
    def path(self) -> tuple[int, ...]:
        return (*self.account, *self.steps)

    @property
    def key_path(self) -> KeyPath:
        return KeyPath(self.root.fingerprint, self.path)

    def private_text(self) -> str:
        return f"{self.root.serialize()}/{format_path(self.path)}"

    def public_text(self) -> str:
        xpub = self.root.derive(self.account).neuter().serialize()
        origin = f"[{self.root.fingerprint.hex()}/{format_path(self.account)}]"
        return f"{origin}{xpub}/{format_path(self.steps)}"


@dataclass
class Coin:
    """An output of one kind, with the keys that can spend it."""

    kind: str
    required: int
    signers: list[Signer]
    value_sat: int
    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    script_pubkey: bytes = field(init=False)

    def __post_init__(self) -> None:
        key = self.signers[0].key
        if self.kind == "tr":
            self.script_pubkey = script.p2tr(curve.taproot_output_key(key[1:])[0])
            return
        inner = script.p2pkh(hash160(key)) if self.kind == "pkh" else script.p2wpkh(hash160(key))
        if self.kind in MULTISIG:
            keys = sorted(signer.key for signer in self.signers)
            inner = script.multisig(self.required, keys)
            if self.kind != "sh":
                self.witness_script = inner
                inner = script.p2wsh(sha256(inner))
        if self.kind.startswith("sh"):
            self.redeem_script = inner
            inner = script.p2sh(hash160(inner))
        self.script_pubkey = inner

    @classmethod
    def random(cls, source: random.Random, kind: str) -> "Coin":
        total = source.randint(1, 15) if kind in MULTISIG else 1
        account = tuple(step + HARDENED for step in _ACCOUNT[kind])
        steps = (source.randrange(2), source.choice([0, source.randrange(1000), HARDENED - 1]))
        signers = [
            Signer(ExtendedPrivateKey.from_seed(source.randbytes(32), REGTEST), account, steps)
            for _ in range(total)
        ]
        return cls(kind, source.randint(1, total), signers, source.randint(50_000, 10**10))

    def descriptor(self, signer: Signer | None) -> str:
        """The coin's descriptor, with the private key of one signer or with none."""
        names = [
            each.private_text() if each is signer else each.public_text() for each in self.signers
        ]
        opening = _OPENING[self.kind].format(self.required)
        body = f"{opening}{','.join(names)}{')' * opening.count('(')}"
        return f"{body}#{checksum(body)}"

    def tell(self, psbt: Psbt, index: int) -> None:
        """Do the updater's part for one input."""
        psbt_input = psbt.inputs[index]
        psbt_input.redeem_script = self.redeem_script
        psbt_input.witness_script = self.witness_script
        for signer in self.signers:
            if self.kind == "tr":
                psbt_input.tap_internal_key = signer.key[1:]
                psbt_input.tap_bip32_derivations[signer.key[1:]] = ((), signer.key_path)
            else:
                psbt_input.bip32_derivations[signer.key] = signer.key_path

    def sign(self, psbt: Psbt, signer: Signer) -> Psbt:
        """Sign here, as the vault does: every rule of the policy is judged on the way."""
        descriptor = Descriptor.parse(self.descriptor(None), REGTEST)
        return sign(psbt, signer.root, [descriptor], REGTEST)


def random_psbt(source: random.Random, kind: str) -> tuple[Psbt, list[Coin]]:
    """Make a payment from some coins of a kind, and now and then of others too."""
    kinds = [kind] + [source.choice([kind, *KINDS]) for _ in range(source.randrange(3))]
    coins = [Coin.random(source, each) for each in kinds]
    # Without witnesses, as bitcoind writes them.
    previous = [
        Transaction.parse_stripped(tx.serialize_stripped())
        for coin in coins
        for tx in [previous_transaction(coin.script_pubkey, coin.value_sat, source.getrandbits(64))]
    ]
    sequence = source.choice([0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF, 7])
    inputs = tuple(TxIn(OutPoint(tx.txid, 1), sequence=sequence) for tx in previous)
    total = sum(coin.value_sat for coin in coins)
    outputs = tuple(
        TxOut((total - 20_000) // 3, script.p2wpkh(source.randbytes(20)))
        for _ in range(source.randint(1, 3))
    )
    lock_time = source.choice([0, source.randrange(1, 500_000_000), 1_700_000_000])
    psbt = Psbt.from_unsigned_tx(Transaction(2, inputs, outputs, lock_time))
    for index, (coin, tx) in enumerate(zip(coins, previous, strict=True)):
        psbt.inputs[index].non_witness_utxo = tx
        if coin.kind not in ("pkh", "sh"):
            psbt.inputs[index].witness_utxo = tx.outputs[1]
        coin.tell(psbt, index)
    if source.random() < 0.3:
        for signer in coins[0].signers:
            xpub = signer.root.derive(signer.account).neuter()
            path = KeyPath(signer.root.fingerprint, signer.account)
            psbt.xpubs[decode_check(xpub.serialize())] = path
        psbt.unknown[b"\xfc\x05other\x00" + source.randbytes(3)] = source.randbytes(9)
        psbt.inputs[0].unknown[b"\xf1" + source.randbytes(2)] = b""
        psbt.outputs[0].unknown[b"\xf1"] = source.randbytes(300)
    return psbt, coins


TheirSign = Callable[[Psbt, Coin, Signer], Psbt]


def parts_of(
    source: random.Random, psbt: Psbt, coins: Sequence[Coin], their_sign: TheirSign
) -> Iterator[Psbt]:
    """Let each required signer sign, here or there; check that both would sign the same."""
    for index, coin in enumerate(coins):
        for signer in source.sample(coin.signers, coin.required):
            ours = coin.sign(psbt, signer)
            theirs = their_sign(psbt, coin, signer)
            if coin.kind != "tr":
                assert theirs.inputs[index].partial_sigs == ours.inputs[index].partial_sigs
            chosen = ours if source.random() < 0.5 else theirs
            # On the way, some travel as version 2.
            yield Psbt.parse(chosen.serialize(source.choice([0, 2]))).to_version(0)


class Bitcoind:
    """The roles as a real bitcoind plays them."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def sign(self, psbt: Psbt, coin: Coin, signer: Signer) -> Psbt:
        arguments = (psbt.to_base64(), [coin.descriptor(signer)], "DEFAULT", True, False)
        return Psbt.parse(self.node.rpc("descriptorprocesspsbt", *arguments)["psbt"])

    def one_case(self, source: random.Random, kind: str) -> None:
        psbt, coins = random_psbt(source, kind)
        assert self.node.rpc("utxoupdatepsbt", psbt.to_base64())  # it reads what we write
        parts = list(parts_of(source, psbt, coins, self.sign))
        source.shuffle(parts)
        ours = combine(parts)
        theirs = self.node.rpc("combinepsbt", [part.to_base64() for part in parts])
        assert ours.to_base64() == theirs
        decoded = self.node.rpc("decodepsbt", theirs)
        assert decoded["tx"]["txid"] == hash_to_hex(psbt.tx.txid)
        assert to_sat(decoded["fee"]) == ours.fee()
        assert decoded["psbt_version"] == ours.version == 0
        for item, mine in zip(decoded["inputs"], ours.inputs, strict=True):
            assert len(item.get("partial_signatures", {})) == len(mine.partial_sigs)
        final = finalize(ours)
        there = self.node.rpc("finalizepsbt", theirs, False)
        assert there["complete"]
        assert final.to_base64() == there["psbt"]
        tx = extract(final)
        assert self.node.rpc("finalizepsbt", theirs)["hex"] == tx.serialize().hex()
        assert extract(Psbt.parse(there["psbt"])) == tx
        # One signature fewer is incomplete on both sides.
        lacking = combine([psbt, *parts[1:]])
        assert not self.node.rpc("finalizepsbt", lacking.to_base64())["complete"]
        assert not all(part.is_final for part in finalize(lacking).inputs)
        raw = psbt.tx.serialize_stripped().hex()
        bare = Psbt.from_unsigned_tx(psbt.tx)
        assert self.node.rpc("converttopsbt", raw) == bare.to_base64()


class Bdk:
    """The roles as bdk plays them."""

    def sign(self, psbt: Psbt, coin: Coin, signer: Signer) -> Psbt:
        kind = bdkpython.NetworkKind.TEST
        descriptor = bdkpython.Descriptor(coin.descriptor(signer), kind)
        wallet = bdkpython.Wallet.create_single(
            descriptor, bdkpython.Network.REGTEST, bdkpython.Persister.new_in_memory(), 0
        )
        theirs = bdkpython.Psbt(psbt.to_base64())
        options = bdkpython.SignOptions(
            trust_witness_utxo=False,
            assume_height=None,
            allow_all_sighashes=False,
            try_finalize=False,
            sign_with_tap_internal_key=True,
            allow_grinding=True,
        )
        wallet.sign(theirs, options)
        return Psbt.parse(theirs.serialize())

    def one_case(self, source: random.Random, kind: str) -> None:
        psbt, coins = random_psbt(source, kind)
        assert Psbt.parse(bdkpython.Psbt(psbt.to_base64()).serialize()) == psbt
        parts = list(parts_of(source, psbt, coins, self.sign))
        source.shuffle(parts)
        ours = combine(parts)
        theirs = bdkpython.Psbt(parts[0].to_base64())
        for part in parts[1:]:
            theirs = theirs.combine(bdkpython.Psbt(part.to_base64()))
        assert Psbt.parse(theirs.serialize()) == ours
        tx = extract(finalize(ours))
        result = theirs.finalize()
        assert result.could_finalize, result.errors
        there = result.psbt
        assert bytes(there.extract_tx_unchecked_fee_rate().serialize()) == tx.serialize()
        assert extract(Psbt.parse(there.serialize())) == tx
        assert there.fee() == ours.fee()


def run(
    one_case: Callable[[random.Random, str], None], kinds: Sequence[str], count: int, seed: int
) -> None:
    for kind in kinds:
        for number in range(count):
            one_case(random.Random(f"{seed}/{kind}/{number}"), kind)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=500, help="cases of each kind")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    run(Bdk().one_case, KINDS, options.count, options.seed)
    print(f"bdk: {options.count} cases of each of {', '.join(KINDS)}", flush=True)
    found = subprocess.run(
        [sys.executable, REPOSITORY / "packaging" / "bitcoind.py"],
        capture_output=True,
        check=True,
        text=True,
    )
    binary = Path(found.stdout.splitlines()[-1])
    with tempfile.TemporaryDirectory() as folder, Node(binary, Path(folder) / "node") as node:
        run(Bitcoind(node).one_case, KINDS, options.count, options.seed)
    print(f"bitcoind: {options.count} cases of each of {', '.join(KINDS)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
