"""What is taken out of a test's report, so that a person can share it.

Two nets, one over the other: what is known to be private (the person's own host, user, paths,
secrets), and whatever looks like something private (addresses, keys, fingerprints, hashes), because
texts of the server and of the node are in the report, and nobody knows what they hold. Both look at
the text as it was, so that neither tears a hole into what the other would have found.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

HOST: Final = "HOST"
USER: Final = "USER"
PATH: Final = "PATH"
HIDDEN: Final = "HIDDEN"

# Names of ours, and words of every report, that a host or user may happen to have: as a part of a
# longer word they stay, so that "bitcoind" remains "bitcoind" where the user is "bitcoin".
_ORDINARY: Final = frozenset({"bitcoin", "tunnel", "server", "satoshi", "blocks", "wallet"})
_LONG_ENOUGH = 5

_FILE_NAMES: Final = frozenset(
    {
        "bitcoin.conf",
        "sshd_config.d",
        "id_ed25519.pub",
        "ssh_host_ed25519_key.pub",
        "ssh_host_rsa_key.pub",
        "ssh_host_ecdsa_key.pub",
    }
)
_SERVICES: Final = r"(?:openssh\.com|libssh\.org)\b"  # in names of algorithms
_LOOPBACK: Final = frozenset({"127.0.0.1", "127.0.0.0", "0.0.0.0", "::1", "::"})  # noqa: S104


def _always(_: str) -> bool:
    return True


def _is_foreign_name(text: str) -> bool:
    return text.lower() not in _FILE_NAMES and not re.match(_SERVICES, text)


def _is_foreign_address(text: str) -> bool:
    return text not in _LOOPBACK


def _looks_random(text: str) -> bool:
    """Whether a long word is more than a long word: digits in it, or capitals not at the front."""
    return any(c.isdigit() for c in text) or text[1:] != text[1:].lower()


_PATTERNS: Final[tuple[tuple[re.Pattern[str], str, Callable[[str], bool]], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), label, is_private)
    for pattern, label, is_private in (
        # Key material first: where spans overlap, the first one names the whole.
        (r"__cookie__:?[^\s\"'<>]*", HIDDEN, _always),
        (r"(?:SHA256|SHA512|SHA1):[A-Za-z0-9+/]{16,}=*", "FINGERPRINT", _always),
        (r"(?:MD5:)?(?:[0-9a-f]{2}:){7,}[0-9a-f]{2}", "FINGERPRINT", _always),
        (r"AAAA[A-Za-z0-9+/]{16,}=*", "KEY", _always),
        (r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|\Z)", HIDDEN, _always),
        (r"[xyztuv]p(?:ub|rv)[1-9A-HJ-NP-Za-km-z]{8,}", "XPUB", _always),
        (r"(?:bc|tb|bcrt)1[02-9ac-hj-np-z]{8,}", "ADDRESS", _always),
        (r"[123mn][1-9A-HJ-NP-Za-km-z]{24,}", "ADDRESS", _looks_random),
        (r"[0-9a-f]{20,}", "HEX", _always),
        (r"[A-Za-z0-9+/]{40,}={0,2}", HIDDEN, _looks_random),
        (r"[A-Za-z0-9]{20,}", HIDDEN, _looks_random),
        # Who and where.
        (r"\d{1,3}(?:\.\d{1,3}){3,}", "IP", _is_foreign_address),
        (r"(?:[0-9a-f]{0,4}:){2,}[0-9a-f]{0,4}(?:%\w+)?", "IP", _is_foreign_address),
        (rf"[\w.+-]+(?=@(?!{_SERVICES})\w)", USER, _always),
        (rf"(?<=@)(?!{_SERVICES})\w[\w.-]*", HOST, _always),
        (r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z][a-z-]+", HOST, _is_foreign_name),
        (r"(?<=/home/)[^/\s\"']+|(?<=/users/)[^/\s\"']+", USER, _always),
        (r"(?<=\\users\\)[^\\\"']+", USER, _always),
    )
)


@dataclass(frozen=True, slots=True)
class Particulars:
    """What is known to be private in one test. Never shown, not even by repr."""

    hosts: frozenset[str] = field(default=frozenset(), repr=False)
    users: frozenset[str] = field(default=frozenset(), repr=False)
    paths: frozenset[str] = field(default=frozenset(), repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


def redact(text: str, known: Particulars, *, keep_host: bool = False) -> str:
    """Return `text` with what is private replaced by a word that says what stood there.

    With `keep_host` the person's own host and user stay; everything else goes all the same.
    """
    spans = sorted(_spans(text, known, keep_host=keep_host), key=lambda span: span[:2])
    kept: list[str] = []
    position = 0
    while spans:
        start, end, _, label = spans[0]
        # What overlaps goes as one, named by its strongest part.
        together = [span for span in spans if span[0] < end]
        while True:
            end = max(span[1] for span in together)
            more = [span for span in spans if span[0] < end]
            if len(more) == len(together):
                break
            together = more
        label = min(together, key=lambda span: span[2])[3]
        kept += [text[position:start], label]
        position = end
        spans = spans[len(together) :]
    return "".join([*kept, text[position:]])


def _spans(
    text: str, known: Particulars, *, keep_host: bool
) -> Iterator[tuple[int, int, int, str]]:
    """Start, end, rank and label of all that has to go."""
    names = [(known.secrets, HIDDEN), (known.paths, PATH)]
    if not keep_host:
        names += [(known.hosts, HOST), (known.users, USER)]
    for rank, (values, label) in enumerate(names):
        for value in values:
            for match in _exactly(value).finditer(text) if value else ():
                yield match.start(), match.end(), rank, label
    own = {name.lower() for name in known.hosts | known.users} if keep_host else set()
    for rank, (pattern, label, is_private) in enumerate(_PATTERNS, len(names)):
        for match in pattern.finditer(text):
            if is_private(match[0]) and match[0].lower() not in own:
                yield match.start(), match.end(), rank, label


def _exactly(value: str) -> re.Pattern[str]:
    """A pattern for one known text: anywhere, or as a whole word where it is an ordinary one."""
    pattern = re.escape(value)
    if len(value) < _LONG_ENOUGH or value.lower() in _ORDINARY:
        pattern = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9]|\.conf)"
    return re.compile(pattern, re.IGNORECASE)
