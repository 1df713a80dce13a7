"""Files of every format that was ever on main open, are sealed anew, and keep what is in them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.keys import secret_box
from wallet_gui.keys.seed import Seed, entropy_from_words
from wallet_gui.primitives.params import REGTEST
from wallet_gui.sealing import DEFAULT, FLOOR, KdfParameters, parse_box
from wallet_gui.storage.errors import WrongKey
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import WalletFileContents, open_view
from wallet_gui.vault import signing
from wallet_gui.vault.errors import PassphraseWrong
from wallet_gui.vault.password_cost import PRODUCTION, PasswordCost
from wallet_gui.vault.unlocking import unlock

FOLDER = Path(__file__).parents[1] / "vectors" / "wallets"
KNOWN: dict[str, Any] = json.loads((FOLDER / "wallets.json").read_text(encoding="utf-8"))
PASSWORD = KNOWN["password"]
SAME_COST = PasswordCost(preferred=FLOOR, fallback=FLOOR)
STRONGER = KdfParameters(65 * 1024, 3, 4)
STRONGER_COST = PasswordCost(preferred=STRONGER, fallback=FLOOR)


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copy(FOLDER / f"{name}.wallet", folder / f"{name}.wallet"))


def state_of(path: Path, key: bytes) -> tuple[WalletFileContents, ViewState]:
    contents = WalletFile.read(path)
    return contents, open_view(contents, key)


def costs(contents: WalletFileContents) -> set[KdfParameters]:
    found = {contents.view_header.kdf}
    if contents.secret_box is not None:
        found.add(parse_box(contents.secret_box)[0].kdf)
    return found


def check_contents(name: str, path: Path, key: bytes, cost: PasswordCost) -> None:
    facts = KNOWN["wallets"][name]
    contents, state = state_of(path, key)
    found = [Descriptor.parse(text, REGTEST) for text in state.description.descriptors]
    assert [descriptor.first_address for descriptor in found] == facts["addresses"]
    assert state.description.fingerprint == facts["fingerprint"]
    assert state.description.birthday_time == 1_700_000_000
    assert state.view.labels == {("addr", facts["addresses"][0]): facts["label"]}
    assert (contents.secret_box is None) is facts.get("watching", False)
    if contents.secret_box is None:
        return
    payload = signing.open_payload(path, PASSWORD, cost)
    keys = signing.keyring(payload, facts["passphrase"])
    assert [descriptor.first_address for descriptor in keys.descriptors] == facts["addresses"]
    if facts["passphrase"]:
        for wrong in ("", "quiet  harbour", "Quiet harbour"):
            with pytest.raises(PassphraseWrong):
                signing.keyring(payload, wrong)
    if not facts.get("imported"):
        assert payload.entropy == entropy_from_words(KNOWN["words"])[0]
        assert payload.seed().words == Seed(payload.entropy, payload.language).words


def test_every_fixture_is_described() -> None:
    assert {path.stem for path in FOLDER.glob("*.wallet")} == set(KNOWN["wallets"])
    newest = f"secret-{secret_box.FORMAT}"
    assert newest in KNOWN["wallets"], "a new format: write its fixture before it reaches main"


def test_the_newest_fixtures_say_what_would_be_written_today(tmp_path: Path) -> None:
    # Imported here: it reads the facts that stand above.
    from tests.hostile.write_wallets import main  # noqa: PLC0415

    for name, facts in main(tmp_path).items():
        known = {key: KNOWN["wallets"][name][key] for key in facts}
        assert facts == known


@pytest.mark.parametrize("name", [name for name in KNOWN["wallets"] if "production" not in name])
def test_a_file_opens_and_is_sealed_anew(name: str, tmp_path: Path) -> None:
    path = copied(name, tmp_path)
    before = path.read_bytes()
    unlocked = unlock(path, PASSWORD, STRONGER_COST)
    assert unlocked.notices == ()
    key = unlocked.reply.view_key
    contents, state = state_of(path, key)
    assert costs(contents) == {STRONGER}
    # Nothing that is cheaper to guess at is left over.
    left = {item.name.removeprefix(path.name): item for item in tmp_path.iterdir()}
    assert set(left) - {".lock"} == {"", ".1"}
    assert left[".1"].read_bytes() not in (before, b"")
    assert costs(state_of(left[".1"], key)[0]) == {STRONGER}
    check_contents(name, path, key, STRONGER_COST)
    if contents.secret_box is not None:
        assert state.settings["secret_format"] == secret_box.FORMAT
    had_settings = KNOWN["wallets"][name]["commit"] != "ab0ade2"
    assert state.settings.get("kept") == (["as", 1, "it is"] if had_settings else None)
    # Once is enough.
    now = path.read_bytes()
    assert unlock(path, PASSWORD, STRONGER_COST).reply.view_key == key
    assert path.read_bytes() == now


@pytest.mark.parametrize("name", ["secret-1-first", "secret-1-passphrase", "secret-2-multisig"])
def test_old_contents_alone_are_a_reason(name: str, tmp_path: Path) -> None:
    path = copied(name, tmp_path)
    old, before = path.read_bytes(), WalletFile.read(path)
    key = unlock(path, PASSWORD, SAME_COST).reply.view_key
    contents, state = state_of(path, key)
    assert costs(contents) == {FLOOR}
    assert contents.secret_box != before.secret_box
    # What was there is the newest older copy, and opens as it always did.
    assert path.with_name(path.name + ".1").read_bytes() == old
    # The password check costs what it did: no reason for another key.
    assert contents.view_header.salt == before.view_header.salt
    assert state.settings["secret_format"] == secret_box.FORMAT
    check_contents(name, path, key, SAME_COST)


@pytest.mark.parametrize("name", ["secret-2-watching", "secret-3", "secret-3-imported"])
def test_a_file_as_of_today_is_left_alone(name: str, tmp_path: Path) -> None:
    path = copied(name, tmp_path)
    before = path.read_bytes()
    key = unlock(path, PASSWORD, SAME_COST).reply.view_key
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    check_contents(name, path, key, SAME_COST)


@pytest.mark.slow
def test_a_file_with_the_parameters_of_production(tmp_path: Path) -> None:
    path = copied("secret-1-production", tmp_path)
    key = unlock(path, PASSWORD, PRODUCTION).reply.view_key
    contents, state = state_of(path, key)
    assert costs(contents) == {DEFAULT}
    assert state.settings["secret_format"] == secret_box.FORMAT
    assert list(state.view.labels.values()) == [KNOWN["wallets"]["secret-1-production"]["label"]]


def test_a_wrong_password_changes_nothing(tmp_path: Path) -> None:
    path = copied("secret-1-first", tmp_path)
    before = path.read_bytes()
    with pytest.raises(WrongKey):
        unlock(path, PASSWORD + " ", STRONGER_COST)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_file_that_somebody_has_open_is_left_alone(tmp_path: Path) -> None:
    path = copied("secret-1-first", tmp_path)
    before = path.read_bytes()
    with FileLock(path):
        first = unlock(path, PASSWORD, STRONGER_COST)
        assert first.notices == ()
        assert path.read_bytes() == before
        # Unless that is who asks.
        second = unlock(path, PASSWORD, STRONGER_COST, lock_held=True)
        assert path.read_bytes() != before
    assert first.reply.view_key != second.reply.view_key
    check_contents("secret-1-first", path, second.reply.view_key, STRONGER_COST)
