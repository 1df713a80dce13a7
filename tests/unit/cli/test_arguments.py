import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.sandbox.contact_guard import PYTHON_PATH
from wallet_gui.__main__ import COMMANDS, WITH_VALUE, is_command_line
from wallet_gui.cli.arguments import WrongArguments, make_parser, parse
from wallet_gui.cli.commands import COMMANDS as RUNNABLE
from wallet_gui.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[3]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "wallet_gui", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
    )


def test_the_entry_knows_every_command_and_every_option_with_a_value() -> None:
    # Neither needs a wallet or a network.
    assert {*RUNNABLE, "help", "verify"} == COMMANDS
    takes_value = {
        option
        for action in make_parser()._actions
        for option in action.option_strings
        if option.startswith("--") and action.nargs is None and action.const is None
    }
    assert takes_value == WITH_VALUE


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("balance", True),
        ("--network regtest balance", True),
        ("--network balance", False),
        ("--data-dir send", False),
        ("", False),
        ("--network regtest", False),
        ("bitcoin:bcrt1q?amount=1", False),
        ("BITCOIN:BCRT1Q", False),
        ("--playground", False),
        ("balanec", True),
        ("--help", True),
        ("-h", True),
    ],
)
def test_which_part_of_the_program_a_command_line_starts(line: str, expected: object) -> None:
    assert is_command_line(line.split()) is expected


def test_common_options_stand_before_or_after_the_command() -> None:
    before = parse(["--network", "regtest", "--json", "--peer", "a", "--peer", "b", "balance"])
    after = parse(["balance", "--network", "regtest", "--json", "--peer", "a", "--peer", "b"])
    assert vars(before) == vars(after)
    assert before.peer == ["a", "b"]
    assert parse(["sync"]).network == "mainnet"


@pytest.mark.parametrize(
    "line",
    [
        "history --limit -1",
        "history --limit 1.5",
        "balance --listen -3",
        "sync --timeout ten",
        "create --words 13",
        "create --birthday 31.12.2024",
        "balance --bal",
        "--netw regtest balance",
        "psbt frobnicate",
        "",
    ],
)
def test_a_wrong_command_line_is_refused(line: str) -> None:
    with pytest.raises(WrongArguments, match=r"\.$"):
        parse(line.split())


def test_errors_are_one_json_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["balance", "--json", "--nonsense"]) == 2
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    assert json.loads(line)["status"] == 2
    assert captured.err == f"wallet-gui: {json.loads(line)['error']}\n"


def test_errors_for_people_show_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["balanec"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: wallet-gui")
    assert captured.err.splitlines()[-1].startswith("wallet-gui: ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("balance", "--peer"),
        ("address", "no wallet"),
        ("balance --no-sync --wallet a:b", "name must not contain"),
        ("send bcrt1qnonsense 1", "address"),
        ("send --to nobody", "ADDRESS=BTC"),
        ("psbt show", "PSBT"),
        ("psbt show /nowhere/at.all", "cannot be read"),
        ("balance --peer 127.0.0.1:18443", "JSON-RPC"),
    ],
)
def test_what_cannot_be_done_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    common = ["--network", "regtest", "--data-dir", str(tmp_path), "--json"]
    status = main([*common, *line.split()])
    captured = capsys.readouterr()
    (document,) = captured.out.splitlines()
    assert json.loads(document)["status"] == status != 0
    assert words.lower() in captured.err.lower()
    assert captured.err.count("\n") == 1


def test_the_end_does_not_wait_for_a_name_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, over = threading.Event(), threading.Event()
    waited: list[bool] = []

    def look_up(*_: object) -> list[object]:
        asked.set()
        waited.append(not over.wait(PATIENCE))
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    common = ["--network", "regtest", "--data-dir", str(tmp_path), "--json"]
    main([*common, "peers", "--peer", "node.example:18444", "--only-peers", "--wait", "1"])
    assert asked.is_set()
    assert waited == []
    over.set()


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["help", "send"])
    assert ended.value.code == 0
    assert "--fee-rate" in capsys.readouterr().out


def test_a_command_loads_no_window_and_no_number_library(tmp_path: Path) -> None:
    program = (
        "import sys; from wallet_gui.__main__ import main; "
        f"status = main(['wallets', '--network', 'regtest', '--data-dir', {str(tmp_path)!r}]); "
        "loaded = [n for n in ('PySide6', 'numpy', 'wallet_gui.gui', 'wallet_gui.vault', "
        "'wallet_gui.keys', 'mnemonic', 'zxingcpp', 'asyncssh', "
        "'wallet_gui.chain.bitcoind.doctor') if n in sys.modules]; "
        "assert not loaded, loaded; sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, cwd=REPOSITORY, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m wallet_gui help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], check=False, cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.returncode in {0, 141}


def test_the_version_needs_nothing_else() -> None:
    done = run("--version")
    assert done.stdout.startswith("wallet-gui ")
    assert done.returncode == 0


@pytest.mark.parametrize(
    "line",
    [
        "psbt combine a b --asked x",
        "psbt combine --asked x a b",
        "psbt --asked x combine a b",
        "psbt combine a --asked x b",
        "psbt combine --asked=x a b",
    ],
)
def test_files_may_stand_before_and_after_the_options(line: str) -> None:
    options = parse(line.split())
    assert (options.action, options.files, options.asked) == ("combine", ["a", "b"], "x")


def test_standard_input_is_a_file_at_any_place() -> None:
    assert parse(["psbt", "sign", "--output", "o", "-"]).files == ["-"]


def test_an_unknown_option_among_files_is_told() -> None:
    with pytest.raises(WrongArguments, match="nrecognized arguments: --nonsense"):
        parse(["psbt", "combine", "--nonsense", "a", "--asked", "x", "b"])


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("backup check --wallet savings copy.wallet", "file", Path("copy.wallet")),
        ("backup --wallet savings check copy.wallet", "file", Path("copy.wallet")),
        ("psbt sign --wallet ours pay.psbt", "files", ["pay.psbt"]),
        ("psbt combine a.psbt --output both.psbt b.psbt -", "files", ["a.psbt", "b.psbt", "-"]),
        ("descriptor join --wallet ours ours.txt", "files", ["ours.txt"]),
        ("message sign bcrt1q --wallet mine hello", "text", "hello"),
        ("send bcrt1q --fee-rate 2 0.5", "amount", "0.5"),
        ("doctor --report out.txt local", "address", "local"),
    ],
)
def test_options_may_stand_before_what_they_belong_to(line: str, name: str, value: object) -> None:
    assert getattr(parse(line.split()), name) == value


@pytest.mark.parametrize(
    "line",
    [
        "backup check a.wallet --wallet savings b.wallet",
        "message verify bcrt1q hello --wallet mine again",
        "send bcrt1q 0.5 --label x more",
        "psbt sign a.psbt --frobnicate b.psbt",
        "balance --wallet savings more",
    ],
)
def test_what_belongs_nowhere_is_told(line: str) -> None:
    with pytest.raises(WrongArguments, match="Unrecognized arguments"):
        parse(line.split())
