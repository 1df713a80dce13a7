"""The comparison of two builds, with little projects whose builds embed what they should not."""

import gzip
import io
import lzma
import shutil
import struct
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import pytest
from installers import differences, twice

# What `build.py` of a little project does: an archive with one file, in which EMBEDDED is.
BUILD: Final = """
import argparse, getpass, io, os, socket, stat, sys, tarfile, time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("targets", nargs="+")
parser.add_argument("--output", type=Path)
options = parser.parse_args()
here = Path(__file__).resolve()
mode = here.stat().st_mode
new = options.output / ".new"
new.touch()
text = str({embedded}).encode()
member = tarfile.TarInfo("program/version")
member.size = len(text)
member.mtime = int(os.environ["SOURCE_DATE_EPOCH"])
with tarfile.open(options.output / "little.tar.xz", "w:xz") as archive:
    archive.addfile(member, io.BytesIO(text))
"""
EMBEDDED: Final = {
    "time": "time.time_ns()",
    "time zone": "time.strftime('%z', time.localtime(0))",
    "path": "here",
    "umask": "stat.filemode(new.stat().st_mode)",
    "home": "Path.home()",
    "user": "getpass.getuser()",
    "language": "os.environ.get('LC_ALL')",
    "process": "os.getpid()",
    "chance": "hash('text')",
}


def _project(folder: Path, embedded: str) -> Path:
    (folder / "packaging").mkdir(parents=True)
    (folder / "packaging" / "build.py").write_text(BUILD.replace("{embedded}", embedded))
    return folder


@pytest.mark.parametrize("what", EMBEDDED)
def test_a_build_that_embeds_what_is_not_in_the_sources_is_caught(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project = _project(tmp_path / "project", EMBEDDED[what])
    assert twice.main(["tar"], tmp_path / "dist", project) == 1
    said = capsys.readouterr().out
    assert "DIFFERS  little.tar.xz\n" in said
    assert "little.tar.xz > content > program/version: " in said
    assert not (tmp_path / "dist").exists()


def test_the_name_of_the_machine_is_another(tmp_path: Path) -> None:
    tried = shutil.which("unshare") and subprocess.run(["unshare", "--uts", "true"], check=False)
    if not tried or tried.returncode != 0:
        pytest.skip("the name of this machine cannot be changed for a program")
    project = _project(tmp_path / "project", "socket.gethostname()")
    assert twice.main(["tar"], tmp_path / "dist", project) == 1


def test_equal_builds_are_handed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1234567890")
    project = _project(tmp_path / "project", "1")
    assert twice.main(["tar"], tmp_path / "dist", project) == 0
    made = tmp_path / "dist" / "little.tar.xz"
    with tarfile.open(made) as archive:
        assert archive.getmember("program/version").mtime == 1234567890
    assert capsys.readouterr().out.startswith("same     little.tar.xz  ")
    assert not (project / twice.PLACE).exists()


def test_a_build_that_fails_or_writes_nothing_is_no_success(tmp_path: Path) -> None:
    assert twice.main(["tar"], tmp_path / "1", _project(tmp_path / "a", "sys.exit(2)")) == 1
    assert twice.main(["tar"], tmp_path / "2", _project(tmp_path / "b", "sys.exit(3)")) == 3
    assert twice.main(["tar"], tmp_path / "3", _project(tmp_path / "c", "sys.exit(0)")) == 1


# The comparison


def _compare(tmp_path: Path, first: bytes, second: bytes) -> list[str]:
    for name, data in (("1", first), ("2", second)):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "file").write_bytes(data)
    return [str(it) for it in differences.differences(tmp_path / "1/file", tmp_path / "2/file")]


