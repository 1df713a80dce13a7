"""Turns every error that can reach a person into one sentence that says what to do next.

Our own exceptions carry such a sentence as their text; it is made where the cause is known. Those
of libraries never reach the screen: their text may hold anything. No error class is imported here,
since this module serves both processes and each knows only some of them.
"""

import logging

logger = logging.getLogger(__name__)

_OWN = __name__.partition(".")[0] + "."


def sentence(error: BaseException) -> str:
    """The sentence for an error; "" when the person themselves cancelled."""
    if type(error).__name__ == "CancelledError" or getattr(error, "is_cancelled", False):
        return ""
    text = str(error)
    if type(error).__module__.startswith(_OWN) and text:
        return text
    if isinstance(error, OSError):
        return (
            f"The computer refused: {error.strerror or type(error).__name__}. Nothing was lost; "
            "try again."
        )
    logger.error("Unexpected %s", type(error).__name__, exc_info=error)
    return (
        f"Something went wrong inside the program ({type(error).__name__}). Nothing was lost: try "
        "again, and report it if it comes back."
    )
