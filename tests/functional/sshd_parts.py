"""Where sshd is, and how it gets accounts of its own: nss_wrapper and pam_wrapper around it."""

import asyncio
import contextlib
import fcntl
import functools
import getpass
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
_ENVIRONMENT = dict(os.environ)  # a test may have another home, with nothing in its cache
# Of packaging/private_packages.py, which programs outside of pytest have no way to.
UNAVAILABLE = 3
_SEPARATED = "sshd"  # as whom the half of sshd runs that speaks to strangers


@functools.cache
def parts() -> dict[str, str]:
    """What `packaging/sshd.py` found; {"reason": …} when there is no sshd."""
    found = subprocess.run(
        [sys.executable, REPOSITORY / "packaging" / "sshd.py"],
        capture_output=True,
        text=True,
        check=False,
        env=_ENVIRONMENT,
    )
    if found.returncode == UNAVAILABLE:
        return {"reason": found.stderr.strip().splitlines()[-1]}
    assert found.returncode == 0, found.stderr
    read: dict[str, str] = json.loads(found.stdout)
    return read


def program() -> Path:
    """The server's program; skips the test with the reason where there is none."""
    if "sshd" not in parts():
        pytest.skip(parts()["reason"])
    return Path(parts()["sshd"])


@dataclass(frozen=True)
class Account:
    """Somebody who exists for one sshd only. Only root can run one for other names than its own."""

    name: str = "satoshi"
    password: str = "hunter2"

    @property
    def is_other(self) -> bool:
        return self.name != getpass.getuser()


def environment(directory: Path, account: Account | None) -> dict[str, str]:
    """What sshd has to find in its environment, after writing the files that this names."""
    found = dict(os.environ)
    here = parts()
    if not str(program()).startswith("/usr/"):
        found["LD_LIBRARY_PATH"] = here["libraries"]  # unpacked, not installed
    is_root = os.geteuid() == 0
    if account is None and not (is_root and not _exists(_SEPARATED)):
        return found
    needed = ("libnss_wrapper.so", "libpam_wrapper.so", "pam_matrix.so")
    if not all(name in here for name in needed):
        pytest.skip("nss_wrapper and pam_wrapper are not here (Debian: libnss-wrapper)")
    if account is not None and account.is_other and not is_root:
        pytest.skip("only root can run an sshd for other accounts")
    preload = [here["libnss_wrapper.so"]]
    users = Path("/etc/passwd").read_text()
    groups = Path("/etc/group").read_text()
    if not _exists(_SEPARATED):
        users += f"{_SEPARATED}:x:64123:65534::/run/sshd:/usr/sbin/nologin\n"
    if account is not None:
        if account.is_other:
            home = directory / "home"
            home.mkdir()
            users += f"{account.name}:x:64124:64124::{home}:/bin/sh\n"
            groups += f"{account.name}:x:64124:\n"
            os.chown(home, 64124, 64124)
            directory.chmod(0o755)  # for authorized_keys, which is read with its rights
        preload.append(here["libpam_wrapper.so"])
        _write_pam(directory, account)
        found |= {"PAM_WRAPPER": "1", "PAM_WRAPPER_SERVICE_DIR": str(directory / "pam")}
    (directory / "passwd").write_text(users)
    (directory / "group").write_text(groups)
    return found | {
        "LD_PRELOAD": ":".join(preload),
        "NSS_WRAPPER_PASSWD": str(directory / "passwd"),
        "NSS_WRAPPER_GROUP": str(directory / "group"),
    }


@asynccontextmanager
async def pam_for_one() -> AsyncIterator[None]:
    """Let one process at a time use pam_wrapper, and sweep up behind those that were killed.

    It puts its files into one of 62 folders, /tmp/pam.0 to /tmp/pam.Z, and gives up where another
    takes the same one at the same moment, or when too many were left behind.
    """
    global _pam_users  # noqa: PLW0603 (within this process they may overlap)
    with (Path(tempfile.gettempdir()) / f"wallet-gui-pam-{os.geteuid()}.lock").open("w") as file:
        while not _pam_users:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.05)
        _pam_users += 1
        try:
            _sweep_up()
            yield
        finally:
            _pam_users -= 1


_pam_users = 0


def _sweep_up() -> None:
    for folder in Path("/tmp").glob("pam.?"):  # noqa: S108 - where pam_wrapper puts them
        with contextlib.suppress(OSError, ValueError):
            pid = int((folder / "pid").read_text())
            if not _is_sshd(pid):
                shutil.rmtree(folder)


def _is_sshd(pid: int) -> bool:
    try:
        return "sshd" in Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return False


def _write_pam(directory: Path, account: Account) -> None:
    matrix = parts()["pam_matrix.so"]
    folder = directory / "pam"
    folder.mkdir()
    database = directory / "passwords"
    database.write_text(f"{account.name}:{account.password}:sshd\n")
    lines = [
        f"{kind} required {matrix} passdb={database}" for kind in ("auth", "account", "session")
    ]
    (folder / "sshd").write_text("\n".join(lines) + "\n")


def _exists(user: str) -> bool:
    return any(line.startswith(f"{user}:") for line in Path("/etc/passwd").read_text().splitlines())
