"""`wallet-gui verify` as a process, with the real minisign and SHA256SUMS as build.py makes it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from installers import sums
from installers.job import Job

from tests.packaging.minisign import MinisignKey, make_key
from tests.patience import PATIENCE
from tests.release_keys import ReleaseSigner
from wallet_gui import __version__

ROOT = Path(__file__).resolve().parents[2]
DEB = f"wallet-gui_{__version__}_amd64.deb"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    output = tmp_path / "output"
    output.mkdir()
    (output / DEB).write_bytes(b"a package")
    made = Job(tmp_path, output, tmp_path, __version__, 0)
    sums.build(made)
    return made


def verify(job: Job, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "wallet_gui", *arguments, "verify", str(job.output / DEB)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def key(tmp_path: Path) -> MinisignKey:
    return make_key(tmp_path, "release")


def test_what_minisign_signed_is_genuine(job: Job, key: MinisignKey) -> None:
    sums.sign(job, key.secret)
    command = [sys.executable, "-m", "wallet_gui", "verify", str(job.output / DEB), "--json"]
    command += ["--signed-by", str(key.public)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"][0]["genuine"] is True
    (job.output / DEB).write_bytes(b"another package")
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 1
    assert "is NOT what was released" in done.stderr


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_without_keys_it_says_how_else_to_check(job: Job, key: MinisignKey, mode: str) -> None:
    from wallet_gui.storage.release_keys import built_in  # noqa: PLC0415 - as shipped

    if built_in().keys:
        pytest.skip("release keys are built in by now")
    sums.sign(job, key.secret)
    done = verify(job, *(["--offline"] if mode == "offline" else []))
    assert done.returncode == 1
    assert "no release key built in" in done.stderr
    assert "minisign -Vm SHA256SUMS -p KEY.pub" in done.stderr


def test_the_ways_without_the_program_say_the_same(job: Job, key: MinisignKey) -> None:
    """The two lines of README, run as they stand there."""
    sums.sign(job, key.secret)
    check = f"minisign -Vm SHA256SUMS -p {key.public} && sha256sum -c --ignore-missing SHA256SUMS"
    for lines, status in ((check, 0), (f"echo >> {DEB} && {check}", 1)):
        done = subprocess.run(
            ["sh", "-c", lines], cwd=job.output, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr


@pytest.mark.parametrize("legacy", [False, True], ids=["prehashed", "legacy"])
def test_minisign_accepts_what_the_tests_sign(job: Job, tmp_path: Path, *, legacy: bool) -> None:
    """So that tests with that signer say something about real signatures."""
    if shutil.which("minisign") is None:
        pytest.skip("minisign is not installed (Debian: minisign)")
    signer = ReleaseSigner()
    listed = job.output / "SHA256SUMS"
    signature = job.output / "SHA256SUMS.minisig"
    signature.write_text(signer.sign(listed.read_bytes(), "wallet-gui SHA256SUMS", legacy=legacy))
    public = tmp_path / "signer.pub"
    public.write_text(f"untrusted comment: a test\n{signer.public.to_text()}\n")
    key = MinisignKey(tmp_path / "none", public)
    assert key.accepts(listed)
    listed.write_text(listed.read_text() + "\n")
    assert not key.accepts(listed)
