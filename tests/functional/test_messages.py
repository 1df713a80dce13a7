"""Messages signed here verified by the real bitcoind, and the other way round; and the commands."""

import base64
import json
import os
import random
import subprocess
from typing import Any

import pytest

from tests.functional.bitcoind import Node
from tests.functional.command_line import REPOSITORY, CommandLine
from tests.unit.descriptors.cosigners import ROOTS
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.messages import own_address, sign
from wallet_gui.primitives import base58
from wallet_gui.primitives.params import REGTEST
from wallet_gui.wallet.messages import MessageFormat, MessageVerdict, verify

TEXTS = ("", "I agree.", "two\nlines", "öäüéàè 测试文本 😄", "x" * 300, " blanks ")


@pytest.fixture
def node(module_node: Node) -> Node:
    return module_node


@pytest.fixture(scope="module")
def legacy_address(module_node: Node) -> str:
    return str(module_node.bank("getnewaddress", "", "legacy"))


def test_what_bitcoind_signs_is_valid_here(node: Node, legacy_address: str) -> None:
    for text in TEXTS:
        signature = node.bank("signmessage", legacy_address, text)
        check = verify(legacy_address, text, signature, REGTEST)
        assert check.verdict is MessageVerdict.VALID
        assert verify(legacy_address, f"{text}!", signature, REGTEST).verdict is (
            MessageVerdict.INVALID
        )


def test_what_is_signed_here_is_byte_equal_to_bitcoind_and_valid_there(node: Node) -> None:
    chance = random.Random(322)
    for number in range(40):
        root = ROOTS[number % len(ROOTS)]
        place = own_address((account_descriptors(root, REGTEST)[DescriptorType.PKH],), 0, 0, number)
        text = "".join(chance.choices("abc ö測\n", k=chance.randrange(1, 60)))
        ours = sign(text, MessageFormat.LEGACY, place, root).signature
        ((_, path),) = place.derived.keys
        secret = root.derive(path.path).secret
        wif = base58.encode_check(bytes((REGTEST.wif_version,)) + secret + b"\x01")
        assert ours == node.rpc("signmessagewithprivkey", wif, text)
        assert node.rpc("verifymessage", place.address, ours, text)
        assert not node.rpc("verifymessage", place.address, ours, f"{text}!")


def test_flipped_bits_are_judged_as_bitcoind_judges_them(node: Node, legacy_address: str) -> None:
    signature = base64.b64decode(node.bank("signmessage", legacy_address, "text"))
    chance = random.Random(137)
    for _ in range(60):
        changed = bytearray(signature)
        changed[chance.randrange(1, 65)] ^= 1 << chance.randrange(8)
        text = base64.b64encode(changed).decode()
        theirs = node.rpc("verifymessage", legacy_address, text, "text")
        assert (verify(legacy_address, "text", text, REGTEST).verdict is MessageVerdict.VALID) == (
            theirs
        )


def offline(cli: CommandLine, *arguments: str) -> Any:
    """Run the program's own entry, which blocks the network, so that the guard is not needed."""
    entry = CommandLine(cli.root, None, cheap=False)
    done = subprocess.run(
        entry.arguments("message", "--json", "--offline", *arguments),
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_commands(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("message")
    cli = CommandLine(folder / "data", None)
    cli.json("create", "--words-file", str(folder / "words"), "--type", "tr")
    address = cli.json("address")["address"]
    file = folder / "text"
    file.write_bytes(b"I agree.\n")
    signed = cli.json("message", "sign", address, "--file", str(file), "--yes")
    assert signed["complete"]
    made = offline(cli, "sign", address, "away", "--yes")
    judged = offline(cli, "verify", address, "away", "--signature", made["signature"])
    assert judged["verdict"] == "valid"
    options = ("--signature", signed["signature"])
    checked = cli.run("message", "verify", address, "I agree.\n", *options, password=False)
    assert checked.returncode == 0
    assert "signature is valid" in checked.stdout
    wrong = cli.json("message", "verify", address, "I agree.", *options, password=False, status=1)
    assert wrong["verdict"] == "invalid"
    assert wrong["explanation"].endswith(".")
    foreign = ROOTS[0]
    theirs = account_descriptors(foreign, REGTEST)[DescriptorType.TR].first_address
    refused = cli.run("message", "sign", theirs, "x", "--yes")
    assert refused.returncode == 2
    assert "not of this wallet" in refused.stderr
    assert "not both" in cli.run("message", "sign", address, "--yes").stderr


@pytest.mark.slow
def test_two_cosigners_sign_by_commands(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("together")
    machines = []
    for name in ("anna", "ben"):
        (folder / name).mkdir()
        machine = CommandLine(folder / name / "data", None)
        machine.json("create", "--words-file", str(folder / name / "words"))
        machines.append(machine)
    keys = [m.json("descriptor", "key", "--type", "wsh")["key"] for m in machines]
    made = machines[0].json("descriptor", "multisig", *keys, "--type", "wsh", "--required", "2")
    file = folder / "descriptor"
    file.write_text(made["descriptor"])
    options = ("--wallet", "both", "--words-of", "wallet", "--yes")
    for machine in machines:
        machine.json("descriptor", "join", str(file), *options)
    sign_options = ("message", "sign", made["first_address"], "ours", "--wallet", "both", "--yes")
    first = machines[0].json(*sign_options, status=1)
    assert not first["complete"]
    both = machines[1].json(*sign_options, "--partial", first["partial"])
    assert both["complete"]
    check = verify(made["first_address"], "ours", both["signature"], REGTEST)
    assert check.verdict is MessageVerdict.VALID
