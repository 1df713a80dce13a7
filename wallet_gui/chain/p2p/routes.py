"""By which way an address may be reached at all, as the person decided. Fails closed."""

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.netgroup import Network, network_of
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.reports import Route


def route_to(
    address: PeerAddress, options: P2POptions, *, is_payment: bool = False
) -> Route | None:
    """Give the way to an address; None when there is none that the person allows.

    `is_payment`: the connection is opened to send an own payment and nothing else.
    """
    if options.is_tunnelled:
        return Route.SSH
    kind = network_of(address)
    if kind in {Network.I2P, Network.CJDNS, Network.YGGDRASIL}:
        return None
    proxy = None
    if options.proxy is not None:
        proxy = Route.TOR if options.is_tor else Route.PROXY
    if kind is Network.ONION:
        return proxy if has_tor(options) else None
    match options.proxy_use:
        case ProxyUse.EVERYTHING:
            return proxy
        case ProxyUse.ONION_AND_PAYMENTS if is_payment and proxy is not None:
            return proxy
        case _:
            return Route.DIRECT


def has_tor(options: P2POptions) -> bool:
    """Whether onion services can be reached."""
    return options.proxy is not None and options.is_tor and options.proxy_use is not ProxyUse.NEVER


def may_resolve(options: P2POptions) -> bool:
    """Whether names may be looked up by the operating system."""
    return options.proxy_use is not ProxyUse.EVERYTHING
