"""Spoils PSBTs and does with each what the program does: any bytes are a value or a refusal.

As a command it runs as many as it is told: `python -m tests.fuzz.fuzz_psbt --count 100000`. It
names the seed of each round; a round with that seed does the same again. `--corpus FOLDER` adds
the files of a folder to begin with.
"""

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.fuzz.messages import spoil
from tests.hostile.attack_psbts import ATTACKS, WALLET, honest
from tests.unit.keys.spending import ALL_TYPES
from tests.unit.primitives.psbt_samples import BIP174, BIP370, BIP371
from tests.unit.wallet.test_psbt_roles import KINDS
from wallet_gui.cli.psbt_report import describe, lines
from wallet_gui.keys.errors import PolicyRefused
from wallet_gui.keys.policy import assess
from wallet_gui.keys.signer import sign
from wallet_gui.primitives.params import MAINNET
from wallet_gui.primitives.psbt import MAGIC, Psbt
from wallet_gui.primitives.psbt_finalize import hash_types
from wallet_gui.primitives.psbt_records import Record, read_map
from wallet_gui.primitives.serialize import ParseError, var_bytes
from wallet_gui.wallet import psbt_roles, review
from wallet_gui.wallet.errors import WalletError
from wallet_gui.wallet.signed import finish

SECONDS_TO_READ = 0.1
SECONDS_AT_10_MB = 1.0
ROUND = 1_000

_TYPES = [*range(0x20), 0xFB, 0xFC, 0xFD, 0xFE]


@cache
def corpus() -> list[bytes]:
    """Vectors of the BIPs, PSBTs of every kind in each state, attacks; in both versions."""
    vectors = [
        case[-1]
        for source in (BIP174, BIP370, BIP371)
        for part in ("valid", "invalid")
        for case in source[part]
    ]
    vectors += [case[-1] for case in BIP370["lock_times"] + BIP370["no_lock_time"]]
    made = [honest(kind) for kind in ALL_TYPES]
    made += [sign(psbt, WALLET.root, WALLET.descriptors, MAINNET) for psbt in made]
    made += [psbt.finalize() for psbt in made]
    for spend in KINDS:
        half = spend.sign(spend.psbt(), [0])
        full = spend.sign(half, range(spend.required))
        made += [spend.psbt(), half, full, full.finalize()]
    made += [attack.make() for attack in ATTACKS[::4]]
    return vectors + [psbt.serialize(version) for psbt in made for version in (0, 2)]


def maps_of(raw: bytes) -> list[list[Record]]:
    """Return the records of each map; [] where they are not readable."""
    maps, position = [], len(MAGIC)
    try:
        while position < len(raw):
            records, position = read_map(raw, position)
            maps.append(records)
    except (ParseError, IndexError, ValueError):
        return []
    return maps


