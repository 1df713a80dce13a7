"""The note in the view box that tells the format of the secret box beside it.

The contents of the secret box cannot be looked at without a run of Argon2id; the note spares that
run at each unlocking.
"""

from dataclasses import replace
from typing import Any, Final

from wallet_gui.keys import secret_box
from wallet_gui.storage.view_state import ViewState

_SETTING: Final = "secret_format"


def current_settings() -> dict[str, Any]:
    """Return what the view box of a new file notes about its secret box."""
    return {_SETTING: secret_box.FORMAT}


def noted(state: ViewState) -> ViewState:
    """Return the state with the note that its secret box has the format of today."""
    return replace(state, settings={**state.settings, **current_settings()})


def has_old_secrets(state: ViewState) -> bool:
    """Whether the secret box is of an older format, or may be, since nothing is noted."""
    found = state.settings.get(_SETTING)
    return type(found) is not int or found < secret_box.FORMAT
