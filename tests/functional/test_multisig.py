"""Two of three: keys in three vaults, a fourth wallet that only watches, and the real bitcoind."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bitcoind import COIN, Node
from tests.functional.command_line import PASSWORD, CommandLine
from wallet_gui.app.psbt_waiting import KEPT_AS
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.descriptors.exporters import branch
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.vault.password_cost import PRODUCTION
from wallet_gui.vault.unlocking import view_key

KINDS = ("wsh", "sh_wsh", "sh")


class Cosigners:
    """Three computers without a network, each with the words of one key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines = []
        for name in ("anna", "ben", "carla"):
            (folder / name).mkdir()
            machine = CommandLine(folder / name / "data", None)
            machine.json("create", "--words-file", str(folder / name / "words"))
            self.machines.append(machine)

    def keys(self, kind: str) -> list[str]:
        return [m.json("descriptor", "key", "--type", kind)["key"] for m in self.machines]

    def agree(self, kind: str, required: int = 2) -> str:
        """Put the keys together and let every machine join; returns the descriptor."""
        anna = self.machines[0]
        made = anna.json(
            "descriptor", "multisig", *self.keys(kind), "--type", kind, "--required", str(required)
        )
        file = self.folder / f"{kind}.txt"
        file.write_text(made["descriptor"] + "\n")
        for machine in self.machines:
            joined = machine.json(
                "descriptor", "join", str(file), "--wallet", kind, "--words-of", "wallet", "--yes"
            )
            assert joined["descriptors"] == [made["descriptor"]]
            assert joined["first_addresses"] == [made["first_address"]]
            assert not joined["watch_only"]
        return str(made["descriptor"])

    def sign(self, number: int, kind: str, psbt: Path, name: str) -> Path:
        target = self.folder / name
        machine = self.machines[number]
        options = ("--wallet", kind, "--yes", "--output", str(target))
        machine.json("psbt", "sign", str(psbt), *options)
        return target


def watching(folder: Path, node: Node, kind: str) -> CommandLine:
    (folder / f"online {kind}").mkdir()
    online = CommandLine(folder / f"online {kind}" / "data", node)
    file = str(folder / f"{kind}.txt")
    made = online.json("descriptor", "import", file, "--wallet", "watch")
    assert made["watch_only"]
    return online


def waiting_in(online: CommandLine) -> list[Any]:
    """What waits for signatures, from the wallet file: the window's list."""
    path = Path(online.json("wallets")[0]["path"])
    key = view_key(WalletFile.read(path), PASSWORD, PRODUCTION)
    with FileLock(path) as lock:
        return list(WalletFile.open(lock, key).settings.get(KEPT_AS, []))


