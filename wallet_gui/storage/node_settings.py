"""What the settings file holds about a person's own node: where it is and how it is asked.

Nothing here is secret: the RPC password and the cookie lie in the view box of a wallet file.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from wallet_gui.primitives.params import NETWORKS

DIRECT: Final = "direct"
NODE: Final = "node"
NODE_ELSE_DIRECT: Final = "node-else-direct"
SOURCES: Final = (DIRECT, NODE, NODE_ELSE_DIRECT)
"""Where the chain comes from: public peers, the person's node alone, or those when it fails."""

ASYNCSSH: Final = "asyncssh"
SYSTEM_SSH: Final = "system"
MAX_TEXT: Final = 4096


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One node as it was typed and checked; "" and None where nothing was said.

    `address`: "ssh://user@host", an alias of the person's ssh config, or "local". `key_path`: a
    private key file; with `own_key` it is the key that this program made. `implementation`:
    "asyncssh" or "system". `user`: of an RPC login by password. `tell_nothing`: filters are matched
    here. `broadcast_by_p2p`: payments leave through public peers. `rung`: 1 to 5, else by itself.
    `compare_with_public`: a few public peers are asked whether they see the same chain.
    """

    address: str = ""
    key_path: str = ""
    own_key: bool = False
    implementation: str = ASYNCSSH
    rpc_port: int | None = None
    p2p_port: int | None = None
    cookie_path: str = ""
    user: str = ""
    tell_nothing: bool = False
    broadcast_by_p2p: bool = False
    rung: int | None = None
    compare_with_public: bool = True

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read one; a value of the wrong type counts as not said, or as the stricter choice."""
        readers: dict[str, Callable[[Any], Any]] = {
            "address": _text,
            "key_path": _text,
            "own_key": _switch,
            "implementation": lambda v: v if v in (ASYNCSSH, SYSTEM_SSH) else None,
            "rpc_port": _port,
            "p2p_port": _port,
            "cookie_path": _text,
            "user": _text,
            # What protects is on unless it is absent or plainly off.
            "tell_nothing": lambda v: None if v is None else v is not False,
            "broadcast_by_p2p": _switch,
            # Without it nobody but the node is asked: that is the stricter choice.
            "compare_with_public": lambda v: None if v is None else v is True,
            "rung": lambda v: v if type(v) is int and 1 <= v <= 5 else None,
        }
        read = {item.name: readers[item.name](value.get(item.name)) for item in fields(cls)}
        return cls(**{name: item for name, item in read.items() if item is not None})


def read_nodes(value: Any) -> dict[str, NodeSettings] | None:
    """Read the nodes of all networks; None when there are none."""
    if not isinstance(value, dict):
        return None
    return {
        network: NodeSettings.from_json(node)
        for network, node in value.items()
        if isinstance(node, dict)
    }


def read_sources(value: Any) -> dict[str, str] | None:
    """Read which source each network uses.

    A word that cannot be read counts as "only my node", which without an address contacts nobody.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        return dict.fromkeys(NETWORKS, NODE)
    return {
        network: source if isinstance(source, str) and source in SOURCES else NODE
        for network, source in value.items()
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else None


def _switch(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _port(value: Any) -> int | None:
    return value if type(value) is int and 1 <= value <= 65_535 else None
