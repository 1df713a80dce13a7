"""How this program opens its SQLite files: private, in WAL mode, trusting nothing inside.

Both databases hold only what the chain can give again. So a file that is damaged, of another kind
or of another format is not an error for a person: it is set aside and begun anew. What is an
error is a disk that refuses, and a second owner.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wallet_gui.storage.errors import Damaged, InUse, WriteFailed

_COMPANIONS: Final = ("-wal", "-shm", "-journal")


class Unusable(Exception):
    """The file is no intact database of the expected kind; `str()` says why, in a few words."""


class Foreign(Unusable):
    """The file belongs to another program or network: it is not ours to remove."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database must consist of, to the letter.

    `application_id` is a signed 32-bit number, `tables` the CREATE statements by table name.
    `durable` brings each commit to the disk before it returns; otherwise a power cut may take
    the last commits away, though never half of one.
    """

    application_id: int
    version: int
    tables: dict[str, str]
    durable: bool
    check_pages: bool


def open_database(path: Path, schema: Schema) -> sqlite3.Connection:
    """Open or create a database in autocommit mode; `close()` it when done.

    Raises Unusable (set it aside and try again), InUse, WriteFailed.
    """
    with mapped_errors(path):
        _create_private(path)
        connection = sqlite3.connect(
            path, timeout=0.5, isolation_level=None, check_same_thread=False, cached_statements=32
        )
        try:
            _guard(connection)
            _check(connection, schema)
            _configure(connection, schema)
        except BaseException:
            connection.close()
            raise
    return connection


def set_aside(path: Path) -> None:
    """Rename a closed database with its companions to NAME.aside, replacing an earlier one."""
    aside = path.with_name(path.name + ".aside")
    with mapped_errors(path):
        for companion in _COMPANIONS:
            aside.with_name(aside.name + companion).unlink(missing_ok=True)
        # Companions first: a database without its journal is at worst older, and it is cast off.
        for ending in (*_COMPANIONS, ""):
            source = path.with_name(path.name + ending)
            with contextlib.suppress(FileNotFoundError):
                source.replace(aside.with_name(aside.name + ending))


def discard(path: Path) -> None:
    """Remove a closed database with its companions."""
    with mapped_errors(path):
        for ending in (*_COMPANIONS, ""):
            path.with_name(path.name + ending).unlink(missing_ok=True)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All statements inside take effect together, or none; raises WriteFailed, Damaged, InUse."""
    with mapped_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def mapped_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors about `path` into this floor's."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        mapped = _mapped(path, error)
        if mapped is error:
            raise
        raise mapped from error
    except OSError as error:
        raise WriteFailed(
            f"{path.name} could not be opened ({error.strerror}). Check the folder {path.parent}."
        ) from error


def _mapped(path: Path, error: sqlite3.DatabaseError) -> Exception:
    if not hasattr(error, "sqlite_errorcode"):
        return error  # misuse of the module, such as a closed database
    code = error.sqlite_errorcode & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return InUse(f"{path.name} is in use by another program. Close it, then try again.")
    if code == sqlite3.SQLITE_FULL:
        return WriteFailed(
            f"The disk is full: {path.name} could not be saved. Free some space and try again."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT):
        return Damaged(f"{path.name} is damaged. Restart the program: it will be rebuilt.")
    return WriteFailed(
        f"{path.name} could not be read or saved ({error}). Check the disk and its free space."
    )


def _create_private(path: Path) -> None:
    # SQLite would create it with the umask's rights; its companions take the file's.
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, flags, 0o600))


def _guard(connection: sqlite3.Connection) -> None:
    """Set what must hold before anything of the file is read; changes nothing in it."""
    for pragma in (
        "trusted_schema = OFF",  # no function runs because a file says so
        "cell_size_check = ON",
        "mmap_size = 0",  # an I/O error is an error then, not a signal
        "locking_mode = EXCLUSIVE",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _check(connection: sqlite3.Connection, schema: Schema) -> None:
    objects = dict(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not objects and (application_id, version) == (0, 0):
        _create_tables(connection, schema)
        return
    if application_id != schema.application_id:
        raise Foreign("it belongs to another program or network")
    if version != schema.version:
        raise Unusable(f"it has format {version}")
    # Indexes that UNIQUE makes have no text.
    if {name: sql for name, sql in objects.items() if sql is not None} != schema.tables:
        raise Unusable("its tables are not ours")
    if not schema.check_pages:
        return
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise Unusable("its pages are damaged")


def _configure(connection: sqlite3.Connection, schema: Schema) -> None:
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {'FULL' if schema.durable else 'NORMAL'}",
        "fullfsync = ON",  # macOS
        "checkpoint_fullfsync = ON",
        "journal_size_limit = 67108864",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _create_tables(connection: sqlite3.Connection, schema: Schema) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in schema.tables.values():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {schema.application_id}")
    connection.execute(f"PRAGMA user_version = {schema.version}")
    connection.execute("COMMIT")
