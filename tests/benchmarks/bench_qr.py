"""What crosses in QR codes, and how fast: `python -m tests.benchmarks.bench_qr --kilobytes 20`.

For each format and density: the codes, the QR version and its modules a side, the bytes a second
at the speed that the window shows codes with, the rounds and seconds until a reader is done that
misses three of ten codes, and the processor time to write and draw one code, and to find it.
"""

import argparse
import os
import random
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtGui import QGuiApplication

from tests.gui.qr_pictures import picture, psbt_of
from wallet_gui.transfer.qr_capacity import modules
from wallet_gui.transfer.qr_frames import Decoder, Format, Frames, Kind, encode
from wallet_gui.widgets.animated_qr import DEFAULT_SPEED, DENSITIES
from wallet_gui.widgets.qr_images import read_codes

SAMPLES = 12


def shown_until_done(frames: Frames, lost: float, seed: int) -> int:
    """Count the codes that are shown until a reader that misses some is done."""
    rng, decoder = random.Random(seed), Decoder()
    for number in range(100 * frames.count):
        if rng.random() >= lost and decoder.receive(frames.frame(number)).is_done:
            return number + 1
    raise AssertionError("never done")


def measure(data: bytes, format_: Format, density: int, speed: int, scale: int) -> str:
    frames = encode(Kind.PSBT, data, format=format_, max_fragment=density)
    numbers = range(min(SAMPLES, frames.count))
    began = time.process_time()
    images = [picture(frames.frame(n), scale, version=frames.version) for n in numbers]
    writing = (time.process_time() - began) / len(images)
    began = time.process_time()
    for number, image in zip(numbers, images, strict=True):
        assert read_codes(image) == [frames.frame(number)]
    reading = (time.process_time() - began) / len(images)
    runs = [shown_until_done(frames, 0.3, seed) for seed in range(5)]
    shown = sum(runs) / len(runs)
    version = frames.version or 0
    return (
        f"{format_:5} {density:5} B {frames.count:5} codes  version {version:2} "
        f"({modules(version):3} modules)  {len(data) / frames.count * speed:7,.0f} B/s  "
        f"{shown / frames.count:4.2f} rounds, {shown / speed:5.0f} s with 30 % lost  "
        f"write {1000 * writing:5.1f} ms  read {1000 * reading:5.1f} ms"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kilobytes", type=float, default=20)
    arguments.add_argument("--speed", type=int, default=DEFAULT_SPEED, help="codes a second")
    arguments.add_argument("--scale", type=int, default=4, help="pixels of a module")
    options = arguments.parse_args()
    application = QGuiApplication([])
    data = psbt_of(round(options.kilobytes * 1000))
    print(f"a PSBT of {len(data):,} bytes, {options.speed} codes a second")
    for format_ in (Format.BBQR, Format.UR):
        for density in DENSITIES:
            print(measure(data, format_, density, options.speed, options.scale), flush=True)
    application.quit()


if __name__ == "__main__":
    main()
