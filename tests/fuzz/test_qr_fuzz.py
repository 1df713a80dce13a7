"""Any text of a QR code is progress or a sentence, soon, and nothing piles up."""

from pathlib import Path

from tests.fuzz import fuzz_qr

SEED = 1


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_spoilt_codes_are_progress_or_a_sentence() -> None:
    fuzz_qr.run(0, 200)  # what is loaded once is loaded
    before = resident()
    said = fuzz_qr.run(SEED, 12_000)
    # They are worth something only if many get far, and many go wrong.
    assert said["progress"] > 300, said
    assert said["done"] > 500, said
    assert said["refused"] > 3000, said
    assert resident() - before < 64_000_000
