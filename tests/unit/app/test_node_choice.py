from pathlib import Path

import pytest

from wallet_gui.app.node_choice import LOCKED_AWAY, NO_ADDRESS, NodeChoice, NodeSecrets
from wallet_gui.app.p2p_choice import NotPossible
from wallet_gui.chain.bitcoind.rungs import Rung
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, SshTarget
from wallet_gui.primitives.params import MAINNET, SIGNET
from wallet_gui.storage.node_settings import DIRECT, NODE, NODE_ELSE_DIRECT, NodeSettings
from wallet_gui.storage.settings import Settings

NODE_SETTINGS = NodeSettings(
    address="ssh://bitcoin@mynode.local",
    key_path="/k",
    implementation="system",
    rpc_port=18443,
    tell_nothing=True,
    broadcast_by_p2p=True,
    rung=3,
)
SECRETS = NodeSecrets("ssh://bitcoin@mynode.local", "", "", "__cookie__:abc")


def test_a_choice_comes_back_and_is_of_one_network() -> None:
    choice = NodeChoice(NODE_ELSE_DIRECT, NODE_SETTINGS, "typed")
    settings = Settings(**choice.changes(Settings(), MAINNET))  # type: ignore[arg-type]
    assert NodeChoice.of(settings, MAINNET) == choice.without_password()
    assert NodeChoice.of(settings, SIGNET) == NodeChoice()
    assert b"typed" not in settings.to_json()


def test_nothing_shows_a_secret() -> None:
    choice = NodeChoice(NODE, NODE_SETTINGS, "geheim")
    secrets = NodeSecrets("a", "u", "geheim", "__cookie__:geheim")
    assert "geheim" not in repr(choice) + repr(secrets) + repr(choice.options(secrets))


def test_who_may_be_asked() -> None:
    asked = {s: (NodeChoice(s).uses_node, NodeChoice(s).may_go_direct) for s in (DIRECT, NODE)}
    assert asked == {DIRECT: (False, True), NODE: (True, False)}
    assert NodeChoice(NODE_ELSE_DIRECT).uses_node
    assert NodeChoice(NODE_ELSE_DIRECT).may_go_direct


def test_options_of_the_client() -> None:
    options = NodeChoice(NODE, NODE_SETTINGS).options(SECRETS)
    assert options.ssh.key_path == "/k"
    assert options.ssh.implementation == "system"
    assert options.rpc_port == 18443
    assert options.cookie_path is None
    assert options.remembered_cookie == "__cookie__:abc"
    assert options.wish.tell_nothing
    assert options.wish.rung is Rung.P2P
    assert options.broadcast_by_p2p


def test_another_nodes_secrets_are_never_given_away() -> None:
    other = NodeChoice(NODE, NodeSettings(address="ssh://evil.example"))
    assert other.options(SECRETS).remembered_cookie is None
    password = NodeSecrets("ssh://bitcoin@mynode.local", "u", "p")
    with pytest.raises(NotPossible, match=r"^The password of your node is kept"):
        NodeChoice(NODE, NodeSettings(address="ssh://evil.example", user="u")).options(password)
    # Nor is the password of one RPC user sent for another.
    with pytest.raises(NotPossible):
        NodeChoice(NODE, NodeSettings(address="ssh://bitcoin@mynode.local", user="other")).options(
            password
        )


def test_a_password_that_was_typed_counts_before_a_remembered_one() -> None:
    node = NodeSettings(address="local", user="u")
    remembered = NodeSecrets("local", "u", "old")
    assert NodeChoice(NODE, node).options(remembered).password == "old"
    assert NodeChoice(NODE, node, "new").options(remembered).password == "new"
    assert NodeChoice(NODE, node).options(remembered).remembered_cookie is None
    with pytest.raises(NotPossible, match=LOCKED_AWAY[:20]):
        NodeChoice(NODE, node).options()


def test_an_address_is_read_or_gets_a_sentence() -> None:
    assert NodeChoice(NODE, NodeSettings(address="local")).address() == LocalNode(None)
    found = NodeChoice(NODE, NODE_SETTINGS).address()
    assert found == SshTarget("mynode.local", None, "bitcoin")
    with pytest.raises(NotPossible, match=NO_ADDRESS[:20]):
        NodeChoice(NODE).address()
    with pytest.raises(NotPossible, match="minus"):
        NodeChoice(NODE, NodeSettings(address="-oProxyCommand=x")).address()


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, [], {}, {"address": "x"}),
        {**SECRETS.to_json(), "more": 1},
        {**SECRETS.to_json(), "cookie": 5},
        {**SECRETS.to_json(), "password": "x" * 5_000},
    ],
)
def test_what_a_wallet_holds_is_read_strictly(value: object) -> None:
    assert NodeSecrets.from_json(value) == NodeSecrets()
    assert NodeSecrets.from_json(SECRETS.to_json()) == SECRETS


def test_importing_the_choice_loads_no_ssh(tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    code = (
        "import sys; import wallet_gui.app.node_choice, wallet_gui.app.online;"
        "bad = {'asyncssh', 'wallet_gui.chain.bitcoind.connection'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