def spoil_records(rng: random.Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """Change whole records, with lengths that fit: this gets deeper than spoilt bytes."""
    maps = [[(r.key, r.value) for r in records] for records in maps_of(raw)]
    donors = [record for records in maps_of(rng.choice(others)) for record in records]
    for _ in range(rng.choice([1, 1, 2, 4])):
        if not maps:
            break
        records = rng.choice(maps)
        place = rng.randrange(len(records) + 1)
        old = records[place] if place < len(records) else (b"\xf0", b"")
        match rng.randrange(8):
            case 0:
                records[place : place + 1] = []
            case 1:
                records.insert(place, old)
            case 2:
                records[place : place + 1] = [(old[0], spoil(rng, old[1], [raw]))]
            case 3:
                records[place : place + 1] = [(spoil(rng, old[0], [raw]) or b"\x00", old[1])]
            case 4:
                records[place : place + 1] = [(bytes([rng.choice(_TYPES)]) + old[0][1:], old[1])]
            case 5 if donors:
                donor = rng.choice(donors)
                records.insert(place, (donor.key, donor.value))
            case 6:
                rng.shuffle(records)
            case _:
                maps.insert(rng.randrange(len(maps) + 1), rng.choice(maps)[:])
    return MAGIC + b"".join(
        b"".join(var_bytes(key) + var_bytes(value) for key, value in records) + b"\x00"
        for records in maps
    )


def one(rng: random.Random, chosen: Sequence[bytes]) -> bytes:
    raw = rng.choice(chosen)
    if rng.random() < 0.6:
        raw = spoil_records(rng, raw, chosen)
    if rng.random() < 0.5:
        raw = spoil(rng, raw, list(chosen))
    return raw


def with_true_flags(psbt: Psbt) -> Psbt:
    """Take back what the flags still allow although a signature forbids it."""
    true = psbt.copy()
    for psbt_input in true.inputs:
        for hash_type in hash_types(psbt_input):
            true.record_signature(hash_type)
    return true


def try_it(raw: bytes, rng: random.Random, chosen: Sequence[bytes]) -> str:
    """Do with the bytes all that can be done with a PSBT; return what came of it."""
    data: bytes | str = raw
    if rng.random() < 0.5:
        data = raw.hex()
    began = time.process_time()
    try:
        psbt = Psbt.read_any(data)
    except ParseError as error:
        said = str(error)
        assert said, raw.hex()
        assert len(said) < 500, said
        return "refused"
    finally:
        taken = time.process_time() - began
        assert taken < SECONDS_TO_READ, (taken, raw.hex())
    again = psbt.serialize()
    assert Psbt.parse(again) == psbt
    assert Psbt.parse(again).serialize() == again
    other = Psbt.parse(psbt.serialize(2 - psbt.version))
    assert other.tx == psbt.tx
    assert other.to_version(psbt.version) == with_true_flags(psbt)
    assert psbt.combine(psbt) == psbt
    lines(describe(psbt, MAINNET))
    outcome = "read"
    signed = None
    for use in (
        lambda: psbt_roles.finalize(psbt),
        lambda: psbt_roles.extract(psbt),
        lambda: psbt_roles.unverified_inputs(psbt),
        lambda: review.of(psbt, WALLET.descriptors, MAINNET),
        lambda: assess(psbt, WALLET.descriptors, MAINNET),
        lambda: finish(honest(), psbt),
        lambda: psbt.combine(Psbt.parse(rng.choice(chosen))),
    ):
        try:
            use()
        except (ParseError, WalletError, PolicyRefused):
            continue
    try:
        assess(psbt, WALLET.descriptors, MAINNET)
        signed = sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)
    except PolicyRefused:
        return outcome
    # What the vault signs, it signs whole: the same transaction, each own signature valid.
    assert signed.tx == psbt.tx
    outcome = "signed"
    try:
        tx = psbt_roles.extract(psbt_roles.finalize(signed))
    except (ParseError, WalletError):
        return outcome
    bare = tuple(replace(tx_in, script_sig=b"", witness=()) for tx_in in tx.inputs)
    assert replace(tx, inputs=bare) == psbt.tx
    return "spendable"


def some(seed: int, count: int, extra: Sequence[bytes] = ()) -> Counter[str]:
    """Try so many; tell what came of them."""
    chosen = [*corpus(), *extra]
    said: Counter[str] = Counter()
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        said[try_it(one(rng, chosen), rng, chosen)] += 1
    return said


def large(seed: int) -> Counter[str]:
    """Try PSBTs of up to 10 MB, each of which has to be judged within a second."""
    rng = random.Random(f"{seed}/large")
    said: Counter[str] = Counter()
    for raw in corpus()[:: rng.randrange(7, 19)]:
        filler = b"".join(
            var_bytes(b"\xf0" + number.to_bytes(4, "big")) + var_bytes(bytes(rng.choice([0, 90])))
            for number in range(rng.choice([10, 90_000, 105_000]))
        )
        tail = bytes(rng.randrange(9_900_000 - len(filler)))
        for data in (raw[:5] + filler + raw[5:], raw + tail, raw[:5] + b"\x01\xf0" + tail):
            spoilt = spoil(rng, data, [raw])
            began = time.process_time()
            try:
                Psbt.parse(spoilt)
                said["read"] += 1
            except ParseError:
                said["refused"] += 1
            taken = time.process_time() - began
            assert taken < SECONDS_AT_10_MB, (taken, seed, len(spoilt))
    return said


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--corpus", type=Path, help="a folder of PSBT files to begin with too")
    options = arguments.parse_args()
    extra = [] if options.corpus is None else [f.read_bytes() for f in options.corpus.iterdir()]
    total: Counter[str] = Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(options.seed, options.seed + -(-options.count // ROUND)):
        found = some(seed, min(ROUND, options.count - total.total()), extra)
        total += found
        print(f"seed {seed}: {dict(found)}", flush=True)
    print(f"large: {dict(large(options.seed))}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(f"{total.total()} in all: {dict(total)}; the process grew by {grown} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