def _tar(*members: tuple[str, bytes], mode: int = 0o644, time: int = 0) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(data), mode, time
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _ar(*members: tuple[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


def _cpio(*members: tuple[str, bytes, int]) -> bytes:
    out = b""
    for name, data, time in (*members, ("TRAILER!!!", b"", 0)):
        fields = [1, 0o100644, 0, 0, 1, time, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08x" % number for number in fields)
        out += name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return out


def _rpm(payload: bytes, build_time: int) -> bytes:
    store = b"name\0\0\0\0" + struct.pack(">I", build_time)
    index = struct.pack(">IIII", 1000, 6, 0, 1) + struct.pack(">IIII", 1006, 4, 8, 1)
    empty = b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", 0, 0)
    header = b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", 2, len(store)) + index + store
    return b"\xed\xab\xee\xdb" + bytes(92) + empty + header + payload


def test_equal_files_have_no_difference(tmp_path: Path) -> None:
    assert _compare(tmp_path, b"same", b"same") == []


def test_bytes_are_shown_from_where_they_differ(tmp_path: Path) -> None:
    (told,) = _compare(tmp_path, b"a" * 100 + b"x", b"a" * 100 + b"yz")
    assert told == "file: 101 and 102 bytes, from byte 100 on: b'aaaaaaaax' | b'aaaaaaaayz'"


def test_a_debian_package_is_followed_to_the_file(tmp_path: Path) -> None:
    packages = [
        _ar(
            ("debian-binary", b"2.0\n"),
            ("data.tar.xz", lzma.compress(_tar(("usr/a", b"same"), ("usr/b", text)))),
        )
        for text in (b"built at 10", b"built at 11")
    ]
    (told,) = _compare(tmp_path, *packages)
    assert told.startswith("file > data.tar.xz > content > usr/b: from byte 10 on: ")


def test_rights_times_missing_files_and_order_are_told(tmp_path: Path) -> None:
    a, b = ("a", b"1"), ("b", b"2")
    (told,) = _compare(tmp_path, _tar(a, mode=0o644), _tar(a, mode=0o600))
    assert "mode 644" in told
    assert "mode 600" in told
    (told,) = _compare(tmp_path, _tar(a, time=1), _tar(a, time=2))
    assert "time 1" in told
    assert "time 2" in told
    assert _compare(tmp_path, _tar(a, b), _tar(a)) == ["file > b: only in the first"]
    assert _compare(tmp_path, _tar(b), _tar(a, b)) == ["file > a: only in the second"]
    assert _compare(tmp_path, _tar(a, b), _tar(b, a)) == ["file: another order: a where b is"]


def test_an_rpm_is_followed_to_its_tags_and_files(tmp_path: Path) -> None:
    payloads = [gzip.compress(_cpio(("./x", b"1", time)), mtime=0) for time in (5, 6)]
    (told,) = _compare(tmp_path, _rpm(payloads[0], 1), _rpm(payloads[0], 2))
    assert told.startswith("file > header tag 1006: ")
    (told,) = _compare(tmp_path, _rpm(payloads[0], 1), _rpm(payloads[1], 1))
    assert told.startswith("file > payload > content > ./x: ")
    assert "time 5" in told
    assert "time 6" in told


def test_a_zip_archive_is_followed_to_the_time(tmp_path: Path) -> None:
    archives = []
    for second in (2, 4):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo("m.pyc", (2026, 1, 1, 0, 0, second)), b"code")
        archives.append(out.getvalue())
    (told,) = _compare(tmp_path, *archives)
    assert told.startswith("file > m.pyc: time (2026, 1, 1, 0, 0, 2)")


def test_the_same_content_packed_otherwise_is_a_difference(tmp_path: Path) -> None:
    first, second = (gzip.compress(bytes(10000), level, mtime=0) for level in (1, 9))
    assert first != second
    assert len(_compare(tmp_path, first, second)) == 1
    first, second = (lzma.compress(bytes(range(256)) * 99, preset=level) for level in (0, 9))
    (told,) = _compare(tmp_path, first, second)
    assert told.startswith("file: ")


def test_damaged_containers_are_compared_as_bytes(tmp_path: Path) -> None:
    whole = lzma.compress(_tar(("a", b"1")))
    (told,) = _compare(tmp_path, whole, whole[:-9])
    assert told.startswith("file: ")


def test_folders_are_compared_with_rights_and_links(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "file").write_text("same")
        (tmp_path / name / "link").symlink_to("sub")
    assert differences.differences(tmp_path / "1", tmp_path / "2") == []
    (tmp_path / "2/sub/file").chmod(0o600)
    (tmp_path / "2/link").unlink()
    (tmp_path / "2/link").symlink_to("elsewhere")
    told = [str(it) for it in differences.differences(tmp_path / "1", tmp_path / "2")]
    assert told == [
        "1 > link: lrwxrwxrwx to sub | lrwxrwxrwx to elsewhere",
        "1 > sub/file: -rw-r--r-- | -rw-------",
    ]


def test_the_section_of_a_program_is_named(tmp_path: Path) -> None:
    program = Path(shutil.which("sh") or "/bin/sh").read_bytes()
    changed = bytearray(program)
    at = program.index(b"PATH=")
    changed[at] ^= 1
    (told,) = _compare(tmp_path, program, bytes(changed))
    assert "(.rodata)" in told
