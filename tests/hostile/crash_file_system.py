"""A disk in memory that can tell every state in which a power cut may leave it."""

import errno
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Inode:
    content: bytes = b""
    synced: bool = False


@dataclass
class NameOperation:
    """Names change together: `put` name -> inode, `drop` names."""

    put: dict[str, Inode] = field(default_factory=dict)
    drop: tuple[str, ...] = ()


class CrashFileSystem:
    """Files in memory that know which bytes and names a power cut may take away.

    `before_step(files)` is called before each elementary step, as many times as there are places
    to crash. `fail_at` makes that step raise `error` instead.
    """

    def __init__(self, content: dict[str, bytes] | None = None) -> None:
        self.names_now = {name: Inode(data, synced=True) for name, data in (content or {}).items()}
        self.names_on_disk = dict(self.names_now)
        self.pending: list[NameOperation] = []
        self.before_step: Callable[[], None] = lambda: None
        self.steps = 0
        self.fail_at: int | None = None
        self.error = errno.ENOSPC

    def _step(self) -> None:
        self.before_step()
        self.steps += 1
        if self.fail_at is not None and self.steps == self.fail_at:
            raise OSError(self.error, "injected")

    def _apply(self, operation: NameOperation) -> None:
        for name in operation.drop:
            del self.names_now[name]
        self.names_now.update(operation.put)
        self.pending.append(operation)

    def read(self, path: Path, limit: int) -> bytes:
        if path.name not in self.names_now:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        return self.names_now[path.name].content[: limit + 1]

    def write_new(self, path: Path, data: bytes) -> None:
        if path.name in self.names_now:
            raise FileExistsError(errno.EEXIST, "exists")
        self._step()
        inode = Inode()
        self._apply(NameOperation(put={path.name: inode}))
        try:
            for part in (data[:100], data):
                self._step()
                inode.content = part
            self._step()
            inode.synced = True
        except OSError:
            self._apply(NameOperation(drop=(path.name,)))
            raise

    def exists(self, path: Path) -> bool:
        return path.name in self.names_now

    def copy_aside(self, source: Path, target: Path) -> None:
        assert target.name not in self.names_now
        self._step()
        self._apply(NameOperation(put={target.name: self.names_now[source.name]}))

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        inode = self.names_now[source.name]
        self._apply(NameOperation(put={target.name: inode}, drop=(source.name,)))

    def remove(self, path: Path) -> None:
        self._step()
        self._apply(NameOperation(drop=(path.name,)))

    def names(self, _directory: Path) -> list[str]:
        return list(self.names_now)

    def sync_directory(self, _directory: Path) -> None:
        self._step()
        self.names_on_disk = dict(self.names_now)
        self.pending.clear()

    def crash_states(self) -> Iterator[dict[str, bytes]]:
        """Every folder that may be found after the power comes back.

        Each subset of the name changes since the folder was last brought to the disk, in order or
        not; a file whose bytes were not brought to the disk is empty, torn, zeroes, garbage or
        whole.
        """
        seen = set()
        for kept in itertools.product((False, True), repeat=len(self.pending)):
            names = dict(self.names_on_disk)
            for operation, keep in zip(self.pending, kept, strict=True):
                if keep:
                    for name in operation.drop:
                        names.pop(name, None)
                    names.update(operation.put)
            torn = [name for name, inode in names.items() if not inode.synced]
            whole = {name: inode.content for name, inode in names.items()}
            for damage in itertools.product(range(5), repeat=len(torn)):
                found = dict(whole)
                for name, kind in zip(torn, damage, strict=True):
                    data = whole[name]
                    found[name] = (
                        b"",
                        data[: len(data) // 2],
                        bytes(len(data)),
                        data[:64] + b"\xa5" * max(0, len(data) - 64),
                        data,
                    )[kind]
                key = tuple(sorted(found.items()))
                if key not in seen:
                    seen.add(key)
                    yield found


class LazyFileSystem(CrashFileSystem):
    """Forgets to bring the bytes of a file, or the names of a folder, to the disk."""

    def __init__(self, content: dict[str, bytes], *, forgets: str) -> None:
        super().__init__(content)
        self.forgets = forgets

    def write_new(self, path: Path, data: bytes) -> None:
        super().write_new(path, data)
        self.names_now[path.name].synced = self.forgets != "bytes"

    def sync_directory(self, directory: Path) -> None:
        if self.forgets != "names":
            super().sync_directory(directory)
