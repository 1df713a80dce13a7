"""How a person's own node is reached and used; secrets never show."""

from dataclasses import dataclass, field

from wallet_gui.chain.bitcoind.rungs import Wish
from wallet_gui.chain.bitcoind.tunnel_protocol import SshOptions


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What a person chose; None: what is usual for the network.

    Without `user` and `password` the cookie is used, `remembered_cookie` first.
    """

    ssh: SshOptions = field(default_factory=SshOptions)
    rpc_port: int | None = None
    p2p_port: int | None = None
    cookie_path: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    remembered_cookie: str | None = field(default=None, repr=False)
    wish: Wish = field(default_factory=Wish)
    broadcast_by_p2p: bool = False
