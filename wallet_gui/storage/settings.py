"""Where everything lies, and the program's own settings: one small JSON file for all networks."""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Self

import platformdirs

from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import NewerFormat, Unreadable, write_failed
from wallet_gui.storage.file_names import CACHE_SUFFIX, GENERATIONS, WALLET_SUFFIX
from wallet_gui.storage.fs import OS_FILES, FileSystem, make_private_directory, write_atomically
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.node_settings import NodeSettings, read_nodes, read_sources

FORMAT: Final = 1
MAX_SIZE: Final = 1024 * 1024
MAX_RECENT: Final = 10
_RESERVED: Final = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{p}{n}" for p in ("COM", "LPT") for n in "123456789"),
}


def default_root() -> Path:
    """Return the folder where this system keeps an application's data; nothing is created."""
    return Path(platformdirs.user_data_dir("wallet-gui", appauthor=False, roaming=False))


class DataDirectory:
    """The folder of one network below `root` (default: the system's place, or --data-dir).

    Layout: ROOT/settings.json, ROOT/instance.lock, ROOT/NETWORK/chain.db,
    ROOT/NETWORK/wallets/NAME.wallet and NAME.cache. A wallet may also lie anywhere else.
    """

    def __init__(self, root: Path | None, params: ChainParams) -> None:
        self.root = (root or default_root()).expanduser().absolute()
        self.network_directory = self.root / params.name
        self.wallets_directory = self.network_directory / "wallets"
        self.chain_db_path = self.network_directory / "chain.db"
        self.settings_path = self.root / "settings.json"

    def create(self) -> None:
        """Make the folders, for their owner only; WriteFailed when that cannot be done."""
        try:
            make_private_directory(self.root)
            make_private_directory(self.network_directory)
            make_private_directory(self.wallets_directory)
        except OSError as error:
            raise write_failed(f"The data folder {self.root}", error) from error

    def instance_lock(self) -> FileLock:
        """Return the lock that one running program per data folder holds for life."""
        return FileLock(self.root / "instance", "This data folder")

    def wallets(self) -> list[Path]:
        """List the wallets in their folder by name, also those of which only a copy is left."""
        endings = tuple(WALLET_SUFFIX + ending for ending in ("", *GENERATIONS, ".new"))
        found = set()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in self.wallets_directory.iterdir():
                for ending in endings:
                    if path.name.endswith(ending) and path.name != ending and path.is_file():
                        found.add(path.with_name(path.name[: -len(ending)] + WALLET_SUFFIX))
        return sorted(found, key=lambda path: (path.name.casefold(), path.name))

    def wallet_path(self, name: str) -> Path:
        """Return where a wallet of that name belongs; ValueError with a sentence for a bad name."""
        return self.wallets_directory / (check_wallet_name(name) + WALLET_SUFFIX)


def check_wallet_name(name: str) -> str:
    """Return the name if it is a good file name on every system; ValueError with a sentence."""
    if not name or name != name.strip():
        raise ValueError("A wallet's name must not be empty nor begin or end with a space.")
    if len(name.encode("utf-8", "replace")) > 100:
        raise ValueError("This name is too long. Choose one of at most 100 letters.")
    if any(character in '/\\:*?"<>|' or not character.isprintable() for character in name):
        raise ValueError("A wallet's name must not contain any of / \\ : * ? \" < > |")
    if name.startswith(".") or name.endswith(".") or name.upper() in _RESERVED:
        raise ValueError("This name is reserved by the system. Choose another one.")
    return name


