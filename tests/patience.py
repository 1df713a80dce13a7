"""How long tests wait for what has to come.

That is no measure of speed: a wait ends as soon as it is met, and a machine that is busy with other
things fails no program that is right. What is promised in seconds is measured where it is promised.
"""

from typing import Final

PATIENCE: Final = 180.0  # seconds
