"""Finds a script that a given block filter matches, without knowing the block.

One in 784,931 scripts matches any filter by chance (BIP158's M), however much the filter holds; so
enough random ones are tried. Nobody can pay such a script on purpose, nor tell it from a real one.
"""

import os
from typing import Final

from wallet_gui.chain.filters import FilterEngine, PreparedScripts

LOT: Final = 100_000  # scripts that are tried at a time
CHANCES: Final = 8_000_000  # that are tried in all: one in e**10 filters matches none of them
_SIZE: Final = 22
_WORDS_END: Final = bytes((0, _SIZE))  # what makes whole words of a script of this size


def script_by_chance(engine: FilterEngine, block_hash: bytes, data: bytes) -> bytes | None:
    """Give a script that matches the filter `data` of a block; None when there was no luck."""
    start = b"\x00\x14" + os.urandom(12)  # looks like any address
    for first in range(0, CHANCES, LOT):
        lot = [start + number.to_bytes(8, "big") for number in range(first, first + LOT)]
        while engine.match_many([(block_hash, data)], _prepared(engine, lot))[0]:
            if len(lot) == 1:
                return lot[0]
            half = len(lot) // 2
            is_lower = engine.match_many([(block_hash, data)], _prepared(engine, lot[:half]))[0]
            lot = lot[:half] if is_lower else lot[half:]
    return None


def _prepared(engine: FilterEngine, scripts: list[bytes]) -> PreparedScripts:
    """Prepare scripts of one size, all distinct, in a tenth of the time that any others take."""
    if engine.name != "native":
        return engine.prepare(scripts)
    found = PreparedScripts(())
    packed = _WORDS_END.join(scripts) + _WORDS_END
    found.groups = ((_SIZE, len(scripts), packed),)
    return found
