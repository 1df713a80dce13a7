import pytest

from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.app.node_words import MY_NODE
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.app.source_words import DIRECTLY
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus
from wallet_gui.chain.bitcoind.problems import cookie_missing, node_refused
from wallet_gui.cli.arguments import parse
from wallet_gui.cli.node import is_from_node, named_source, why_given_up, why_not_there
from wallet_gui.cli.result import UsageError
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.node_settings import NODE, NODE_ELSE_DIRECT, SYSTEM_SSH, NodeSettings

HOME = "ssh://ada@mynode.local"
STORED = NodeChoice(
    NODE_ELSE_DIRECT,
    NodeSettings(
        address=HOME, own_key=True, rpc_port=1234, cookie_path="/c", compare_with_public=False
    ),
)


def named(line: str, stored: NodeChoice | None = None) -> NodeChoice | None:
    options = parse(["balance", *line.split()])
    return named_source(options, options.node, stored or NodeChoice())


def test_nothing_named_leaves_the_choice_to_the_settings() -> None:
    assert named("") is None
    assert named("", STORED) is None


def test_a_node_that_is_named_is_used_and_nobody_in_its_place() -> None:
    choice = named(f"--node {HOME} --key k --ssh system --rpc-port 5 --p2p-port 6 --cookie /x")
    assert choice == NodeChoice(
        NODE,
        NodeSettings(
            address=HOME,
            key_path="k",
            implementation=SYSTEM_SSH,
            rpc_port=5,
            p2p_port=6,
            cookie_path="/x",
        ),
    )


def test_the_stored_node_keeps_what_is_not_said_otherwise() -> None:
    choice = named(f"--node {HOME} --key k --tell-nothing", STORED)
    assert choice is not None
    assert choice.source == NODE
    assert choice.node == NodeSettings(
        address=HOME,
        key_path="k",
        rpc_port=1234,
        cookie_path="/c",
        tell_nothing=True,
        compare_with_public=False,
    )
    # Options alone are about the stored one, too.
    alone = named("--user satoshi", STORED)
    assert alone is not None
    assert (alone.node.user, alone.node.cookie_path, alone.node.own_key) == ("satoshi", "", True)


def test_another_node_has_nothing_of_the_stored_one() -> None:
    assert named("--node local:1", STORED) == NodeChoice(NODE, NodeSettings(address="local:1"))


def test_peers_whatever_the_settings_say() -> None:
    choice = named("--node direct", STORED)
    assert choice is not None
    assert not choice.uses_node


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--key k", "none is named"),
        ("--p2p-port 5", "--p2p-port"),
        ("--node direct --own-key", "needs nothing of a node"),
        ("--node local --ssh system", "--ssh is for SSH"),
        (f"--node {HOME} --key k --own-key", "only one key"),
        (f"--node {HOME} --user u --cookie c", "two ways to log in"),
    ],
)
def test_what_contradicts_itself(line: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        named(line)


def test_an_address_that_is_none() -> None:
    with pytest.raises(ParseError, match="ssh://"):
        named("--node=-oProxyCommand=evil")


def snapshot(status: NodeStatus | None, backend: str = MY_NODE) -> SyncSnapshot:
    return SyncSnapshot("regtest", backend, node=status)


def test_a_node_is_given_up_when_trying_again_is_no_use() -> None:
    stopped = NodeStatus(NodeState.STOPPED, problem=cookie_missing())
    trying = NodeStatus(NodeState.RECONNECTING, problem=node_refused("127.0.0.1", 8332))
    assert why_given_up(snapshot(stopped)) == str(cookie_missing())
    assert why_given_up(snapshot(trying)) == ""
    assert "server=1" in why_not_there(snapshot(trying))
    assert "wallet-gui doctor" in why_not_there(snapshot(None))
    # Public peers stand in for it: there is nothing to give up.
    assert why_given_up(snapshot(stopped, DIRECTLY)) == ""
    assert not is_from_node(snapshot(stopped, DIRECTLY))
