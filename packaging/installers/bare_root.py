"""A Debian with nothing in it, in a folder of its own: to build in, and to install what was built.

Packages come from the mirror that this machine already uses and are checked by apt against
Debian's keyring. A root that was made once is kept as a tar archive in the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from installers.job import Missing, Wrong

if sys.platform != "win32":
    import fcntl

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Older ones lack what Debian has repaired since.
DAYS_KEPT = 14
# Where the root finds the certificates of this machine: not in the place that a package owns.
CERTIFICATES = "/usr/local/share/host-certificates.crt"
# In the order in which they are mounted.
MOUNTS = (
    ("proc", "proc", ["-t", "proc"]),
    ("sysfs", "sys", ["-t", "sysfs", "-o", "ro"]),
    # Not this machine's /dev: whoever removed the folder while it was mounted would remove that.
    ("tmpfs", "dev", ["-t", "tmpfs", "-o", "mode=755,nosuid"]),
    ("devpts", "dev/pts", ["-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620,gid=5"]),
)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "fuse")
DEVICE_LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "fd/0",
    "stdout": "fd/1",
    "stderr": "fd/2",
}
# What a login would set: nothing of the caller's environment gets in.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
}


def cache_directory() -> Path:
    """Return the folder that holds the archives."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(root) if root.startswith("/") else Path.home() / ".cache"
    return base / "wallet-gui" / "roots"


def require() -> None:
    """Raise Missing where a root can be neither made nor entered."""
    if not sys.platform.startswith("linux"):
        raise Missing("A bare Debian can be made on Linux only.")
    if os.geteuid() != 0:
        raise Missing("A bare Debian is entered with chroot, which needs root: run this as root.")
    if shutil.which("mmdebstrap") is None and shutil.which("debootstrap") is None:
        raise Missing("mmdebstrap is not here; apt-get install mmdebstrap brings it.")
    if not KEYRING.exists():
        raise Missing(
            f"Debian's keyring ({KEYRING}) is not here; apt-get install debian-archive-keyring "
            "brings it."
        )
    if not _may_mount():
        raise Missing("This machine does not let its root user mount, so no root can be entered.")


def create(path: Path, suite: str = "bookworm", include: Sequence[str] = ()) -> Path:
    """Make a minimal Debian with these packages besides; returns `path`, which must not be there.

    Raises Missing with a sentence when this machine cannot.
    """
    require()
    archive = _archive(suite, sorted(set(include)))
    path.mkdir(parents=True)
    # Numbers as they are: names of users on this machine have no meaning in there.
    _run(["tar", "--extract", "--numeric-owner", f"--file={archive}", f"--directory={path}"])
    return path


@contextlib.contextmanager
def mounted(path: Path, folders: Mapping[Path, str] | None = None) -> Iterator[Path]:
    """Mount what programs in the root expect; all of it is gone again at the end.

    `folders` are folders of this machine and where they are to be seen in the root.
    """
    place = path.resolve()
    done: list[Path] = []
    own = [(f"/dev/{name}", f"dev/{name}", ["--bind"]) for name in DEVICES]
    own += [(str(here), there, ["--bind"]) for here, there in (folders or {}).items()]
    try:
        for source, name, options in (*MOUNTS, *own):
            if name.startswith("dev/") and source.startswith("/") and not Path(source).exists():
                continue
            target = place / name
            if Path(source).is_absolute() and not Path(source).is_dir():
                target.touch()
            else:
                target.mkdir(parents=True, exist_ok=True)
            _run(["mount", *options, source, str(target)])
            done.append(target)
        (place / "dev" / "shm").mkdir(mode=0o1777)
        (place / "dev" / "shm").chmod(0o1777)
        for name, there in DEVICE_LINKS.items():
            (place / "dev" / name).symlink_to(there)
        yield place
    finally:
        for target in reversed(done):
            _unmount(target)


