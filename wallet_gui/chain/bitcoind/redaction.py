"""What is taken out of a text before anybody may read it or copy it into a report."""

import re
from typing import Final

_KEY = "[key]"
_SECRETS: Final = (
    (re.compile(r"__cookie__:\S+"), "__cookie__:[removed]"),
    (re.compile(r"(?i)(authorization\s*[:=]\s*)(?:basic\s+)?\S+"), r"\1[removed]"),
    (re.compile(r"(?i)\b(basic\s+)[a-z0-9+/]{8,}=*"), r"\1[removed]"),
    (
        re.compile(r"(?i)((?:rpc)?(?:password|passwd|passphrase|rpcauth)\s*[:=]\s*)\S+"),
        r"\1[removed]",
    ),
    (re.compile(r"//[^\s/@]+@"), "//[removed]@"),
    # Extended keys of all kinds, WIF, addresses.
    (re.compile(r"\b[A-Za-z](?:pub|prv)[1-9A-HJ-NP-Za-km-z]{20,}"), _KEY),
    (re.compile(r"(?i)\b(?:bc|tb|bcrt)1[02-9ac-hj-np-z]{6,}"), "[address]"),
    (re.compile(r"\b[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51}\b"), _KEY),
    (re.compile(r"\b[123mn][1-9A-HJ-NP-Za-km-z]{25,34}\b"), "[address]"),
    (re.compile(r"\b(?:raw|addr|wpkh|pkh|sh|tr|wsh|combo|multi)\([^)\s]*\)?"), "[descriptor]"),
    # Scripts, public keys, transactions, txids.
    (re.compile(r"(?i)[0-9a-f]{32,}"), "[hex]"),
    (re.compile(r"(?<!SHA256:)\b[A-Za-z0-9+]{48,}={0,2}"), "[data]"),
)


def redact(text: str) -> str:
    """Take passwords, cookies, keys, addresses, scripts, descriptors and txids out of a text."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text
