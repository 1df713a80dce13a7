"""Spoils descriptors and wallet exports: any bytes are a value or a ParseError, quickly.

As a command it runs as many as it is told: `python -m tests.fuzz.fuzz_descriptor --count 100000`.
It names the seed of each round; a round with that seed does the same again.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Sequence

from tests.fuzz.messages import spoil
from tests.unit.descriptors.cosigners import ROOTS, wallet_of
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.exporters import EXPORTERS
from wallet_gui.descriptors.importers import read_cosigner, read_wallet
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.serialize import ParseError

SECONDS = 0.1
ROUND = 1_000


def corpus() -> list[bytes]:
    """Collect what programs write, as they write it."""
    single = account_descriptors(ROOTS[0], REGTEST)[DescriptorType.WPKH]
    wallets = [single, *(wallet_of(kind, 2, 3) for kind in MultisigType)]
    wallets.append(wallet_of(MultisigType.WSH, 8, 15))
    texts = [str(wallet).partition("#")[0] for wallet in wallets]
    texts += [f"BSMS 1.0\n{texts[1].replace('/<0;1>/*', '/**')}\n/0/*,/1/*\n"]
    texts += [str(key) for key in wallets[1].keys]
    for name, export in EXPORTERS.items():
        texts += [export([w], "x", 1) for w in wallets if name != "coldcard" or w.is_multisig]
    return [text.encode() for text in texts]


CORPUS = corpus()


def try_one(data: bytes, said: Counter[str]) -> None:
    """Read it in each way that the program has."""
    text = data.decode("latin-1")
    for name, read in (
        ("descriptor", lambda: Descriptor.parse(text, REGTEST).derive(0)),
        ("wallet", lambda: read_wallet(data, REGTEST).descriptors[0].first_address),
        ("cosigner", lambda: read_cosigner(data, REGTEST, MultisigType.WSH)),
    ):
        sentence = "read"
        before = time.process_time()
        try:
            read()
            said[name] += 1
        except ParseError as error:
            said["refused"] += 1
            sentence = str(error)
        # A refusal is a sentence that does not repeat what it refuses.
        assert 0 < len(sentence) < 500
        spent = time.process_time() - before
        assert spent < SECONDS, f"{name} took {spent:.2f} s"


def some(seed: int, count: int) -> Counter[str]:
    """Spoil `count` of them; returns how often each was read, and refused."""
    source = random.Random(seed)
    said: Counter[str] = Counter()
    for data in CORPUS:
        try_one(data, said)
    for _ in range(count):
        data = source.choice(CORPUS)
        for _ in range(source.choice((1, 1, 1, 2, 5))):
            data = spoil(source, data, CORPUS)
        try_one(data, said)
    return said


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as many as asked for, and print what they came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    total: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + max(1, options.count // ROUND)):
        said = some(seed, ROUND)
        total += said
        print(f"seed {seed}: {dict(said)}", flush=True)
    print(f"in all: {dict(total)}")


if __name__ == "__main__":
    main()
