"""Spoils the texts of QR codes and feeds them to the decoder: `python -m tests.fuzz.fuzz_qr`.

`--count` says how many texts. Whatever comes, it is progress or a ParseError, in less than 100 ms,
and what the decoder holds stays bounded. The seed is named; the same one does the same again.
"""

import argparse
import random
import resource
import sys
import time
from functools import cache

from tests.unit.transfer.test_qr_frames import SAMPLES
from tests.unit.transfer.ur_vectors import random_bytes, vectors
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import bbqr, bytewords, cbor, fountain, ur
from wallet_gui.transfer.qr_frames import Decoder, Format, OtherMessage, encode

SLOWEST = 0.1
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ$%*+-./: abcdefghijklmnopqrstuvwxyz\0\u00fc\u202e"


@cache
def corpus() -> list[str]:
    """Good codes of every kind and format, and the official ones."""
    texts = []
    for kind, data in SAMPLES:
        for format_ in (Format.BBQR, Format.UR):
            frames = encode(kind, data, format=format_, max_fragment=60)
            texts += [frames.frame(n) for n in range(min(12, 2 * frames.count))]
        if len(data) < 1000:
            texts.append(encode(kind, data, format=Format.PLAIN).frame(0))
    for encoding in bbqr.Encoding:
        frames_ = bbqr.Frames(bbqr.FileType.BINARY, random_bytes(400), 90, encoding)
        texts += [frames_.frame(n) for n in range(frames_.count)]
    official = vectors()
    texts += official["urs_of_256"]
    texts += [official[name]["ur"] for name in ("psbt", "hdkey", "account")]
    texts += [each["ur"] for each in official["outputs"] if "ur" in each]
    return texts


def spoil(rng: random.Random, text: str) -> str:
    """Change, drop, repeat or swap some letters."""
    letters = list(text)
    for _ in range(rng.choice([1, 1, 1, 3, 20])):
        place = rng.randrange(len(letters) + 1)
        match rng.randrange(6):
            case 0:
                letters[place : place + 1] = rng.choice(_LETTERS)
            case 1:
                del letters[place : place + rng.choice([1, 2, 50])]
            case 2:
                letters[place:place] = rng.choices(_LETTERS, k=rng.choice([1, 4, 40]))
            case 3:
                letters = letters[:place] + letters[: len(letters) // 2] + letters[place:]
            case 4:
                letters = list("".join(letters).swapcase())
            case _:
                other = rng.choice(corpus())
                letters = letters[:place] + list(other[place:])
    return "".join(letters[:20_000])


def spoil_cbor(rng: random.Random) -> str:
    """A uniform resource with a right checksum over wrong contents, which reaches the CBOR."""
    whole = [text for text in corpus() if ur.is_ur(text) and text.count("/") == 1]
    code = ur.parse(rng.choice(whole))
    assert isinstance(code, ur.Whole)
    data = bytearray(code.message)
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[place : place + 1] = rng.randbytes(1)
            case 1:
                del data[place : place + rng.choice([1, 9])]
            case 2:
                data[place:place] = rng.choice(
                    [b"\x9f", b"\xbb", b"\xd9\x01\x91", rng.randbytes(9)]
                )
            case _:
                data[place : place + 1] = bytes(
                    [data[place - 1] ^ 1 << rng.randrange(8)] if data else []
                )
    kinds = [code.type, "crypto-output", "crypto-account", "crypto-hdkey", "psbt", "bytes"]
    return f"ur:{rng.choice(kinds)}/{bytewords.encode(bytes(data or [0]))}"


def lying_part(rng: random.Random) -> str:
    """A part of several whose numbers do not go together, or do and are not true."""
    sequence = rng.choice([0, 1, 9, 100, 2**32 - 1, 2**32, 2**64 - 1])
    count = rng.choice([0, 1, 9, 4000, 4001, 2**32, 2**64 - 1])
    numbers: list[cbor.Value] = [
        sequence,
        count,
        rng.choice([0, 1, 256, 259, 1_200_000, 10_000_001, 2**64 - 1]),
        rng.choice([0, 23570951, 2**32 - 1, 2**32]),
        rng.randbytes(rng.choice([0, 1, 29, 29, 300])),
    ]
    if rng.random() < 0.2:
        numbers[rng.randrange(5)] = rng.choice([True, -1, "text", b"", []])
    text = bytewords.encode(cbor.dumps(numbers))
    place = f"{sequence}-{count}" if rng.random() < 0.9 else "1-9"
    return f"ur:bytes/{place}/{text}"


def held(decoder: Decoder) -> int:
    """Bytes and letters that a decoder holds for a message that is not complete."""
    total = 0
    if decoder._bbqr is not None:
        total += sum(map(len, decoder._bbqr._pieces.values()))
    parts = decoder._ur._parts if decoder._ur is not None else None
    if parts is not None:
        total += parts._size * (len(parts._solved) + len(parts._mixed))
        total += sum(mask.bit_length() // 8 for mask, _ in parts._mixed.values())
    return total


def one_text(rng: random.Random) -> str:
    match rng.randrange(10):
        case 0:
            return rng.choice(corpus())
        case 1 | 2:
            return lying_part(rng)
        case 3 | 4 | 5:
            return spoil_cbor(rng)
        case _:
            return spoil(rng, rng.choice(corpus()))


def run(seed: int, count: int) -> dict[str, int]:
    """Feed so many texts, to decoders that each take some; tell what came of them."""
    said = {"progress": 0, "done": 0, "other message": 0, "refused": 0, "slowest ms": 0}
    decoder = Decoder()
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        if rng.random() < 0.1:
            decoder = Decoder()
        text = one_text(rng)
        began = time.process_time()
        try:
            progress = decoder.receive(text)
        except OtherMessage:
            said["other message"] += 1
        except ParseError as refusal:
            assert str(refusal), text  # noqa: PT017
            said["refused"] += 1
        else:
            said["done" if progress.is_done else "progress"] += 1
            assert progress.received <= progress.total, text
        took = time.process_time() - began
        assert took < SLOWEST, (took, seed, number)
        assert held(decoder) <= fountain.MAX_MESSAGE + 2_000_000, (seed, number)
        said["slowest ms"] = max(said["slowest ms"], round(took * 1000))
        if decoder.progress.is_done:
            decoder = Decoder()
    return said


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=200_000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    began = time.monotonic()
    said = run(options.seed, options.count)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"seed {options.seed}: {options.count:,} texts, {said}")
    print(f"{time.monotonic() - began:.0f} s, at most {kilobytes / 1024:.0f} MiB resident")
    return 0


if __name__ == "__main__":
    sys.exit(main())
