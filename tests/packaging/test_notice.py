"""The maintainer's side of the update notice, with the real minisign and a key of the test."""

import hashlib
import subprocess
import time
from pathlib import Path

import notice
import pytest

from tests.packaging.minisign import make_key
from wallet_gui.app.update_notice import Level, join, read_signed
from wallet_gui.release_signature import PublicKey, ReleaseKeys
from wallet_gui.storage import release_keys

PAGE = "https://example.org/wallet-gui/1.2.3"


class Maintainer:
    """A key pair without a password, and the file of release keys that names it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        key = make_key(folder, "release")
        self.secret = key.secret
        self.public = PublicKey.parse(key.public.read_text(encoding="utf-8"))
        self.keys = folder / "release-keys.txt"
        self.keys.write_text(
            f"notice https://example.org/notice\nkey {self.public.to_text()} test\n"
        )
        self.output = folder / "notice"

    def make(self, *options: str) -> int:
        return notice.main(
            [
                *("make", "--page", PAGE, "--version", "1.2.3", "--key", str(self.secret)),
                *("--release-keys", str(self.keys), "--output", str(self.output), *options),
            ]
        )

    def check(self) -> int:
        return notice.main(["check", str(self.output), "--release-keys", str(self.keys)])


@pytest.fixture
def maintainer(tmp_path: Path) -> Maintainer:
    return Maintainer(tmp_path)


def test_a_notice_is_made_and_believed(
    maintainer: Maintainer, capsys: pytest.CaptureFixture[str]
) -> None:
    sums = maintainer.folder / "SHA256SUMS"
    sums.write_text("ab\n")
    assert maintainer.make("--sums", str(sums), "--text", "New: ünï ✓.") == 0
    assert "1.2.3" in capsys.readouterr().out
    signed = read_signed(maintainer.output.read_bytes(), (maintainer.public,))
    assert signed.key_id == maintainer.public.name
    made = signed.notice
    assert (made.version, made.page, made.text) == ("1.2.3", PAGE, "New: ünï ✓.")
    assert made.sha256sums == hashlib.sha256(b"ab\n").hexdigest()
    assert made.level is Level.ORDINARY
    assert abs(made.date - time.time()) < 600
    assert made.expires == made.date + 120 * 24 * 3600
    assert maintainer.check() == 0


def test_minisign_alone_can_check_it(maintainer: Maintainer) -> None:
    assert maintainer.make() == 0
    lines = maintainer.output.read_bytes().split(b"\n", 4)
    body, signature = maintainer.folder / "body", maintainer.folder / "body.minisig"
    body.write_bytes(lines[4])
    signature.write_bytes(b"\n".join(lines[:4]) + b"\n")
    assert join(signature.read_text(encoding="utf-8"), lines[4]) == maintainer.output.read_bytes()
    command = ["minisign", "-V", "-m", str(body), "-P", maintainer.public.to_text()]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0
    assert "Trusted comment: wallet-gui 1.2.3 update notice" in answer.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--text", "two\nlines"), "one line"),
        (("--text", "a" * 601), "at most 600"),
        (("--page", "http://example.org"), "names no page"),
        (("--version", "v1"), "no version"),
        (("--days", "0"), "before its date"),
        (("--revoke", "452C8AB290925948"), "of the level key"),
        (("--level", "key", "--revoke", "xyz"), "withdraws"),
        (("--sums", "/nowhere/SHA256SUMS"), "No such file"),
    ],
)
def test_what_no_program_would_read_is_not_made(
    maintainer: Maintainer,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    words: str,
) -> None:
    assert maintainer.make(*options) == 1
    assert words in capsys.readouterr().err
    assert not maintainer.output.exists()


def test_a_key_is_withdrawn_by_the_id_that_minisign_prints(maintainer: Maintainer) -> None:
    assert maintainer.make("--level", "key", "--revoke", "114BD0A8D601364") == 0
    signed = read_signed(maintainer.output.read_bytes(), (maintainer.public,))
    assert signed.notice.revoked == ("0114BD0A8D601364",)


def test_a_key_that_is_not_built_in_is_told(
    maintainer: Maintainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    other = Maintainer(tmp_path / "other")
    maintainer.keys = other.keys
    assert maintainer.make() == 1
    assert "none of those that this program trusts" in capsys.readouterr().err
    assert not maintainer.output.exists()
    maintainer.keys = tmp_path / "empty"
    maintainer.keys.write_text("")
    assert maintainer.make() == 1
    assert "names no key" in capsys.readouterr().err


def test_the_next_notice_must_be_later_and_not_of_an_older_version(
    maintainer: Maintainer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = time.time()
    assert maintainer.make() == 0
    first = maintainer.output.read_bytes()
    monkeypatch.setattr(time, "time", lambda: now - 1000)
    assert maintainer.make() == 1
    assert "would take this one for a replay" in capsys.readouterr().err
    monkeypatch.setattr(time, "time", lambda: now + 1000)
    assert maintainer.make("--version", "1.2.2") == 1
    assert "names the newer version 1.2.3" in capsys.readouterr().err
    assert maintainer.output.read_bytes() == first
    assert maintainer.make("--level", "security") == 0
    assert maintainer.output.read_bytes() != first
    monkeypatch.setattr(time, "time", lambda: now + 365 * 24 * 3600)
    assert maintainer.check() == 0
    assert "It has run out" in capsys.readouterr().out


def test_a_spoilt_file_is_told(maintainer: Maintainer, capsys: pytest.CaptureFixture[str]) -> None:
    assert maintainer.make() == 0
    maintainer.output.write_bytes(maintainer.output.read_bytes().replace(b"1.2.3", b"1.2.4"))
    assert maintainer.check() == 1
    assert "does not match" in capsys.readouterr().err


def test_no_notice_is_made_for_the_shipped_keys_yet() -> None:
    # Nobody has made a key; what would be published could be believed by nobody.
    assert release_keys.read(notice.KEYS) == ReleaseKeys()
