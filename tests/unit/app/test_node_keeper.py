"""What is remembered of a person's node, where, and for whom."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.app.test_session import Disk
from tests.unit.app.test_session import make as make_session
from wallet_gui.app.node_access import CountingAsker, NodeAccess
from wallet_gui.app.node_choice import NodeChoice, NodeSecrets
from wallet_gui.app.node_keeper import KEPT_AS, NodeKeeper
from wallet_gui.app.node_source import NodePlan
from wallet_gui.app.session import WalletClosed, WalletSession
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    HostKeyQuestion,
    SecretKind,
    SecretQuestion,
)
from wallet_gui.chain.reports import LedgerEntry
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.storage.errors import WriteFailed
from wallet_gui.storage.node_settings import DIRECT, NODE, NODE_ELSE_DIRECT, NodeSettings

ADDRESS = "ssh://bitcoin@mynode.local"
BY_COOKIE = NodeChoice(NODE, NodeSettings(address=ADDRESS))
BY_PASSWORD = NodeChoice(NODE, NodeSettings(address=ADDRESS, user="u"))


class Rig:
    def __init__(self, root: Path) -> None:
        self.contacts: list[LedgerEntry] = []
        self.keeper = NodeKeeper(MAINNET, root, self.contacts.extend)
        self.disk = Disk()
        self.session: WalletSession = make_session(self.disk)

    @property
    def kept(self) -> NodeSecrets:
        return NodeSecrets.from_json(self.disk.kept.get(KEPT_AS))

    def plan(self, choice: NodeChoice) -> NodePlan:
        plan = self.keeper.plan(choice)
        assert plan is not None
        return plan


def run(tmp_path: Path, scenario: Callable[[Rig], Any]) -> None:
    async def inner() -> None:
        rig = Rig(tmp_path)
        await scenario(rig)
        await rig.session.close()

    asyncio.run(inner())


def test_directly_needs_nothing(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.keeper.plan(NodeChoice(DIRECT, BY_COOKIE.node)) is None
        assert not (tmp_path / "ssh").exists()

    run(tmp_path, scenario)


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert "No node is named" in rig.plan(NodeChoice(NODE)).why_not
        plan = rig.plan(NodeChoice(NODE_ELSE_DIRECT, BY_PASSWORD.node))
        assert plan.source is None
        assert plan.may_go_direct
        assert "kept in a wallet file" in plan.why_not

    run(tmp_path, scenario)


def test_a_password_is_kept_in_the_wallet_that_is_open(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        typed = NodeChoice(NODE, BY_PASSWORD.node, "geheim")
        await rig.keeper.take_password(typed, rig.session)
        assert rig.kept == NodeSecrets(ADDRESS, "u", "geheim")
        assert rig.keeper.has_password(BY_PASSWORD)
        assert isinstance(rig.plan(BY_PASSWORD).source, NodeAccess)
        assert "geheim" not in repr(rig.plan(BY_PASSWORD))

    run(tmp_path, scenario)
    assert not list(tmp_path.iterdir())


def test_without_a_wallet_nothing_is_written_until_one_is_opened(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.keeper.take_password(NodeChoice(NODE, BY_PASSWORD.node, "geheim"), None)
        assert rig.disk.kept == {}
        assert rig.plan(BY_PASSWORD).source is not None
        assert not await rig.keeper.wallet_opened(BY_PASSWORD, rig.session)
        assert rig.kept.password == "geheim"

    run(tmp_path, scenario)


def test_opening_the_wallet_opens_the_way_to_the_node(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.disk.kept[KEPT_AS] = NodeSecrets(ADDRESS, "u", "geheim").to_json()
        assert rig.plan(BY_PASSWORD).source is None
        assert await rig.keeper.wallet_opened(BY_PASSWORD, rig.session)
        assert rig.plan(BY_PASSWORD).source is not None

    run(tmp_path, scenario)


def test_secrets_of_another_node_stay_in_the_wallet(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        other = NodeSecrets("ssh://other.example", "u", "geheim", "__cookie__:x")
        rig.disk.kept[KEPT_AS] = other.to_json()
        assert not await rig.keeper.wallet_opened(BY_PASSWORD, rig.session)
        assert rig.plan(BY_PASSWORD).source is None
        assert not rig.keeper.has_password(BY_PASSWORD)

    run(tmp_path, scenario)


def test_a_new_cookie_is_kept_and_a_closed_wallet_left_alone(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.keeper.wallet_opened(BY_COOKIE, rig.session)
        await rig.keeper._remember(ADDRESS, "__cookie__:one")
        assert rig.kept.cookie == "__cookie__:one"
        # A cookie that comes late from a node that is not wanted any more is let go.
        await rig.keeper._remember("ssh://other.example", "__cookie__:two")
        assert rig.kept.cookie == "__cookie__:one"
        rig.keeper.wallet_closed(rig.session)
        await rig.keeper._remember(ADDRESS, "__cookie__:three")
        assert rig.kept.cookie == "__cookie__:one"
        # In memory it serves on: the connection outlives the lock.
        assert rig.keeper._secrets.cookie == "__cookie__:three"

    run(tmp_path, scenario)


def test_a_full_disk_costs_a_read_and_no_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.keeper.wallet_opened(BY_COOKIE, rig.session)
        rig.disk.refuses.add("setting")
        await rig.keeper._remember(ADDRESS, "__cookie__:geheim")
        assert rig.keeper._secrets.cookie == "__cookie__:geheim"
        with pytest.raises(WriteFailed):
            await rig.keeper.take_password(NodeChoice(NODE, BY_PASSWORD.node, "p"), rig.session)

    run(tmp_path, scenario)
    assert "geheim" not in caplog.text


def test_a_closed_session_keeps_nothing(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.session.close()
        with pytest.raises(WalletClosed):
            await rig.session.keep_setting(KEPT_AS, {})

    run(tmp_path, scenario)


def test_the_same_node_by_settings_and_password(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        first = rig.plan(BY_COOKIE).source
        assert first is not None
        assert first.is_same(rig.plan(BY_COOKIE).source)
        other = NodeChoice(NODE, NodeSettings(address=ADDRESS, rpc_port=1))
        assert not first.is_same(rig.plan(other).source)
        assert not first.is_same(None)
        await rig.keeper.take_password(NodeChoice(NODE, BY_PASSWORD.node, "a"), None)
        with_a = rig.plan(BY_PASSWORD).source
        await rig.keeper.take_password(NodeChoice(NODE, BY_PASSWORD.node, "b"), None)
        assert with_a is not None
        assert not with_a.is_same(rig.plan(BY_PASSWORD).source)

    run(tmp_path, scenario)


# --- SSH -----------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_its_line_restricts_it(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert await rig.keeper.key(BY_COOKIE) is None
        made = await rig.keeper.make_key(BY_COOKIE)
        assert made.line.startswith('restrict,port-forwarding,permitopen="127.0.0.1:8332"')
        assert 'command="cat .bitcoin/.cookie" ssh-ed25519 AAAA' in made.line
        assert "nothing else" in made.permits
        assert await rig.keeper.make_key(BY_COOKIE) == made == await rig.keeper.key(BY_COOKIE)
        path = tmp_path / "ssh" / "id_ed25519"
        assert path.stat().st_mode & 0o777 == 0o600
        by_password = await rig.keeper.make_key(BY_PASSWORD)
        assert "cookie" not in by_password.line

    run(tmp_path, scenario)


def test_a_key_for_another_network_leads_to_its_ports(tmp_path: Path) -> None:
    keeper = NodeKeeper(REGTEST, tmp_path, lambda _: None)
    made = asyncio.run(keeper.make_key(BY_COOKIE))
    assert 'permitopen="127.0.0.1:18443",permitopen="127.0.0.1:18444"' in made.line
    assert "cat .bitcoin/regtest/.cookie" in made.line


def test_a_server_is_forgotten_by_the_name_it_is_known_under(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(
        "Host homenode\n  HostName 192.0.2.7\n  Port 2222\nHost *\n  User me\n"
    )

    async def scenario(rig: Rig) -> None:
        assert await rig.keeper.aliases() == ("homenode",)
        alias = NodeChoice(NODE, NodeSettings(address="homenode"))
        assert not await rig.keeper.forget_server(alias)
        rig.keeper.ssh_files.trust("[192.0.2.7]:2222 ssh-ed25519 AAAA")
        rig.keeper.ssh_files.trust("192.0.2.7 ssh-ed25519 BBBB")
        assert await rig.keeper.forget_server(alias)
        assert rig.keeper.ssh_files.known_hosts() == b"192.0.2.7 ssh-ed25519 BBBB\n"
        local = NodeChoice(NODE, NodeSettings(address="local"))
        assert not await rig.keeper.forget_server(local)

    run(tmp_path, scenario)


def test_a_test_is_listed_among_the_contacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node on this computer that is not there: two steps of the thirteen are enough."""
    monkeypatch.setenv("HOME", str(tmp_path))
    told: list[object] = []

    async def scenario(rig: Rig) -> None:
        nobody = NodeChoice(NODE, NodeSettings(address="local", rpc_port=_closed_port()))
        result = await rig.keeper.test(nobody, CountingAsker(lambda: None), told.append)
        assert not result.is_ready
        assert result.report
        (entry,) = rig.contacts
        assert entry.host == "local"
        assert entry.purpose.value == "test your node"
        assert entry.outcome == "A step failed."

    run(tmp_path, scenario)
    assert told


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- questions -----------------------------------------------------------------------------------


class Person:
    """Answers when told to."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked: list[object] = []

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        self.asked.append(question)
        await self.gate.wait()
        return True

    async def secret(self, question: SecretQuestion) -> str | None:
        self.asked.append(question)
        await self.gate.wait()
        return "secret"


def test_an_open_question_is_known_and_nobody_means_no() -> None:
    host = HostKeyQuestion("h", 22, "ssh-ed25519", "SHA256:x", "ssh-keygen")
    secret = SecretQuestion(SecretKind.PASSWORD, "Password:")

    async def scenario() -> None:
        nobody = CountingAsker(lambda: None)
        assert not await nobody.trust_host_key(host)
        assert await nobody.secret(secret) is None
        person = Person()
        asker = CountingAsker(lambda: person)
        asks: Sequence[asyncio.Task[Any]] = [
            asyncio.ensure_future(asker.trust_host_key(host)),
            asyncio.ensure_future(asker.secret(secret)),
        ]
        await asyncio.sleep(0)
        assert asker.is_asking
        asks[1].cancel()
        await asyncio.wait([asks[1]])
        assert asker.is_asking
        person.gate.set()
        assert await cast("asyncio.Task[bool]", asks[0])
        assert not asker.is_asking

    asyncio.run(scenario())
