"""`check-update` asks once for the signed notice about a newer version, and prints what it says."""

from wallet_gui.app import update_words
from wallet_gui.app.update_notice import moment
from wallet_gui.app.updates import Updates, UpdateStatus, way_of
from wallet_gui.cli.context import Context
from wallet_gui.cli.result import Result
from wallet_gui.storage import release_keys


async def check_update(context: Context) -> Result:
    """Ask, whatever the settings say about doing so by itself.

    Raises NotOffered, CommandError, WriteFailed.
    """
    keys = release_keys.built_in()
    updates = Updates(context.online, context.directory.root, keys, lambda _: None)
    await context.start(connect=False)
    context.check_settings()
    options = context.p2p_options()
    await updates.load()
    status = await updates.check(options)
    way = way_of(options.proxy_use, is_tor=options.is_tor)
    return Result(document(status), lines(status, way), status.problem)


def lines(status: UpdateStatus, way: str) -> list[str]:
    """What a person reads; a problem is told after it, on standard error."""
    notice, headline = status.notice, update_words.headline(status)
    outcome = status.outcome
    if notice is None or not headline:
        if outcome is None or not outcome.is_answer or status.is_expired:
            return []
        return [f"{status.version} is the newest version, says {status.host}, asked {way}."]
    found = [f"{headline}; this is {status.version}.", update_words.urgency(status)]
    found += [update_words.withdrawn(notice), notice.text]
    found += ["", notice.page, "", update_words.HOW_TO_VERIFY, f"    {update_words.VERIFY_COMMAND}"]
    if notice.sha256sums:
        found.append(f"The SHA-256 of SHA256SUMS is {notice.sha256sums}")
    return [line for number, line in enumerate(found) if line or number > 3]


def document(status: UpdateStatus) -> dict[str, object]:
    """The same for programs; `notice` is the newest that was ever verified."""
    notice = status.notice
    return {
        "version": status.version,
        "outcome": None if status.outcome is None else status.outcome.value,
        "newer": status.is_newer,
        "expired": status.is_expired,
        "notice": None
        if notice is None
        else {
            "version": notice.version,
            "date": moment(notice.date),
            "expires": None if notice.expires is None else moment(notice.expires),
            "level": notice.level.value,
            "page": notice.page,
            "sha256sums": notice.sha256sums or None,
            "revoked": list(notice.revoked),
            "text": notice.text,
        },
    }
