"""Wallet files, messages of the vault's pipe, links: any bytes are a value or a refusal, soon.

More of each as `python -m tests.fuzz.fuzz_wallet_file --count 1000000`, and so on.
"""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.fuzz import fuzz_pipe, fuzz_uri, fuzz_wallet_file
from tests.fuzz.counting import resident

CASES = {
    "wallet file": (fuzz_wallet_file.run, 3_000, {"wallet": 10, "secrets": 20, "refused": 1_500}),
    "pipe": (fuzz_pipe.run, 5_000, {"messages": 200, "refused": 2_000}),
    "links": (fuzz_uri.run, 6_000, {"read": 300, "refused": 2_000}),
}


@pytest.mark.parametrize("name", CASES)
def test_spoilt_input_is_a_value_or_refused(name: str) -> None:
    run: Callable[[int, int], Counter[str]]
    run, count, least = CASES[name]
    run(0, 100)  # what is loaded once is loaded
    before = resident()
    said = run(1, count)
    print(f"{name}: {count} inputs, {dict(said)}")
    # They are worth something only if many get far, and many go wrong.
    for outcome, number in least.items():
        assert said[outcome] >= number, said
    assert resident() - before < 64_000_000
