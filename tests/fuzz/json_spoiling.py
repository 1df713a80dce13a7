"""Spoils JSON where it hurts: a value of another type, a number out of range, a field too many."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

_HARSH: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    0.5,
    -1e308,
    "",
    "0",
    "ff" * 32,
    "\x00",
    "\u202e\U0001f9ff",
    "x" * 5_000,
    "AAAA",
    "=",
    [],
    [[]],
    [None] * 3,
    {},
    {"": {}},
    [[[[[[[[]]]]]]]],
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys or indexes."""
    if isinstance(value, dict):
        for key in list(value):
            yield value, key
            yield from places(value[key])
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value, index
            yield from places(value[index])


def spoil(rng: random.Random, value: Any) -> bytes:
    """Change one to four places of a JSON value, which is a copy of the caller's."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        there = list(places(value))
        if there:
            _change(rng, there, *rng.choice(there))
    text = json.dumps(value, ensure_ascii=False)
    match rng.randrange(30):
        case 0:
            text = text.replace(":", ":NaN,", 1)
        case 1:
            text = text.replace(",", "," + text[1 : text.find(",") + 1], 1)
        case 2:
            text = "[" * rng.choice([10, 100_000]) + text
        case 3:
            text += " {}"
    return text.encode("utf-8", "surrogatepass")


def _change(rng: random.Random, there: list[tuple[Any, Any]], container: Any, key: Any) -> None:
    match rng.randrange(7):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[rng.choice(["new", "", "format", "type", f"{key} "])] = 1
        case 2 if isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        case 3:
            other, other_key = rng.choice(there)
            container[key] = copy.deepcopy(other[other_key])
        case 4 if isinstance(container[key], int):
            container[key] += rng.choice([-1, 1, 2**32, -(2**32)])
        case 5 if isinstance(container[key], str):
            text = container[key]
            place = rng.randrange(len(text) + 1)
            container[key] = (
                text[:place] + rng.choice(["", "0", "\u00e9", "\0"]) + text[place + 1 :]
            )
        case _:
            container[key] = copy.deepcopy(rng.choice(_HARSH))
