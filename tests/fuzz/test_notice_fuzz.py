"""No spoilt update notice is believed, and none that is signed shows what may not be shown."""

from tests.fuzz import fuzz_notice


def test_spoilt_notices_are_refused() -> None:
    fuzz_notice.self_check()
    said = fuzz_notice.run(1, 6_000)
    assert said["refused"] > 2_500, said
    assert said["untouched"] > 5, said
    assert said["shown"] > 200, said
    assert said["not shown"] > 1_000, said
