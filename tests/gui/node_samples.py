"""Steps, problems and states of a person's node, as the engine would tell them."""

import importlib
import importlib.util
import inspect
import typing
from collections.abc import Iterator
from typing import Any

from wallet_gui.app.published import NodeTestResult, OwnSshKey
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus
from wallet_gui.chain.bitcoind.problems import Code, Fix, NodeProblem
from wallet_gui.chain.bitcoind.steps import STEPS, Status, StepResult
from wallet_gui.chain.bitcoind.tunnel_protocol import HostKeyQuestion, SecretKind, SecretQuestion

FINGERPRINT = "SHA256:u6m9Yx0cE2q1VfXrZ5pQh8LwT7nKdJ3sG4bA0yRtMvE"
PUBLIC_LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx0 wallet-gui"

_WORDS = (
    "192.168.1.5",
    "OpenSSH_9.2p1",
    FINGERPRINT,
    "key from the agent",
    "yes",
    "on port 8332",
    "cookie from ~/.bitcoin/.cookie",
    "mainnet",
    "/Satoshi:29.1.0/",
    "block 921,334, 4 minutes old",
    "filter index complete",
    "all blocks kept",
    "2 / 6 / 144 blocks: 4.1 / 2.0 / 1.0 sat/vB",
)
_VALUES: dict[str, Any] = {
    "forget": "",  # the key stands in the program's own file
    "host": "mynode.local",
    "port": 2222,
    "user": "bitcoin",
    "path": "/home/bitcoin/.ssh/id_ed25519",
    "fingerprint": FINGERPRINT,
    "where": "~/.ssh/known_hosts, line 12",
    "public_line": PUBLIC_LINE,
    "detail": "open failed: administratively prohibited",
    "machine": "mynode.local",
    "paths": ("~/.bitcoin/.cookie", "/var/lib/bitcoind/.cookie"),
    "method": "getblockfilter",
    "text": "Loading block index\N{HORIZONTAL ELLIPSIS}",
    "expected": "mainnet",
    "found": "signet",
    "version": "/Satoshi:24.0.1/",
    "percent": "62 %",
    "sentence": "The ssh configuration says something that is not understood.",
}
_BY_TYPE: dict[Any, Any] = {str: "something", int: 8332, float: 10.0}
_MODULES = ("problems", "ssh_problems", "scan_problems", "send_problems")


def _made() -> Iterator[tuple[str, NodeProblem]]:
    """One problem from each function that makes one, with values as they occur."""
    for name in _MODULES:
        full = f"wallet_gui.chain.bitcoind.{name}"
        if importlib.util.find_spec(full) is None:
            continue
        module = importlib.import_module(full)
        for label, function in inspect.getmembers(module, inspect.isfunction):
            if label.startswith("_") or function.__module__ != full:
                continue
            hints = typing.get_type_hints(function)
            if hints.pop("return", None) is not NodeProblem:
                continue
            values = {
                parameter: _VALUES.get(parameter, _BY_TYPE.get(kind))
                for parameter, kind in hints.items()
            }
            yield label, function(**values)


def problems() -> dict[str, NodeProblem]:
    """Every kind of problem: one from each function, and a plain one for each code left over."""
    made = dict(_made())
    codes = {problem.code for problem in made.values()}
    for code in Code:
        if code not in codes:
            made[code.name.lower()] = NodeProblem(
                code, f"Something is wrong: {code.value}.", "Try this.", fix=Fix("Copy", "line=1")
            )
    return made


def results(failed: int | None = None, problem: NodeProblem | None = None) -> list[StepResult]:
    """All thirteen steps; up to one that fails, if one is named."""
    told = []
    for step, words in zip(STEPS, _WORDS, strict=True):
        if failed is None or step.number < failed:
            told.append(StepResult(step, Status.OK, words, 3 * step.number**2))
        elif step.number == failed:
            title = "" if problem is None else problem.title
            told.append(StepResult(step, Status.FAIL, title, 5_012, problem))
        else:
            told.append(StepResult(step, Status.SKIPPED))
    return told


READY = NodeTestResult(
    is_ready=True,
    sentence="Ready \u2013 fast & private mode. The node looks up this wallet's payments by its "
    "filters, very quickly. The node learns which addresses are yours, not the key behind them, "
    "and keeps none of it.",
    report="wallet-gui 0.1, doctor\n1 Machine found: ok, 3 ms\n2 SSH answers: ok, OpenSSH_9.2p1\n",
)
FAILED = NodeTestResult(is_ready=False, report=READY.report)
KEY = OwnSshKey(
    'restrict,port-forwarding,permitopen="127.0.0.1:8332",permitopen="127.0.0.1:8333",'
    f'command="cat .bitcoin/.cookie" {PUBLIC_LINE}',
    "With this line the key can reach the ports 8332 and 8333 of the node's machine and read the "
    "node's cookie, and nothing else: no shell, no other port, no other file.",
)
STATUS = NodeStatus(
    state=NodeState.READY,
    address="ssh://bitcoin@mynode.local",
    via="ssh bitcoin@mynode.local",
    version="/Satoshi:29.1.0/",
    rung="The node looks up this wallet's payments by its filters, very quickly.",
    learns="The node learns which addresses are yours, not the key behind them, and keeps none of "
    "it.",
    tip_age=240,
)
HOST_KEY = HostKeyQuestion(
    "mynode.local",
    22,
    "ssh-ed25519",
    FINGERPRINT,
    "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
)
PASSPHRASE = SecretQuestion(SecretKind.PASSPHRASE, "Passphrase of ~/.ssh/id_ed25519")
PASSWORD = SecretQuestion(SecretKind.PASSWORD, "bitcoin@mynode.local's password:", is_retry=True)
CHALLENGE = SecretQuestion(SecretKind.CHALLENGE, "Verification code:", echo=True)