def cache_path(wallet_path: Path) -> Path:
    """Return where the cache of a wallet file lies: beside it, NAME.cache."""
    return wallet_path.with_name(wallet_path.name.removesuffix(WALLET_SUFFIX) + CACHE_SUFFIX)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person chose for the program as a whole; nothing here is secret or names a payment.

    `appearance`: "system", "light" or "dark". `text_scale`: percent, 80 to 200. `unit`: "btc" or
    "sat". `peers`: "host:port" by network name; none means that the program finds its own.
    `only_own_peers`: nobody but those is contacted. `encrypted_only`: no peer without BIP324.
    `proxy`: "host:port" of a SOCKS5 server, "" for none; `is_tor` says that it is Tor; `proxy_use`:
    "never", "onion" (onion peers and own payments) or "everything". `relay`: when payments are
    shown before they confirm, "off", "receiving" or "always". `data_limit_mb`: for one session, 0
    without a limit. `ask_before_long_scans`: tell what one costs and wait for a yes.
    `sources`: by network name where the chain comes from, "direct", "node" or "node-else-direct";
    a network that is not named was never decided about. `nodes`: the person's own, by network name.
    `recent_wallets`: paths, newest first.
    `lock_after_minutes`: 0 never locks by itself. `hide_amounts`: dots stand in their place.
    `update_check`: ask once a week for a newer version; nobody is asked before that was chosen.
    `others` are keys of other versions, kept.
    """

    appearance: str = "system"
    text_scale: int = 100
    unit: str = "btc"
    network: str = "mainnet"
    peers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only_own_peers: bool = False
    encrypted_only: bool = False
    proxy: str = ""
    is_tor: bool = True
    proxy_use: str = "never"
    relay: str = "always"
    data_limit_mb: int = 0
    ask_before_long_scans: bool = True
    sources: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, NodeSettings] = field(default_factory=dict)
    recent_wallets: tuple[str, ...] = ()
    lock_after_minutes: int = 5
    hide_amounts: bool = False
    filter_cache_mib: int = 256
    window_geometry: str = ""
    update_check: bool = False
    others: Mapping[str, Any] = field(default_factory=dict)

    def with_recent(self, path: Path) -> Self:
        """Put a wallet's path first in the list of recent ones."""
        text = str(path)
        rest = tuple(other for other in self.recent_wallets if other != text)
        return replace(self, recent_wallets=(text, *rest)[:MAX_RECENT])

    def to_json(self) -> bytes:
        known = {
            item.name: getattr(self, item.name) for item in fields(self) if item.name != "others"
        }
        nodes = {network: node.to_json() for network, node in self.nodes.items()}
        value = {**self.others, **known, "nodes": nodes, "format": FORMAT}
        return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read settings; a value of the wrong type counts as not chosen, or as the strict choice.

        Raises NewerFormat, or ParseError when it is no settings file at all.
        """
        if len(data) > MAX_SIZE:
            raise ParseError("The settings are too large.")
        try:
            value = json.loads(data.decode())
        except (ValueError, RecursionError):
            raise ParseError("The settings are not valid JSON.") from None
        if not isinstance(value, dict) or not isinstance(value.get("format"), int):
            raise ParseError("The settings are not a JSON object with a format.")
        if value.pop("format") > FORMAT:
            raise NewerFormat(
                "The settings were saved by a newer version of the program. They are left as they "
                "are, and the standard settings are used."
            )
        known = {item.name: value.pop(item.name, None) for item in fields(cls)}
        readers: dict[str, Callable[[Any], Any]] = {
            "appearance": lambda v: _one_of(v, ("system", "light", "dark")),
            "text_scale": lambda v: v if _number(v, 200) and v >= 80 else None,
            "unit": lambda v: _one_of(v, ("btc", "sat")),
            "network": lambda v: v if isinstance(v, str) else None,
            "peers": _peers,
            # What protects is not lost by a slip of whoever edits the file: what cannot be read
            # counts as the stricter choice.
            "only_own_peers": _strict,
            "encrypted_only": _strict,
            "proxy": lambda v: v if isinstance(v, str) else None,
            "is_tor": lambda v: v if isinstance(v, bool) else None,
            "proxy_use": lambda v: (
                None if v is None else _one_of(v, ("never", "onion", "everything")) or "everything"
            ),
            "relay": lambda v: (
                None if v is None else _one_of(v, ("off", "receiving", "always")) or "off"
            ),
            "data_limit_mb": lambda v: _number(v, 1 << 40),
            "ask_before_long_scans": _strict,
            "sources": read_sources,
            "nodes": read_nodes,
            "recent_wallets": _texts,
            "lock_after_minutes": lambda v: _number(v, 24 * 60),
            "hide_amounts": _strict,
            "filter_cache_mib": lambda v: _number(v, 1 << 20),
            "window_geometry": lambda v: v if isinstance(v, str) else None,
            "update_check": lambda v: v is True,
        }
        read = {name: reader(known[name]) for name, reader in readers.items()}
        chosen: dict[str, Any] = {name: item for name, item in read.items() if item is not None}
        return cls(**chosen, others=value)


def _one_of(value: Any, choices: tuple[str, ...]) -> str | None:
    return value if isinstance(value, str) and value in choices else None


def _strict(value: Any) -> bool | None:
    """A switch that protects: on unless it is absent or plainly off."""
    return None if value is None else value is not False


def _number(value: Any, maximum: int) -> int | None:
    return value if type(value) is int and 0 <= value <= maximum else None


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(item for item in value if isinstance(item, str))


def _peers(value: Any) -> dict[str, tuple[str, ...]] | None:
    if not isinstance(value, dict):
        return None
    lists = {network: _texts(peers) for network, peers in value.items()}
    return {network: peers for network, peers in lists.items() if peers is not None}


class SettingsFile:
    """ROOT/settings.json, replaced as a whole with each save.

    `notices` are sentences about what was found: a damaged file is set aside, one of a newer
    version left as it is and then never written.
    """

    def __init__(self, path: Path, files: FileSystem = OS_FILES) -> None:
        self.path = path
        self.notices: tuple[str, ...] = ()
        self._files = files
        self._newer = False

    def load(self) -> Settings:
        """Return the settings, the standard ones when there are none yet or none usable."""
        try:
            return Settings.from_json(self._files.read(self.path, MAX_SIZE))
        except FileNotFoundError:
            return Settings()
        except NewerFormat as error:
            self._newer = True
            self.notices = (str(error),)
        except ParseError:
            self._set_aside()
        except OSError as error:
            raise Unreadable(
                f"The settings {self.path} cannot be read ({error.strerror}). "
                "Give yourself the right to read the file."
            ) from error
        return Settings()

    def save(self, settings: Settings) -> None:
        """Replace the file; raises WriteFailed, or NewerFormat when the file is a newer one's."""
        if self._newer:
            raise NewerFormat(
                "The settings were saved by a newer version of the program and are left as they "
                "are. Update the program to change them."
            )
        try:
            write_atomically(self.path, settings.to_json(), self._files)
        except OSError as error:
            raise write_failed("Your settings", error) from error

    def _set_aside(self) -> None:
        aside = self.path.with_name(self.path.name + ".damaged")
        try:
            self._files.replace(self.path, aside)
        except OSError as error:
            raise write_failed("Your settings", error) from error
        notice = f"The settings were damaged. The file was renamed to {aside.name}."
        self.notices = (notice,)
