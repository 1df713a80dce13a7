"""Spoils update notices: `python -m tests.fuzz.fuzz_notice --count 100000`.

Spoilt after they were signed, they are refused; spoilt before that, they are a notice that may be
shown, or a sentence.
"""

import json
import random
from collections import Counter
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.fuzz.counting import check_sentence, measured, run_from_command_line
from tests.fuzz.json_spoiling import spoil
from tests.release_keys import ReleaseSigner
from wallet_gui.app.update_notice import (
    MAX_PAGE,
    MAX_SIZE,
    MAX_TEXT,
    Level,
    NotANotice,
    UpdateNotice,
    Version,
    join,
    read,
    read_signed,
    trusted_comment,
)
from wallet_gui.release_signature import BadSignature, PublicKey, verify

SIGNER = ReleaseSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
KEYS: tuple[PublicKey, ...] = (SIGNER.public,)
NOTICE = UpdateNotice(
    "0.2.0",
    1_795_000_000,
    "https://example.org/wallet-gui",
    expires=1_799_000_000,
    sha256sums="ab" * 32,
    level=Level.KEY,
    revoked=("452C8AB290925948", "0123456789ABCDEF"),
    text="What is new: \u00fcn\u00ef \u2713.",
)
FILE = SIGNER.notice(NOTICE)
_FIRST = FILE.index(b"\n")
_BYTES = [
    b"",
    b"\n",
    b"\r\n",
    b"\0",
    b"=",
    b"A",
    b"\xff",
    b"\xc3\xa9",
    b" ",
    b"{",
    b"trusted comment: ",
]


def spoilt_file(rng: random.Random) -> bytes:
    """A signed notice with something of it changed."""
    data = bytearray(FILE)
    for _ in range(rng.choice([1, 1, 2, 5])):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0 if place < len(data):
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                del data[place : place + rng.choice([1, 1, 20, 200])]
            case 2:
                start = rng.randrange(len(data) + 1)
                data[place:place] = data[start : start + rng.choice([1, 40, 400])]
            case _:
                data[place : place + 1] = rng.choice(_BYTES)
    if rng.random() < 0.01:
        data *= rng.choice([2, 100])
    return bytes(data)


def try_file(data: bytes) -> str:
    try:
        signed = read_signed(data, KEYS)
    except (BadSignature, NotANotice) as refusal:
        check_sentence(refusal)
        return "refused"
    # Only the comment that is called untrusted may have changed, which is never shown.
    assert signed.notice == NOTICE
    assert data.split(b"\n", 1)[1] == FILE[_FIRST + 1 :] or b"\r" in data
    return "untouched"


def try_body(body: bytes) -> str:
    """Sign what was spoilt: the makers may slip, too."""
    version = NOTICE.version
    try:
        notice = read(body)
    except NotANotice as refusal:
        check_sentence(refusal)
    else:
        version = notice.version
        check(notice)
    if len(body) > MAX_SIZE - 500:
        return "too large"
    data = join(SIGNER.sign(body, trusted_comment(version)), body)
    try:
        signed = read_signed(data, KEYS)
    except NotANotice as refusal:
        check_sentence(refusal)
        return "not shown"
    again = read(signed.notice.to_json())
    assert again == signed.notice
    return "shown"


def check(notice: UpdateNotice) -> None:
    """What may be shown: plain, short, and nothing that leads elsewhere."""
    Version.parse(notice.version)
    assert notice.page.isascii()
    assert notice.page.startswith("https://")
    assert len(notice.page) <= MAX_PAGE
    assert not set(notice.page) & set("@?#%\\ \"'<>")
    assert len(notice.text) <= MAX_TEXT
    assert notice.text.isprintable()
    assert replace(notice).is_newer_than("0.0.0a0") in {True, False}


def run(seed: int, count: int) -> Counter[str]:
    """Try so many; tell what came of them."""
    said: Counter[str] = Counter()
    value = json.loads(NOTICE.to_json())
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        if number % 2:
            body = spoil(rng, json.loads(json.dumps(value)))
            with measured(said, f"{seed}/{number}"):
                said[try_body(body)] += 1
        else:
            data = spoilt_file(rng)
            with measured(said, f"{seed}/{number}"):
                said[try_file(data)] += 1
    return said


def self_check() -> None:
    """What is spoilt is good to begin with."""
    lines = FILE.decode().split("\n", 4)
    assert verify(lines[4].encode(), "\n".join(lines[:4]), KEYS).key_id == SIGNER.public.name
    assert read_signed(FILE, KEYS).notice == NOTICE


if __name__ == "__main__":
    run_from_command_line(__doc__ or "", run)
