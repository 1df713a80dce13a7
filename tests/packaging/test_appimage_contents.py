"""What an AppImage's runtime does with its image, whole and damaged, and how it is compiled."""

import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from installers import appimage, tool_root

from tests.packaging.little_appimage import (
    DAMAGED,
    EPOCH,
    PROGRAM,
    VERSION,
    Workshop,
    mounts,
    run,
)
from tests.patience import PATIENCE


def test_extracting(little: Path, app_dir: Path, tmp_path: Path) -> None:
    done = run([little, "--appimage-extract"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    names = {
        str(path.relative_to(tmp_path / "squashfs-root"))
        for path in (tmp_path / "squashfs-root").rglob("*")
    }
    assert names == {str(path.relative_to(app_dir)) for path in app_dir.rglob("*")}
    assert {line.partition("/")[2] for line in done.stdout.splitlines()} == names
    for name in names:
        here, there = tmp_path / "squashfs-root" / name, app_dir / name
        assert here.is_symlink() == there.is_symlink()
        if here.is_symlink():
            assert here.readlink() == there.readlink()
        elif here.is_file():
            assert here.read_bytes() == there.read_bytes()
            assert here.stat().st_mode == there.stat().st_mode
            assert here.stat().st_mtime == EPOCH
    # Once more over what is there.
    assert run([little, "--appimage-extract"], tmp_path).returncode == 0


def test_extracting_some(little: Path, tmp_path: Path) -> None:
    assert run([little, "--appimage-extract", "data/l*"], tmp_path).returncode == 0
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {f"squashfs-root{name}" for name in ("", "/data", "/data/large", "/data/link")}
    assert run([little, "--appimage-extract", "nothing"], tmp_path / "squashfs-root").stdout == ""


def test_extracting_follows_no_links(little: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "squashfs-root").symlink_to(outside)
    done = run([little, "--appimage-extract"], tmp_path)
    assert done.returncode == 1
    assert "squashfs-root is there already" in done.stderr
    (tmp_path / "squashfs-root").unlink()
    (tmp_path / "squashfs-root").mkdir()
    (tmp_path / "squashfs-root/data").symlink_to(outside)
    done = run([little, "--appimage-extract"], tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert list(outside.iterdir()) == []


def test_mounting(little: Path, app_dir: Path) -> None:
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no FUSE")
    with subprocess.Popen([little, "--appimage-mount"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        mounted = Path(process.stdout.readline().decode().strip())
        assert {path.name for path in mounted.iterdir()} == {"AppRun", "data", "later"}
        assert (mounted / "data/text").read_bytes() == (app_dir / "data/text").read_bytes()
        with pytest.raises(OSError, match="Read-only"):
            (mounted / "new").touch()
        assert not (mounted / "missing").exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 0
    assert not mounted.exists()
    assert str(mounted) not in mounts()


def test_small_options(workshop: Workshop, little: Path) -> None:
    offset = run([little, "--appimage-offset"]).stdout
    assert offset == f"{len(workshop.runtime)}\n"
    assert little.read_bytes()[int(offset) :][:4] == b"hsqs"
    assert run([little, "--appimage-version"]).stdout == f"Wallet GUI {VERSION}\n"
    explained = run([little, "--appimage-help"]).stdout
    for option in ("extract", "extract-and-run", "mount", "offset", "version", "help"):
        assert f"--appimage-{option} " in explained
    unknown = run([little, "--appimage-updateinfo"])
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("wallet-gui: --appimage-updateinfo is not an option")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_cut_appimage_says_so(workshop: Workshop, little: Path, share: float) -> None:
    whole = little.read_bytes()
    image = whole[len(workshop.runtime) :]
    cut = workshop.write("cut.AppImage", image[: int(len(image) * share)], image)
    for arguments in ([], ["--appimage-extract"], ["--appimage-mount"], ["--appimage-offset"]):
        done = run([cut, *arguments], workshop.place)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr == f"wallet-gui: Nothing was started: {DAMAGED}\n"


def test_no_damage_makes_it_crash_or_write_elsewhere(
    workshop: Workshop, app_dir: Path, tmp_path: Path
) -> None:
    chance = random.Random(2)
    whole = workshop.pack(app_dir)
    seen = set()
    for number in range(90):
        image = bytearray(whole)
        # The superblock and the tables at the end hold what sends a reader astray.
        where = [range(96), range(len(image) - 1500, len(image)), range(len(image))][number % 3]
        for _ in range(chance.choice([1, 3, 20])):
            image[chance.choice(where)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, 46, 47])
        damaged = workshop.write("damaged.AppImage", bytes(image), whole)
        here = tmp_path / str(number) / "in"
        here.mkdir(parents=True)
        done = run([damaged, "--appimage-extract"], here, limit=256 << 20)
        assert done.returncode in {0, 1}, (number, done)
        assert len(done.stderr.splitlines()) == done.returncode, (number, done)
        assert {path.name for path in here.iterdir()} <= {"squashfs-root"}
        assert {path.name for path in here.parent.iterdir()} == {"in"}
        seen.add(done.stderr.strip())
        shutil.rmtree(here)
    for what in ("Unpacking stopped", "Nothing was started"):
        assert f"wallet-gui: {what}: {DAMAGED}" in seen


def test_names_that_lead_out_are_refused(workshop: Workshop, tmp_path: Path) -> None:
    folder = tmp_path / "AppDir"
    folder.mkdir()
    (folder / "AppRun").write_text(PROGRAM)
    (folder / "harmless-name").write_text("x")
    image = workshop.pack(folder, "-noI")
    assert image.count(b"harmless-name") == 1
    hostile = workshop.write("out.AppImage", image.replace(b"harmless-name", b"../../../evil"))
    here = tmp_path / "1" / "2" / "3"
    here.mkdir(parents=True)
    done = run([hostile, "--appimage-extract"], here)
    assert (done.returncode, done.stderr) == (1, f"wallet-gui: Unpacking stopped: {DAMAGED}\n")
    assert not list(tmp_path.rglob("evil"))


def test_devices_are_refused(workshop: Workshop, tmp_path: Path) -> None:
    folder = tmp_path / "AppDir"
    folder.mkdir()
    (folder / "AppRun").write_text(PROGRAM)
    image = workshop.pack(folder, "-p", "device c 666 0 0 1 3")
    done = run([workshop.write("device.AppImage", image), "--appimage-extract"], tmp_path)
    assert (done.returncode, done.stderr) == (1, f"wallet-gui: Unpacking stopped: {DAMAGED}\n")
    assert not (tmp_path / "squashfs-root/device").exists()


def test_a_folder_where_others_may_rename_is_not_used(workshop: Workshop, little: Path) -> None:
    with tempfile.TemporaryDirectory(dir=workshop.place) as name:
        Path(name).chmod(0o777)
        environment = {**os.environ, "TMPDIR": name, "APPIMAGE_EXTRACT_AND_RUN": "1"}
        done = run([little, "environment"], environment=environment)
        assert done.returncode == 0
        assert not done.stdout.splitlines()[2].startswith(name)


def test_the_program_is_hardened_and_holds_nothing_of_this_machine(workshop: Workshop) -> None:
    code = workshop.runtime
    assert code[8:11] == b"AI\x02"
    assert int.from_bytes(code[16:18], "little") == 3  # ET_DYN: loaded anywhere
    headers = _program_headers(code)
    assert 3 not in headers  # PT_INTERP: nothing is loaded
    assert headers[0x6474E551] & 1 == 0  # PT_GNU_STACK without PF_X
    assert 0x6474E552 in headers  # PT_GNU_RELRO
    assert b"__stack_chk" not in code  # stripped
    assert len(code) < 1_600_000
    for trace in (tool_root.PLACE, str(Path.home()), str(workshop.root), os.uname().nodename):
        if len(trace) > 5:
            assert trace.encode() not in code
    assert re.search(rb"/(home|root|work)/", code) is None


def _program_headers(code: bytes) -> dict[int, int]:
    """Return type -> flags of an ELF file's program headers."""
    start = int.from_bytes(code[32:40], "little")
    size, count = (int.from_bytes(code[at : at + 2], "little") for at in (54, 56))
    entries = (code[start + size * number :][:size] for number in range(count))
    return {
        int.from_bytes(entry[:4], "little"): int.from_bytes(entry[4:8], "little")
        for entry in entries
    }


def test_compiled_and_packed_again_it_is_the_same(workshop: Workshop, app_dir: Path) -> None:
    shutil.rmtree(tool_root.inside(workshop.root) / "runtime")
    before = os.umask(0o077)
    try:
        assert appimage.compile_runtime(workshop.root, VERSION, EPOCH + 86400) == workshop.runtime
        first = workshop.pack(app_dir)
        time.sleep(1.1)
        assert workshop.pack(app_dir) == first
    finally:
        os.umask(before)


def test_the_test_knows_every_option(workshop: Workshop) -> None:
    source = (appimage.SOURCES / "main.c").read_text()
    known = set(re.findall(r'strcmp\(option, "([a-z-]+)"\)', source))
    assert known == {"help", "version", "offset", "extract", "mount", "extract-and-run"}
