"""Where an open wallet's changes go: what a session asks of the storage floor."""

from collections.abc import Mapping
from typing import Any, Protocol

from wallet_gui.wallet.changes import CacheChange, ViewChange


class ViewStore(Protocol):
    """Where the irreplaceable half goes: the wallet file."""

    def merge(self, change: ViewChange) -> None:
        """Merge a change into the file, durably; raises StorageError."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the person, or the program for them, keeps in this wallet besides: JSON values."""
        ...

    def keep_setting(self, key: str, value: Any) -> None:
        """Keep one of them, durably; None takes it away. Raises StorageError."""
        ...


class CacheStore(Protocol):
    """Where the half goes that the chain can give again."""

    def store(self, change: CacheChange) -> None:
        """Store a change in one transaction; raises StorageError."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...
