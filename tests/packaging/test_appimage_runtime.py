"""The runtime of the AppImage, with small programs in the place of the wallet."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from installers import appimage, bare_root, tool_root
from installers.job import Missing

EPOCH: Final = 1_700_000_000
VERSION: Final = "9.8.7"
NOBODY: Final = 65534
DAMAGED: Final = (
    "this AppImage is damaged or was not downloaded whole. "
    "Download it again and compare it with the published SHA-256."
)
# What stands in for the wallet: the first argument says what it does.
PROGRAM: Final = """#!/bin/sh
case "$1" in
    environment) printf '%s\\n' "$ARGV0" "$APPIMAGE" "$APPDIR" "$OWD" "$(pwd)"; shift
                 printf '[%s]' "$@"; ls -ld "$APPDIR" > /dev/null; stat -c ' %a %u' "$APPDIR" ;;
    status) exit "$2" ;;
    die) kill -9 $$ ;;
    wait) trap 'echo ended by TERM; exit 7' TERM; echo ready; while :; do sleep 0.05; done ;;
    sleep) echo "$APPDIR"; exec sleep 60 ;;
    # A copy of itself that lives on, reads a file of the image later, and says so.
    leave) "$APPDIR/later" "$2" > /dev/null 2>&1 & echo "$APPDIR"; echo "$!"; exec sleep 60 ;;
    read) cat "$APPDIR/data/$2" ;;
esac
"""
LATER: Final = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **arguments)
{
    char path[4096];
    if (count < 2)
        return 1;
    sleep(2);
    snprintf(path, sizeof path, "%s/data/text", getenv("APPDIR"));
    FILE *in = fopen(path, "r"), *out = fopen(arguments[1], "w");
    char line[100] = "could not read";
    if (in != NULL)
        fgets(line, sizeof line, in);
    fputs(line, out);
    return fclose(out);
}
"""


