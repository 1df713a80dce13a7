"""Spoils bitcoin: links and addresses: `python -m tests.fuzz.fuzz_uri --count 100000`.

Any text is a payment of this network or a ParseError; what is read says the same when it is
written and read again.
"""

import random
from collections import Counter

from tests.fuzz.counting import check_sentence, measured, run_from_command_line
from wallet_gui.primitives.address import address_from_script, script_from_address
from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.params import MAINNET, NETWORKS
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.uri import PaymentUri

ADDRESSES = [
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
]
QUERIES = [
    "amount=0.5",
    "amount=20999999.9769",
    "amount=1e8",
    "amount=+1",
    "amount=\u0661",
    "amount=0.000000001",
    "label=A%20book",
    "label=%ff%fe",
    "label=%E2%80%AE",
    "message=a&message=b",
    "req-pay=1",
    "r=https%3A%2F%2Fevil.example",
    "pj=https://x",
    "lightning=lnbc1",
    "amount=",
    "=",
]
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABC%&?=:/.+-_ \0\u00e9\u202e\uff11\U0001f9ff"


def one(rng: random.Random) -> str:
    text = rng.choice(ADDRESSES)
    if rng.random() < 0.8:
        query = "&".join(rng.choices(QUERIES, k=rng.choice([0, 1, 1, 2, 5])))
        scheme = rng.choice(["bitcoin:", "bitcoin:", "BITCOIN:", "bitcoin://", ""])
        text = f"{scheme}{text}{'?' if query else ''}{query}"
    for _ in range(rng.choice([0, 0, 1, 1, 2, 6])):
        place = rng.randrange(len(text) + 1)
        text = text[:place] + rng.choice(["", rng.choice(_LETTERS)]) + text[place + 1 :]
    if rng.random() < 0.01:
        text *= rng.choice([50, 5_000])
    return text


def try_it(text: str) -> str:
    params = MAINNET
    script = b""
    try:
        script = script_from_address(text, params)
    except ParseError as refusal:
        check_sentence(refusal)
    if script:
        shown = address_from_script(script, params)
        assert shown is not None
        assert shown.lower() == text.strip().lower()
        # An address is of one kind of network only; bech32 names it.
        assert sum(_is_of(text, name) for name in NETWORKS) == 1
    try:
        uri = PaymentUri.parse(text, params)
    except ParseError as refusal:
        check_sentence(refusal)
        return "refused"
    if uri.amount_sat is not None:
        assert 0 <= uri.amount_sat <= MAX_MONEY
    return "read"


def _is_of(text: str, network: str) -> bool:
    try:
        return bool(script_from_address(text, NETWORKS[network]))
    except ParseError:
        return False


def run(seed: int, count: int) -> Counter[str]:
    """Try so many; tell what came of them."""
    said: Counter[str] = Counter()
    for number in range(count):
        text = one(random.Random(f"{seed}/{number}"))
        with measured(said, f"{seed}/{number}"):
            said[try_it(text)] += 1
    return said


if __name__ == "__main__":
    run_from_command_line(__doc__ or "", run)
