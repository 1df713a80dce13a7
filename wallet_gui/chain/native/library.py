"""Finds and loads the C library, and says what its functions take.

The library is built by `packaging/build_engine.py`, or comes with an installed package. Arguments
are addresses; whoever calls keeps the objects behind them alive.
"""

import ctypes
import functools
import platform
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
ABI: Final = 2
"""`ENGINE_ABI` of engine.h."""

OUT_OF_MEMORY: Final = -1
LEVEL_MASK: Final = 0xFF
FLAG_SHA: Final = 0x100

_SUFFIXES: Final = {"win32": "dll", "darwin": "dylib"}
_MACHINES: Final = {"amd64": "x64", "x86_64": "x64", "arm64": "arm64", "aarch64": "arm64"}

_P: Final = ctypes.c_void_p
_N: Final = ctypes.c_uint64
_MODE: Final = ctypes.c_int32
_FUNCTIONS: Final = {
    "engine_frame_filters": [_P, _N, _N, _P, _N, _P, _P, _P, _P],
    "engine_hash_run": [_MODE, _P, _N, _P, _P, _N, _P],
    "engine_first_wrong": [_MODE, _P, _N, _P, _P, _N, _P, _P],
    "engine_match_run": [_MODE, _P, _N, _P, _P, _P, _N, _N, _P, _P, _P, _P],
    "engine_header_hashes": [_MODE, _P, _N, _P],
    "engine_header_chain": [_MODE, _P, _N, _P, _P],
    "engine_block_scan": [_P, _N, _N, _P, _P],
    "engine_block_check": [_MODE, _P, _N, _P, _N, _N, _MODE, _P],
    "engine_block_candidates": [_MODE, _P, _N, _P, _N, _P, _P, _N, _N, _N, _P, _P],
}


class EngineUnavailable(Exception):
    """The library is not there, or not fit for use; the text says why."""


def file_name() -> str:
    """Return the library's name for this system and processor."""
    machine = platform.machine().lower()
    system = sys.platform if sys.platform in _SUFFIXES else "linux"
    return f"engine-{system}-{_MACHINES.get(machine, machine)}.{_SUFFIXES.get(sys.platform, 'so')}"


@functools.cache
def load(path: Path | None = None) -> ctypes.CDLL:
    """Load the library; raise EngineUnavailable."""
    path = path or FOLDER / file_name()
    if not path.exists():
        raise EngineUnavailable(f"{path.name} is not built.")
    try:
        library = ctypes.CDLL(str(path))
        library.engine_abi.restype = ctypes.c_int32
        found = library.engine_abi()
        if found != ABI:
            raise EngineUnavailable(f"{path.name} has interface {found}, and {ABI} is needed.")
        library.engine_best_mode.restype = ctypes.c_int32
        for name, arguments in _FUNCTIONS.items():
            function = getattr(library, name)
            function.argtypes = arguments
            function.restype = ctypes.c_int64
    except (OSError, AttributeError) as error:
        raise EngineUnavailable(f"{path.name} cannot be loaded: {error}") from error
    return library
