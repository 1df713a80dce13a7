"""SHA256SUMS and its signatures, checked by the programs that people have: sha256sum, minisign."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from installers import sums
from installers.job import Job, Missing

from tests.packaging.minisign import make_key
from tests.patience import PATIENCE
from wallet_gui import __version__
from wallet_gui.release_signature import PublicKey, verify

ROOT = Path(__file__).resolve().parents[2]
VERSION = "0.1.0"
NAMES = [
    "wallet-gui-0.1.0-1.x86_64.rpm",
    "wallet-gui-0.1.0-linux-x86_64.tar.xz",
    "wallet-gui-0.1.0.sbom.json",
    "wallet-gui_0.1.0_amd64.deb",
]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    output = tmp_path / "output"
    output.mkdir()
    for name in [*NAMES, "wallet-gui_0.1.1_amd64.deb", "wallet-gui_0.1.0.1_amd64.deb", "notes.txt"]:
        (output / name).write_text(f"contents of {name}")
    return Job(tmp_path / "tree", output, tmp_path / "work", VERSION, 1_760_000_000)


def test_sums_list_this_version_in_order_and_sha256sum_agrees(job: Job) -> None:
    written = sums.build(job)
    assert [line.split("  ")[1] for line in written.read_text().splitlines()] == NAMES
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", written.name],
        cwd=job.output,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("OK") == len(NAMES)


def test_the_same_artefacts_give_the_same_sums(job: Job) -> None:
    first = sums.build(job).read_bytes()
    assert sums.build(job).read_bytes() == first


def test_nothing_built_is_told(job: Job) -> None:
    with pytest.raises(Missing, match=r"nothing of version 9\.9\.9"):
        sums.build(Job(job.tree, job.output, job.work, "9.9.9", job.epoch))


def test_minisign_and_the_program_agree_on_a_signature(job: Job, tmp_path: Path) -> None:
    key = make_key(tmp_path, "test")
    written = sums.build(job)
    signature = sums.sign(job, key.secret)
    assert signature.name == "SHA256SUMS.minisig"
    assert key.accepts(written)
    found = verify(written.read_bytes(), signature.read_text(), (PublicKey.parse(key.text),))
    assert found.trusted_comment == "wallet-gui 0.1.0 SHA256SUMS"
    # Nothing but the sums and the key goes into it.
    before = signature.read_bytes()
    assert sums.sign(job, key.secret).read_bytes() == before
    written.write_text(written.read_text().replace("a", "b"))
    assert not key.accepts(written)


def test_each_builder_has_a_signature_of_his_own(job: Job, tmp_path: Path) -> None:
    anna, ben = make_key(tmp_path, "anna"), make_key(tmp_path, "ben")
    written = sums.build(job)
    assert sums.sign(job, anna.secret, "anna").name == "SHA256SUMS.anna.minisig"
    second = sums.sign(job, ben.secret, "ben")
    assert ben.accepts(written, second)
    assert not anna.accepts(written, second)
    with pytest.raises(Missing, match="small letters"):
        sums.sign(job, ben.secret, "../ben")


def test_what_minisign_refuses_is_told(job: Job, tmp_path: Path) -> None:
    key = make_key(tmp_path, "test")
    sums.build(job)
    key.secret.write_text("not a key\n")
    with pytest.raises(Missing, match="did not sign"):
        sums.sign(job, key.secret)


def test_a_machine_without_minisign_is_told_its_package(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Missing, match="apt-get install minisign"):
        sums.sign(job, Path("key"))


def test_the_one_command_writes_and_signs(tmp_path: Path) -> None:
    """As the release checklist says it."""
    deb = tmp_path / f"wallet-gui_{__version__}_amd64.deb"
    deb.write_bytes(b"a package")
    anna = make_key(tmp_path, "anna")
    command = [sys.executable, str(ROOT / "packaging" / "build.py"), "sums"]
    for more in ([], ["--key", str(anna.secret)], ["--key", str(anna.secret), "--builder", "anna"]):
        done = subprocess.run(
            [*command, "--output", str(tmp_path), *more],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    written = tmp_path / "SHA256SUMS"
    assert anna.accepts(written)
    assert anna.accepts(written, tmp_path / "SHA256SUMS.anna.minisig")
