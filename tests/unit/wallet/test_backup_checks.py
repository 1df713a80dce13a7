from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.wallet.backup_checks import (
    DAY,
    LATER_AFTER,
    PUT_OFF,
    SECOND_AFTER,
    BackupChecks,
    BackupKind,
    Checked,
)

NOW = 1_800_000_000
WORDS, FILE = BackupKind.WORDS, BackupKind.FILE
SINGLE = (WORDS,)


def test_what_was_never_checked_is_due_now() -> None:
    assert BackupChecks().reminder(SINGLE, NOW) is WORDS


def test_then_after_30_days_and_then_every_180() -> None:
    first = BackupChecks().succeeded(WORDS, NOW)
    assert first.reminder(SINGLE, NOW + SECOND_AFTER - 1) is None
    assert first.reminder(SINGLE, NOW + SECOND_AFTER) is WORDS
    later = NOW + SECOND_AFTER
    second = first.succeeded(WORDS, later)
    for _ in range(3):
        assert second.reminder(SINGLE, later + LATER_AFTER - 1) is None
        assert second.reminder(SINGLE, later + LATER_AFTER) is WORDS
        later += LATER_AFTER
        second = second.succeeded(WORDS, later)


def test_checking_twice_on_one_day_is_one_check() -> None:
    checks = BackupChecks().succeeded(WORDS, NOW).succeeded(WORDS, NOW + 60)
    assert checks.words == Checked(1, NOW + 60)


def test_putting_off_lasts_a_week_and_no_longer() -> None:
    checks = BackupChecks().put_off(NOW)
    assert checks.reminder(SINGLE, NOW) is None
    assert checks.is_put_off(SINGLE, NOW)
    assert checks.reminder(SINGLE, NOW + PUT_OFF) is WORDS
    assert not checks.is_put_off(SINGLE, NOW + PUT_OFF)


def test_wrong_words_bring_the_reminder_back() -> None:
    checks = BackupChecks().succeeded(WORDS, NOW).put_off(NOW)
    failed = checks.drilled(is_right=False, word_count=12, has_passphrase=False, now=NOW + 5)
    assert failed.reminder(SINGLE, NOW + 5) is WORDS
    assert failed.word_count == 12


def test_a_clock_that_was_wrong_silences_nothing() -> None:
    ahead = BackupChecks().succeeded(WORDS, NOW + 3650 * DAY)
    assert ahead.reminder(SINGLE, NOW) is WORDS
    assert BackupChecks().put_off(NOW + 3650 * DAY).reminder(SINGLE, NOW) is WORDS


@pytest.mark.parametrize(
    ("has_secrets", "is_multisig", "word_count", "needed"),
    [
        (True, False, None, (WORDS,)),
        (True, False, 12, (WORDS,)),
        (True, True, None, (WORDS, FILE)),
        (False, False, None, (FILE,)),
        (False, True, None, (FILE,)),
        (True, False, 0, (FILE,)),  # made from an extended private key
    ],
)
def test_what_brings_a_wallet_back(
    *, has_secrets: bool, is_multisig: bool, word_count: int | None, needed: tuple[BackupKind, ...]
) -> None:
    checks = BackupChecks(word_count=word_count)
    assert checks.needed(has_secrets=has_secrets, is_multisig=is_multisig) == needed


def test_a_multisig_needs_both() -> None:
    checks = BackupChecks().succeeded(WORDS, NOW)
    assert checks.reminder((WORDS, FILE), NOW) is FILE
    assert checks.succeeded(FILE, NOW).reminder((WORDS, FILE), NOW) is None


numbers = st.integers(0, 2**40 - 1)
kinds = st.builds(Checked, st.integers(1, 1000), st.integers(1, 2**40 - 1)) | st.just(Checked())


@settings(deadline=None)
@given(
    st.builds(
        BackupChecks,
        kinds,
        kinds,
        numbers,
        st.sampled_from([None, 0, 12, 15, 18, 21, 24]),
        st.none() | st.booleans(),
    )
)
def test_what_is_kept_is_read_back(checks: BackupChecks) -> None:
    assert BackupChecks.of(checks.to_setting()) == checks


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["words", "file", "put_off_until", "word_count", "has_passphrase", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(json_values)
def test_anything_else_counts_as_never_checked_and_never_fails(value: object) -> None:
    checks = BackupChecks.of(value)
    assert BackupChecks.of(checks.to_setting()) == checks
    checks.reminder(SINGLE, NOW)


def test_the_values_do_not_change_in_place() -> None:
    checks = BackupChecks()
    checks.succeeded(FILE, NOW)
    assert checks == BackupChecks() == replace(checks)
