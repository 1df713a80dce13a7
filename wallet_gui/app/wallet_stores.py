"""Where an open wallet's changes go: what a session asks of the storage floor."""

from typing import Protocol

from wallet_gui.wallet.changes import CacheChange, ViewChange


class ViewStore(Protocol):
    """Where the irreplaceable half goes: the wallet file."""

    def merge(self, change: ViewChange) -> None:
        """Merge a change into the file, durably; raises StorageError."""
        ...


class CacheStore(Protocol):
    """Where the half goes that the chain can give again."""

    def store(self, change: CacheChange) -> None:
        """Store a change in one transaction; raises StorageError."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...
