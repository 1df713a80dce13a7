"""Messages that cross as pictures of QR codes, with codes lost, repeated and out of order."""

import random

import pytest
from pytestqt.qtbot import QtBot

from tests.gui.qr_pictures import picture, psbt_of
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.transfer.qr_frames import Decoder, Format, Frames, Kind, encode
from wallet_gui.widgets.qr_images import read_codes


def across(frames: Frames, rng: random.Random, lost: float) -> tuple[bytes | None, int]:
    """Show codes in rounds until the message is there; return it, and how many were looked at.

    Of each round some are lost, some seen twice, and all come in another order.
    """
    decoder = Decoder()
    looked_at = 0
    for first in range(0, 20 * frames.count, frames.count):
        numbers = [n for n in range(first, first + frames.count) if rng.random() >= lost]
        numbers += rng.choices(numbers, k=len(numbers) // 10) if numbers else []
        rng.shuffle(numbers)
        for number in numbers:
            text = frames.frame(number)
            image = picture(text, 3, version=frames.version)
            assert read_codes(image) == [text]
            looked_at += 1
            if decoder.receive(text).is_done:
                return decoder.progress.data, looked_at
    return None, looked_at


@pytest.mark.parametrize("format_", [Format.BBQR, Format.UR])
@pytest.mark.parametrize(
    ("size", "fragment"), [(600, 60), (4_000, 120), (20_000, 300), (100_000, 1000)]
)
def test_psbt_crosses_with_three_of_ten_codes_lost(
    qtbot: QtBot, format_: Format, size: int, fragment: int
) -> None:
    data = psbt_of(size)
    assert size <= len(data) < 1.5 * size
    frames = encode(Kind.PSBT, data, format=format_, max_fragment=fragment)
    found, looked_at = across(frames, random.Random(size), 0.3)
    assert found == data
    assert Psbt.parse(data).serialize() == data
    if format_ is Format.UR and frames.count > 10:
        # The fountain code pays: in the third round at the latest all is there.
        assert looked_at < 2 * frames.count
