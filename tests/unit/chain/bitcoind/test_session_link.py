import asyncio
from typing import Any, cast

from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.problems import NodeProblem, connection_lost
from wallet_gui.chain.bitcoind.session_link import SessionLink


class Session:
    """A session with a name."""

    def __init__(self, name: str, facts: object = "known") -> None:
        self.name = name
        self.facts = facts


class Connection:
    """A connection that has one session after the other."""

    problem: NodeProblem | None = None

    def __init__(self) -> None:
        self.session = Session("first")
        self.failures: list[str] = []
        self.waited: list[str] = []

    async def ready(self) -> Session:
        return self.session

    async def wait_lost(self, session: Session) -> None:
        self.waited.append(session.name)
        self.session = Session("second")

    def failed(self, _problem: NodeProblem) -> None:
        self.failures.append(self.session.name)


def link_to(connection: Connection, monkeypatch: Any) -> SessionLink:
    monkeypatch.setattr(
        "wallet_gui.chain.bitcoind.session_link.use_of", lambda session: session.name
    )
    return SessionLink(cast("NodeConnection", connection))


def test_a_session_that_failed_is_not_used_again(monkeypatch: Any) -> None:
    connection = Connection()
    link = link_to(connection, monkeypatch)
    first: object = asyncio.run(link.ready())
    assert first == "first"
    link.failed(connection_lost())
    assert connection.failures == ["first"]
    second: object = asyncio.run(link.ready())
    assert second == "second"
    assert connection.waited == ["first"]


def test_the_end_of_a_session_that_was_replaced_is_not_held_against_the_new_one(
    monkeypatch: Any,
) -> None:
    connection = Connection()
    link = link_to(connection, monkeypatch)
    asyncio.run(link.ready())
    connection.session = Session("second")  # the node can do other things by now
    link.failed(connection_lost())
    assert connection.failures == []


def test_a_session_without_rpc_is_waited_out(monkeypatch: Any) -> None:
    connection = Connection()
    connection.session = Session("P2P alone", None)
    second: object = asyncio.run(link_to(connection, monkeypatch).ready())
    assert second == "second"
    assert connection.waited == ["P2P alone"]
