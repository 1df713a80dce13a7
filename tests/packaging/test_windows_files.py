"""What goes into the setup program for Windows, and how its signature is taken away again."""

import hashlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installers import authenticode, freeze, windows, windows_python
from installers.authenticode import NotAProgram, ready_to_be_signed, without_signature
from installers.job import Missing

START = 0x80
MAGIC = 0x20B  # a program of 64 bits
SUM = START + 24 + 64
DIRECTORY = START + 24 + 112 + 4 * 8


def program(body: bytes) -> bytes:
    """The head of a program, as far as signatures are about it."""
    head = bytearray(512)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, START)
    head[START : START + 4] = b"PE\0\0"
    struct.pack_into("<H", head, START + 24, MAGIC)
    return bytes(head) + body


def signed(data: bytes, certificate: bytes) -> bytes:
    """Sign as signtool does: the table at the end, its place and a new sum in the head."""
    table = struct.pack("<IHH", 8 + len(certificate), 0x200, 2) + certificate
    table += bytes(-len(table) % 8)
    made = bytearray(data + table)
    struct.pack_into("<II", made, DIRECTORY, len(data), len(table))
    struct.pack_into("<I", made, SUM, 0xBAD)
    return bytes(made)


@given(st.binary(max_size=600), st.binary(min_size=1, max_size=90))
@settings(deadline=None, max_examples=50)
def test_signature_is_taken_away_without_a_trace(body: bytes, certificate: bytes) -> None:
    built = ready_to_be_signed(program(body))
    assert len(built) % 8 == 0
    assert without_signature(built) == built
    assert without_signature(signed(built, certificate)) == built


def test_sum_is_that_of_windows() -> None:
    built = ready_to_be_signed(program(b"wallet" * 100))
    (stored,) = struct.unpack_from("<I", built, SUM)
    # MapFileAndCheckSum, slowly: end-around carry over all words but the sum's own two.
    total = 0
    for place in range(0, len(built), 2):
        word = 0 if place in (SUM, SUM + 2) else int.from_bytes(built[place : place + 2], "little")
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    assert stored == total + len(built)


def test_what_is_no_program_or_has_something_behind_its_signature_is_refused() -> None:
    for data in (b"", b"MZ", bytes(600), b"MZ" + bytes(600), program(b"")[:100]):
        with pytest.raises(NotAProgram):
            without_signature(data)
    whole = signed(ready_to_be_signed(program(b"x")), b"certificate")
    with pytest.raises(NotAProgram):
        without_signature(whole + b"more")
    with pytest.raises(NotAProgram):
        ready_to_be_signed(whole)


def test_comparing_tells_whether_they_are_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = ready_to_be_signed(program(b"the wallet"))
    files = [tmp_path / name for name in ("signed.exe", "unsigned.exe", "other.exe", "no.txt")]
    contents = [
        signed(built, b"c"),
        built,
        ready_to_be_signed(program(b"another")),
        b"text",
    ]
    for path, data in zip(files, contents, strict=True):
        path.write_bytes(data)
    names = [str(path) for path in files]
    assert authenticode.main(names[:2]) == 0
    said = capsys.readouterr().out
    assert said.count(hashlib.sha256(built).hexdigest()) == 2
    assert said.endswith("The same program.\n")
    assert authenticode.main([names[0], names[2]]) == 1
    assert authenticode.main([names[0], names[3]]) == 2
    assert authenticode.main(names[:1]) == 2


def test_only_what_was_installed_is_ever_removed() -> None:
    files = [Path("wallet-gui.exe"), Path("_internal/Qt6Core.dll"), Path("_internal/a/$x.txt")]
    install = windows.install_lines(files, "/tree").splitlines()
    assert install == [
        'SetOutPath "$INSTDIR"',
        'File "/tree/wallet-gui.exe"',
        'SetOutPath "$INSTDIR\\_internal"',
        'File "/tree/_internal/Qt6Core.dll"',
        'SetOutPath "$INSTDIR\\_internal\\a"',
        'File "/tree/_internal/a/$$x.txt"',
    ]
    remove = windows.remove_lines(files).splitlines()
    assert sorted(line for line in remove if line.startswith("Delete")) == [
        'Delete "$INSTDIR\\_internal\\Qt6Core.dll"',
        'Delete "$INSTDIR\\_internal\\a\\$$x.txt"',
        'Delete "$INSTDIR\\wallet-gui.exe"',
    ]
    # Folders go only when they are empty, the inner ones first.
    assert [line for line in remove if line.startswith("RMDir")] == [
        'RMDir "$INSTDIR\\_internal\\a"',
        'RMDir "$INSTDIR\\_internal"',
    ]
    script = (windows.FILES / "installer.nsi").read_text(encoding="utf-8")
    assert "RMDir /r" not in script
    with pytest.raises(ValueError, match="cannot be the name"):
        windows.remove_lines([Path('a" /r "$PROFILE')])


