"""The fault plan of the vault and the wallet file: each row, its drives and the tests that show it.

`packaging/fault_plan.py` runs the drives with the counts of a level, or with one that it is given.
The rows that are missing here (10 to 16, 18, 19, 21, 24) belong to other parts of the program;
their tests stand beside those parts.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.hostile import fault_drives, password_drives, restore_drill, start_drives
from tests.hostile.fault_drives import ROOT, Drive, Report

LEVELS: Final = ("ci", "nightly", "release")


@dataclass(frozen=True)
class Driven:
    """A drive and how often it goes round at each level; 0 where it is not run."""

    name: str
    drive: Drive
    counts: tuple[int, int, int]

    def count(self, level: str) -> int:
        return self.counts[LEVELS.index(level)]


@dataclass(frozen=True)
class Row:
    """`shown_by` maps files below tests/ to those of their tests that every change runs."""

    title: str
    drives: tuple[Driven, ...]
    shown_by: dict[str, Sequence[str]]


def named_tests(*chosen: str) -> Drive:
    """Make a drive that runs tests by name, in a process of its own, as often as it is told."""

    def drive(folder: Path, count: int, seed: int) -> Report:
        report = Report()
        for number in range(count):
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", *(f"tests/{each}" for each in chosen)],
                cwd=ROOT,
                env={"QT_QPA_PLATFORM": "offscreen", **os.environ, "PYTHONHASHSEED": str(seed)},
                capture_output=True,
                text=True,
                check=False,
            )
            report["runs"] += 1
            for word, amount in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout):
                report[amount] += int(word)
            report["BAD runs"] += done.returncode != 0
            if done.returncode:
                (folder / f"run-{number}.txt").write_text(done.stdout + done.stderr)
                print(done.stdout[-3_000:], file=sys.stderr)
        return report

    return drive


def locked_packages(folder: Path, count: int, seed: int) -> Report:
    """Compare what is installed with the lock, and have each piece of it checked by its record."""
    report = Report()
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^ \\;]+)", lock, re.MULTILINE):
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            report["not for this system"] += 1
            continue
        report["packages"] += 1
        in_lock = re.findall(rf"^{re.escape(name)}==([^ \\;]+)", lock, re.MULTILINE)
        report["BAD other version"] += found.version not in in_lock
        assert version in in_lock
        files = found.files or []
        report["files"] += len(files)
        missing = [each for each in files if each.hash and not Path(str(each.locate())).exists()]
        report["BAD files missing"] += len(missing)
    assert folder.is_dir()
    assert count >= 0
    assert seed >= 0
    return report


def same_wheel(folder: Path, count: int, seed: int) -> Report:
    """Build the wheel `count` times beside the first: byte for byte the same each time."""
    report = Report()
    first = _wheel(folder / "first")
    for number in range(count):
        report["builds"] += 1
        report["BAD builds that differ"] += _wheel(folder / str(number)) != first
    assert seed >= 0
    return report


def _wheel(folder: Path) -> bytes:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)],
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel.read_bytes()


def restored(folder: Path, count: int, seed: int) -> Report:
    """Bring `count` random wallets back in every way; the seed says which ones."""
    report = Report()
    for number in range(1_000_000 * (seed - 1), 1_000_000 * (seed - 1) + count):
        report[f"{restore_drill.drill(number).kind} came back"] += 1
    assert folder.is_dir()
    return report


CRASH = "hostile/test_wallet_file_crash.py"
FILE = "unit/storage/test_wallet_file.py"
LOCKS = "unit/storage/test_locks.py"
BOX = "unit/keys/test_secret_box.py"
PLAN = "hostile/test_fault_plan.py"
SEED = "unit/keys/test_seed.py"
CREATION = "unit/vault/test_creation.py"
PASSWORDS = "unit/vault/test_passwords.py"
VAULT = "functional/test_vault_process.py"
KILLED = "hostile/test_killed_processes.py"
DRILL = "hostile/test_restore_drill.py"
CANARY = "journey/test_memory_canary.py"

ROWS: Final = {
    1: Row(
        "kill -9 at random and at every system call while something is written",
        (
            Driven("while saving", fault_drives.kill_while_saving, (200, 5_000, 50_000)),
            Driven("client or vault", fault_drives.kill_processes_at_random, (12, 500, 5_000)),
        ),
        {
            CRASH: ["test_kill_at_any_moment_loses_nothing_acknowledged"],
            KILLED: [
                "test_random_kills_lose_nothing_and_leave_nobody",
                "test_a_vault_that_computes_argon2_ends_with_its_client",
                "test_a_vault_with_a_window_ends_with_its_client",
                "test_a_vault_that_waits_for_a_line_ends_with_its_client",
            ],
            "functional/test_sync_kills.py": ["test_killed_at_any_point_of_a_sync"],
        },
    ),
    2: Row(
        "every state in which a power cut may leave the disk",
        (Driven("writes", fault_drives.crash_states, (150, 20_000, 200_000)),),
        {
            CRASH: [
                "test_no_crash_during_a_save_loses_an_acknowledged_state",
                "test_the_enumeration_notices_a_save_without_a_flush",
                "test_no_crash_during_creation_leaves_half_a_wallet",
                "test_no_crash_during_a_password_change_loses_the_wallet",
                "test_finishing_a_password_change_never_removes_the_only_intact_copy",
            ],
            PLAN: ["test_each_drive"],
        },
    ),
    3: Row(
        "every flipped bit, every truncation, swapped blocks",
        (Driven("damage", fault_drives.damage, (1_000, 100_000, 2_000_000)),),
        {
            FILE: [
                "test_every_flipped_bit_and_every_truncation_is_noticed",
                "test_every_swap_of_blocks_is_noticed",
                "test_reader_falls_back_and_says_so",
                "test_forged_file_with_a_right_checksum_does_not_open",
            ],
            PLAN: ["test_each_drive"],
        },
    ),
    4: Row(
        "a full, read-only, failing or forbidden disk at each write",
        (Driven("refusals", fault_drives.refusing_disk, (100, 20_000, 200_000)),),
        {
            CRASH: [
                "test_a_refusing_disk_never_takes_anything_back",
                "test_a_refusing_disk_during_a_password_change_leaves_one_password_that_opens",
            ],
            "hostile/test_self_repair.py": ["test_a_full_disk"],
            PLAN: ["test_each_drive"],
        },
    ),
    5: Row(
        "wrong passwords, and right ones from every keyboard",
        (Driven("passwords", password_drives.passwords, (10_000, 1_000_000, 10_000_000)),),
        {
            BOX: ["test_near_misses_do_not_open", "test_one_password_on_every_keyboard"],
            FILE: ["test_ten_thousand_wrong_keys"],
            PASSWORDS: [
                "test_near_misses_are_wrong",
                "test_composed_and_decomposed_passwords_are_one",
            ],
            PLAN: ["test_each_drive"],
        },
    ),
    6: Row(
        "fifty starts at once, and a lock whose owner was killed",
        (Driven("starts", start_drives.simultaneous_starts, (50, 1_000, 10_000)),),
        {
            LOCKS: [
                "test_lock_of_a_killed_process_is_free_at_once",
                "test_of_many_starting_together_one_owns",
                "test_lock_file_that_was_swapped_is_not_trusted",
            ],
            FILE: ["test_second_owner_cannot_create_or_open"],
            PLAN: ["test_each_drive"],
        },
    ),
    7: Row(
        "password changes, refused ones, similar names, older copies",
        (Driven("changes", password_drives.password_changes, (100, 5_000, 50_000)),),
        {
            FILE: ["test_password_change_touches_no_other_wallet"],
            CRASH: ["test_save_with_a_password_change_unfinished_makes_no_older_copy"],
            PASSWORDS: [
                "test_after_a_change_only_the_new_password_opens_anything",
                "test_a_refused_change_leaves_every_byte",
            ],
            PLAN: ["test_each_drive"],
        },
    ),
    8: Row(
        "random wallets come back from words, from a copy of the file and by the script",
        (Driven("restored wallets", restored, (0, 100, 1_000)),),
        {DRILL: ["test_a_random_wallet_comes_back", "test_the_drill_covers_everything"]},
    ),
    9: Row(
        "wallet files of every version open and are upgraded; newer ones are left as they are",
        (Driven("old and newer files", named_tests(BOX, FILE), (0, 1, 1)),),
        {
            BOX: [
                "test_boxes_of_older_formats_are_read_and_become_format_3",
                "test_a_newer_format_is_refused_as_such",
            ],
            FILE: ["test_file_of_a_newer_program_is_left_untouched"],
        },
    ),
    17: Row(
        "an upgrade that is interrupted",
        (Driven("upgrades", fault_drives.upgrades, (5, 500, 5_000)),),
        {PLAN: ["test_each_drive"]},
    ),
    20: Row(
        "secrets in memory, on the disk, in logs, arguments and the environment",
        (Driven("whole flows", named_tests(CANARY, VAULT), (0, 10, 100)),),
        {
            CANARY: ["test_the_window_never_holds_a_secret"],
            VAULT: [
                "test_no_secret_leaves_the_vault_but_in_the_sealed_file",
                "test_a_bug_is_told_without_its_values",
            ],
        },
    ),
    22: Row(
        "the supply chain: reviewed and locked packages, the same build twice, self-tests",
        (
            Driven("packages", locked_packages, (1, 1, 1)),
            Driven("wheels", same_wheel, (0, 1, 2)),
            Driven("self-tests", named_tests("unit/test_curve.py", "test_setup.py"), (0, 1, 1)),
        ),
        {
            "unit/test_release_signature.py": ["test_every_changed_byte_of_the_file_is_refused"],
            "unit/app/test_updates.py": [
                "test_a_forged_notice_is_told_loudly_and_nothing_of_it",
                "test_an_older_notice_than_one_seen_is_a_replay",
            ],
            "test_setup.py": [
                "test_lock_pins_hashes_and_names_no_address",
                "test_lock_holds_what_the_project_asks_for",
                "test_locks_agree",
            ],
            "packaging/test_dependencies.py": ["test_every_locked_package_was_reviewed"],
            "packaging/test_licences.py": [
                "test_a_stranger_among_the_files_stops_the_build",
                "test_an_unreviewed_package_stops_the_build",
            ],
            "packaging/test_sbom.py": ["test_every_file_is_in_it_once_with_its_hash"],
            "packaging/test_sbom_of_folder.py": ["test_what_ships_is_what_was_reviewed"],
            "packaging/test_twice_packages.py": [
                "test_built_again_elsewhere_everything_is_the_same"
            ],
            "packaging/test_frozen_smoke.py": ["test_it_passes_its_own_test_with_a_real_node"],
            "packaging/test_workflow.py": ["test_actions_are_pinned_by_commit_and_reviewed"],
            PLAN: ["test_each_drive"],
        },
    ),
    23: Row(
        "entropy: no seed twice, no dead source",
        (Driven("seeds", start_drives.entropy, (20_000, 1_000_000, 10_000_000)),),
        {
            SEED: [
                "test_entropy_is_exactly_what_the_source_gave",
                "test_the_default_source_is_the_systems",
                "test_a_broken_random_source_is_refused",
            ],
            CREATION: ["test_a_dead_random_source_makes_no_wallet"],
            PLAN: ["test_each_drive"],
        },
    ),
}
