"""Starting an AppImage: as root and as an ordinary user, mounted and unpacked."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.little_appimage import (
    WAYS,
    Way,
    Workshop,
    mounts,
)
from tests.patience import PATIENCE


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest, workshop: Workshop) -> Iterator[Way]:
    user, fuse = WAYS[request.param]
    if fuse and not Path("/dev/fuse").exists():
        pytest.skip("this machine has no FUSE")
    if fuse and user != 0 and shutil.which("fusermount3") is None:
        pytest.skip("fusermount3 is not here (Debian's package fuse3)")
    with tempfile.TemporaryDirectory(dir=workshop.place) as name:
        temporary = Path(name) / "temporary"
        temporary.mkdir()
        Path(name).chmod(0o755)
        temporary.chmod(0o1777)
        made = Way(request.param, user, fuse, temporary)
        yield made
        made.left()  # what is still mounted cannot be removed


def test_arguments_environment_and_folder_are_as_the_specification_says(
    way: Way, little: Path
) -> None:
    status, out, error = way.run(little, "environment", "a b", "", "--appimage-offset", "$x")
    assert (status, error) == (0, "")
    name, path, folder, before, here, last = out.splitlines()
    assert (name, path) == (str(little), str(little))
    assert folder.startswith(f"{way.temporary}/.mount_wallet-gui-")
    assert before == here == "/"
    arguments, mode, owner = last.rsplit(" ", 2)
    assert arguments == "[a b][][--appimage-offset][$x]"
    assert owner == str(way.user)
    assert mode == ("755" if way.fuse else "700")  # a mount of FUSE is for its user in any case
    assert way.left() == []


def test_exit_status_and_death_by_a_signal_are_the_programs(way: Way, little: Path) -> None:
    assert way.run(little, "status", "42")[0] == 42
    assert way.run(little, "die")[0] == -signal.SIGKILL
    assert way.left() == []


def test_signals_reach_the_program(way: Way, little: Path) -> None:
    with way.start(little, "wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.communicate(timeout=PATIENCE)[0] == "ended by TERM\n"
    assert process.returncode == 7
    assert way.left() == []


def test_nothing_is_left_of_a_killed_program(way: Way, little: Path) -> None:
    with way.start(little, "sleep") as process:
        assert process.stdout is not None
        folder = process.stdout.readline().strip()
        assert Path(folder).name in way.names()
        process.kill()
        process.communicate(timeout=PATIENCE)
    assert way.left() == []
    assert folder not in mounts()


def test_what_the_program_started_goes_on_from_the_image_when_it_is_killed(
    way: Way, little: Path
) -> None:
    written = way.temporary.parent / "written"
    written.touch()
    written.chmod(0o666)
    with way.start(little, "leave", written) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.kill()
        process.communicate(timeout=PATIENCE)
    assert way.left() == []
    assert written.read_text() == "text of the image\n"


def test_files_are_read_as_they_are(way: Way, little: Path, app_dir: Path) -> None:
    for name in ("large", "text", "empty", "link"):
        # In a different place than the standard output, which is read as text here.
        written = way.temporary.parent / "written"
        written.touch()
        written.chmod(0o666)
        assert way.run("sh", "-c", f'"{little}" read {name} > "{written}"') == (0, "", "")
        assert written.read_bytes() == (app_dir / "data" / name).read_bytes()


def test_the_second_process_lets_go_of_pipes(way: Way, little: Path) -> None:
    begun = time.monotonic()
    assert way.run(little, "leave-nothing")[0] == 0  # returns only at the end of both pipes
    assert time.monotonic() - begun < 20


def test_one_may_ask_for_unpacking(way: Way, little: Path) -> None:
    status, out, _ = way.run(little, "--appimage-extract-and-run", "environment", "x")
    assert (status, out.splitlines()[-1]) == (0, f"[x] 700 {way.user}")
    status, out, _ = way.run(little, "environment", "x", APPIMAGE_EXTRACT_AND_RUN="1")
    assert (status, out.splitlines()[-1]) == (0, f"[x] 700 {way.user}")
    assert way.left() == []


def test_a_start_removes_what_a_killed_second_process_left(way: Way, little: Path) -> None:
    with way.start(little, "sleep") as process:
        assert process.stdout is not None
        process.stdout.readline()
        second = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit()
            and int(entry.name) != process.pid
            and _command(entry) == f"{little} sleep"
        ]
        assert second
        for number in second:
            os.kill(number, signal.SIGKILL)
        process.kill()
        process.communicate(timeout=PATIENCE)
    time.sleep(0.2)
    (left,) = way.names()
    # As in the same session: a namespace of mounts ends with its last process.
    if not way.fuse or way.user == 0:
        assert way.run(little, "status", "0")[0] == 0
        assert left not in way.left()


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:  # it has ended meanwhile
        return ""


def test_a_start_leaves_alone_what_is_in_use(way: Way, little: Path) -> None:
    with way.start(little, "wait") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "ready\n"
        (folder,) = way.names()
        assert way.run(little, "status", "0")[0] == 0
        time.sleep(1)
        assert way.names() == [folder]
        first.terminate()
        first.communicate(timeout=PATIENCE)
    assert way.left() == []
