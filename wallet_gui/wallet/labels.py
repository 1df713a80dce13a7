"""Labels of transactions, addresses and coins, and their exchange as BIP329 lines."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.wallet.changes import LabelKey, ViewChange

MAX_LABEL_LENGTH = 255
"""Characters kept of a label; BIP329 asks importers to accept at least these."""

MAX_LINE_LENGTH = 16_384
TYPES = ("tx", "addr", "pubkey", "input", "output", "xpub")
_MAX_REF_LENGTH = 256


def clean(text: str) -> str:
    """Make text from outside safe to show: one line of visible characters, capped."""
    return plain_text(text, MAX_LABEL_LENGTH)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """`labels` taken over, `spendable` by outpoint text, and the numbers of unreadable lines."""

    labels: dict[LabelKey, str]
    spendable: dict[str, bool]
    refused_lines: tuple[int, ...]


class Labels:
    """The labels of a wallet. Changes go to `staged`, which the owner empties."""

    def __init__(self, staged: ViewChange, labels: Mapping[LabelKey, str]) -> None:
        self._staged = staged
        self._labels = dict(labels)

    def get(self, kind: str, ref: str) -> str:
        """Look a label up; "" when there is none. `kind` is a BIP329 type."""
        return self._labels.get((kind, ref), "")

    def set(self, kind: str, ref: str, text: str) -> bool:
        """Set a cleaned label, or take it away with ""; False when nothing changed."""
        if kind not in TYPES:
            raise ValueError(f"BIP329 knows no labels of type {kind!r}.")
        key = (kind, ref)
        text = clean(text)
        if self._labels.get(key, "") == text:
            return False
        if text:
            self._labels[key] = text
        else:
            del self._labels[key]
        self._staged.labels[key] = text
        return True

    def items(self) -> dict[LabelKey, str]:
        return dict(self._labels)


def export_lines(
    labels: Mapping[LabelKey, str], frozen: Iterable[str] = (), origin: str = ""
) -> Iterator[str]:
    """Write BIP329 lines, sorted; `frozen` are outpoints as text, `origin` a key origin."""
    spendable = dict.fromkeys(frozen, False)
    keys = sorted({*labels, *(("output", ref) for ref in spendable)})
    for kind, ref in keys:
        record: dict[str, str | bool] = {"type": kind, "ref": ref}
        if (kind, ref) in labels:
            record["label"] = labels[kind, ref]
        if kind == "tx" and origin:
            record["origin"] = origin
        if kind == "output" and ref in spendable:
            record["spendable"] = False
        yield json.dumps(record, ensure_ascii=False)


def import_lines(lines: Iterable[str]) -> ImportResult:
    """Read BIP329 lines; an unreadable line is skipped and its number (from 1) reported."""
    labels: dict[LabelKey, str] = {}
    spendable: dict[str, bool] = {}
    refused = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = _record(line)
        if record is None:
            refused.append(number)
            continue
        kind, ref, text, is_spendable = record
        if text:
            labels[kind, ref] = text
        if kind == "output" and is_spendable is not None:
            spendable[ref] = is_spendable
    return ImportResult(labels, spendable, tuple(refused))


def _record(line: str) -> tuple[str, str, str, bool | None] | None:
    """Read one line: type, ref, cleaned label, spendable."""
    if len(line) > MAX_LINE_LENGTH:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("type") not in TYPES:
        return None
    ref, label = record.get("ref"), record.get("label", "")
    if not isinstance(ref, str) or not 0 < len(ref) <= _MAX_REF_LENGTH or clean(ref) != ref:
        return None
    if not isinstance(label, str):
        return None
    is_spendable = record.get("spendable")
    return (
        record["type"],
        ref,
        clean(label),
        is_spendable if is_spendable in (True, False) else None,
    )
