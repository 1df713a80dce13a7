"""Every row has a sentence, a remedy, and no secret in it."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind import problems, scan_problems, send_problems
from wallet_gui.chain.bitcoind.calls import ALLOWED
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, RpcError, clean
from wallet_gui.chain.bitcoind.redaction import redact
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.base58 import encode_check
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.script import p2pkh, p2sh, p2tr, p2wpkh

ARGUMENTS: dict[str, Any] = {
    "host": "127.0.0.1",
    "port": 8332,
    "rpc_port": 8332,
    "p2p_port": 8333,
    "method": "scanblocks",
    "seconds": 30,
    "user": "alice",
    "path": "/home/bitcoin/.bitcoin/.cookie",
    "text": "Loading block index…",
    "limit": 1000,
    "expected": "mainnet",
    "found": "regtest",
    "version": "/Satoshi:24.0.0/",
    "percent": "62 %",
    "behind": 7,
    "height": 5,
    "blocks": 10,
    "detail": "why",
    "reason": "dust",
}


def constructors() -> list[Callable[..., NodeProblem]]:
    return [
        function
        for module in (problems, scan_problems, send_problems)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and inspect.signature(function).return_annotation in (NodeProblem, "NodeProblem")
    ]


def made(function: Callable[..., NodeProblem]) -> NodeProblem:
    parameters = inspect.signature(function).parameters.values()
    needed = {p.name: ARGUMENTS[p.name] for p in parameters if p.default is inspect.Parameter.empty}
    return function(**needed)


@pytest.mark.parametrize("function", constructors(), ids=lambda f: f.__name__)
def test_every_row_is_a_sentence_with_a_remedy(function: Callable[..., NodeProblem]) -> None:
    problem = made(function)
    assert isinstance(problem.code, Code)
    assert problem.title[0].isupper()
    assert problem.title.endswith((".", "…"))
    assert not problem.what_to_do or problem.what_to_do.endswith(".")
    assert str(problem) == f"{problem.title} {problem.what_to_do}".strip()
    assert len(str(problem)) < 400
    assert "  " not in str(problem)
    if problem.fix is not None:
        assert problem.fix.label
        assert "\n" not in problem.fix.line
    if problem.is_final:
        assert problem.what_to_do, "a person has to do something"


def test_no_two_codes_are_alike() -> None:
    assert len({code.value for code in Code}) == len(Code)


def test_the_whitelist_line_has_every_call() -> None:
    fix = problems.rpc_whitelist("getblock", "alice").fix
    assert fix is not None
    name, _, calls = fix.line.removeprefix("rpcwhitelist=").partition(":")
    assert name == "alice"
    assert set(calls.split(",")) == ALLOWED


@pytest.mark.parametrize(
    ("number", "message", "code"),
    [
        (-28, "Loading banlist…", Code.WARMING_UP),
        (-32601, "Method not found", Code.METHOD_MISSING),
        (-1, "Index is not enabled for filtertype basic", Code.NO_FILTER_INDEX),
        (-1, "Block not available (pruned data)", Code.PRUNED_BLOCK),
        (-8, 'Scan already in progress, use action "abort" or "status"', Code.SCAN_BUSY),
        (-18, "No wallet is loaded. Load a wallet using loadwallet", Code.NODE_WALLET),
        (-19, "Multiple wallets are loaded.", Code.NODE_WALLET),
        (-4, "Wallet is currently rescanning. Abort existing rescan or wait.", Code.NODE_WALLET),
        (-4, "Prune: last wallet synchronisation goes beyond pruned data.", Code.PRUNED_BLOCK),
        (-35, 'Wallet "w1" is already loaded.', Code.NODE_WALLET),
        (-3, "Invalid amount", Code.RPC_ERROR),
    ],
)
def test_errors_of_the_node_find_their_row(number: int, message: str, code: Code) -> None:
    error = RpcError(number, message, "getblock")
    assert error.code is code
    assert error.number == number
    assert error.message == message
    assert "getblock" in error.detail


hashes = st.binary(min_size=20, max_size=20)
secrets = st.one_of(
    st.binary(min_size=32, max_size=32).map(lambda b: f"__cookie__:{b.hex()}"),
    st.binary(min_size=16, max_size=200).map(bytes.hex),
    hashes.map(lambda h: address_from_script(p2wpkh(h), MAINNET)),
    hashes.map(lambda h: address_from_script(p2wpkh(h), REGTEST)),
    hashes.map(lambda h: address_from_script(p2pkh(h), MAINNET)),
    hashes.map(lambda h: address_from_script(p2sh(h), REGTEST)),
    st.binary(min_size=32, max_size=32).map(lambda h: address_from_script(p2tr(h), MAINNET)),
    st.binary(min_size=74, max_size=74).map(lambda b: encode_check(MAINNET.xpub_version + b)),
    st.binary(min_size=74, max_size=74).map(lambda b: encode_check(REGTEST.xprv_version + b)),
    st.binary(min_size=32, max_size=32).map(lambda b: encode_check(b"\x80" + b + b"\x01")),
    st.binary(min_size=32, max_size=32).map(lambda b: encode_check(b"\x80" + b)),
).filter(lambda text: text is not None)
around = st.sampled_from(["", " ", "'", '"', "(", ": ", "key '", "addr(", "raw(", "[", ", "])


@settings(deadline=None)
@given(around, secrets, st.sampled_from(["", " ", "'", ")", ".", ", ", '"}']))
def test_no_secret_survives(before: str, secret: str, after: str) -> None:
    text = f"Invalid {before}{secret}{after} given"
    for shown in (
        redact(text),
        NodeProblem(Code.BAD_REPLY, "x.", detail=text).detail,
        RpcError(-5, text).message,
        str(RpcError(-5, text)),
    ):
        body = secret.rpartition(":")[2]
        assert body not in shown
        assert body[4:-4] not in shown


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "authorization=hunter2hunter2",
        "rpcpassword=hunter2hunter2",
        "password: hunter2hunter2",
        "http://user:hunter2hunter2@127.0.0.1:8332/",
        "Basic aHVudGVyMmh1bnRlcjI=",
    ],
)
def test_passwords_are_taken_out(text: str) -> None:
    assert not re.search("hunter2|dXNlcjp|aHVudGVy", redact(f"what: {text} end"))


@pytest.mark.parametrize(
    "text",
    [
        "Work queue depth exceeded",
        "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDvyVfIKI1Zb0ZpKxs",
        "/home/bitcoin/.bitcoin/regtest/.cookie",
        "min relay fee not met, 0 < 188",
        "Loading P2P addresses…",
    ],
)
def test_plain_texts_stay(text: str) -> None:
    assert redact(text) == text


@settings(deadline=None)
@given(st.text())
def test_texts_become_one_short_visible_line(text: str) -> None:
    shown = clean(text, 50)
    assert len(shown) <= 50
    assert "\n" not in shown
    problem = NodeProblem(Code.BAD_REPLY, "x.", detail=text)
    assert len(problem.detail) <= 600
