"""psbt inspect, combine, finalize, extract and convert: as a person runs them, without a wallet."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.wallet.test_psbt_return import THIEF
from tests.unit.wallet.test_psbt_roles import MULTI, PAYEE, SINGLE, spoilt
from wallet_gui.cli.main import main
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction

WSH = MULTI[1]


class Shell:
    """The command line in one folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def save(self, name: str, psbt: Psbt, form: str = "binary") -> str:
        path = self.folder / name
        forms = {
            "binary": psbt.serialize(),
            "base64": (psbt.to_base64() + "\n").encode(),
            "hex": psbt.serialize().hex().encode(),
            "utf-16": psbt.to_base64().encode("utf-16"),
        }
        path.write_bytes(forms[form])
        return str(path)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        common = ["--network", "regtest", "--data-dir", str(self.folder / "data")]
        status = main([*common, "psbt", *arguments])
        captured = self.capsys.readouterr()
        return status, captured.out, captured.err

    def json(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        found, out, err = self.run(*arguments, "--json")
        assert found == status, err
        document: dict[str, Any] = json.loads(out)
        return document


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


@pytest.mark.parametrize("form", ["binary", "base64", "hex", "utf-16"])
@pytest.mark.parametrize("version", [0, 2])
def test_inspect(shell: Shell, form: str, version: int) -> None:
    psbt = WSH.sign(WSH.psbt(SINGLE[3]), [0]).to_version(version)
    name = shell.save("a.psbt", psbt, form)
    document = shell.json("inspect", name)
    assert document == shell.json("show", name)
    assert document["version"] == version
    assert document["txid"] == hash_to_hex(psbt.tx.txid)
    assert document["fee"] == 1_000
    assert document["fee_is_proven"]
    assert not document["complete"]
    assert document["problems"] == []
    first, second = document["inputs"]
    assert (first["signatures"], first["required_signatures"], first["kind"]) == (1, 2, "wsh")
    assert (second["signatures"], second["required_signatures"], second["kind"]) == (0, 1, "tr")
    assert first["amount"] == 100_000
    assert document["outputs"] == [
        {
            "address": address_from_script(PAYEE, REGTEST),
            "amount": 199_000,
            "keys": [],
            "kind": "wpkh",
            "script": PAYEE.hex(),
        }
    ]
    status, out, err = shell.run("inspect", name)
    assert (status, err) == (0, "")
    assert f"version {version} PSBT\n" in out
    assert "1 of 2 signatures" in out
    assert "pays    0.00199000 BTC" in out
    assert "fee     0.00001000 BTC\n" in out


def test_inspect_names_problems(shell: Shell) -> None:
    good = WSH.sign(WSH.psbt(), [0])
    (_, _, _, moved) = spoilt(WSH, good)
    document = shell.json("inspect", shell.save("a.psbt", moved))
    assert document["problems"] == [
        "A signature of input 1 is not valid. Ask for it again from the one who made it."
    ]
    unknown = WSH.psbt()
    unknown.inputs[0].witness_utxo = unknown.utxo(0)
    unknown.inputs[0].non_witness_utxo = None
    document = shell.json("inspect", shell.save("b.psbt", unknown))
    assert document["fee"] == 1_000
    assert not document["fee_is_proven"]
    assert "not proven" in shell.run("inspect", shell.save("c.psbt", unknown))[1]
    unknown.inputs[0].witness_utxo = None
    document = shell.json("inspect", shell.save("d.psbt", unknown))
    assert document["fee"] is None
    assert "does not say what the input spends" in document["problems"][0]


def test_from_two_signers_to_the_transaction(shell: Shell) -> None:
    psbt = WSH.psbt()
    names = [
        shell.save("one.psbt", WSH.sign(psbt, [0]), "hex"),
        shell.save("two.psbt", WSH.sign(psbt.to_version(2), [1]), "base64"),
    ]
    combined = str(shell.folder / "combined.psbt")
    assert shell.run("combine", *names, "--output", combined) == (0, "", "")
    again = shell.json("combine", *reversed(names))
    assert Psbt.parse(Path(combined).read_bytes()) == Psbt.parse(again["psbt"])
    final = shell.json("finalize", combined)
    assert final["complete"]
    name = shell.save("final.psbt", Psbt.parse(final["psbt"]))
    document = shell.json("extract", name)
    assert document == shell.json("extract", combined)
    assert document["unverified_inputs"] == []
    tx = Transaction.parse(bytes.fromhex(document["hex"]))
    assert hash_to_hex(tx.txid) == document["txid"] == hash_to_hex(psbt.tx.txid)
    saved = shell.folder / "tx.hex"
    assert shell.run("extract", name, "--output", str(saved))[1] == document["txid"] + "\n"
    assert saved.read_text() == document["hex"] + "\n"
    # What is there is never overwritten.
    status, _, err = shell.run("extract", name, "--output", str(saved))
    assert status == 1
    assert "cannot be written" in err


def test_what_lacks_signatures_is_written_and_said(shell: Shell) -> None:
    half = WSH.sign(WSH.psbt(), [1])
    document = shell.json("finalize", shell.save("a.psbt", half), status=1)
    assert not document["complete"]
    assert Psbt.parse(document["psbt"]) == half
    assert "Input 1 is not signed completely" in document["error"]
    status, out, err = shell.run("extract", shell.save("b.psbt", half))
    assert (status, out) == (2, "")
    assert "not signed completely" in err


@pytest.mark.parametrize("action", ["combine", "finalize", "extract"])
def test_wrong_signatures_go_nowhere(shell: Shell, action: str) -> None:
    good = WSH.sign(WSH.psbt(), [0, 1])
    for number, wrong in enumerate(spoilt(WSH, good)):
        status, out, err = shell.run(action, shell.save(f"{number}.psbt", wrong))
        assert status != 0
        assert out == ""
        assert err.count("\n") == 1
    other = WSH.sign(WSH.psbt(SINGLE[0]), [0])
    names = shell.save("x.psbt", good), shell.save("y.psbt", other)
    status, _, err = shell.run("combine", *names)
    assert status == 2
    assert "different transactions" in err


def test_convert(shell: Shell) -> None:
    psbt = WSH.sign(WSH.psbt(), [0])
    name = shell.save("a.psbt", psbt)
    new = Psbt.parse(shell.json("convert", name)["psbt"])
    assert new == psbt.to_version(2)
    assert Psbt.parse(shell.json("convert", name, "--psbt-version", "2")["psbt"]) == new
    back = shell.json("convert", shell.save("b.psbt", new), "--psbt-version", "0")
    assert Psbt.parse(back["psbt"]) == psbt
    assert Psbt.parse(shell.json("convert", name, "--psbt-version", "0")["psbt"]) == psbt


def test_any_result_is_written_in_the_version_that_is_asked_for(shell: Shell) -> None:
    psbt = WSH.sign(WSH.psbt(), [0, 1])
    name = shell.save("a.psbt", psbt)
    for action, expected in (("combine", psbt), ("finalize", psbt.finalize())):
        for version in (0, 2):
            written = shell.json(action, name, "--psbt-version", str(version))["psbt"]
            assert Psbt.parse(written) == expected.to_version(version)


def test_standard_input(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    psbt = WSH.psbt()
    stdin = io.TextIOWrapper(io.BytesIO(psbt.to_base64().encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert shell.json("inspect", "-")["txid"] == hash_to_hex(psbt.tx.txid)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the text is empty"),
        (b"\x00\x01\xff", "neither its bytes nor base64 or hex"),
        (b"hello", "not valid base64"),
        (b"psbt\xff\x00", "no unsigned transaction"),
        (WSH.psbt().serialize() + b"\n", "1 bytes follow"),
        (WSH.psbt().serialize()[:-1], "ends too early"),
    ],
)
def test_what_is_no_psbt_is_said_with_its_name(shell: Shell, data: bytes, sentence: str) -> None:
    path = shell.folder / "a.psbt"
    path.write_bytes(data)
    status, out, err = shell.run("inspect", str(path))
    assert (status, out) == (2, "")
    assert err.startswith(f"wallet-gui: {path}: ")
    assert sentence in err


def test_what_comes_back_is_compared_with_what_was_asked(shell: Shell) -> None:
    psbt = WSH.psbt()
    asked = shell.save("asked.psbt", psbt, "base64")
    one = shell.save("one.psbt", WSH.sign(psbt, [0]))
    two = shell.save("two.psbt", WSH.sign(psbt.to_version(2), [2]), "hex")
    both = shell.json("combine", one, two, "--asked", asked, "--output", str(shell.folder / "both"))
    assert Psbt.parse(both["psbt"]) == WSH.sign(psbt, [0, 2])
    assert (shell.folder / "both").stat().st_mode & 0o777 == 0o600
    extracted = shell.json("extract", str(shell.folder / "both"), "--asked", asked)
    # A device that gives the finished transaction back is understood as well.
    final = shell.folder / "final.txn"
    final.write_text(extracted["hex"])
    again = shell.json("extract", str(final), "--asked", asked)
    assert again["hex"] == extracted["hex"]
    assert shell.json("finalize", one, two, "--asked", asked)["complete"]
    assert shell.json("finalize", "--asked", asked, one, two)["complete"]


def test_what_differs_from_what_was_asked_is_refused(shell: Shell) -> None:
    psbt = WSH.psbt()
    asked = shell.save("asked.psbt", psbt)
    swapped = psbt.copy()
    (output,) = psbt.tx.outputs
    swapped.tx = dataclasses.replace(
        psbt.tx, outputs=(dataclasses.replace(output, script_pubkey=THIEF),)
    )
    name = shell.save("swapped.psbt", WSH.sign(swapped, [0, 1]))
    for action in ("combine", "finalize", "extract", "broadcast"):
        status, out, err = shell.run(action, name, "--asked", asked)
        assert status != 0
        assert out == ""
        assert f"{name}: What came back is another payment" in err
    status, _, err = shell.run("finalize", asked, "--asked", asked)
    assert status != 0
    assert "came back without a signature" in err
    status, _, err = shell.run("inspect", name, "--asked", asked)
    assert status != 0
    assert "--asked belongs to" in err
