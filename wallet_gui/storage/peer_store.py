"""The book of peers of one network: one small file beside the chain database.

It can be begun anew at any time, so nothing that happens to it ends a sync: a file that cannot be
read or that is no book counts as empty, and one that cannot be written is tried again later. What
the bytes mean is the chain floor's business.
"""

import logging
from pathlib import Path
from typing import Final

from wallet_gui.storage.fs import OS_FILES, FileSystem, write_atomically

logger = logging.getLogger(__name__)

FILE_NAME: Final = "peers.dat"
MAX_SIZE: Final = 4 * 1024 * 1024


class PeerFile:
    """A `PeerStore` on disk, replaced as a whole with each save."""

    def __init__(self, network_directory: Path, files: FileSystem = OS_FILES) -> None:
        self.path = network_directory / FILE_NAME
        self._files = files

    def load(self) -> bytes:
        """Give what was saved last; b"" when there is nothing that can be read."""
        try:
            data = self._files.read(self.path, MAX_SIZE)
        except FileNotFoundError:
            return b""
        except OSError as error:
            logger.warning("The list of peers cannot be read (%s).", error.strerror)
            return b""
        return data[:MAX_SIZE]

    def save(self, data: bytes) -> None:
        """Replace the file; the old one stays when the disk refuses."""
        try:
            write_atomically(self.path, data, self._files)
        except OSError as error:
            logger.warning("The list of peers could not be saved (%s).", error.strerror)