def test_icon_has_the_pictures_of_the_linux_desktop() -> None:
    data = windows.icon()
    kind = struct.unpack_from("<HHH", data)
    assert kind[:2] == (0, 1)
    sizes = []
    place = size = 0
    for number in range(kind[2]):
        width, height, _, _, _, depth, size, place = struct.unpack_from(
            "<BBBBHHII", data, 6 + 16 * number
        )
        picture = data[place : place + size]
        assert picture.startswith(b"\x89PNG\r\n")
        assert zlib.crc32(picture[12:29]) == int.from_bytes(picture[29:33], "big")
        edge = int.from_bytes(picture[16:20], "big")
        assert (width, height, depth) == (edge % 256, edge % 256, 32)
        sizes.append(edge)
    assert {16, 32, 48, 256} <= set(sizes)
    assert place + size == len(data)


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("1.2.3", (1, 2, 3, 0)), ("0.1", (0, 1, 0, 0)), ("2.0rc1", (2, 0, 0, 0)), ("x", (0, 0, 0, 0))],
)
def test_version_of_windows(version: str, numbers: tuple[int, ...]) -> None:
    assert windows.numbers(version) == numbers
    resource = windows.version_resource(version)
    compile(resource, "version_info", "eval")
    assert f"filevers={numbers}" in resource
    assert f"StringStruct('ProductVersion', '{version}')" in resource


def test_locks_name_the_packages_of_windows() -> None:
    runtime, build = windows_python._locks()
    names = {entry.split("==")[0] for entry in windows_python._entries(runtime)}
    assert {"pyside6-essentials", "coincurve", "cryptography", "asyncssh"} <= names
    assert "numpy" not in names
    builders = {entry.split("==")[0] for entry in windows_python._entries(build)}
    # Those two are needed on Windows only; a pip on Linux would leave them out.
    assert builders == windows_python.BUILD_PACKAGES
    for entry in windows_python._entries(runtime) + windows_python._entries(build):
        assert " ; " not in entry
        assert "--hash=sha256:" in entry


def test_conditions_are_those_of_windows() -> None:
    entries = [
        "a==1 ; sys_platform == 'win32' \\\n    --hash=sha256:11",
        "b==1 ; sys_platform != 'win32' \\\n    --hash=sha256:22",
        "c==1 ; python_full_version < '3.12' \\\n    --hash=sha256:33",
        "d==1 \\\n    --hash=sha256:44",
    ]
    kept = windows_python._for_windows(entries)
    assert kept == "a==1 \\\n    --hash=sha256:11\nd==1 \\\n    --hash=sha256:44\n"
    assert windows_python._for_windows(entries, frozenset({"d"})).startswith("d==1")


def test_python_that_is_handed_over_must_have_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "python.zip"
    archive.write_bytes(b"something else")
    monkeypatch.setenv(windows_python.ARCHIVE, str(archive))
    monkeypatch.setenv(windows_python.ARCHIVE_HASH, "00" * 32)
    with pytest.raises(Missing, match=hashlib.sha256(b"something else").hexdigest()):
        windows_python._unpack_python(tmp_path / "python")


def test_what_is_kept_is_made_once_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        folder.mkdir()
        (folder / "file").write_text("kept")

    def fail(folder: Path) -> None:
        folder.mkdir()
        raise Missing("no network")

    with pytest.raises(Missing):
        windows_python.kept("part", "key", fail)
    first = windows_python.kept("part", "key", make)
    assert windows_python.kept("part", "key", make) == first
    assert len(made) == 1
    assert windows_python.kept("part", "another key", make) != first
    assert sorted(path.name for path in first.parent.iterdir() if path.is_dir()) == sorted(
        path.name for path in (first, windows_python.kept("part", "another key", make))
    )


def test_setup_needs_what_the_folder_has() -> None:
    script = (windows.FILES / "installer.nsi").read_text(encoding="utf-8")
    spec = (freeze.ROOT / "packaging" / "wallet_gui.spec").read_text(encoding="utf-8")
    for name in ("wallet-gui-window", "wallet-gui"):
        assert f'"{name}.exe"' in script
        assert f'("{name}", ' in spec
