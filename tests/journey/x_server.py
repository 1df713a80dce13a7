"""An X server of its own for a test (Xvfb), and the picture that is on its screen."""

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from PySide6.QtGui import QImage

_PICTURE: Final = "Xvfb_screen0"


def start(folder: Path, size: str) -> tuple[subprocess.Popen[Any], str]:
    """Start a server whose screen ("1360x900x24") is kept as a file in `folder`.

    Returns the process and what DISPLAY has to say; raises RuntimeError where none comes up.
    """
    read_end, write_end = os.pipe()
    process: subprocess.Popen[Any] = subprocess.Popen(
        [
            # A server that resets itself when its last program has left refuses the next one
            # meanwhile: the bus launcher comes and goes, and the window manager would come to a
            # closed door.
            *("Xvfb", "-noreset", "-nolisten", "tcp", "-displayfd", str(write_end)),
            *("-screen", "0", size, "-fbdir", str(folder)),
        ],
        stdout=sys.stderr,
        stderr=subprocess.STDOUT,
        pass_fds=(write_end,),
    )
    os.close(write_end)
    with os.fdopen(read_end) as file:
        number = file.readline().strip()
    if not number:
        raise RuntimeError(f"Xvfb did not start; its status is {process.wait()}")
    return process, f":{number}"


def picture_file(folder: Path) -> Path:
    """The file that the server of this folder draws into, in the X window dump format."""
    return folder / _PICTURE


def picture(folder: Path) -> QImage:
    """What is on the screen now. The format is that of XWDFile.h, 24 bits deep here."""
    data = picture_file(folder).read_bytes()
    fields = struct.unpack_from(">25I", data)
    header, width, height, stride, colours = (fields[at] for at in (0, 4, 5, 12, 19))
    start_of_rows = header + 12 * colours
    rows = data[start_of_rows : start_of_rows + stride * height]
    return QImage(rows, width, height, stride, QImage.Format.Format_RGB32).copy()
