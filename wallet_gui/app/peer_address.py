"""Peers as a person writes them: host, host:port, [IPv6]:port."""

import re

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError

# What may stand in a host name or an address; anything else is refused before it is used.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,251}[A-Za-z0-9])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
# Ports of Bitcoin Core's JSON-RPC, which people often take for the peer-to-peer port.
_RPC_PORTS = {8332: "mainnet", 48332: "testnet4", 38332: "signet", 18443: "regtest"}


def parse_peer(text: str, params: ChainParams) -> PeerAddress:
    """Read one peer; without a port it is the network's own. Raises ParseError."""
    text = text.strip()
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port_text = rest[1:] if rest.startswith(":") else ("" if bracket and not rest else "?")
    elif text.count(":") > 1:
        host, port_text = text, ""
    else:
        host, _, port_text = text.partition(":")
    pattern = _IPV6 if ":" in host else _HOST
    if pattern.fullmatch(host) is None:
        raise ParseError("Write a peer as a host name or an address, such as 192.0.2.7:8333.")
    port = params.default_port
    if port_text:
        if not (port_text.isascii() and port_text.isdigit() and len(port_text) <= 5):
            raise ParseError("The port after the colon is a number from 1 to 65535.")
        port = int(port_text)
    if not 1 <= port <= 65535:
        raise ParseError("The port after the colon is a number from 1 to 65535.")
    if port in _RPC_PORTS:
        raise ParseError(
            f"{port} is the port of a node's commands (JSON-RPC), which speaks another language. "
            f"Peers are reached at port {params.default_port}."
        )
    return PeerAddress(host, port)
