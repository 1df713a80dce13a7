"""Any bytes are a wallet or a refusal; more of it as `python -m tests.fuzz.fuzz_descriptor`."""

from tests.fuzz import fuzz_descriptor


def test_spoilt_descriptors_and_exports_are_values_or_refused() -> None:
    said = fuzz_descriptor.some(1, 600)
    # They are worth something only if some are still read, and many go wrong.
    assert said["refused"] > 500, said
    assert said["wallet"] > 30, said
    assert said["descriptor"] > 5, said
