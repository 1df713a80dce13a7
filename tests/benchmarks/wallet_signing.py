"""Signs a payment of many inputs in the real vault process, end to end, as a window asks for it.

python -m tests.benchmarks.wallet_signing wpkh 1000
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.hostile.vault_line import VaultLine
from tests.unit.keys.spending import Coin, Wallet, spend
from tests.unit.vault.samples import PASSWORD, WORDS
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.keys.seed import bip39_seed, entropy_from_words
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives import script
from wallet_gui.primitives.params import MAINNET
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.transfer.messages import (
    KnownIndex,
    PsbtSigned,
    RestoreWallet,
    SignPsbt,
    WalletCreated,
)
from wallet_gui.wallet import review
from wallet_gui.wallet.changes import Keychain
from wallet_gui.wallet.signed import finish


def measure(kind: DescriptorType, count: int) -> dict[str, float]:
    """Return seconds of each step, from the unsigned payment to the transaction to be sent."""
    root = ExtendedPrivateKey.from_seed(bip39_seed(*entropy_from_words(WORDS)), MAINNET)
    wallet = Wallet(root, MAINNET)
    coins = [Coin(kind, 100_000 + number, 0, number) for number in range(count)]
    total = sum(coin.value_sat for coin in coins)
    psbt = spend(wallet, coins, [(script.p2wpkh(b"\x07" * 20), total - 100 * count)])
    name = f"{kind.name.lower()}: "
    found = {}
    known = {(0, Keychain.RECEIVE): count}
    own = [wallet.descriptor(kind)]
    began = time.perf_counter()
    seen = review.of(psbt, own, MAINNET, known_indexes=known)
    found["the window's review in s"] = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder, VaultLine(Path(folder), PASSWORD, WORDS) as line:
        made = line.ask(
            RestoreWallet(folder, "Many", "mainnet", (kind.name.lower(),), headless=line.options)
        )
        assert isinstance(made, WalletCreated), made
        began = time.perf_counter()
        reply = line.ask(
            SignPsbt(
                made.path,
                psbt.to_base64(),
                seen.digest,
                (KnownIndex(0, 0, count),),
                headless=line.options,
            )
        )
        found["the vault, from request to reply, in s"] = time.perf_counter() - began
    assert isinstance(reply, PsbtSigned), reply
    began = time.perf_counter()
    tx = finish(psbt, Psbt.parse(reply.psbt_base64))
    found["the window's check of all signatures in s"] = time.perf_counter() - began
    assert len(tx.inputs) == count
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    found["the vault's CPU s, start included"] = usage.ru_utime + usage.ru_stime
    found["the vault's most memory in MiB"] = usage.ru_maxrss / 1024
    return {name + what: value for what, value in found.items()}


if __name__ == "__main__":
    print(json.dumps(measure(DescriptorType[sys.argv[1].upper()], int(sys.argv[2]))))
