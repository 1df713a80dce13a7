"""The descriptor command in real processes, without any network."""

import json
from pathlib import Path

import pytest

from tests.functional.command_line import CommandLine
from tests.unit.descriptors.cosigners import ROOTS, wallet_of
from tests.unit.descriptors.test_importers import slip132
from wallet_gui.descriptors.descriptor import DescriptorType, MultisigType
from wallet_gui.descriptors.exporters import EXPORTERS
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.primitives.params import REGTEST

SHARED = wallet_of(MultisigType.WSH, 2, 3)
WPKH = account_descriptors(ROOTS[0], REGTEST)[DescriptorType.WPKH]


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "data", None)


def test_an_electrum_file_becomes_a_wallet_that_watches(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "electrum"
    keystore = {
        "type": "bip32",
        "xpub": slip132(str(WPKH.xpub), "vpub"),
        "xprv": None,
        "derivation": "m/84h/1h/0h",
        "root_fingerprint": ROOTS[0].fingerprint.hex(),
    }
    labels = {WPKH.address(3): "Anna", "ab" * 32: "rent"}
    file.write_text(json.dumps({"wallet_type": "standard", "keystore": keystore, "labels": labels}))
    made = cli.json("descriptor", "import", str(file), "--wallet", "watched")
    assert made["descriptors"] == [str(WPKH)]
    assert made["first_addresses"] == [WPKH.first_address]
    assert made["watch_only"]
    assert made["labels"] == 2
    assert cli.json("address", "--wallet", "watched")["address"] == WPKH.first_address
    exported = cli.json("descriptor", "export", "--wallet", "watched", "--format", "sparrow")
    assert json.loads(exported["text"])["name"] == "watched"
    again = cli.run("descriptor", "import", str(file), "--wallet", "watched")
    assert again.returncode == 3
    assert "already a wallet" in again.stderr
    refused = cli.run("descriptor", "key", "--wallet", "watched")
    assert refused.returncode == 3
    assert "only watches" in refused.stderr


def test_names_come_from_the_file_where_they_can(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(EXPORTERS["sparrow"]([SHARED], "Our vault", 1_700_000_000))
    made = cli.json("descriptor", "import", str(file))
    assert Path(made["wallet"]).name == "Our vault.wallet"
    file.write_text(EXPORTERS["sparrow"]([SHARED], "../evil", None))
    made = cli.json("descriptor", "import", str(file))
    assert Path(made["wallet"]).parent == Path(cli.json("wallets")[0]["path"]).parent
    assert Path(made["wallet"]).name == "wallet.wallet"


def test_secrets_are_refused_and_appear_nowhere(cli: CommandLine, tmp_path: Path) -> None:
    secret = ROOTS[0].serialize()
    file = tmp_path / "secret"
    file.write_text(f"wpkh({secret}/84h/1h/0h/0/*)")
    for action in ("import", "inspect"):
        done = cli.run("descriptor", action, str(file))
        assert done.returncode != 0
        assert "secret keys or seed words" in done.stderr
        assert secret[10:40] not in done.stdout + done.stderr
    # The file itself is left alone, and nothing was copied.
    assert not any(
        secret.encode() in path.read_bytes() for path in cli.root.rglob("*") if path.is_file()
    )


def test_a_bare_key_needs_its_kind(cli: CommandLine) -> None:
    xpub = str(WPKH.xpub)
    asked = cli.run("descriptor", "inspect", xpub)
    assert asked.returncode != 0
    assert "what kind of addresses" in asked.stderr
    found = cli.json("descriptor", "inspect", xpub, "--type", "tr")
    assert found["descriptors"][0]["type"] == "tr"
    piped = cli.json("descriptor", "inspect", "-", stdin=f"{WPKH}\n")
    assert piped["descriptors"][0]["descriptor"] == str(WPKH)
    assert piped["descriptors"][0]["keys"][0]["fingerprint"] == ROOTS[0].fingerprint.hex()
    wrong = cli.run("descriptor", "inspect", xpub, "--type", "wsh")
    assert wrong.returncode == 2
    missing = cli.run("descriptor", "inspect", "no-such-file")
    assert "cannot be read" in missing.stderr


def test_keys_are_put_together_on_one_line_or_in_a_file(cli: CommandLine, tmp_path: Path) -> None:
    keys = [str(key).removesuffix("/<0;1>/*") for key in SHARED.keys]
    made = cli.json("descriptor", "multisig", *keys, "--required", "2")
    assert made["descriptor"] == str(SHARED)
    assert made["first_address"] == SHARED.first_address
    target = tmp_path / "out.txt"
    cli.json("descriptor", "multisig", *keys, "--required", "2", "--output", str(target))
    assert target.read_text() == f"{SHARED}\n"
    for arguments, sentence in (
        ((*keys, "--required", "4"), "takes 1 to 3"),
        ((*keys,), "--required"),
        ((keys[0], keys[0], "--required", "1"), "stands twice"),
        ((*keys, "--required", "2", "--type", "sh_wsh"), "another kind"),
        ((*keys, "--required", "2", "--type", "tr"), "wsh, sh_wsh or sh"),
    ):
        done = cli.run("descriptor", "multisig", *arguments)
        assert done.returncode != 0
        assert sentence in done.stderr


def test_a_multisig_is_restored_from_the_words_of_one(cli: CommandLine, tmp_path: Path) -> None:
    words = tmp_path / "words"
    cli.json("create", "--words-file", str(words))
    ours = cli.json("descriptor", "key")["key"]
    others = [str(key).removesuffix("/<0;1>/*") for key in SHARED.keys[:2]]
    made = cli.json("descriptor", "multisig", ours, *others, "--required", "2")
    elsewhere = CommandLine(tmp_path / "elsewhere", None)
    options = ("--words-file", str(words), "--descriptor", made["descriptor"], "--yes")
    restored = elsewhere.json("restore", *options)
    assert restored["descriptors"] == [made["descriptor"]]
    assert not restored["watch_only"]
    stranger = elsewhere.run(
        *("restore", "--wallet", "no", "--words-file", str(words), "--yes"),
        *("--descriptor", str(SHARED)),
    )
    assert stranger.returncode != 0
    assert "None of the keys" in stranger.stderr
