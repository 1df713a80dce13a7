"""Sets everything up and starts the wallet, or runs its tests; needs nothing but Python.

    python3 packaging/run.py [arguments of the wallet]
    python3 packaging/run.py --playground
    python3 packaging/run.py test [arguments of pytest]

It names and installs the system libraries that Qt needs (Linux), makes `.venv`, installs the locked
packages into it when the lock has changed, builds the engine in C where there is a compiler, and
starts the program. Only the standard library is imported, and the syntax is old enough for an old
Python to be told which one is needed.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
RUNTIME_LOCK = ROOT / "requirements.lock"
TEST_LOCK = ROOT / "packaging" / "requirements-test.lock"

OLDEST, NEWEST = (3, 11), (3, 13)

# What Qt loads when it draws (the first six even without a screen), and who has it on Debian.
QT_LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
# What the journey through real windows needs; without it that test is skipped with its reason.
JOURNEY_PROGRAMS = {
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "openbox": "openbox",
    "dbus-run-session": "dbus-daemon",
    "/usr/libexec/at-spi-bus-launcher": "at-spi2-core",
    "/usr/lib/python3/dist-packages/gi/__init__.py": "python3-gi",
}
# What builds the native engine and its sanitized twin; without it their tests are skipped.
COMPILER_PACKAGES = ["gcc", "libc6-dev"]
# What the tests of the user's own node over SSH start. The server is not installed (that would let
# people in): packaging/sshd.py unpacks it privately.
SSH_PROGRAMS = {
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ssh-agent": "openssh-client",
}
# What the tests of the packages build and install with; without them those tests are skipped, as
# they are for whoever is not root. The compiler is above.
PACKAGE_PROGRAMS = {
    "mmdebstrap": "mmdebstrap",  # bare Debians to build in and to install into
    "xz": "xz-utils",
    "readelf": "binutils",
    "fusermount3": "fuse3",  # mounts an AppImage
    "rpm": "rpm",
    "desktop-file-validate": "desktop-file-utils",
    "gio": "libglib2.0-bin",  # opens menu entries as a desktop does
    "groff": "groff-base",
    "minisign": "minisign",  # signs and verifies like anybody would
}
ALONE = "pytest, one at a time"
# What is made while other tests run, in the order in which it is asked for; and where it lies.
PACKAGES = ["folder", "tar", "deb", "appimage", "rpm", "windows"]
PACKAGES_PLACE = ROOT / "build" / "packages" / "made"
PACKAGES_SECONDS = 1800.0  # for which what measures time waits for them
PACKAGES_STATUS = (0, 1, 3)  # made, failed, something is not here
JOURNEY_TYPELIB = ("girepository-1.0/Atspi-2.0.typelib", "gir1.2-atspi-2.0")


class Stop(Exception):
    """Setting up cannot go on; the text says what the person can do."""


def main(arguments: list[str]) -> int:
    """Set up and start; returns the exit status."""
    try:
        choose_python(arguments)
        if arguments[:1] == ["test"]:
            return run_tests(arguments[1:])
        return start_wallet(arguments)
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


# Python itself


def choose_python(arguments: list[str]) -> None:
    """Go on in a suitable Python of this machine when this one is not."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found is not None:
            become([found, __file__, *arguments])
    uv = shutil.which("uv")
    if uv is not None:  # it brings the Python that is asked for
        become([uv, "run", "--no-project", "--python", "3.13", __file__, *arguments])
    raise Stop(
        f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is needed, this is "
        f"{sys.version_info[0]}.{sys.version_info[1]} ({sys.executable}). Install one of these "
        "(it may stand beside the present one), or uv, which brings one, and run this again."
    )


