"""Any bytes of a peer are events or a reason to hang up, and the balance stays exact."""

import random
from pathlib import Path

import pytest

from tests.fuzz import fuzz_messages
from wallet_gui.chain.p2p import messages as codec

SEED = 1


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_every_command_that_is_parsed_is_in_the_corpus() -> None:
    _, messages = fuzz_messages.corpus()
    assert {m.command for m in messages} == {*codec._PARSERS, *codec._EMPTY}
    for message in messages:
        assert codec.parse(message.command, message.serialize()) == message


def test_streams_are_events_or_hung_up_on() -> None:
    fuzz_messages.streams(0, 20)  # what is loaded once is loaded
    before = resident()
    said = fuzz_messages.streams(SEED, 1200)
    # They are worth something only if many get far, and many go wrong.
    assert said["events"] > 1000, said
    assert said["hung up"] > 300, said
    assert resident() - before < 30_000_000


@pytest.mark.parametrize("number", range(40))
def test_spoilt_answers_change_nothing(number: int) -> None:
    fuzz_messages.whole_sync(random.Random(f"{SEED}/{number}"))
