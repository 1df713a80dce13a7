import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.app.p2p_choice import (
    NO_PEERS,
    NO_PROXY,
    ONLY_OWN_BUT_NONE,
    ForThisSession,
    NetworkChoice,
    NotPossible,
    why_not_connect,
)
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import ASK_ABOVE, P2POptions, ProxyUse, RelayMode
from wallet_gui.primitives.params import MAINNET, REGTEST, SIGNET, TESTNET4
from wallet_gui.storage.settings import Settings

OWN = PeerAddress("192.0.2.7", 8333)
ONION = PeerAddress("a" * 56 + ".onion", 8333)
ports = st.integers(1, 65535).filter(lambda port: port not in {8332, 48332, 38332, 18443})
choices = st.builds(
    NetworkChoice,
    own_peers=st.lists(st.builds(PeerAddress, st.just("192.0.2.7"), ports), max_size=3).map(tuple),
    only_own_peers=st.booleans(),
    encrypted_only=st.booleans(),
    proxy=st.sampled_from(["", "127.0.0.1:9050", "[::1]:9150"]),
    is_tor=st.booleans(),
    proxy_use=st.sampled_from(ProxyUse),
    relay=st.sampled_from(RelayMode),
    data_limit_mb=st.integers(0, 100_000),
    ask_before_long_scans=st.booleans(),
)


@settings(deadline=None)
@given(choices)
def test_a_choice_survives_the_settings_file(choice: NetworkChoice) -> None:
    changed = Settings(**choice.changes(Settings(), MAINNET))  # type: ignore[arg-type]
    assert NetworkChoice.of(Settings.from_json(changed.to_json()), MAINNET) == choice


def test_peers_of_other_networks_stay() -> None:
    before = Settings(peers={"signet": ("a:38333",)})
    changes = NetworkChoice(own_peers=(OWN,)).changes(before, MAINNET)
    assert changes["peers"] == {"signet": ("a:38333",), "mainnet": ("192.0.2.7:8333",)}


def test_the_standard_is_to_find_peers_and_to_ask_before_long_scans() -> None:
    options = NetworkChoice().options()
    assert options == P2POptions()
    assert options.ask_above == ASK_ABOVE
    for params in (MAINNET, TESTNET4, SIGNET):
        assert why_not_connect(options, params) == ""
    assert why_not_connect(options, REGTEST) == NO_PEERS


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (P2POptions(only_own_peers=True), ONLY_OWN_BUT_NONE),
        (P2POptions(proxy_use=ProxyUse.EVERYTHING), NO_PROXY),
        (P2POptions(own_peers=(OWN,), proxy_use=ProxyUse.ONION_AND_PAYMENTS), NO_PROXY),
        (P2POptions(own_peers=(OWN,), only_own_peers=True), ""),
    ],
)
def test_what_cannot_be_met_connects_to_nobody(options: P2POptions, why: str) -> None:
    assert why_not_connect(options, MAINNET) == why


def test_a_proxy_that_cannot_be_read_is_no_reason_to_go_without() -> None:
    with pytest.raises(NotPossible, match="cannot be read"):
        NetworkChoice(proxy="ht tp://x", proxy_use=ProxyUse.EVERYTHING).options()


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ({"only_own_peers": "yes"}, "only_own_peers", True),
        ({"encrypted_only": 1}, "encrypted_only", True),
        ({"proxy_use": "tor"}, "proxy_use", "everything"),
        ({"proxy_use": 3}, "proxy_use", "everything"),
        ({"relay": "maybe"}, "relay", "off"),
        ({"only_own_peers": False}, "only_own_peers", False),
        ({}, "proxy_use", "never"),
        ({"data_limit_mb": -1}, "data_limit_mb", 0),
    ],
)
def test_a_slip_in_the_file_never_weakens(
    written: dict[str, object], name: str, value: object
) -> None:
    read = Settings.from_json(json.dumps({"format": 1, **written}).encode())
    assert getattr(read, name) == value


def test_own_peers_that_cannot_be_read_do_not_open_the_door_to_others() -> None:
    stored = Settings(peers={"mainnet": ("bad host!",)}, only_own_peers=True)
    options = NetworkChoice.of(stored, MAINNET).options()
    assert why_not_connect(options, MAINNET) == ONLY_OWN_BUT_NONE


def test_the_playground_asks_nobody_else_and_needs_no_proxy() -> None:
    choice = NetworkChoice(
        own_peers=(OWN,),
        encrypted_only=True,
        proxy="127.0.0.1:9050",
        proxy_use=ProxyUse.EVERYTHING,
        relay=RelayMode.OFF,
    )
    node = PeerAddress("127.0.0.1", 18444)
    options = ForThisSession((node,), is_private=True).options_for(choice)
    assert options.own_peers == (node,)
    assert options.only_own_peers
    assert options.proxy is None
    assert options.proxy_use is ProxyUse.NEVER
    assert options.relay is RelayMode.OFF


def test_peers_of_the_command_line_take_the_place_of_the_stored_ones() -> None:
    choice = NetworkChoice(own_peers=(OWN,), encrypted_only=True)
    assert ForThisSession((ONION,)).options_for(choice).own_peers == (ONION,)
    assert ForThisSession((ONION,)).options_for(choice).encrypted_only
    assert ForThisSession().options_for(choice).own_peers == (OWN,)
