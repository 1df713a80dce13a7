"""The stand-alone script: its own arithmetic, damaged files, wrong passwords."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic

from tests.hostile.restore_drill import _ISOLATED, SCRIPT, load_script
from tests.unit.vault.samples import PASSWORD, WORDS, SampleWallet, make_wallet
from wallet_gui.curve import public_key
from wallet_gui.descriptors.checksum import checksum
from wallet_gui.keys.seed import word_list
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.base58 import encode_check
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.params import MAINNET
from wallet_gui.sealing import HEADER_SIZE

recover_wallet = load_script()


@pytest.fixture
def wallet(tmp_path: Path) -> SampleWallet:
    return make_wallet(tmp_path)


def run(path: Path, *options: str, password: str = PASSWORD) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-c", _ISOLATED, str(SCRIPT), str(path), "--stdin", *options],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=path.parent,
        timeout=60,
    )


def recover(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    *options: str,
    password: str = PASSWORD,
) -> tuple[int, str, str]:
    monkeypatch.setattr("getpass.getpass", lambda _prompt: password)
    status = recover_wallet.main([str(path), *options])
    out, err = capsys.readouterr()
    return status, out, err


def test_without_being_asked_no_secret_is_shown(wallet: SampleWallet) -> None:
    done = run(wallet.path, "--json")
    assert done.returncode == 0, done.stderr
    assert not set(WORDS.split()) & set(done.stdout.split())
    assert "prv" not in done.stdout
    for descriptor in wallet.wallet.description.descriptors:
        assert descriptor in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["secrets"] is None


def test_the_words_come_back_without_our_package(wallet: SampleWallet) -> None:
    done = run(wallet.path, "--secrets", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])["secrets"]
    assert found["words"] == WORDS
    assert len(found["private_descriptors"]) == 2


def test_the_password_is_no_argument() -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), "--help"], capture_output=True, text=True, check=True
    )
    assert "--password" not in done.stdout


Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def test_a_wrong_password_is_a_sentence(
    wallet: SampleWallet, capsys: Capture, monkeypatch: Patch
) -> None:
    status, out, err = recover(capsys, monkeypatch, wallet.path, "--secrets", password="wrong")
    assert status == 1
    assert "password is wrong" in err
    assert out == ""


@pytest.mark.parametrize("ending", [".1", ".2", ".3", ".new"])
def test_older_copies_are_tried(
    wallet: SampleWallet, capsys: Capture, monkeypatch: Patch, ending: str
) -> None:
    data = wallet.path.read_bytes()
    wallet.path.with_name(wallet.path.name + ending).write_bytes(data)
    wallet.path.write_bytes(data[:-1])
    status, out, err = recover(capsys, monkeypatch, wallet.path, "--secrets")
    assert status == 0
    assert WORDS in out
    assert f"older copy Savings.wallet{ending}" in err
    assert "damaged or cut off" in err


def test_one_box_is_enough_for_what_is_in_it(
    wallet: SampleWallet, capsys: Capture, monkeypatch: Patch
) -> None:
    data = bytearray(wallet.path.read_bytes())
    data[28 + HEADER_SIZE + 5] ^= 1  # inside the view
    wallet.path.write_bytes(data)
    status, _, err = recover(capsys, monkeypatch, wallet.path)
    assert status == 1
    assert "box is damaged" in err
    data[28 : 28 + 8] = b"garbage!"
    wallet.path.write_bytes(data)
    status, out, err = recover(capsys, monkeypatch, wallet.path, "--secrets")
    assert "No copy is intact" in err
    assert WORDS in out
    assert status == 1  # nothing to compare the keys with
    cut = wallet.path.read_bytes()[: 28 + HEADER_SIZE]
    wallet.path.write_bytes(cut)
    status, _, err = recover(capsys, monkeypatch, wallet.path)
    assert status == 1
    assert "Nothing that can be opened is left" in err


def test_what_is_not_there_is_told(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    status, _, err = recover(capsys, monkeypatch, tmp_path / "none.wallet")
    assert status == 1
    assert "There is no wallet file none.wallet" in err


def test_another_word_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("\n".join(Mnemonic("english").wordlist[::-1]))
    with pytest.raises(recover_wallet.Problem, match="not the word list"):
        recover_wallet.load_words("english", path)
    assert recover_wallet.load_words("spanish", None) is None


def test_its_word_list_is_the_english_one() -> None:
    assert recover_wallet.load_words("english", None) == list(word_list("english"))


@pytest.mark.parametrize("language", recover_wallet.LISTS)
def test_it_knows_every_list_by_its_hash(tmp_path: Path, language: str) -> None:
    path = tmp_path / "list"
    path.write_text("\n".join(Mnemonic(language).wordlist), encoding="utf-8")
    assert recover_wallet.load_words(language, path) == list(word_list(language))


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_ripemd160(data: bytes) -> None:
    assert recover_wallet.ripemd160(hashlib.sha256(data).digest()) == hash160(data)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, recover_wallet.N - 1))
def test_public_keys(secret: int) -> None:
    assert recover_wallet.public_key(secret) == public_key(secret.to_bytes(32, "big"))


@settings(deadline=None, max_examples=15)
@given(
    st.binary(min_size=16, max_size=64),
    st.lists(st.integers(0, 2**32 - 1), max_size=3),
)
def test_bip32(seed: bytes, path: list[int]) -> None:
    ours, theirs = ExtendedPrivateKey.from_seed(seed, MAINNET), recover_wallet.Key.from_seed(seed)
    for step in path:
        ours, theirs = ours.derive((step,)), theirs.child(step)
    text = theirs.text("mainnet", is_private=True)
    assert text == ours.serialize()
    assert theirs.text("mainnet", is_private=False) == ours.neuter().serialize()
    again = recover_wallet.Key.from_text(text)
    assert again.text("mainnet", is_private=True) == text


@settings(deadline=None)
@given(st.binary(max_size=78))
def test_base58(data: bytes) -> None:
    assert recover_wallet.base58(data) == encode_check(data)


@settings(deadline=None)
@given(st.text("0123456789()[],'/*abcdefgh@:;<>ABCxpub", max_size=60))
def test_descriptor_checksums(text: str) -> None:
    assert recover_wallet.checksum(text) == checksum(text)
