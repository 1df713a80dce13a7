"""Private homes of the wallets that bench_packages.py compares: what is installed, and its size.

Electrum comes from Debian's own package, Bitcoin Safe from PyPI (it needs a Python before 3.13,
hence Debian 12), each in a bare Debian root under the user's cache. The mirror and the index are
those of this machine. Nothing here is ever started with a network.
"""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# What every Qt program needs of the system to open a window; counted for nobody.
WINDOW_LIBRARIES: Final = (
    *("libegl1", "libgl1", "libfontconfig1", "libxkbcommon0", "libdbus-1-3", "libxcb-cursor0"),
    *("libxcb-icccm4", "libxcb-keysyms1", "libxcb-shape0", "libxcb-xkb1", "libxkbcommon-x11-0"),
)
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
WALLET_FOLDER: Final = "opt/wallet-gui"
_SAFE: Final = "opt/bitcoin-safe"
_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


class CannotPrepare(Exception):
    """A wallet cannot be had here; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes on disk and bytes to download, and what they are."""

    installed: int
    download: int
    made_of: str


@dataclass(frozen=True, slots=True)
class Wallet:
    """A program that can be started in its root ("/" for one that runs from source)."""

    name: str
    root: Path
    command: tuple[str, ...]
    size: Size | None
    environment: tuple[tuple[str, str], ...] = ()
    # Pressed once in the first start ever, which asks for a language or the kind of network.
    first_answer: str = ""


