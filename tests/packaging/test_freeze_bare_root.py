"""In a Debian that has the libraries which packages ask for, and nothing else, the folder runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from installers import bare_root

from tests.packaging.skipping import skipping_where_missing
from tests.patience import PATIENCE
from wallet_gui import __version__

pytestmark = pytest.mark.slow

# Those that an archive's README names; what they bring along is Debian's business. Wayland's come
# with the desktops that have it; without them Qt takes X.
LIBRARIES = ("libegl1", "libgl1", "libfontconfig1", "libglib2.0-0", "libdbus-1-3", "xkb-data")
ONLY_FOR_WAYLAND = {"libwayland-cursor.so.0"}
LIST_MISSING = r"""
cd /opt/wallet-gui
export LD_LIBRARY_PATH=/opt/wallet-gui/_internal
find . -type f \( -name '*.so*' -o -name wallet-gui \) | while read -r file; do
    ldd "$file" 2>&1 | sed -n "s|^\s*\(.*not found.*\)|$file: \1|p"
done
"""


@pytest.fixture(scope="module")
def debian(frozen_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bare Debian with the folder in /opt, and a user."""
    root = tmp_path_factory.mktemp("debian") / "root"
    with skipping_where_missing():
        bare_root.create(root, include=LIBRARIES)
    shutil.copytree(frozen_folder, root / "opt" / "wallet-gui", symlinks=True)
    try:
        with bare_root.mounted(root):
            bare_root.run(root, ["useradd", "--create-home", "person"])
            yield root
    finally:
        bare_root.remove(root)


def test_no_library_is_missing(debian: Path) -> None:
    said = bare_root.run(debian, ["sh", "-c", LIST_MISSING]).stdout
    missing = [line for line in said.splitlines() if not any(n in line for n in ONLY_FOR_WAYLAND)]
    assert not missing


def test_program_starts_for_a_user_without_python(debian: Path) -> None:
    assert bare_root.run(debian, ["which", "python3"], check=False).returncode == 1
    done = bare_root.run(debian, ["/opt/wallet-gui/wallet-gui", "--version"], user="person")
    assert done.stdout == f"wallet-gui {__version__}\n"


def test_smoke_test_passes_offscreen(debian: Path) -> None:
    done = bare_root.run(
        debian,
        ["/opt/wallet-gui/wallet-gui", "--smoke-test"],
        user="person",
        env={"QT_QPA_PLATFORM": "offscreen"},
        check=False,
        timeout=PATIENCE * 6,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


def test_devices_are_those_that_programs_expect_and_no_others(debian: Path) -> None:
    said = bare_root.run(debian, ["ls", "/dev"]).stdout.split()
    assert {"null", "urandom", "tty", "pts", "ptmx", "shm", "fd"} <= set(said)
    assert not [name for name in said if name.startswith(("sd", "vd", "nvme", "mem", "kmsg"))]
    write = "echo gone > /dev/null && head -c 4 /dev/urandom | wc -c && touch /dev/shm/a"
    assert bare_root.run(debian, ["sh", "-c", write], user="person").stdout.strip() == "4"


def test_root_is_not_removed_while_something_is_mounted_in_it(debian: Path) -> None:
    with pytest.raises(OSError, match="is still mounted"):
        bare_root.remove(debian)
    assert (debian / "opt" / "wallet-gui" / "wallet-gui").exists()