def become(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Continue as another program; does not return."""
    environment = dict(os.environ) if environment is None else environment
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, environment)
    # Windows has no exec: the shell would take the prompt back while the program still runs.
    raise SystemExit(subprocess.run(command, env=environment, check=False).returncode)


# System packages


def missing_libraries(names: list[str]) -> list[str]:
    """Return those sonames that the dynamic loader does not find."""
    missing = []
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def missing_journey_packages() -> list[str]:
    """Return the Debian packages that the journey through real windows lacks."""
    missing = [
        package
        for program, package in JOURNEY_PROGRAMS.items()
        if not (Path(program).exists() or shutil.which(program))
    ]
    typelib, package = JOURNEY_TYPELIB
    if not list(Path("/usr/lib").glob("*/" + typelib)):
        missing.append(package)
    return missing


def missing_ssh_packages() -> list[str]:
    """Return the Debian packages of SSH programs that the tests lack."""
    lacking = {package for program, package in SSH_PROGRAMS.items() if not shutil.which(program)}
    return sorted(lacking)


def missing_compiler_packages() -> list[str]:
    """Return the Debian packages of a C compiler, when there is none."""
    has_compiler = any(map(shutil.which, ("cc", "gcc", "clang")))
    return [] if has_compiler else COMPILER_PACKAGES


def missing_package_programs() -> list[str]:
    """Return the Debian packages that building and trying packages lacks."""
    lacking = {
        package for program, package in PACKAGE_PROGRAMS.items() if not shutil.which(program)
    }
    return sorted(lacking)


def missing_venv_package() -> list[str]:
    """Return Debian's name for what makes virtual environments, when this Python lacks it."""
    if venv_python().exists() or importlib.util.find_spec("ensurepip") is not None:
        return []
    return [f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"]


def install_system_packages(packages: list[str], reason: str) -> None:
    """Install Debian packages with apt.

    Raises Stop, naming them, where that is not possible or not wanted.
    """
    line = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if not shutil.which("apt-get"):
        raise Stop(
            f"{reason} Please install what your system calls these packages of Debian, and run "
            f"this again: {' '.join(packages)}"
        )
    root = os.geteuid() == 0
    shown = shlex.join(line if root else ["sudo", *line])
    if not root and not shutil.which("sudo"):
        raise Stop(f"{reason} Please have them installed and run this again: {shown}")
    print(f"{reason} This line installs them:\n    {shown}", flush=True)
    asks = sys.stdin is not None and sys.stdin.isatty()
    if asks and input("Run it now? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        raise Stop("Nothing was installed.")
    # sudo cleans the environment, hence "env"; a question in the middle would wait for ever.
    apt = ["env", "DEBIAN_FRONTEND=noninteractive"]
    if not root:
        apt = ["sudo", *([] if asks else ["--non-interactive"]), *apt]
    for command in (["apt-get", "update"], line):
        done = subprocess.run(
            [*apt, command[0], "-qq", "-o", "Dpkg::Use-Pty=0", *command[1:]],
            stdin=None if asks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            print(done.stdout, file=sys.stderr)
            raise Stop(f"apt-get did not succeed. Please run it by hand and start again: {shown}")


def prepare_system(*, window: bool, tests: bool) -> None:
    """See that Qt's libraries are there, and for the tests a screen, keys and a screen reader."""
    packages = missing_venv_package()
    reason = "Python cannot make virtual environments yet."
    if sys.platform.startswith("linux") and window:
        libraries = missing_libraries(list(QT_LIBRARIES))
        if libraries:
            reason = f"Qt needs libraries that are not here: {' '.join(libraries)}."
            packages += [QT_LIBRARIES[name] for name in libraries]
    wished: list[str] = []
    if sys.platform.startswith("linux") and tests:
        wished = [
            *missing_journey_packages(),
            *missing_compiler_packages(),
            *missing_ssh_packages(),
            *missing_package_programs(),
        ]
    if wished:
        try:
            install_system_packages(
                [*packages, *wished], "Programs for the tests are not here yet."
            )
        except Stop as stop:
            if packages:
                raise
            print(f"Tests that need them will be skipped: {' '.join(wished)}. {stop}", flush=True)
    elif packages:
        install_system_packages(packages, reason)


# The virtual environment


def venv_python() -> Path:
    """Return the path of the environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def prepare_venv(locks: list[Path]) -> None:
    """Bring `.venv` to exactly what the locks say; quick when nothing has changed."""
    python = venv_python()
    version = sysconfig.get_python_version()
    packages = VENV / (
        "Lib/site-packages" if os.name == "nt" else f"lib/python{version}/site-packages"
    )
    # Made anew: one of another Python, one without pip (uv makes such), one that is half there.
    if not python.exists() or not (packages / "pip").exists():
        run([sys.executable, "-m", "venv", "--clear", str(VENV)], "Making .venv failed.")
    for lock in locks:
        stamp = VENV / f"{lock.stem}.sha256"
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == digest:
            continue
        print(f"Installing the packages of {lock.name} into .venv.", flush=True)
        run(
            [
                *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--no-input", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)),
            ],
            "The packages could not be installed; the lines above say why. "
            "Without a connection to the package index the first start is not possible.",
        )
        stamp.write_text(digest)
    # The program runs from this folder, whatever folder it is started from.
    (packages / "wallet-gui-source.pth").write_text(f"{ROOT}\n")


def build_engine() -> None:
    """Bring the native engine up to date; without a compiler the program does without."""
    script = ROOT / "packaging" / "build_engine.py"
    subprocess.run([sys.executable, str(script), "--quiet"], stdout=sys.stderr, check=False)


def run(command: list[str], failure: str) -> None:
    """Run a step of the set-up; raises Stop with `failure` when it does not succeed."""
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Stop(failure) from error


def environment() -> dict[str, str]:
    """Return the environment for the program: nothing is imported from the current folder."""
    return {**os.environ, "PYTHONSAFEPATH": "1"}


# The two commands


def start_wallet(arguments: list[str]) -> int:
    """Start the program with these arguments; on POSIX it takes the place of this process."""
    prepare_system(window=opens_window(arguments), tests=False)
    prepare_venv([RUNTIME_LOCK])
    build_engine()
    settings = environment()
    if "--playground" in arguments:
        settings["BITCOIND"] = obtain_bitcoind()
    become([str(venv_python()), "-m", "wallet_gui", *arguments], settings)
    return 0


def opens_window(arguments: list[str]) -> bool:
    """Whether the program will need Qt; the command line runs on a server without its libraries."""
    sys.path.insert(0, str(ROOT))
    # Only now: an older Python could not read this module.
    from wallet_gui.__main__ import is_command_line  # noqa: PLC0415

    return not is_command_line(arguments) and "--version" not in arguments


def obtain_bitcoind() -> str:
    """Return the path of a bitcoind, fetched if need be."""
    found = subprocess.run(
        [sys.executable, str(ROOT / "packaging" / "bitcoind.py")],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if found.returncode != 0:
        raise Stop("The playground needs a bitcoind.")
    return found.stdout.strip()


def pytest_commands(python: str, arguments: list[str]) -> dict[str, list[str]]:
    """Return how pytest is started; with arguments of the person's own, just as those say."""
    if arguments:
        return {"pytest": [python, "-m", "pytest", *arguments]}
    # Twice as many as there are processors, for most tests wait for other programs. The files have
    # the order of tests/conftest.py: the longest comes first. It builds packages beside the others,
    # which takes its time. What measures time runs when nothing else does.
    slowest = ["--durations=30", "--durations-min=15", "-o", "faulthandler_timeout=2400"]
    side_by_side = [*slowest, "-n", str(min(2 * (os.cpu_count() or 1), 8)), "--dist", "loadfile"]
    side_by_side += ["--no-loadscope-reorder", "-m", "not alone"]
    return {
        "pytest, several at a time": [python, "-m", "pytest", *side_by_side],
        ALONE: [python, "-m", "pytest", *slowest, "-m", "alone", *files_alone()],
    }


def files_alone() -> list[str]:
    """Return the files with tests that run alone: to collect them all again takes long."""
    return [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "mark.alone" in path.read_text(encoding="utf-8")
    ]


def make_packages(python: str, settings: dict[str, str]) -> None:
    """Make what the tests of the packages are about, so that none of them waits for another's.

    What cannot be made says so in those tests.
    """
    script = ROOT / "packaging" / "build.py"
    for target in PACKAGES:
        done = subprocess.run(
            [python, "-I", str(script), target, "--reuse", "--output", str(PACKAGES_PLACE)],
            env={name: text for name, text in settings.items() if "PYTHON" not in name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode not in PACKAGES_STATUS:  # it was interrupted
            return


def fetch_servers() -> list[str]:
    """Have ready what the tests talk to; return what is missing where nothing may be.

    On a person's machine the tests that need it are skipped and say so. CI must not pass without.
    """
    missing = []
    for name in ("bitcoind", "sshd"):
        script = [sys.executable, str(ROOT / "packaging" / f"{name}.py")]
        if subprocess.run(script, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            missing.append(name)
            print(f"The tests that need {name} will be skipped.", flush=True)
    return missing if os.environ.get("CI") else []


def run_tests(arguments: list[str]) -> int:
    """Run every check and every test; arguments go to pytest."""
    prepare_system(window=True, tests=True)
    prepare_venv([RUNTIME_LOCK, TEST_LOCK])
    build_engine()
    failed = fetch_servers()
    settings = {**environment(), "QT_QPA_PLATFORM": "offscreen"}
    # The tests start this program many hundred times: it is compiled once.
    settings.pop("PYTHONDONTWRITEBYTECODE", None)
    python = str(venv_python())
    making = threading.Thread(target=make_packages, args=(python, settings), daemon=True)
    if not arguments and sys.platform.startswith("linux"):
        making.start()
    scripts = venv_python().parent
    checks = {
        "ruff check": [python, "-m", "ruff", "check", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "mypy": [python, "-m", "mypy"],
        "import contracts": [str(scripts / "lint-imports"), "--no-logo"],
        **pytest_commands(python, arguments),
    }
    for name, command in checks.items():
        if name == ALONE and making.ident is not None:
            making.join(PACKAGES_SECONDS)
        print(f"== {name}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=settings, check=False).returncode != 0:
            failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
