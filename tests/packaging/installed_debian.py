"""A bare Debian with an ordinary user, in which the package is installed, used and removed."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from installers import bare_root

from tests.patience import PATIENCE

USER = "anna"
_PLENTY = 6 * 1024 * 1024  # KiB
# What changes whenever anything is installed or removed, and says nothing about what is there.
_RECORDS = (
    "etc/.pwd.lock",
    "etc/ld.so.cache",
    "var/cache/",
    "var/lib/apt/",
    "var/lib/dpkg/",
    "var/log/",
)
_WITHOUT_FILES = ("proc", "sys", "dev", "tmp", "run")


class InstalledDebian:
    """One root. Commands of the user run with no network at all unless they ask for one."""

    def __init__(self, root: Path, suite: str) -> None:
        self.root = root
        self.suite = suite
        self.home = root / "home" / USER
        self.environment: dict[str, str] = {}

    def administer(self, *command: str) -> str:
        """Run a command as root, with this machine's network; returns what it printed."""
        return bare_root.run(self.root, command).stdout

    def install(self, *packages: str) -> None:
        """Let apt-get install packages, with what they recommend."""
        self.administer("apt-get", "-qq", "install", "--yes", "--install-recommends", *packages)

    def command_line(self, *command: str, network: bool = False) -> list[str]:
        """Return what runs a command as the user."""
        line = bare_root.command_line(self.root, command, USER)
        return line if network else ["unshare", "--net", "--", *line]

    def settings(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of the user's login."""
        return bare_root.environment(USER, {**self.environment, **(more or {})})

    def use(
        self, *command: str, environment: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the user to its end."""
        return subprocess.run(
            self.command_line(*command),
            env=self.settings(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            **options,
        )

    def hand_over(self, *command: str, environment: Mapping[str, str] | None = None) -> int:
        """Run a command that leaves a program behind, and return its status."""
        with (self.root / "var/log/handed-over").open("ab") as log:
            return subprocess.run(
                self.command_line(*command),
                env=self.settings(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=PATIENCE,
            ).returncode

    def write(self, name: str, content: bytes) -> str:
        """Put a file into the user's home; returns its path in the root."""
        path = self.home / name
        for folder in reversed(path.relative_to(self.home).parents):
            (self.home / folder).mkdir(exist_ok=True)
            os.chown(self.home / folder, self.uid, self.uid)
        path.write_bytes(content)
        os.chown(path, self.uid, self.uid)
        path.chmod(0o600)
        return f"/home/{USER}/{name}"

    @property
    def uid(self) -> int:
        return self.home.stat().st_uid

    # --- what is there

    def files(self) -> set[str]:
        """Every path but those of the kernel, of temporary files and of records."""
        found = set()
        for folder, folders, names in os.walk(self.root):
            here = Path(folder).relative_to(self.root)
            if here == Path():
                folders[:] = [name for name in folders if name not in _WITHOUT_FILES]
            found |= {str(here / name) for name in (*folders, *names)}
        return {path for path in found if not path.startswith(_RECORDS)}

    def files_of(self, package: str) -> set[str]:
        """The paths that a package has and no other one."""
        lists = self.root / "var/lib/dpkg/info"

        def read(path: Path) -> set[str]:
            return {line.lstrip("/") for line in path.read_text().splitlines()}

        own = lists / f"{package}.list"
        others = [read(path) for path in lists.glob("*.list") if path != own]
        return read(own).difference(*others)

    def mentions(self, words: Sequence[str]) -> list[str]:
        """Files outside of homes and records that hold one of the words."""
        skipped = [f"--exclude-dir={name}" for name in (*_WITHOUT_FILES, "home", "log", "archives")]
        patterns = [part for word in words for part in ("-e", word)]
        found = subprocess.run(
            ["grep", "-rlIF", *skipped, *patterns, "."],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        return [
            path
            for path in found.stdout.splitlines()
            if not path.startswith(("./var/lib/apt/", "./var/lib/dpkg/status-old", "./root/"))
        ]

    # --- what runs

    def windows(self) -> dict[int, list[str]]:
        """The user's processes of the program that are no vault, with their arguments."""
        found = {}
        program = self.root / "usr/lib/wallet-gui/wallet-gui"
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                # As seen from here, where the root is a folder.
                same = (entry / "exe").samefile(program)
                words = (entry / "cmdline").read_bytes().decode().split("\0")[:-1]
            except OSError:  # ended meanwhile
                continue
            if same and "--vault" not in words:
                found[int(entry.name)] = words
        return found


def loaded(process: int) -> set[str]:
    """The files that a process has mapped, libraries with them."""
    lines = Path(f"/proc/{process}/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if "/" in line}


@contextmanager
def quick_folder(folder: Path) -> Iterator[Path]:
    """A new folder, in memory where there is plenty: a root is thousands of files for a while."""
    folder.mkdir()
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    if free < _PLENTY:
        yield folder
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        # Whatever of it is still in use goes with the last that uses it.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def bare_debian(folder: Path, suite: str, mounts: dict[Path, str]) -> Iterator[InstalledDebian]:
    """A root with an ordinary user; packages that were fetched once are kept in the cache."""
    kept = bare_root.cache_directory() / f"packages-{suite}"
    (kept / "partial").mkdir(parents=True, exist_ok=True)
    with quick_folder(folder) as place:
        root = bare_root.create(place / "root", suite)
        try:
            yield from _entered(root, suite, {**mounts, kept: "var/cache/apt/archives"})
        finally:
            bare_root.remove(root)


def _entered(root: Path, suite: str, mounts: dict[Path, str]) -> Iterator[InstalledDebian]:
    # It is thrown away: what it holds need not survive a power cut, which takes most of the time.
    (root / "etc/dpkg/dpkg.cfg.d/quick").write_text("force-unsafe-io\n")
    with bare_root.mounted(root, mounts):
        machine = InstalledDebian(root, suite)
        machine.administer("useradd", "--create-home", USER)
        machine.administer("apt-get", "-qq", "update")
        try:
            yield machine
        finally:
            # A test that failed leaves its windows behind.
            for process in machine.windows():
                os.kill(process, signal.SIGKILL)
