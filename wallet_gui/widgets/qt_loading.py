"""Loads Qt's Python modules without the watch that they set over every later import.

For `from __feature__ import snake_case`, PySide6 puts itself in the place of `__import__` and reads
the source text of every module that is imported from then on, to look for its own name in it. This
program uses no such feature: the watch would cost a tenth of the start and 8 MiB for the texts.
"""

import builtins


def load_qt() -> None:
    """Import PySide6; to be called before anything else does, in a process that has a window."""
    own = builtins.__import__
    import PySide6.QtCore  # noqa: F401, PLC0415

    builtins.__import__ = own
