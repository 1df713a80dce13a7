"""The package for rpm: what it says about itself, what it asks for, and that it installs.

There is no Fedora and no openSUSE here; what is asked of the system is compared with what their
packages are known to provide: sonames, which are the same everywhere.
"""

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from installers import changelog, freeze, rpm, shared_libraries
from installers.job import Job

from tests.patience import PATIENCE

EPOCH: Final = 1_700_000_000
# What Qt, Python and the rest may ask of a system: libraries that Fedora, RHEL 9, openSUSE Leap and
# Tumbleweed all have, by their sonames.
EVERYWHERE: Final = frozenset(
    {
        *(f"lib{name}.so.{number}" for name, number in (("c", 6), ("m", 6), ("dl", 2))),
        *("libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
        *("ld-linux-x86-64.so.2", "libgcc_s.so.1", "libstdc++.so.6"),
        *("libEGL.so.1", "libGL.so.1", "libGLX.so.0", "libOpenGL.so.0"),
        *("libX11.so.6", "libX11-xcb.so.1", "libxcb.so.1"),
        *("libwayland-client.so.0", "libwayland-cursor.so.0", "libwayland-egl.so.1"),
        *("libdbus-1.so.3", "libfontconfig.so.1", "libfreetype.so.6"),
        *("libglib-2.0.so.0", "libgthread-2.0.so.0"),
        *("libexpat.so.1", "libffi.so.8", "liblzma.so.5", "libz.so.1", "libzstd.so.1"),
    }
)
_SONAME: Final = re.compile(r"^([^()]+\.so[.0-9]*)\(([^()]*)\)(\(64bit\))?$")


@pytest.fixture(scope="module")
def package(packages: Callable[[str], Path]) -> Path:
    if shutil.which("rpm") is None:
        pytest.skip("rpm is not here (Debian's package rpm)")
    return packages("rpm")


def _ask(package: Path, *options: str) -> list[str]:
    line = ["rpm", "--query", "--package", f"--dbpath={package.parent / 'none'}", *options]
    done = subprocess.run([*line, package], check=True, capture_output=True, text=True)
    return [text for text in done.stdout.splitlines() if text]


def test_it_says_what_it_is(package: Path) -> None:
    assert package.name == f"wallet-gui-{freeze.version()}-1.x86_64.rpm"
    form = "%{NAME}|%{VERSION}|%{RELEASE}|%{ARCH}|%{BUILDHOST}|%{VENDOR}|%{PAYLOADCOMPRESSOR}\\n"
    (told,) = _ask(package, "--queryformat", form)
    assert told == f"wallet-gui|{rpm.rpm_version(freeze.version())}|1|x86_64|localhost|(none)|xz"
    (licence,) = _ask(package, "--queryformat", "%{LICENSE}")
    for name in ("LGPL-3.0-only", "EPL-2.0", "OFL-1.1"):
        assert name in licence.split(" AND ")
    assert any(changelog.entries()[0].lines[0] in line for line in _ask(package, "--changelog"))


def test_it_asks_only_for_what_every_distribution_has(package: Path, frozen_folder: Path) -> None:
    asked = _ask(package, "--requires")
    sonames = {match[1] for text in asked if (match := _SONAME.match(text))}
    others = {text for text in asked if not _SONAME.match(text)}
    assert sonames <= EVERYWHERE
    # Nothing is forgotten either: what objdump says that files need.
    assert shared_libraries.outside(frozen_folder).sonames <= sonames
    assert others - {text for text in others if text.startswith("rpmlib(")} == {
        "rtld(GNU_HASH)",
        "xkeyboard-config",
    }
    glibc = {
        tuple(map(int, version.split(".")))
        for text in asked
        for version in re.findall(r"\(GLIBC_([0-9.]+)\)", text)
    }
    assert max(glibc) <= (2, 36)  # Debian 12's; Fedora 37 and later, openSUSE Leap 16


def test_it_provides_itself_and_no_library(package: Path) -> None:
    provided = {text.partition(" = ")[0] for text in _ask(package, "--provides")}
    assert provided == {"wallet-gui", "wallet-gui(x86-64)"}


def test_it_runs_nothing_when_it_is_installed(package: Path) -> None:
    assert _ask(package, "--scripts") == []
    assert _ask(package, "--triggers") == []
    assert _ask(package, "--filetriggers") == []


def test_files_belong_to_root_and_to_it_alone(package: Path) -> None:
    (built,) = _ask(package, "--queryformat", "%{BUILDTIME}\\n")
    form = "[%{FILENAMES}|%{FILEMODES:octal}|%{FILEUSERNAME}|%{FILEGROUPNAME}|%{FILEMTIMES}\\n]"
    for line in _ask(package, "--queryformat", form):
        name, mode, user, group, time = line.split("|")
        assert (user, group, time) == ("root", "root", built)
        assert not int(mode, 8) & (stat.S_ISUID | stat.S_ISGID | stat.S_IWGRP) or stat.S_ISLNK(
            int(mode, 8)
        )
        assert name.startswith(("/usr/bin/wallet-gui", "/usr/lib/wallet-gui", "/usr/share/"))
        if name.startswith("/usr/share/"):
            assert "wallet-gui" in name or "wallet_gui" in name


@pytest.mark.slow
def test_it_is_installed_used_and_removed(package: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("rpm installs as root only")
    root = tmp_path / "root"
    root.mkdir()
    line = ["rpm", f"--root={root}"]
    subprocess.run([*line, "--install", "--nodeps", package], check=True, capture_output=True)
    verified = subprocess.run(
        [*line, "--verify", "--nodeps", "wallet-gui"], check=False, capture_output=True, text=True
    )
    assert (verified.returncode, verified.stdout) == (0, "")
    program = root / "usr/bin/wallet-gui"
    settings = {"QT_QPA_PLATFORM": "offscreen", "LANG": "C.UTF-8", "HOME": str(tmp_path)}
    for option, expected in (("--version", freeze.version()), ("--smoke-test", "All checks")):
        done = subprocess.run(
            [program, option],
            env={**settings, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert expected in done.stdout.splitlines()[-1]
    for name in ("applications/wallet-gui.desktop", "mime/packages/wallet-gui.xml"):
        assert (root / "usr/share" / name).is_file()
    assert (root / "usr/share/man/man1/wallet-gui.1.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert (root / "usr/share/licenses/wallet-gui/LICENSE").is_file()
    subprocess.run([*line, "--erase", "wallet-gui"], check=True, capture_output=True)
    left = [path for path in root.rglob("*wallet*") if path.is_file() or path.is_symlink()]
    assert left == []
    assert not (root / "usr/lib/wallet-gui").exists()
    assert not (root / "usr/share/doc/wallet-gui").exists()


# Parts that need no rpm


def test_a_pre_release_sorts_before_its_release() -> None:
    assert rpm.rpm_version("0.2.0") == "0.2.0"
    assert rpm.rpm_version("0.2.0rc1") == "0.2.0~rc1"
    assert rpm.rpm_version("0.2.0.dev3") == "0.2.0~dev3"


def test_licences_are_those_of_all_parts(tmp_path: Path) -> None:
    assert rpm.licences(tmp_path) == "MIT"
    listed = tmp_path / "_internal/licences/contents.json"
    listed.parent.mkdir(parents=True)
    inside = [
        {"licence": "BSL-1.0"},
        {"name": "as the whole"},
        {"licenses": [{"expression": "(MIT OR Apache-2.0) AND Unicode-3.0"}]},
    ]
    parts = [
        {"licence": "MIT", "inside": []},
        {"licence": "LGPL-3.0-only", "inside": inside},
        {"licence": "BSD-3-Clause AND OFL-1.1", "inside": []},
        {"licence": "MIT OR Apache-2.0", "inside": []},
    ]
    listed.write_text(json.dumps({"format": 1, "parts": parts}))
    assert rpm.licences(tmp_path) == (
        "MIT AND (Apache-2.0 OR MIT) AND BSD-3-Clause AND BSL-1.0 AND LGPL-3.0-only AND OFL-1.1 "
        "AND Unicode-3.0"
    )


def test_bundled_libraries_are_matched_by_their_whole_name(tmp_path: Path) -> None:
    for name in ("libQt6Core.so.6", "libstd++.so.6", "x.py"):
        (tmp_path / name).touch()
    pattern = re.compile(rpm.bundled_pattern(tmp_path))
    assert pattern.match("libQt6Core.so.6()(64bit)")
    assert pattern.match("libQt6Core.so.6(Qt_6)(64bit)")
    assert pattern.match("libstd++.so.6()(64bit)")
    assert not pattern.match("libQt6Core.so.61()(64bit)")
    assert not pattern.match("libQt6CoreXso.6()(64bit)")
    assert not pattern.match("x.py()(64bit)")


def test_the_specification_is_filled_in(tmp_path: Path) -> None:
    (tmp_path / "libown.so.1").touch()
    text = rpm.spec(Job(tmp_path, tmp_path, tmp_path, "9.9.9rc1", EPOCH))
    assert "%global wallet_version 9.9.9~rc1\n" in text
    # A version that the changelog does not know yet is on top, with the date of the sources.
    assert f"* Tue Nov 14 2023 {rpm.MAINTAINER} - 9.9.9~rc1-1\n" in text
    used = set(re.findall(r"%\{(wallet_\w+)\}", text))
    given = set(re.findall(r"^%global (wallet_\w+) ", text, re.MULTILINE))
    assert used == given
