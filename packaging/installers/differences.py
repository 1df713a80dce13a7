"""Where two builds differ: down to the file in the package, and the place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from installers import containers
from installers.containers import Part

# So many are told of one container; the rest are counted.
MOST = 40


@dataclass(frozen=True)
class Difference:
    """One difference: in what, from the outside in, and how the first is unlike the second."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def differences(first: Path, second: Path) -> list[Difference]:
    """Compare two files, or two folders with all that is in them; nothing: they are equal."""
    if first.is_dir() and second.is_dir():
        parts = [containers.folder_parts(path) for path in (first, second)]
        return list(_of_parts(first.name, parts[0], parts[1]))
    if first.is_dir() or second.is_dir():
        return [Difference(first.name, "a folder in one build, a file in the other")]
    return list(_of_data(first.name, first.read_bytes(), second.read_bytes()))


def _of_data(where: str, first: bytes, second: bytes) -> Iterator[Difference]:
    if first == second:
        return
    opened = containers.parts(first), containers.parts(second)
    found = False
    if opened[0] is not None and opened[1] is not None:
        for difference in _of_parts(where, opened[0], opened[1]):
            found = True
            yield difference
    if not found:  # not a container, or what is in it is the same and only the packing is not
        yield Difference(where, _of_bytes(first, second))


def _of_parts(where: str, first: list[Part], second: list[Part]) -> Iterator[Difference]:
    here, there = ({part.name: part for part in parts} for parts in (first, second))
    told = 0
    for difference in _of_named(where, here, there):
        told += 1
        if told <= MOST:
            yield difference
    if told > MOST:
        yield Difference(where, f"{told - MOST} more differences")
    if here.keys() == there.keys():
        for one, other in zip(first, second, strict=False):
            if one.name != other.name:
                yield Difference(where, f"another order: {one.name} where {other.name} is")
                return


def _of_named(where: str, here: dict[str, Part], there: dict[str, Part]) -> Iterator[Difference]:
    for name in sorted(here.keys() | there.keys()):
        inner = f"{where} > {name}"
        if name not in here or name not in there:
            yield Difference(inner, f"only in the {'second' if name not in here else 'first'}")
            continue
        if here[name].facts != there[name].facts:
            yield Difference(inner, f"{here[name].facts} | {there[name].facts}")
        yield from _of_data(inner, here[name].data, there[name].data)


def _of_bytes(first: bytes, second: bytes) -> str:
    """Describe how two different runs of bytes differ."""
    shorter = min(len(first), len(second))
    at = _first_difference(first, second, shorter)
    section = containers.section_at(first, at)
    place = f"byte {at}" + (f" ({section})" if section else "")
    shown = (bytes(data[max(at - 8, 0) :][:32]) for data in (first, second))
    sizes = f"{len(first)} and {len(second)} bytes, " if len(first) != len(second) else ""
    return f"{sizes}from {place} on: {' | '.join(map(repr, shown))}"


def _first_difference(first: bytes, second: bytes, length: int) -> int:
    low, high = 0, length
    while low < high:  # up to `low` they are equal
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