def run(
    root: Path,
    command: Sequence[str],
    user: str | None = None,
    env: Mapping[str, str] | None = None,
    *,
    check: bool = True,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run a program in the root, as root or as a user that is there; text in, text out.

    `options` are those of subprocess.run; the output is captured unless they say otherwise. Raises
    CalledProcessError, with what it said as a note, for a status that is not 0.
    """
    settings: dict[str, Any] = {
        "text": True,
        "stdin": None if "input" in options else subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": environment(user, env),
        **options,
    }
    try:
        return subprocess.run(command_line(root, command, user), check=check, **settings)
    except subprocess.CalledProcessError as error:
        error.add_note("\n".join((error.stderr or error.stdout or "").splitlines()[-30:]))
        raise


def command_line(root: Path, command: Sequence[str], user: str | None = None) -> list[str]:
    """Return what starts a program in the root, for those who need Popen."""
    who = [] if user is None else [f"--userspec={user}"]
    return [_tool("chroot"), *who, str(root), *command]


def environment(user: str | None = None, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a login in the root with `env` besides."""
    home = {} if user is None else {"HOME": f"/home/{user}", "USER": user, "LOGNAME": user}
    return {**ENVIRONMENT, **home, **(env or {})}


def use_host_network(root: Path) -> dict[str, str]:
    """Let pip in the root reach what pip reaches here; returns the environment that it needs.

    Index, proxy, patience and certificates are those of this machine; folders are not, for the
    root has others.
    """
    resolver = Path("/etc/resolv.conf")
    if resolver.exists():
        (root / "etc/resolv.conf").unlink(missing_ok=True)
        (root / "etc/resolv.conf").write_bytes(resolver.read_bytes())
    settings = _pip_settings()
    found = {
        name: os.environ[name]
        for name in os.environ
        if name.lower() in {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}
    }
    for name in ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout"):
        value = " ".join(word for word in settings.get(name, "").split() if not _is_local(word))
        if value:
            found[f"PIP_{name.upper().replace('-', '_')}"] = value
    certificates = Path(
        settings.get("cert")
        or os.environ.get("SSL_CERT_FILE")
        or "/etc/ssl/certs/ca-certificates.crt"
    )
    if certificates.is_file():
        copy = root / CERTIFICATES.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(certificates.read_bytes())
        for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            found[name] = CERTIFICATES
    return found


def remove(path: Path) -> None:
    """Remove a root; refuses while something is mounted in it."""
    still = mounts_below(path)
    if still:
        raise OSError(f"{still[0]} is still mounted, so {path} is not removed.")
    shutil.rmtree(path)


def unmount_below(path: Path) -> None:
    """Unmount what a build that was killed has left mounted in a folder."""
    for target in reversed(mounts_below(path)):
        _unmount(target)


def mounts_below(path: Path) -> list[Path]:
    """List what is mounted in a folder, in the order in which it was."""
    place, table = path.resolve(), Path("/proc/self/mounts")
    if not table.exists():
        return []
    return [target for target in mount_points(table.read_bytes()) if target.is_relative_to(place)]


def mount_points(table: bytes) -> list[Path]:
    """Read where things are mounted from the text of /proc/mounts (fstab(5), proc(5)).

    Spaces, tabs, line ends and backslashes are octal there; all other bytes are those of the name.
    """
    names = [line.split(b" ")[1] for line in table.split(b"\n") if line]
    plain = [re.sub(rb"\\([0-7]{3})", lambda it: bytes([int(it[1], 8)]), name) for name in names]
    return [Path(os.fsdecode(name)) for name in plain]


# What create needs


def _archive(suite: str, include: list[str]) -> Path:
    """Return the archive of such a root, made now if there is none that is fresh."""
    mirrors = _mirrors(suite)
    key = hashlib.sha256("\n".join([suite, *include, *mirrors]).encode()).hexdigest()[:16]
    folder = cache_directory()
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{suite}-{key}.tar"
    with (folder / f"{suite}-{key}.lock").open("w") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        if archive.exists() and time.time() - archive.stat().st_mtime < DAYS_KEPT * 86400:
            return archive
        fresh = archive.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        if shutil.which("mmdebstrap") is not None:
            _by_mmdebstrap(fresh, suite, include, mirrors)
        else:
            _by_debootstrap(fresh, suite, include, mirrors)
        fresh.replace(archive)
    return archive


def _by_mmdebstrap(archive: Path, suite: str, include: list[str], mirrors: list[str]) -> None:
    line = ["mmdebstrap", "--variant=minbase", "--quiet", "--format=tar", "--mode=root"]
    line += [f"--keyring={KEYRING}", '--aptopt=APT::Install-Recommends "false"']
    line += [f"--aptopt={option}" for option in _apt_options()]
    if include:
        line.append(f"--include={','.join(include)}")
    _run([*line, suite, str(archive), "-"], text="\n".join(mirrors) + "\n")


def _by_debootstrap(archive: Path, suite: str, include: list[str], mirrors: list[str]) -> None:
    folder = archive.with_suffix(".root")
    if folder.exists():
        unmount_below(folder)
        remove(folder)
    line = ["debootstrap", "--variant=minbase", f"--keyring={KEYRING}"]
    _, site, *_ = mirrors[0].split()
    _run([*line, suite, str(folder), site])
    (folder / "etc/apt/sources.list").write_text("\n".join(mirrors) + "\n", encoding="utf-8")
    settings = ['APT::Install-Recommends "false";', *(f"{option};" for option in _apt_options())]
    (folder / "etc/apt/apt.conf.d/90host").write_text("\n".join(settings) + "\n", encoding="utf-8")
    with mounted(folder):
        for command in (["update"], ["install", "--yes", *include]):
            run(folder, ["apt-get", "-qq", *command])
        run(folder, ["apt-get", "clean"])
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as file:
        file.add(folder, ".", recursive=True)
    remove(folder)


def _mirrors(suite: str) -> list[str]:
    """Return sources.list for a suite, from where this machine has its own.

    Raises Missing when apt is not set up with a Debian mirror.
    """
    listed = _run(
        [
            *("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)"),
            "Created-By: Packages",
        ]
    )
    sites: dict[str, str] = {}
    for line in listed.splitlines():
        site, release, component = line.split()
        if component != "main":
            continue
        if site.rstrip("/").endswith("/debian"):
            sites.setdefault("main", site)
        elif release.endswith("-security"):
            sites.setdefault("security", site)
    if "main" not in sites:
        raise Missing("apt is not set up with a Debian mirror here, so no root can be made.")
    lines = [f"deb {sites['main']} {name} main" for name in (suite, f"{suite}-updates")]
    if "security" in sites:
        lines.append(f"deb {sites['security']} {suite}-security main")
    else:
        print("apt has no security updates here, so the root gets none.", file=sys.stderr)
    return lines


def _apt_options() -> list[str]:
    """Return those of apt's settings here that a root needs to reach the same mirror."""
    options = []
    for line in _run(["apt-config", "dump"]).splitlines():
        name, _, value = line.rstrip(";").partition(" ")
        is_way = name.lower().startswith(("acquire::http", "acquire::https", "acquire::check-"))
        if is_way and value not in {"", '""'}:
            options.append(f"{name} {value}")
    return options


# Small parts


def _pip_settings() -> dict[str, str]:
    """Return what pip is told on this machine, by its file and by the environment, which wins."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    ).stdout
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in {"global", "install", ":env:"}:
            settings[key] = " ".join(shlex.split(value.replace("\\n", " "))).strip()
    return settings


def _is_local(address: str) -> bool:
    return address.startswith(("file:", "/", "."))


def _may_mount() -> bool:
    """Tell whether this process has CAP_SYS_ADMIN, without which mount refuses (proc(5))."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    held = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff")), "0")
    return bool(int(held, 16) >> 21 & 1)


def _unmount(target: Path) -> None:
    """Unmount; a program that was left behind in there is given a moment to end."""
    for _ in range(50):
        if (
            subprocess.run(["umount", str(target)], capture_output=True, check=False).returncode
            == 0
        ):
            return
        time.sleep(0.1)
    # It leaves the tree at once, and is given up when the last program lets go of it.
    _run(["umount", "--lazy", str(target)])


def _tool(name: str) -> str:
    found = shutil.which(name, path=ENVIRONMENT["PATH"])
    if found is None:
        raise Missing(f"The program {name} is not here.")
    return found


def _run(command: list[str], text: str | None = None) -> str:
    """Run a program that the machine may lack a right or a network for, and return what it said.

    Raises Missing when it did not succeed, Wrong when the fault is in what it was asked for.
    """
    done = subprocess.run(
        command,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        unknown = re.search(r"^E: Unable to locate package (\S+)", done.stderr, re.MULTILINE)
        if unknown is not None:
            raise Wrong(f"This Debian has no package {unknown[1]}, which a root was to have.")
        last = done.stderr.strip().splitlines()[-8:]
        raise Missing(f"{command[0]} did not succeed: " + " / ".join(last))
    return done.stdout
