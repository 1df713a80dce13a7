"""Rows 5 and 7 of the fault plan: wrong passwords, and password changes among similar names.

As in `fault_drives`: a folder, a count and a seed in, counts out.
"""

import errno
import hashlib
import random
import secrets
import unicodedata
from pathlib import Path
from typing import Final, Literal

from tests.hostile.fault_drives import TINY, Report
from tests.hostile.wallet_writes import ACCESS
from tests.unit.storage.samples import CHEAP, create, state
from wallet_gui.keys import secret_box
from wallet_gui.keys.errors import PasswordWrong
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.sealing import SealError, open_box
from wallet_gui.storage.errors import StorageError, WriteFailed
from wallet_gui.storage.fs import OS_FILES
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import parse

PASSWORDS: Final = (
    "Grüße aus Łódź 9",
    "pässword ñandú",
    "日本語のパスワード",
    "\uff21 plain one",
    "e\u0301a",
)


FORMS: Final[tuple[Literal["NFC", "NFD"], ...]] = ("NFC", "NFD")


def passwords(folder: Path, count: int, seed: int) -> Report:
    """Try `count` wrong passwords, near misses first; and the right ones in each Unicode form."""
    rng = random.Random(seed)
    report = Report()
    payload = SecretPayload(bytes(range(16)))
    boxes = {
        password: secret_box.seal(password, payload, parameters=TINY, fallback=TINY, minimum=TINY)
        for password in PASSWORDS
    }
    while report["wrong passwords"] < count:
        right = rng.choice(PASSWORDS)
        wrong = _near_miss(rng, right)
        if unicodedata.normalize("NFC", wrong) == unicodedata.normalize("NFC", right):
            continue
        report["wrong passwords"] += 1
        try:
            secret_box.open(wrong, boxes[right], minimum=TINY)
        except PasswordWrong:
            continue
        report["BAD accepted"] += 1
    for right, box in boxes.items():
        for form in FORMS:
            for _ in range(10):
                report["right passwords"] += 1
                typed = unicodedata.normalize(form, right)
                opened = secret_box.open(typed, box, minimum=TINY)
                report["BAD refused"] += opened.entropy != payload.entropy
    assert folder.is_dir()
    return report


def _near_miss(rng: random.Random, right: str) -> str:
    letters = list(right)
    place = rng.randrange(len(letters))
    match rng.randrange(9):
        case 0:
            letters[place] = letters[place].swapcase()
        case 1:
            del letters[place]
        case 2:
            letters.insert(place, rng.choice(" \u00a0\u200b\u3000\tx"))
        case 3:
            letters[place] = chr((ord(letters[place]) + rng.choice((-1, 1, 0x20))) & 0xFFFF | 1)
        case 4:
            other = rng.randrange(len(letters))
            letters[place], letters[other] = letters[other], letters[place]
        case 5:
            return right + rng.choice(("\n", " ", "\0", right))
        case 6:
            return "".join(each for each in right if each.isascii())
        case 7:
            return secrets.token_urlsafe(12)
        case _:
            letters = letters[: place or 1]
    # A half of a surrogate pair is no text at all.
    return "".join(each for each in "".join(letters) if not 0xD800 <= ord(each) < 0xE000)


SIMILAR: Final = ("a b", "a.b", "ab", "a.wallet", "A", "a.wallet.1", "a.aside", "a.new")


def password_changes(folder: Path, count: int, seed: int) -> Report:
    """Change a password `count` times among wallets of similar names, some of them refused."""
    rng = random.Random(seed)
    report = Report()
    for round_number in range(max(1, count // 20)):
        path = folder / str(round_number) / "a.wallet"
        create(path)
        for name in SIMILAR:
            create(path.with_name(f"{name}.wallet"))
        path.with_name("a.wallet.backup").write_bytes(path.read_bytes())
        path.with_name("a.wallet.aside-notes").write_text("a person's own file")
        others = _digests(path)
        access = 0
        for number in range(min(count, 20)):
            hours = iter(range(1_700_000_000 + 10**6 * number, 1_800_000_000, 4_000))
            with FileLock(path) as lock:
                wallet_file = WalletFile.open(
                    lock, ACCESS[access][0], now=hours.__next__, minimum=CHEAP
                )
                wallet_file.save_view(state(number))
                report["changes"] += 1
                if rng.random() < 0.2:
                    access = _refused_change(path, wallet_file, access, rng, report)
                    continue
                access = 1 - access
                key, salt, box = ACCESS[access]
                report["BAD notices"] += wallet_file.change_password(key, CHEAP, salt, box) != ()
            report["BAD another wallet changed"] += _digests(path) != others
            report["BAD the old password opens a copy"] += _opened_by(path, ACCESS[1 - access][0])
            report["BAD the new one does not"] += not _opened_by(path, key)
    return report


def _refused_change(
    path: Path, wallet_file: WalletFile, access: int, rng: random.Random, report: Report
) -> int:
    """Have a change given up by a full disk, before anything of it counts."""
    before = path.read_bytes()
    key, salt, box = ACCESS[1 - access]
    true = OS_FILES.write_new

    def full(target: Path, data: bytes) -> None:
        if rng.random() < 0.5:
            true(target, data[: len(data) // 2])
            target.unlink()
        raise OSError(errno.ENOSPC, "full")

    vars(OS_FILES)["write_new"] = full
    try:
        wallet_file.change_password(key, CHEAP, salt, box)
    except WriteFailed:
        report["refused changes"] += 1
    finally:
        del vars(OS_FILES)["write_new"]
    report["BAD a refused change left a trace"] += path.read_bytes() != before
    return access


def _mine(path: Path) -> list[Path]:
    endings = ("", ".1", ".2", ".3", ".new")
    return [path.with_name(path.name + each) for each in endings]


def _digests(path: Path) -> dict[str, str]:
    mine = {each.name for each in _mine(path)}
    return {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in path.parent.iterdir()
        if each.name not in mine and not each.name.endswith(".lock")
    }


def _opened_by(path: Path, key: bytes) -> int:
    found = 0
    for each in _mine(path):
        if each.exists():
            try:
                open_box(key, parse(each.read_bytes(), minimum=CHEAP).view_box, minimum=CHEAP)
            except (SealError, StorageError):
                continue
            found += 1
    return found
