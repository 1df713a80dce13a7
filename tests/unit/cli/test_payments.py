import argparse
from typing import Any

import pytest

from wallet_gui.cli.output import harmless
from wallet_gui.cli.payments import read_coins, read_recipients
from wallet_gui.cli.printing import table
from wallet_gui.cli.result import UsageError
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.serialize import ParseError

ONE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SCRIPT = script_from_address(ONE, REGTEST)


def options(**given: Any) -> argparse.Namespace:
    defaults: dict[str, Any] = {"payee": None, "amount": None, "to": [], "label": "", "coin": []}
    return argparse.Namespace(**{**defaults, **given})


def amounts(**given: Any) -> list[int | None]:
    recipients = read_recipients(options(**given), REGTEST)
    assert all(recipient.script_pubkey == SCRIPT for recipient in recipients)
    return [recipient.amount_sat for recipient in recipients]


def test_recipients_in_all_their_forms() -> None:
    assert amounts(payee=ONE, amount="0.001") == [100_000]
    assert amounts(payee=ONE, amount="max") == [None]
    assert amounts(payee=f"bitcoin:{ONE}?amount=0.5") == [50_000_000]
    assert amounts(payee=f"bitcoin:{ONE}?amount=0.5", amount="1") == [100_000_000]
    assert amounts(to=[f"{ONE}=0.1", f"{ONE}=0.2"]) == [10_000_000, 20_000_000]
    assert amounts(to=[f"bitcoin:{ONE}?amount=0.3"]) == [30_000_000]
    assert amounts(payee=ONE, amount="1", to=[f"{ONE}=max"]) == [100_000_000, None]
    assert amounts() == []


@pytest.mark.parametrize(
    "given",
    [
        {"payee": ONE},
        {"payee": ONE, "amount": "0"},
        {"payee": ONE, "amount": "1,5"},
        {"payee": ONE, "amount": "-1"},
        {"payee": ONE, "amount": "1e3"},
        {"payee": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "amount": "1"},
        {"payee": f"bitcoin:{ONE}"},
        {"to": [ONE]},
        {"to": [f"={ONE}"]},
        {"to": [f"{ONE}="]},
        {"to": [f"bitcoin:{ONE}?req-x=1&amount=1"]},
    ],
)
def test_what_is_no_recipient_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises((UsageError, ParseError)):
        read_recipients(options(**given), REGTEST)


def test_coins() -> None:
    assert read_coins(options()) is None
    (coin,) = read_coins(options(coin=[f"{'ab' * 31}cd:7"])) or ()
    assert (coin.txid[0], coin.vout) == (0xCD, 7)
    for wrong in ("", "ab:0", f"{'ab' * 32}", f"{'ab' * 32}:-1", f"{'ab' * 32}:\u0661"):
        with pytest.raises((UsageError, ParseError)):
            read_coins(options(coin=[wrong]))


def test_a_cell_is_never_a_formula() -> None:
    assert harmless("=1+1") == "'=1+1"
    assert harmless("@x") == "'@x"
    assert harmless("rent = 5") == "rent = 5"


def test_a_table_lines_up() -> None:
    assert table([("a", "1"), ("bbb", "22")], right={1}) == ["a     1", "bbb  22"]
    assert table([], right={0}) == []
