"""Which blocks a locator names: it shows another node where two chains part.

Source: Core `chain.cpp` (`LocatorEntries`).
"""

from typing import Final

_DENSE: Final = 10


def locator_heights(height: int, lowest: int) -> list[int]:
    """List heights from `height` down: ten one by one, then in doubling steps, then `lowest`."""
    heights = []
    step = 1
    while height > lowest:
        heights.append(height)
        if len(heights) >= _DENSE:
            step *= 2
        height -= step
    return [*heights, lowest]
