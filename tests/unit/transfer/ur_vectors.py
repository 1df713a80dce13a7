"""The official vectors of uniform resources, and the messages that they are made of."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from wallet_gui.transfer.fountain import Xoshiro256

_FILE = Path(__file__).resolve().parents[2] / "vectors" / "ur.json"


@cache
def vectors() -> Any:
    return json.loads(_FILE.read_text(encoding="utf-8"))


def random_bytes(count: int, seed: str = "Wolf") -> bytes:
    """The messages of the reference tests: bytes drawn one by one."""
    random = Xoshiro256(seed.encode())
    return bytes(random.next_int(0, 255) for _ in range(count))
