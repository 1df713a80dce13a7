import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.storage.node_settings import NODE, NodeSettings
from wallet_gui.storage.settings import Settings

CHOSEN = NodeSettings(
    address="ssh://bitcoin@mynode.local:2222",
    key_path="/home/a/.ssh/id_ed25519",
    own_key=True,
    implementation="system",
    rpc_port=18443,
    p2p_port=18444,
    cookie_path="/var/lib/bitcoind/.cookie",
    user="wallet",
    tell_nothing=True,
    broadcast_by_p2p=True,
    rung=3,
    compare_with_public=False,
)


def read(**values: Any) -> Settings:
    return Settings.from_json(json.dumps({**values, "format": 1}).encode())


def test_a_node_and_a_source_come_back() -> None:
    chosen = Settings(sources={"mainnet": "node-else-direct"}, nodes={"mainnet": CHOSEN})
    assert Settings.from_json(chosen.to_json()) == chosen


def test_nothing_secret_has_a_place_in_the_settings() -> None:
    assert not {"password", "cookie", "passphrase"} & set(CHOSEN.to_json())


@pytest.mark.parametrize(
    "value", [{"mainnet": "nodee"}, {"mainnet": 1}, {"mainnet": None}, {"mainnet": ["direct"]}]
)
def test_a_source_that_cannot_be_read_never_becomes_the_public_network(value: Any) -> None:
    assert read(sources=value).sources == {"mainnet": NODE}
    assert read(sources="direct").sources["mainnet"] == NODE
    assert read().sources == {}


def test_what_protects_is_on_when_it_cannot_be_read() -> None:
    assert read(nodes={"signet": {"tell_nothing": "no"}}).nodes["signet"].tell_nothing
    assert not read(nodes={"signet": {"tell_nothing": False}}).nodes["signet"].tell_nothing
    assert not read(nodes={"signet": {}}).nodes["signet"].tell_nothing
    assert read(nodes={"signet": {}}).nodes["signet"].compare_with_public
    unclear = read(nodes={"signet": {"compare_with_public": 1}})
    assert not unclear.nodes["signet"].compare_with_public


def test_values_of_the_wrong_kind_count_as_not_said() -> None:
    wrong = {
        "address": 1,
        "key_path": "x" * 5000,
        "own_key": "yes",
        "implementation": "telnet",
        "rpc_port": True,
        "p2p_port": 70_000,
        "cookie_path": [],
        "user": None,
        "broadcast_by_p2p": 1,
        "rung": 6,
        "shell": "rm",
    }
    assert read(nodes={"regtest": wrong, "x": 7}).nodes == {"regtest": NodeSettings()}


json_value: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*NodeSettings.__dataclass_fields__, "x"]), json_value))
@settings(deadline=None)
def test_any_values_give_a_node_that_is_kept(value: dict[str, Any]) -> None:
    found = NodeSettings.from_json(value)
    assert NodeSettings.from_json(found.to_json()) == found
