"""Any bytes are a PSBT or a refusal, quickly; more of it as `python -m tests.fuzz.fuzz_psbt`."""

from pathlib import Path

from tests.fuzz import fuzz_psbt


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_spoilt_psbts_are_values_or_refused() -> None:
    fuzz_psbt.some(0, 50)  # what is loaded once is loaded
    before = resident()
    said = fuzz_psbt.some(1, 1_500)
    # They are worth something only if many get far, and many go wrong.
    assert said["refused"] > 500, said
    assert said["read"] > 150, said
    assert said["signed"] + said["spendable"] > 20, said
    assert resident() - before < 64_000_000


def test_large_ones_are_judged_within_a_second() -> None:
    said = fuzz_psbt.large(1)
    assert said["refused"] > 10, said