def cache_directory() -> Path:
    """Return the folder that holds the roots; about 2 GB."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(root) if root.startswith("/") else Path.home() / ".cache"
    return base / "wallet-gui" / "benchmark"


def electrum() -> Wallet:
    """Electrum of Debian 13 with the Qt binding that it recommends, nothing else recommended."""
    root = _bare_root("electrum", "trixie", ("libglib2.0-0t64", *WINDOW_LIBRARIES))
    size = _install(root, ("electrum", "python3-pyqt5"))
    version = _run_in(root, "dpkg-query", "-W", "-f", "${Version}", "electrum").strip()
    return Wallet(f"Electrum {version}", root, ("/usr/bin/electrum",), size, first_answer="Return")


def bitcoin_safe() -> Wallet:
    """Bitcoin Safe of PyPI in an environment of its own, with the two libraries that it looks for.

    `packaging` is imported by it but not among what it asks for.
    """
    root = _bare_root("bitcoin-safe", "bookworm", ("libglib2.0-0", *WINDOW_LIBRARIES))
    system = _install(root, ("python3-venv", "libsecp256k1-1", "libzbar0", "libusb-1.0-0"))
    python = f"/{_SAFE}/bin/python"
    wheels = root / "opt" / "wheels"
    if not (root / _SAFE / "bin" / "bitcoin-safe-is-installed").exists():
        _run_in(root, "python3", "-m", "venv", f"/{_SAFE}")
        _run_in(root, python, "-m", "pip", "install", "--quiet", "wheel", "setuptools")
        wanted = ("bitcoin-safe", "packaging")
        _run_in(root, python, "-m", "pip", "wheel", "--quiet", "--wheel-dir=/opt/wheels", *wanted)
        offline = ("--quiet", "--no-index", "--find-links=/opt/wheels")
        _run_in(root, python, "-m", "pip", "install", *offline, *wanted)
        (root / _SAFE / "bin" / "bitcoin-safe-is-installed").touch()
    version = next((root / _SAFE).glob("lib/*/site-packages/bitcoin_safe-*.dist-info")).name
    tools = sum(
        folder_size(folder)
        for name in ("pip", "setuptools", "wheel")
        for folder in (root / _SAFE).glob(f"lib/*/site-packages/{name}")
    )
    return Wallet(
        f"Bitcoin Safe {version.split('-')[1].removesuffix('.dist')}",
        root,
        (python, "-m", "bitcoin_safe"),
        Size(
            system.installed + folder_size(root / _SAFE) - tools,
            system.download + folder_size(wheels),
            f"{system.made_of}, and the wheels",
        ),
        first_answer="Return",
    )


def wallet_gui(build: Path) -> Wallet:
    """Our .deb, or the frozen folder, beside Bitcoin Safe in the same root."""
    root = _bare_root("bitcoin-safe", "bookworm", ("libglib2.0-0", *WINDOW_LIBRARIES))
    folder = root / WALLET_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    if build.suffix == ".deb":
        _run("dpkg-deb", "-x", str(build), str(folder))
        fields = _run("dpkg-deb", "-f", str(build), "Installed-Size", "Version")
        kibibytes, version = re.findall(r": (\S+)", fields)
        size = Size(int(kibibytes) * 1024, build.stat().st_size, "its .deb")
        program = next(folder.glob("usr/lib/*/wallet-gui"))
    else:
        shutil.copytree(build, folder, symlinks=True)
        packed = _packed_size(build)
        size = Size(folder_size(folder), packed, "the folder, and packed with xz")
        program, version = folder / "wallet-gui", "(frozen folder)"
    return Wallet(f"Wallet GUI {version}", root, (f"/{program.relative_to(root)}",), size)


def wallet_gui_from_source(repository: Path, python: str) -> Wallet:
    """The program as it lies in the repository, with the Python of this run."""
    return Wallet(
        "Wallet GUI (from source)",
        Path("/"),
        (python, "-m", "wallet_gui"),
        None,
        (("PYTHONPATH", str(repository)),),
    )


def folder_size(folder: Path) -> int:
    """Bytes that the files of a folder hold, without those that the bytecode cache adds."""
    return sum(
        path.lstat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.suffix != ".pyc"
    )


def _packed_size(folder: Path) -> int:
    """Bytes of the folder as a .tar.xz."""
    with tempfile.TemporaryFile() as file:
        packed = ("nice", "tar", "-I", "xz -T0", "-C", str(folder), "-cf", "-", ".")
        subprocess.run(packed, stdout=file, check=True)
        return file.tell() or os.fstat(file.fileno()).st_size


def _bare_root(name: str, suite: str, include: tuple[str, ...]) -> Path:
    root = cache_directory() / name
    finished = root / "opt" / "bare"
    if finished.exists():
        return root
    if os.geteuid():
        raise CannotPrepare("Making a bare Debian root needs to be root.")
    if shutil.which("mmdebstrap") is None:
        raise CannotPrepare("Install mmdebstrap: the wallets are measured in bare Debian roots.")
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    packages = ",".join(("ca-certificates", *include))
    lists = "--skip=cleanup/apt/lists"
    own = [f"--include={packages}", f"--keyring={KEYRING}", "--components=main", lists]
    _run("nice", "mmdebstrap", "--quiet", "--variant=minbase", *own, suite, str(root), _mirror())
    (root / "opt").mkdir(exist_ok=True)
    finished.touch()
    return root


def _mirror() -> str:
    for line in _run("apt-get", "indextargets", "--format", "$(REPO_URI)").splitlines():
        if "debian" in line and "security" not in line:
            return line
    raise CannotPrepare("This machine has no Debian mirror in its apt configuration.")


def _install(root: Path, packages: tuple[str, ...]) -> Size:
    """Install with apt, and keep what apt itself said of the sizes."""
    told = root / "opt" / "apt-sizes"
    if not told.exists():
        command = ("apt-get", "install", "--yes", "--no-install-recommends", *packages)
        told.write_text(_run_in(root, *command))
    text = told.read_text()
    download = re.search(r"(?:Need to get|Download size:) ([\d,.]+ \w?B)", text)
    disk = re.search(r"(?:operation, |Space needed: )([\d,.]+ \w?B)", text)
    if download is None or disk is None:
        raise CannotPrepare(f"apt did not tell the sizes of {', '.join(packages)}.")
    return Size(_bytes(disk[1]), _bytes(download[1]), "Debian's packages over the bare root")


def _bytes(text: str) -> int:
    number, unit = text.replace(",", "").split()
    return int(float(number) * {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}[unit])


def _run_in(root: Path, *command: str) -> str:
    """Run in the root with this machine's network; its mounts end with the command."""
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, root / "opt" / "certificates.crt")
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    inside = (
        'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"',
        *(str(root), *command),
    )
    certificates = "/opt/certificates.crt"
    return _run(
        *("unshare", "-m", "nice", "sh", "-c", *inside),
        environment={
            "PATH": _PATH,
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            "PIP_CERT": certificates,
            "SSL_CERT_FILE": certificates,
            "PIP_NO_CACHE_DIR": "1",
        },
    )


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise CannotPrepare(f"{' '.join(command[:6])} ended with: {' / '.join(last)}")
    return done.stdout