def scripts_of(descriptor: str) -> list[str]:
    account = Descriptor.parse(descriptor, REGTEST)
    return [branch(account, keychain) for keychain in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_of_three_vaults_pay(node: Node, tmp_path: Path, kind: str) -> None:
    node.mature()
    cosigners = Cosigners(tmp_path)
    descriptor = cosigners.agree(kind)
    online = watching(tmp_path, node, kind)

    address = online.json("address")["address"]
    assert address == Descriptor.parse(descriptor, REGTEST).first_address
    node.fund(address, 2 * COIN)
    node.mine(1)
    node.wait_for_filters()
    scripts = scripts_of(descriptor)
    assert online.json("balance")["confirmed"] == node.scan_balance(scripts) == 2 * COIN

    # One who only watches cannot sign, and says so.
    to = str(node.bank("getnewaddress"))
    refused = online.run("send", to, "0.5", "--fee-rate", "3", "--yes")
    assert refused.returncode == 3
    assert "only watches" in refused.stderr

    unsigned = tmp_path / "unsigned.psbt"
    made = online.json(
        *("psbt", "create", "--to", f"{to}=0.5", "--fee-rate", "3", "--output", str(unsigned))
    )
    assert made["waiting"]
    assert len(waiting_in(online)) == 1
    asked = Psbt.parse(unsigned.read_bytes())
    assert len(asked.xpubs) == 3
    assert all(len(part.bip32_derivations) == 3 for part in asked.inputs)

    one = cosigners.sign(0, kind, unsigned, "anna.psbt")
    short = online.run("psbt", "broadcast", str(one), "--wallet", "watch")
    assert short.returncode != 0
    assert "not signed completely" in short.stderr
    # In turn or side by side: both ways end the same.
    in_turn = cosigners.sign(2, kind, one, "anna-carla.psbt")
    other = cosigners.sign(2, kind, unsigned, "carla.psbt")
    combined = tmp_path / "combined.psbt"
    online.json(
        *("psbt", "combine", "--asked", str(unsigned), str(one), str(other)),
        *("--output", str(combined)),
    )
    assert combined.read_bytes() == in_turn.read_bytes()

    sent = online.json("psbt", "broadcast", str(combined), "--wallet", "watch")
    assert sent["accepted"]
    assert not waiting_in(online)
    entry = node.rpc("getmempoolentry", sent["txid"])
    fee = int(entry["fees"]["base"] * COIN)
    # The fee was planned for the largest signatures, so the rate is never below the asked one.
    assert 3 <= fee / entry["vsize"] < 3.2
    node.mine(1)
    node.wait_for_filters()
    expected = 2 * COIN - COIN // 2 - fee
    assert online.json("balance")["confirmed"] == node.scan_balance(scripts) == expected
    first, second = online.json("history")
    assert (first["txid"], first["net"], first["fee"]) == (sent["txid"], -COIN // 2 - fee, fee)
    assert (second["net"], second["confirmations"]) == (2 * COIN, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wsh", "sh_wsh"])
def test_bitcoind_is_one_of_the_cosigners(node: Node, tmp_path: Path, kind: str) -> None:
    node.mature()
    cosigners = Cosigners(tmp_path)
    keys = cosigners.keys(kind)
    # The third key is bitcoind's own.
    node.rpc("createwallet", "cosigner", False, True)
    theirs = core_key(node)
    text = f"{kind_name(kind)}(sortedmulti(2,{keys[0]}/<0;1>/*,{keys[1]}/<0;1>/*,{theirs.public})"
    text += ")" * (1 + kind_name(kind).count("("))
    file = tmp_path / f"{kind}.txt"
    file.write_text(text + "\n")
    private = text.replace(theirs.public, theirs.private)
    private += "#" + node.rpc("getdescriptorinfo", private)["checksum"]
    imported = node.rpc(
        "importdescriptors",
        [{"desc": private, "active": True, "range": [0, 99], "timestamp": "now"}],
        wallet="cosigner",
    )
    assert all(item["success"] for item in imported), imported
    for machine in cosigners.machines[:2]:
        machine.json(
            "descriptor", "join", str(file), "--wallet", kind, "--words-of", "wallet", "--yes"
        )
    online = watching(tmp_path, node, kind)
    address = online.json("address")["address"]
    kinds = {"wsh": "bech32", "sh_wsh": "p2sh-segwit"}
    assert address == node.rpc("getnewaddress", "", kinds[kind], wallet="cosigner")
    node.fund(address, COIN)
    node.mine(1)
    node.wait_for_filters()
    assert online.json("balance")["confirmed"] == COIN
    to = str(node.bank("getnewaddress"))

    # Made and signed here, completed by bitcoind.
    ours = tmp_path / "ours.psbt"
    online.json("psbt", "create", "--to", f"{to}=0.1", "--fee-rate", "2", "--output", str(ours))
    signed = cosigners.sign(0, kind, ours, "anna.psbt")
    done = node.rpc(
        "walletprocesspsbt", Psbt.parse(signed.read_bytes()).to_base64(), wallet="cosigner"
    )
    assert done["complete"]
    final = node.rpc("finalizepsbt", done["psbt"])
    assert final["complete"]
    txid = node.rpc("sendrawtransaction", final["hex"])
    node.mine(1)
    node.wait_for_filters()
    assert online.json("history")[0]["txid"] == txid

    # Made and signed by bitcoind, completed here.
    made = node.rpc(
        "walletcreatefundedpsbt", [], [{to: "0.2"}], 0, {"fee_rate": 2}, True, wallet="cosigner"
    )
    half = node.rpc("walletprocesspsbt", made["psbt"], wallet="cosigner")
    assert not half["complete"]
    theirs_file = tmp_path / "theirs.psbt"
    theirs_file.write_text(half["psbt"])
    complete = cosigners.sign(1, kind, theirs_file, "ben.psbt")
    sent = online.json("psbt", "broadcast", str(complete), "--wallet", "watch")
    assert sent["accepted"]
    node.mine(1)
    node.wait_for_filters()
    assert online.json("balance")["confirmed"] == node.scan_balance(scripts_of(text)) > 0
    assert online.json("history")[0]["txid"] == sent["txid"]


class CoreKey:
    """An account key of bitcoind's, as it stands in descriptors."""

    def __init__(self, public: str, private: str) -> None:
        self.public = public
        self.private = private


def core_key(node: Node) -> CoreKey:
    """Take a native account of a wallet that bitcoind made, and use its key for the multisig."""
    listed: dict[str, Any] = {}
    for private in (False, True):
        found = node.rpc("listdescriptors", private, wallet=bank_name(node))["descriptors"]
        (entry,) = [d for d in found if d["desc"].startswith("wpkh(") and not d["internal"]]
        listed[str(private)] = entry["desc"].partition("#")[0][len("wpkh(") : -1]
    public = listed["False"].removesuffix("/0/*") + "/<0;1>/*"
    private_path = listed["True"].removesuffix("/0/*") + "/<0;1>/*"
    return CoreKey(public, private_path)


def bank_name(node: Node) -> str:
    node.bank("getnewaddress")
    return str(next(name for name in node.rpc("listwallets") if name != "cosigner"))


def kind_name(kind: str) -> str:
    return {"wsh": "wsh", "sh_wsh": "sh(wsh", "sh": "sh"}[kind]


def test_formats_reach_bitcoind_and_come_back(node: Node, tmp_path: Path) -> None:
    node.mature()
    cosigners = Cosigners(tmp_path)
    descriptor = cosigners.agree("wsh")
    anna = cosigners.machines[0]
    exported = anna.json("descriptor", "export", "--wallet", "wsh", "--format", "core")
    node.rpc("createwallet", "mirror", True, True)
    imported = node.rpc("importdescriptors", json.loads(exported["text"]), wallet="mirror")
    assert all(item["success"] for item in imported), imported
    listed = tmp_path / "core.json"
    listed.write_text(json.dumps(node.rpc("listdescriptors", wallet="mirror"), default=str))
    found = anna.json("descriptor", "inspect", str(listed))
    assert [item["descriptor"] for item in found["descriptors"]] == [descriptor]
    assert found["source"] == "Bitcoin Core"
    for name in ("descriptor", "specter", "sparrow", "coldcard"):
        target = tmp_path / f"export.{name}"
        anna.json(
            "descriptor", "export", "--wallet", "wsh", "--format", name, "--output", str(target)
        )
        again = anna.json("descriptor", "inspect", str(target))
        assert [item["descriptor"] for item in again["descriptors"]] == [descriptor]