@dataclass(frozen=True)
class Workshop:
    """A bare Debian to compile and to pack in, and the runtime that was compiled there."""

    root: Path
    runtime: bytes
    place: Path

    def pack(self, folder: Path, *options: str) -> bytes:
        inner = tool_root.inside(self.root) / "packed"
        shutil.rmtree(inner, ignore_errors=True)
        shutil.copytree(folder, inner, symlinks=True)
        tool_root.settle(inner, EPOCH)
        return appimage.pack(self.root, inner, EPOCH, options).read_bytes()

    def write(self, name: str, image: bytes, sealed: bytes | None = None) -> Path:
        """Write an AppImage of `image`, with the checksum of what it was before its damage."""
        path = self.place / name
        runtime = appimage.seal(self.runtime, image if sealed is None else sealed)
        appimage.write(path, runtime + image)
        return path


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that every user of this machine may read."""
    with tempfile.TemporaryDirectory(prefix="wallet-gui-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def workshop(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with contextlib.ExitStack() as stack:
        try:
            root = stack.enter_context(tool_root.entered(tmp_path_factory.mktemp("tools")))
        except Missing as missing:
            pytest.skip(str(missing))
        yield Workshop(root, appimage.compile_runtime(root, VERSION, EPOCH), place)


@pytest.fixture(scope="module")
def folder(workshop: Workshop) -> Path:
    """The AppDir of the little program."""
    made = workshop.place / "AppDir"
    (made / "data").mkdir(parents=True)
    (made / "AppRun").write_text(PROGRAM)
    (made / "AppRun").chmod(0o755)
    (made / "data/text").write_text("text of the image\n")
    (made / "data/large").write_bytes(random.Random(1).randbytes(1_000_000) + bytes(500_000))
    (made / "data/empty").touch()
    (made / "data/link").symlink_to("../AppRun")
    source = tool_root.inside(workshop.root) / "later.c"
    source.write_text(LATER)
    line = ["gcc", "-static", "-o", f"{tool_root.PLACE}/later", f"{tool_root.PLACE}/later.c"]
    bare_root.run(workshop.root, line)
    shutil.copy(source.with_suffix(""), made / "later")
    return made


@pytest.fixture(scope="module")
def little(workshop: Workshop, folder: Path) -> Path:
    """The AppImage of the little program."""
    return workshop.write("little.AppImage", workshop.pack(folder))


@dataclass(frozen=True)
class Way:
    """One way to start an AppImage: as whom, with FUSE or without."""

    name: str
    user: int
    fuse: bool
    temporary: Path

    def start(self, *command: str | Path, **more: str) -> "subprocess.Popen[str]":
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(self.temporary), **more}
        line = [str(word) for word in command]
        if self.user != 0:
            line = [*_drop(self.user), *line]
        if not (self.fuse and self.user == 0):
            # A namespace of mounts in which the device is not there, or is there for everybody.
            line = ["unshare", "--mount", "sh", "-ec", _DEVICE[self.fuse], "sh", *line]
        return subprocess.Popen(
            line,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd="/",
        )

    def run(self, *command: str | Path, **more: str) -> tuple[int, str, str]:
        with self.start(*command, **more) as process:
            out, error = process.communicate(timeout=60)
        return process.returncode, out, error

    def names(self) -> list[str]:
        """Return what is in the temporary folder."""
        return [path.name for path in self.temporary.iterdir()]

    def left(self) -> list[str]:
        """Return what is still in the temporary folder when it was given a moment to go."""
        for _ in range(100):
            if not self.names():
                break
            time.sleep(0.1)
        return self.names()


_DEVICE: Final = {
    False: 'mount --bind /dev/null /dev/fuse; exec "$@"',
    True: 'mknod "$TMPDIR/../fuse-$$" c 10 229; chmod 666 "$TMPDIR/../fuse-$$"; '
    'mount --bind "$TMPDIR/../fuse-$$" /dev/fuse; rm "$TMPDIR/../fuse-$$"; exec "$@"',
}
WAYS: Final = {
    "root, FUSE": (0, True),
    "root, unpacked": (0, False),
    "user, FUSE": (NOBODY, True),
    "user, unpacked": (NOBODY, False),
}


def _drop(user: int) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest, place: Path) -> Iterator[Way]:
    user, fuse = WAYS[request.param]
    if fuse and not Path("/dev/fuse").exists():
        pytest.skip("this machine has no FUSE")
    if fuse and user != 0 and shutil.which("fusermount3") is None:
        pytest.skip("fusermount3 is not here (Debian's package fuse3)")
    with tempfile.TemporaryDirectory(dir=place) as name:
        temporary = Path(name) / "temporary"
        temporary.mkdir()
        Path(name).chmod(0o755)
        temporary.chmod(0o1777)
        made = Way(request.param, user, fuse, temporary)
        yield made
        made.left()  # what is still mounted cannot be removed


def mounts() -> str:
    return Path("/proc/mounts").read_text()


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
        assert process.communicate(timeout=20)[0] == "ended by TERM\n"
    assert process.returncode == 7
    assert way.left() == []


def test_nothing_is_left_of_a_killed_program(way: Way, little: Path) -> None:
    with way.start(little, "sleep") as process:
        assert process.stdout is not None
        folder = process.stdout.readline().strip()
        assert Path(folder).name in way.names()
        process.kill()
        process.communicate(timeout=20)
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
        process.stdout.readline()
        process.stdout.readline()
        process.kill()
        process.communicate(timeout=20)
    assert way.left() == []
    assert written.read_text() == "text of the image\n"


def test_files_are_read_as_they_are(way: Way, little: Path, folder: Path) -> None:
    for name in ("large", "text", "empty", "link"):
        # In a different place than the standard output, which is read as text here.
        written = way.temporary.parent / "written"
        written.touch()
        written.chmod(0o666)
        assert way.run("sh", "-c", f'"{little}" read {name} > "{written}"') == (0, "", "")
        assert written.read_bytes() == (folder / "data" / name).read_bytes()


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
        process.communicate(timeout=20)
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
        first.communicate(timeout=20)
    assert way.left() == []


def test_extracting(little: Path, folder: Path, tmp_path: Path) -> None:
    done = _run([little, "--appimage-extract"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    names = {
        str(path.relative_to(tmp_path / "squashfs-root"))
        for path in (tmp_path / "squashfs-root").rglob("*")
    }
    assert names == {str(path.relative_to(folder)) for path in folder.rglob("*")}
    assert {line.partition("/")[2] for line in done.stdout.splitlines()} == names
    for name in names:
        here, there = tmp_path / "squashfs-root" / name, folder / name
        assert here.is_symlink() == there.is_symlink()
        if here.is_symlink():
            assert here.readlink() == there.readlink()
        elif here.is_file():
            assert here.read_bytes() == there.read_bytes()
            assert here.stat().st_mode == there.stat().st_mode
            assert here.stat().st_mtime == EPOCH
    # Once more over what is there.
    assert _run([little, "--appimage-extract"], tmp_path).returncode == 0


def test_extracting_some(little: Path, tmp_path: Path) -> None:
    assert _run([little, "--appimage-extract", "data/l*"], tmp_path).returncode == 0
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {f"squashfs-root{name}" for name in ("", "/data", "/data/large", "/data/link")}
    assert _run([little, "--appimage-extract", "nothing"], tmp_path / "squashfs-root").stdout == ""


def test_extracting_follows_no_links(little: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "squashfs-root").symlink_to(outside)
    done = _run([little, "--appimage-extract"], tmp_path)
    assert done.returncode == 1
    assert "squashfs-root is there already" in done.stderr
    (tmp_path / "squashfs-root").unlink()
    (tmp_path / "squashfs-root").mkdir()
    (tmp_path / "squashfs-root/data").symlink_to(outside)
    done = _run([little, "--appimage-extract"], tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert list(outside.iterdir()) == []


def test_mounting(little: Path, folder: Path, place: Path) -> None:
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no FUSE")
    with subprocess.Popen([little, "--appimage-mount"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        mounted = Path(process.stdout.readline().decode().strip())
        assert {path.name for path in mounted.iterdir()} == {"AppRun", "data", "later"}
        assert (mounted / "data/text").read_bytes() == (folder / "data/text").read_bytes()
        with pytest.raises(OSError, match="Read-only"):
            (mounted / "new").touch()
        assert not (mounted / "missing").exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    assert not mounted.exists()
    assert str(mounted) not in mounts()


def test_small_options(workshop: Workshop, little: Path) -> None:
    offset = _run([little, "--appimage-offset"]).stdout
    assert offset == f"{len(workshop.runtime)}\n"
    assert little.read_bytes()[int(offset) :][:4] == b"hsqs"
    assert _run([little, "--appimage-version"]).stdout == f"Wallet GUI {VERSION}\n"
    explained = _run([little, "--appimage-help"]).stdout
    for option in ("extract", "extract-and-run", "mount", "offset", "version", "help"):
        assert f"--appimage-{option} " in explained
    unknown = _run([little, "--appimage-updateinfo"])
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("wallet-gui: --appimage-updateinfo is not an option")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_cut_appimage_says_so(workshop: Workshop, little: Path, share: float) -> None:
    whole = little.read_bytes()
    image = whole[len(workshop.runtime) :]
    cut = workshop.write("cut.AppImage", image[: int(len(image) * share)], image)
    for arguments in ([], ["--appimage-extract"], ["--appimage-mount"], ["--appimage-offset"]):
        done = _run([cut, *arguments], workshop.place)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr == f"wallet-gui: Nothing was started: {DAMAGED}\n"


def test_no_damage_makes_it_crash_or_write_elsewhere(
    workshop: Workshop, folder: Path, tmp_path: Path
) -> None:
    chance = random.Random(2)
    whole = workshop.pack(folder)
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
        done = _run([damaged, "--appimage-extract"], here, limit=256 << 20)
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
    done = _run([hostile, "--appimage-extract"], here)
    assert (done.returncode, done.stderr) == (1, f"wallet-gui: Unpacking stopped: {DAMAGED}\n")
    assert not list(tmp_path.rglob("evil"))


def test_devices_are_refused(workshop: Workshop, tmp_path: Path) -> None:
    folder = tmp_path / "AppDir"
    folder.mkdir()
    (folder / "AppRun").write_text(PROGRAM)
    image = workshop.pack(folder, "-p", "device c 666 0 0 1 3")
    done = _run([workshop.write("device.AppImage", image), "--appimage-extract"], tmp_path)
    assert (done.returncode, done.stderr) == (1, f"wallet-gui: Unpacking stopped: {DAMAGED}\n")
    assert not (tmp_path / "squashfs-root/device").exists()


def test_a_folder_where_others_may_rename_is_not_used(little: Path, place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place) as name:
        Path(name).chmod(0o777)
        environment = {**os.environ, "TMPDIR": name, "APPIMAGE_EXTRACT_AND_RUN": "1"}
        done = _run([little, "environment"], environment=environment)
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


def test_compiled_and_packed_again_it_is_the_same(workshop: Workshop, folder: Path) -> None:
    shutil.rmtree(tool_root.inside(workshop.root) / "runtime")
    before = os.umask(0o077)
    try:
        assert appimage.compile_runtime(workshop.root, VERSION, EPOCH + 86400) == workshop.runtime
        first = workshop.pack(folder)
        time.sleep(1.1)
        assert workshop.pack(folder) == first
    finally:
        os.umask(before)


def _run(
    command: list[str | Path],
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
    limit: int | None = None,
) -> "subprocess.CompletedProcess[str]":
    line = [str(word) for word in command]
    if limit is not None:
        line = ["prlimit", f"--as={limit}", "--", *line]
    return subprocess.run(
        line,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_test_knows_every_option(workshop: Workshop) -> None:
    source = (appimage.SOURCES / "main.c").read_text()
    known = set(re.findall(r'strcmp\(option, "([a-z-]+)"\)', source))
    assert known == {"help", "version", "offset", "extract", "mount", "extract-and-run"}
