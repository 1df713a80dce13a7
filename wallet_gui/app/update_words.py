"""Words for what the update check found, the same in the window and on the command line."""

from typing import Final

from wallet_gui.app.network_words import day_text, moment_text
from wallet_gui.app.update_notice import Level, UpdateNotice
from wallet_gui.app.updates import DIRECTLY, UpdateStatus

HOW_TO_VERIFY: Final = (
    "This program downloads nothing. Fetch the file there yourself, with SHA256SUMS and "
    "SHA256SUMS.minisig beside it, and check it before you run it:"
)
VERIFY_COMMAND: Final = "wallet-gui verify FILE"
_LEVELS: Final = {
    Level.SECURITY: "It closes a hole: read its page and update soon.",
    Level.KEY: (
        "A release key must not be trusted any more. Read the page before you install anything, "
        "whoever signed it."
    ),
}


def intro(status: UpdateStatus) -> str:
    """What a check is, before anybody asks for one."""
    seen = f" {status.host} sees your internet address." if status.way == DIRECTLY else ""
    return (
        f"This is version {status.version}. A check fetches one small notice from {status.host}, "
        f"{status.way}, and shows it only if a release key signed it. The request says nothing "
        f"about you or this computer.{seen} Nothing is ever downloaded or installed by itself."
    )


def state(status: UpdateStatus) -> str:
    """When it was last asked, and what came of it; a problem is told apart."""
    if status.is_checking:
        return f"Asking {status.host} {status.way}."
    if not status.tried:
        return "It was never asked."
    when = f"Last asked on {moment_text(status.tried)}"
    if status.outcome is not None and status.outcome.is_answer:
        if status.is_expired:
            return f"{when}."
        newest = "there is a newer version" if status.is_newer else "you have the newest version"
        return f"{when}: {newest}."
    last = f" The last good answer is of {moment_text(status.checked)}." if status.checked else ""
    return f"{when}.{last}"


def headline(status: UpdateStatus) -> str:
    """The newer version, or the warning, in a line; "" where there is nothing to tell."""
    notice = status.notice
    if notice is None:
        return ""
    if notice.level is Level.KEY:
        return f"Warning of {day_text(notice.date)} about a release key"
    if not status.is_newer:
        return ""
    return f"Version {notice.version} is out, says the notice of {day_text(notice.date)}"


def short(status: UpdateStatus) -> str:
    """The same for a narrow place."""
    notice = status.notice
    if not headline(status) or notice is None:
        return ""
    if notice.level is Level.KEY:
        return "Key warning"
    return "Security fix" if is_urgent(status) else f"New: {notice.version}"


def urgency(status: UpdateStatus) -> str:
    """Why it must not wait; "" for an ordinary version."""
    return "" if status.notice is None else _LEVELS.get(status.notice.level, "")


def withdrawn(notice: UpdateNotice) -> str:
    """Which release keys its makers withdraw; "" for none."""
    keys = ", ".join(notice.revoked)
    return f"Not to be trusted any more: {keys}." if keys else ""


def is_urgent(status: UpdateStatus) -> bool:
    """Whether it is told where nobody can overlook it."""
    return bool(headline(status) and urgency(status))
