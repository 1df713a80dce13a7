"""How results are written: one JSON document, or rows in aligned columns."""

import json
from collections.abc import Sequence


def json_line(document: object) -> str:
    """One JSON document on a line of its own."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True)


def table(rows: Sequence[tuple[str, ...]], right: set[int]) -> list[str]:
    """Rows in aligned columns; the columns in `right` are aligned to the right."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
