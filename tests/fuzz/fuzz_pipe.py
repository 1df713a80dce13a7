"""Spoils what window and vault say to each other: `python -m tests.fuzz.fuzz_pipe --count 100000`.

Frames and the JSON inside; whole, in pieces, cut off and run together. Whatever comes is a message
of the kinds that this side may receive, or a ParseError.
"""

import json
import random
import struct
from collections import Counter
from dataclasses import fields, is_dataclass

from tests.fuzz.counting import check_sentence, measured, run_from_command_line
from tests.fuzz.json_spoiling import spoil as spoil_json
from tests.fuzz.messages import spoil
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import (
    REPLIES,
    REQUESTS,
    CreateWallet,
    Failed,
    FailureKind,
    HeadlessOptions,
    KnownIndex,
    Message,
    Progress,
    PsbtSigned,
    RestoreWallet,
    SignPsbt,
    UnlockWallet,
    WalletUnlocked,
)
from wallet_gui.transfer.pipe import FrameDecoder, encode, reply_decoder, request_decoder

MESSAGES: list[Message] = [
    CreateWallet("/w", "Savings", "mainnet", headless=HeadlessOptions(assume_yes=True)),
    RestoreWallet("/w", "Savings", "regtest", ("wpkh", "tr"), birthday_time=1),
    UnlockWallet("/w/Savings.wallet"),
    SignPsbt("/w/S.wallet", "cHNidP8=" * 20, bytes(32), (KnownIndex(0, 1, 7),)),
    WalletUnlocked("/w/Savings.wallet", bytes(32)),
    PsbtSigned("cHNidP8="),
    Failed(FailureKind.POLICY, "It was not signed."),
    Progress("Signing", 0.5),
]


def feed(rng: random.Random, data: bytes, decoder: FrameDecoder[Message]) -> list[Message]:
    """Give bytes as a pipe does: in pieces of any size."""
    messages: list[Message] = []
    while data:
        size = rng.choice([1, 3, 100, 1 << 16])
        messages += decoder.receive_data(data[:size])
        data = data[size:]
    decoder.receive_eof()
    return messages


def one(rng: random.Random) -> bytes:
    frame = encode(rng.choice(MESSAGES))
    match rng.randrange(4):
        case 0:
            return spoil(rng, frame, [encode(each) for each in MESSAGES])
        case 1:
            return frame + encode(rng.choice(MESSAGES))
        case _:
            payload = spoil_json(rng, json.loads(frame[4:]))
            length = len(payload)
            if rng.random() < 0.1:
                length = rng.choice([0, length + 1, 2**24, 2**24 + 1, 2**32 - 1])
            return struct.pack("<I", length) + payload


def run(seed: int, count: int) -> Counter[str]:
    """Feed so many to both sides; tell what came of them."""
    said: Counter[str] = Counter()
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        data = one(rng)
        is_request = rng.random() < 0.5
        expected = REQUESTS if is_request else REPLIES
        with measured(said, f"{seed}/{number}"):
            try:
                decoder = request_decoder() if is_request else reply_decoder()
                messages = feed(rng, data, decoder)  # type: ignore[arg-type]
            except ParseError as refusal:
                said["refused"] += 1
                check_sentence(refusal)
                continue
        for message in messages:
            assert isinstance(message, expected)
            assert is_dataclass(message)
            assert fields(message) is not None
            assert encode(message) == encode(message)
            said["messages"] += 1
    return said


if __name__ == "__main__":
    run_from_command_line(__doc__ or "", run)
