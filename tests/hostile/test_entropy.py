"""Seeds come from the operating system's random numbers and from nothing else (fault plan 23)."""

import ast
import hashlib
import io
import itertools
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hostile.entropy_survey import survey
from tests.unit.vault.samples import PASSWORD, TINY_COST, create_request
from tests.unit.vault.test_headless import CopyingTerminal
from wallet_gui.keys.errors import BrokenRandomSource
from wallet_gui.keys.seed import WORD_COUNTS
from wallet_gui.transfer.messages import HeadlessOptions, WalletCreated
from wallet_gui.vault import creation, signing
from wallet_gui.vault.headless import HeadlessVault
from wallet_gui.vault.terminal import SecretReader

PACKAGE = Path(__file__).parents[2] / "wallet_gui"
# Those that make or hold secrets. SystemRandom is os.urandom; `time` there is for birthdays.
SECRET_FLOORS = ("keys", "vault", "sealing.py", "curve.py")
GENERATORS = {"random", "secrets", "numpy", "uuid", "hypothesis", "tempfile"}
ALLOWED = {("random", "SystemRandom"), ("secrets", "token_bytes")}


def modules(*floors: str) -> Iterator[tuple[Path, ast.Module]]:
    for floor in floors:
        top = PACKAGE / floor
        for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def used_generators(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in GENERATORS:
            yield from ((node.module, name.name) for name in node.names)
        elif isinstance(node, ast.Attribute):
            module = getattr(node.value, "id", "")
            if module in GENERATORS:
                yield module, node.attr


def calls(tree: ast.Module, name: str) -> int:
    return sum(
        isinstance(node, ast.Call)
        and name == getattr(node.func, "id", getattr(node.func, "attr", None))
        for node in ast.walk(tree)
    )


def test_where_secrets_are_made_only_the_systems_generator_is_used() -> None:
    found: dict[tuple[str, str], list[str]] = {}
    for path, tree in modules(*SECRET_FLOORS):
        for use in used_generators(tree):
            found.setdefault(use, []).append(path.name)
    assert set(found) == ALLOWED, found


def test_entropy_is_drawn_in_one_place() -> None:
    places = {
        path.relative_to(PACKAGE).as_posix()
        for path, tree in modules("")
        if calls(tree, "new_entropy")
    }
    # The self-test draws to look at what it gets, and keeps nothing of it.
    assert places == {"vault/creation.py", "vault/self_test.py"}


def test_no_source_of_entropy_but_the_systems_is_a_default() -> None:
    defaults = []
    for path, tree in modules("keys", "vault"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            arguments = node.args.args[::-1]
            for argument, default in zip(arguments, node.args.defaults[::-1], strict=False):
                if argument.arg in ("source", "entropy"):
                    defaults.append((path.name, node.name, ast.unparse(default)))
    assert len(defaults) >= 5
    assert {default for _, _, default in defaults} == {"secrets.token_bytes"}, defaults


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every answer of the operating system, in order."""
    answers: list[bytes] = []

    def urandom(size: int) -> bytes:
        answers.append(os.urandom(size))
        return answers[-1]

    # What random.SystemRandom, and so `secrets`, calls.
    monkeypatch.setattr(random, "_urandom", urandom)
    return answers


def create(folder: Path, *answers: str, **changes: object) -> bytes:
    terminal = CopyingTerminal(PASSWORD, PASSWORD, *answers, "")
    reader = SecretReader(terminal, io.BytesIO(), io.StringIO())
    vault = HeadlessVault(reader, TINY_COST, lambda _step, _fraction: None)
    reply = vault.answer(create_request(folder, headless=HeadlessOptions(), **changes))
    assert isinstance(reply, WalletCreated)
    return signing.open_payload(Path(reply.path), PASSWORD, TINY_COST).entropy


@pytest.mark.parametrize("words", WORD_COUNTS)
def test_the_systems_bytes_are_the_entropy(words: int, drawn: list[bytes], tmp_path: Path) -> None:
    entropy = create(tmp_path, word_count=words)
    assert len(entropy) == words * 4 // 3
    assert entropy == drawn[0]
    assert drawn.count(entropy) == 1


def test_with_dice_the_systems_bytes_are_hashed_with_them(
    drawn: list[bytes], tmp_path: Path
) -> None:
    rolls = "".join(random.Random(6).choices("123456", k=99))
    entropy = create(tmp_path, rolls, use_dice=True, word_count=24)
    assert len(drawn[0]) == 32
    assert entropy == hashlib.sha256(drawn[0] + rolls.encode()).digest()


def broken_sources() -> dict[str, Callable[[int], bytes]]:
    counter = itertools.count()
    return {
        "zeroes": bytes,
        "ones": lambda size: b"\xff" * size,
        "one byte": lambda size: b"\x5a" * size,
        "two bytes": lambda size: (b"\x5a\xa5" * size)[:size],
        "counting": lambda size: bytes(n % 256 for n in range(size)),
        "counting down": lambda size: bytes(255 - n % 256 for n in range(size)),
        "counting in sevens": lambda size: bytes(7 * n % 256 for n in range(size)),
        "repeating": lambda size: (b"\x13\x9c\xd7\x42\x88\x01\xfe\x6b" * size)[:size],
        "always the same": lambda size: hashlib.shake_256(b"x").digest(size),
        "short": lambda size: os.urandom(size - 1),
        "long": lambda size: os.urandom(size + 1),
        "empty": lambda _size: b"",
        "calls counted": lambda size: next(counter).to_bytes(size, "big"),
        "ascii digits": lambda size: b"0123456789"[:2] * (size // 2),
    }


@pytest.mark.parametrize("words", WORD_COUNTS)
@pytest.mark.parametrize("name", broken_sources())
@pytest.mark.parametrize("dice", [False, True], ids=["", "dice"])
def test_a_broken_generator_makes_no_wallet(
    name: str, words: int, dice: object, tmp_path: Path
) -> None:
    source = broken_sources()[name]
    request = create_request(tmp_path, word_count=words, use_dice=dice)
    with pytest.raises(BrokenRandomSource, match="not random"):
        creation.new_seed(request, source)
    # In the vault itself the person is told before anything is asked; dice do not make up for it.
    reader = SecretReader(CopyingTerminal(), io.BytesIO(), io.StringIO())
    vault = HeadlessVault(reader, TINY_COST, lambda _step, _fraction: None, broken_sources()[name])
    with pytest.raises(BrokenRandomSource):
        vault.answer(request)
    assert list(tmp_path.iterdir()) == []


def test_ten_thousand_seeds_are_all_different() -> None:
    found = survey(10_000)
    assert found.is_good, found
    assert found.lengths == WORD_COUNTS


def test_the_survey_notices_a_generator_with_forty_bits() -> None:
    weak = random.Random(1)
    states = [weak.getrandbits(40) for _ in range(50)]

    def source(size: int) -> bytes:
        state = weak.choice(states)
        return hashlib.shake_256(state.to_bytes(8, "big") + bytes([size])).digest(size)

    found = survey(2_000, source)
    assert found.duplicates > 1_000
    assert not found.is_good


def test_the_survey_notices_a_leaning_generator() -> None:
    def source(size: int) -> bytes:
        return bytes(byte & 0x7F for byte in os.urandom(size))

    found = survey(2_000, source)
    assert found.deviation > 100
    assert not found.is_good
