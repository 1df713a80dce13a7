"""Our own files about SSH, in a folder for the owner only: known_hosts and the key we made.

The user's own ~/.ssh is never written. Files are replaced as a whole or not at all. Errors of the
disk come out as OSError: whoever connects makes the sentence.
"""

import errno
import threading
from pathlib import Path
from typing import Final

from wallet_gui.storage.fs import (
    OS_FILES,
    FileSystem,
    make_private_directory,
    write_atomically,
)

FOLDER: Final = "ssh"
_KNOWN_HOSTS: Final = "known_hosts"
_KEY: Final = "id_ed25519"
_MOST_OF_KNOWN_HOSTS: Final = 4 * 1024 * 1024  # bytes
_MOST_OF_A_KEY: Final = 64 * 1024
_SSH_PORT: Final = 22


class SshFiles:
    """The folder `ssh` in the program's data directory; every method may be called in a thread."""

    def __init__(self, root: Path, files: FileSystem = OS_FILES) -> None:
        """`root` is the data directory; nothing is created before something is saved."""
        self.directory = root / FOLDER
        self._files = files
        self._lock = threading.Lock()

    @property
    def key_path(self) -> Path:
        """Where our private key is, or would be."""
        return self.directory / _KEY

    @property
    def known_hosts_path(self) -> Path:
        """Where our known_hosts file is, or would be."""
        return self.directory / _KNOWN_HOSTS

    def known_hosts(self) -> bytes:
        """Return our known_hosts file; b"" when there is none."""
        return self._read(self.known_hosts_path, _MOST_OF_KNOWN_HOSTS) or b""

    def trust(self, line: str) -> None:
        """Add a line; one that is there already is not added again."""
        raw = line.strip().encode()
        if b"\n" in raw or b"\r" in raw:
            raise OSError(errno.EINVAL, "a line of known_hosts is one line")
        with self._lock:
            lines = self.known_hosts().splitlines()
            if raw not in lines:
                self._write(
                    self.known_hosts_path, b"".join(b"%s\n" % each for each in [*lines, raw])
                )

    def forget(self, host: str, port: int) -> bool:
        """Take the lines of a server out; whether there were any."""
        name = host.lower() if port == _SSH_PORT else f"[{host.lower()}]:{port}"
        with self._lock:
            lines = self.known_hosts().splitlines()
            kept = [each for each in lines if each.split(b" ", 1)[0] != name.encode()]
            if len(kept) == len(lines):
                return False
            self._write(self.known_hosts_path, b"".join(b"%s\n" % each for each in kept))
            return True

    def key(self) -> bytes | None:
        """Return our private key; None when none was made."""
        return self._read(self.key_path, _MOST_OF_A_KEY)

    def save_key(self, private: bytes, public: bytes) -> None:
        """Store a key pair, the private half last: where it is, the other one is, too."""
        with self._lock:
            self._write(self.key_path.with_suffix(".pub"), public)
            self._write(self.key_path, private)

    def read_local(self, path: Path, limit: int) -> bytes:
        """Read at most `limit` + 1 bytes of a file of this computer, which is no link."""
        return self._files.read(path, limit)

    def _read(self, path: Path, limit: int) -> bytes | None:
        try:
            data = self._files.read(path, limit)
        except FileNotFoundError:
            return None
        if len(data) > limit:
            raise OSError(errno.EFBIG, "this file is far too large")
        return data

    def _write(self, path: Path, data: bytes) -> None:
        make_private_directory(self.directory)
        write_atomically(path, data, self._files)
