"""Little AppImages: our runtime, with small programs in the place of the wallet."""

import contextlib
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from installers import appimage, bare_root, tool_root

from tests.packaging.skipping import skipping_where_missing
from tests.patience import PATIENCE

EPOCH: Final = 1_700_000_000
VERSION: Final = "9.8.7"
NOBODY: Final = 65534
DAMAGED: Final = (
    "this AppImage is damaged or was not downloaded whole. "
    "Download it again and compare it with the published SHA-256."
)
# What stands in for the wallet: the first argument says what it does. It sleeps for longer than any
# test waits.
PROGRAM: Final = """#!/bin/sh
case "$1" in
    environment) printf '%s\\n' "$ARGV0" "$APPIMAGE" "$APPDIR" "$OWD" "$(pwd)"; shift
                 printf '[%s]' "$@"; ls -ld "$APPDIR" > /dev/null; stat -c ' %a %u' "$APPDIR" ;;
    status) exit "$2" ;;
    die) kill -9 $$ ;;
    wait) trap 'echo ended by TERM; exit 7' TERM; echo ready; while :; do sleep 0.05; done ;;
    sleep) echo "$APPDIR"; exec sleep 1000 ;;
    # A copy of itself that lives on, reads a file of the image later, and says so.
    leave) "$APPDIR/later" "$2" > /dev/null 2>&1 &
           while [ "$(readlink /proc/$!/exe)" != "$APPDIR/later" ]; do sleep 0.02; done
           echo "started"; exec sleep 1000 ;;
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
    """A bare Debian to compile and to pack in, and the runtime that was compiled there.

    `place` is a folder that every user of this machine may read.
    """

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


@contextlib.contextmanager
def opened_workshop() -> Iterator[Workshop]:
    """Open one, or skip the tests that need it."""
    with contextlib.ExitStack() as stack:
        place, tools = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wallet-gui-test-")))
            for _ in range(2)
        )
        place.chmod(0o755)
        with skipping_where_missing():
            root = stack.enter_context(tool_root.entered(tools))
        yield Workshop(root, appimage.compile_runtime(root, VERSION, EPOCH), place)


def make_folder(workshop: Workshop) -> Path:
    """Make the AppDir of the little program."""
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
            out, error = process.communicate(timeout=PATIENCE)
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


def mounts() -> str:
    """Return what is mounted."""
    return Path("/proc/mounts").read_text()


def run(
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
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
