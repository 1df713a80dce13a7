"""From what a person chose about their node to the options of its client; nothing is guessed.

The node's code is loaded only when it is needed: whoever stays with "Directly" never has it in
memory.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self

from wallet_gui.app.p2p_choice import NotPossible
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.node_settings import (
    DIRECT,
    NODE,
    NODE_ELSE_DIRECT,
    SYSTEM_SSH,
    NodeSettings,
)
from wallet_gui.storage.settings import Settings

if TYPE_CHECKING:
    from wallet_gui.chain.bitcoind.node_options import NodeOptions
    from wallet_gui.chain.bitcoind.ssh_target import NodeAddress

NO_ADDRESS: Final = (
    "No node is named yet. Write how you log in on its machine, such as ssh://bitcoin@mynode.local."
)
LOCKED_AWAY: Final = (
    "The password of your node is kept in a wallet file. Open that wallet, or type the password "
    "again in Settings."
)
MAX_SECRET: Final = 1024


@dataclass(frozen=True, slots=True)
class NodeSecrets:
    """What is remembered of one node in the view box of a wallet file, and never elsewhere.

    `cookie` is the last one that bitcoind took; it is tried first and read anew after a refusal.
    Both are given to the node at `address` only.
    """

    address: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read what a wallet holds; anything that is not as `to_json` writes it counts as nothing.

        It can be typed or read again, and a wallet must open whatever stands there.
        """
        names = cls.__dataclass_fields__.keys()
        if not isinstance(value, dict) or value.keys() != names:
            return cls()
        if any(not isinstance(text, str) or len(text) > MAX_SECRET for text in value.values()):
            return cls()
        return cls(**value)


@dataclass(frozen=True, slots=True)
class NodeChoice:
    """Where the chain comes from, and the person's node, as the settings page shows and gives it.

    `password` is the RPC password while it is being typed; None leaves a remembered one alone.
    """

    source: str = DIRECT
    node: NodeSettings = field(default_factory=NodeSettings)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings, params: ChainParams) -> Self:
        """Read what is stored for a network."""
        source = settings.sources.get(params.name, DIRECT)
        return cls(source, settings.nodes.get(params.name, NodeSettings()))

    def changes(self, settings: Settings, params: ChainParams) -> Mapping[str, object]:
        """Tell which fields of the settings become what."""
        return {
            "sources": {**settings.sources, params.name: self.source},
            "nodes": {**settings.nodes, params.name: self.node},
        }

    @property
    def uses_node(self) -> bool:
        return self.source in (NODE, NODE_ELSE_DIRECT)

    @property
    def may_go_direct(self) -> bool:
        return self.source in (DIRECT, NODE_ELSE_DIRECT)

    def address(self) -> "NodeAddress":
        """Read the address; raises NotPossible with a sentence."""
        from wallet_gui.chain.bitcoind.ssh_target import parse_node  # noqa: PLC0415

        if not self.node.address:
            raise NotPossible(NO_ADDRESS)
        try:
            return parse_node(self.node.address)
        except ParseError as error:
            raise NotPossible(str(error)) from None

    def secrets(self, remembered: NodeSecrets) -> NodeSecrets:
        """Join what was typed with what is remembered; another node's secrets are let go."""
        node = self.node
        known = remembered if remembered.address == node.address else NodeSecrets()
        password = known.password if self.password is None else self.password
        if self.password is None and known.user != node.user:
            password = ""
        return NodeSecrets(node.address, node.user, password, "" if node.user else known.cookie)

    def options(self, remembered: NodeSecrets | None = None) -> "NodeOptions":
        """Make the client's options; raises NotPossible when the password is not known."""
        from wallet_gui.chain.bitcoind.node_options import NodeOptions  # noqa: PLC0415
        from wallet_gui.chain.bitcoind.rungs import Rung, Wish  # noqa: PLC0415
        from wallet_gui.chain.bitcoind.tunnel_protocol import SshOptions  # noqa: PLC0415

        node = self.node
        secrets = self.secrets(remembered or NodeSecrets())
        if node.user and not secrets.password:
            raise NotPossible(LOCKED_AWAY)
        return NodeOptions(
            ssh=SshOptions(
                key_path=node.key_path or None,
                own_key=node.own_key,
                implementation="system" if node.implementation == SYSTEM_SSH else "asyncssh",
            ),
            rpc_port=node.rpc_port,
            p2p_port=node.p2p_port,
            cookie_path=node.cookie_path or None,
            user=node.user or None,
            password=secrets.password or None,
            remembered_cookie=secrets.cookie or None,
            wish=Wish(
                tell_nothing=node.tell_nothing,
                rung=None if node.rung is None else Rung(node.rung),
            ),
            broadcast_by_p2p=node.broadcast_by_p2p,
        )

    def without_password(self) -> Self:
        """The same, as it is shown once the password has gone where it is kept."""
        return replace(self, password=None)
