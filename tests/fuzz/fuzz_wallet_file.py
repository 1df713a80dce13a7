"""Spoils wallet files on every floor: bytes, headers, boxes, and the JSON inside under right keys.

    python -m tests.fuzz.fuzz_wallet_file --count 100000

Whatever comes, it is a wallet or one of our errors, in less than 100 ms, and the memory stays
bounded. What the keys protect is spoilt with a right checksum, tag and key: only then is it
reached.
"""

import hashlib
import json
import random
import struct
from collections import Counter
from functools import cache

from tests.fuzz.counting import check_sentence, measured, run_from_command_line
from tests.fuzz.json_spoiling import spoil as spoil_json
from tests.fuzz.messages import spoil
from tests.unit.storage.samples import (
    CHEAP,
    DESCRIPTION,
    FULL_VIEW,
    SALT,
    SECRET_BOX,
    SECRET_KEY,
    VIEW_KEY,
    view_box,
)
from wallet_gui.keys.errors import CorruptSecretBox
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.sealing import HEADER_SIZE, SealError, open_box, parse_box, seal_box
from wallet_gui.sealing import NewerFormat as NewerBox
from wallet_gui.storage.errors import StorageError
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_layout import assemble, open_view, parse

STATE = ViewState(DESCRIPTION, view=FULL_VIEW, settings={"node": {"host": "x", "port": 1}})


@cache
def corpus() -> list[bytes]:
    boxes = [view_box(STATE), view_box(ViewState(DESCRIPTION))]
    files = [assemble(VIEW_KEY, box, SECRET_BOX, 1_700_000_000) for box in boxes]
    return [*files, assemble(VIEW_KEY, boxes[0], None, 0, purge_pending=True)]


@cache
def payloads() -> list[bytes]:
    descriptors = ("wsh(sortedmulti(1,[d34db33f/48h]tpub/<0;1>/*,tpub))#cs",)
    return [
        SecretPayload(bytes(range(16))).encode(),
        SecretPayload(bytes(range(32)), "japanese", b"\x01\x02\x03\x04", "mainnet").encode(),
        SecretPayload(bytes(16), script_types=(), descriptors=descriptors).encode(),
    ]


def with_checksum(data: bytes) -> bytes:
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


def open_file(data: bytes) -> str:
    """Do what the vault does before and after the password was typed."""
    contents = parse(data, minimum=CHEAP)
    state = open_view(contents, VIEW_KEY, minimum=CHEAP)
    written = state.encode()
    assert ViewState.decode(written).encode() == written
    if contents.secret_box is not None:
        open_box(SECRET_KEY, contents.secret_box, minimum=CHEAP)
    return "wallet"


def _raw(rng: random.Random) -> str:
    return open_file(spoil(rng, rng.choice(corpus()), corpus()))


def _right_checksum(rng: random.Random) -> str:
    data = bytearray(rng.choice(corpus()))
    # Mostly the two headers, where lengths and costs are.
    place = rng.choice(
        [rng.randrange(32), 32 + rng.randrange(HEADER_SIZE), rng.randrange(len(data))]
    )
    data[place : place + rng.choice([1, 1, 4])] = rng.randbytes(rng.choice([0, 1, 1, 4]))
    return open_file(with_checksum(bytes(data)))


def _box(rng: random.Random) -> str:
    box = bytearray(rng.choice([view_box(STATE), SECRET_BOX]))
    place = rng.randrange(HEADER_SIZE - 32)
    box[place : place + 4] = struct.pack(
        "<I", rng.choice([0, 1, 2**31, 2**32 - 1, rng.getrandbits(32)])
    )
    parse_box(bytes(box), minimum=CHEAP)
    open_box(rng.choice([VIEW_KEY, SECRET_KEY]), bytes(box), minimum=CHEAP)
    return "box"


def _view(rng: random.Random) -> str:
    spoilt = spoil_json(rng, json.loads(STATE.encode()))
    box = seal_box(VIEW_KEY, b"view", CHEAP, SALT, spoilt, minimum=CHEAP)
    return open_file(assemble(VIEW_KEY, box, SECRET_BOX, 0))


def _secrets(rng: random.Random) -> str:
    spoilt = spoil_json(rng, json.loads(rng.choice(payloads())))
    payload = SecretPayload.decode(spoilt)
    assert SecretPayload.decode(payload.encode()) == payload
    return "secrets"


FLOORS = (_raw, _right_checksum, _box, _view, _secrets)
REFUSALS = (StorageError, SealError, CorruptSecretBox, NewerBox)


def run(seed: int, count: int) -> Counter[str]:
    """Spoil so many; tell what came of them."""
    said: Counter[str] = Counter()
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        floor = FLOORS[number % len(FLOORS)]
        with measured(said, f"{floor.__name__} {seed}/{number}"):
            try:
                said[floor(rng)] += 1
            except REFUSALS as refusal:
                check_sentence(refusal)
                said["refused"] += 1
    return said


if __name__ == "__main__":
    run_from_command_line(__doc__ or "", run)
