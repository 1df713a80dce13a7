"""What the linters cannot see: size, names, money without floats, and what each process imports."""

import ast
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal

from tests.patience import PATIENCE
from tests.sandbox.contact_guard import FOLDER

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "wallet_gui"

LONGEST = 500
# Path -> why this file may be longer.
LONGER: dict[str, str] = {
    "packaging/recover_wallet.py": "one file on purpose; a quarter of it is BIP39's word list",
}
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "core", "base", "misc"}

# Amounts are computed here and nowhere else.
MONEY = ["primitives/amount.py", "wallet/*.py"]

# Module -> where alone it may be imported.
PLACES = {
    "coincurve": ["curve.py"],
    "PySide6": ["gui/", "vault/", "widgets/"],
    "shiboken6": ["gui/", "vault/", "widgets/"],
    "sqlite3": ["storage/"],
    "tempfile": ["storage/", "app/playground.py", "app/node_process.py"],
    "shutil": [
        "storage/",
        "app/playground.py",
        "app/node_process.py",
        "chain/bitcoind/system_ssh.py",  # where ssh is
    ],
}
# Catching everything is right only where a task or a process ends; anywhere else it hides bugs.
CATCH_ALL = {
    "gui/engine.py": "the supervisor of the engine's tasks",
    "vault/process.py": "the vault's top: it answers the window before it ends",
}

# A process -> what it must never have imported, at its start or later. NumPy comes with the first
# peer, after the window is on screen; without one there are no filters to match.
NODE_CLIENT = "wallet_gui.chain.bitcoind.connection"
NOTICE = "wallet_gui.chain.notice"
FORBIDDEN = {
    # NumPy is loaded once the window is there; tests/gui/test_application.py sees to "not before".
    # Both start with "Directly": the client of a person's node is loaded when one is wanted, and
    # so is what fetches the update notice.
    "window": ["wallet_gui.keys", "wallet_gui.vault", "asyncssh", NODE_CLIENT, NOTICE],
    "command line": [
        *("wallet_gui.keys", "wallet_gui.vault", "PySide6", "asyncssh", NODE_CLIENT, NOTICE)
    ],
    "vault": [
        "wallet_gui.chain",
        "wallet_gui.app",
        "asyncio",
        "asyncssh",
        "ssl",
        "PySide6.QtNetwork",
    ],
}


def sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


ALL = sources(PACKAGE, ROOT / "tests", ROOT / "packaging")
PRODUCT = sources(PACKAGE)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", ALL, ids=name)
def test_file_is_short_named_and_introduced(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    assert lines <= LONGEST or name(path) in LONGER, f"{lines} lines"
    parts = {Path(part).stem for part in path.relative_to(ROOT).parts}
    assert not parts & BANNED_NAMES
    # A test module's name says it: it mirrors what it tests.
    if not path.name.startswith("test_"):
        assert ast.get_docstring(ast.parse(text)), "no docstring says what lives here"


def test_exceptions_are_still_needed() -> None:
    for path in LONGER:
        assert (ROOT / path).read_text(encoding="utf-8").count("\n") > LONGEST
    for places in PLACES.values():
        assert all(place.endswith(("/", ".py")) for place in places)


@pytest.mark.parametrize(
    "path", [path for pattern in MONEY for path in sorted(PACKAGE.glob(pattern))], ids=name
)
def test_money_is_never_a_float(path: Path) -> None:
    found = list(_float_uses(ast.parse(path.read_text(encoding="utf-8"))))
    assert found == []


def _float_uses(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float(literal)):
                yield f"line {node.lineno}: the literal {literal}"
            case ast.Name(id="float"):
                yield f"line {node.lineno}: float"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield f"line {node.lineno}: true division"
            case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub())):
                yield f"line {node.lineno}: a negative power"


def test_float_uses_are_found() -> None:
    code = "a = 1.5\nb = float(2)\nc = 3 / 4\nc /= 2\nd = 10 ** -8\ne: float = 0\nf = 7 // 2\n"
    assert len(list(_float_uses(ast.parse(code)))) == 6


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


@pytest.mark.parametrize("module", PLACES)
def test_library_is_imported_in_its_place_only(module: str) -> None:
    outside = []
    for path in PRODUCT:
        place = path.relative_to(PACKAGE).as_posix()
        if any(place.startswith(allowed) for allowed in PLACES[module]):
            continue
        imported = _imports(ast.parse(path.read_text(encoding="utf-8")))
        if any(each.split(".")[0] == module for each in imported):
            outside.append(place)
    assert outside == []


def _catches_all(handler: ast.ExceptHandler) -> bool:
    """Whether it takes every exception and does not pass it on."""
    caught = [handler.type] if not isinstance(handler.type, ast.Tuple) else handler.type.elts
    everything = any(
        each is None or (isinstance(each, ast.Name) and each.id in {"Exception", "BaseException"})
        for each in caught
    )
    last = handler.body[-1]
    passes_on = isinstance(last, ast.Raise) and last.exc is None
    return everything and not passes_on


def test_only_tops_catch_everything() -> None:
    outside: list[str] = []
    for path in PRODUCT:
        if path.relative_to(PACKAGE).as_posix() in CATCH_ALL:
            continue
        outside += [
            f"{name(path)}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ExceptHandler) and _catches_all(node)
        ]
    assert outside == []


def _losing_gathers(tree: ast.AST) -> Iterator[int]:
    """Find calls of `gather` that may raise what a part raised in place of a cancellation."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="gather"), keywords=keywords):
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in keywords}
                if options.get("return_exceptions") != "True":
                    yield node.lineno


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_no_gather_loses_a_cancellation(path: Path) -> None:
    """`together` and task groups do not: what is to stop stops, whenever it is told to."""
    assert not list(_losing_gathers(ast.parse(path.read_text(encoding="utf-8"))))


def test_losing_gathers_are_found() -> None:
    code = "await asyncio.gather(a, b)\nawait asyncio.gather(a, return_exceptions=True)"
    assert list(_losing_gathers(ast.parse(code))) == [1]


def _qt_arguments(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="QApplication" | "QGuiApplication"), args=arguments):
                yield ast.unparse(ast.Tuple(arguments))


def test_qt_is_told_the_name_of_the_program_and_nothing_else() -> None:
    """Qt takes -stylesheet, -platformpluginpath and others from wherever they stand."""
    told = {
        name(path): set(_qt_arguments(ast.parse(path.read_text(encoding="utf-8"))))
        for path in PRODUCT
    }
    found = {path: arguments for path, arguments in told.items() if arguments}
    assert len(found) == 4
    assert set.union(*found.values()) == {"(['wallet-gui'],)"}


# Each process, really started


RECORDER = """
import atexit, json, os, sys

def record():
    path = os.path.join({folder!r}, f"{{os.getpid()}}.json")
    with open(path, "w") as file:
        json.dump({{"arguments": sys.orig_argv, "modules": sorted(sys.modules)}}, file)

atexit.register(record)
sys.path.append({guard!r})
import contact_guard
contact_guard.install()
"""


class Recorder:
    """Starts the program and learns what each of its processes had imported when it ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sitecustomize.py").write_text(
            RECORDER.format(folder=str(folder), guard=str(FOLDER))
        )

    def start(self, *arguments: str, pipes: tuple[int, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "wallet_gui", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
                "QT_QPA_PLATFORM": "offscreen",
                # Nothing of this user is read or written.
                "HOME": str(self.folder),
                "XDG_DATA_HOME": str(self.folder / "data"),
                "XDG_CONFIG_HOME": str(self.folder / "config"),
                "XDG_CACHE_HOME": str(self.folder / "cache"),
            },
            pass_fds=pipes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def modules(self, process: subprocess.Popen[str]) -> list[str]:
        said, _ = process.communicate(timeout=PATIENCE)
        record = self.folder / f"{process.pid}.json"
        assert record.exists(), f"the process left no record; it said:\n{said}"
        found: list[str] = json.loads(record.read_text())["modules"]
        assert "Traceback" not in said
        return found


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


def _forbidden(process: str, modules: list[str]) -> list[str]:
    return [
        each
        for each in modules
        if any(each == banned or each.startswith(banned + ".") for banned in FORBIDDEN[process])
    ]


def _skip_unless_built(module: str) -> None:
    if not (ROOT / (module.replace(".", "/") + ".py")).exists():
        pytest.skip(f"{module} is not built yet")


def test_window_imports_no_key_code(recorder: Recorder) -> None:
    _skip_unless_built("wallet_gui.gui.application")
    data = recorder.folder / "window"
    started = recorder.start("--network", "regtest", "--data-dir", str(data))
    # The last thing that a start does without a peer: by then everything of it is loaded.
    deadline = time.monotonic() + PATIENCE
    while not (data / "regtest" / "chain.db").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    started.terminate()
    modules = recorder.modules(started)
    assert "wallet_gui.gui.main_window" in modules
    assert "wallet_gui.chain.p2p.backend" in modules
    assert _forbidden("window", modules) == []


def test_command_line_imports_no_qt_and_no_key_code(recorder: Recorder, tmp_path: Path) -> None:
    _skip_unless_built("wallet_gui.cli.main")
    missing = str(tmp_path / "missing.wallet")
    started = recorder.start("balance", "--network", "regtest", "--wallet", missing)
    modules = recorder.modules(started)
    assert "wallet_gui.cli.main" in modules
    assert _forbidden("command line", modules) == []


@pytest.mark.parametrize("headless", [True, False], ids=["headless", "window"])
def test_vault_imports_no_network_code(recorder: Recorder, *, headless: bool) -> None:
    _skip_unless_built("wallet_gui.vault.process")
    to_vault, requests = os.pipe()
    replies, from_vault = os.pipe()
    arguments = ["--vault", *(["--headless"] if headless else [])]
    process = recorder.start(
        *arguments, "--pipe", f"{to_vault},{from_vault}", pipes=(to_vault, from_vault)
    )
    os.close(to_vault)
    os.close(from_vault)
    # The window went away before it asked for anything: the vault has nothing to do and ends.
    os.close(requests)
    try:
        modules = recorder.modules(process)
    finally:
        os.close(replies)
    assert "wallet_gui.vault.process" in modules
    assert _forbidden("vault", modules) == []
    if headless:
        assert "PySide6" not in modules


# PySide6


def test_pyside_is_not_the_version_that_aborts() -> None:
    assert importlib.metadata.version("PySide6-Essentials") != "6.12.0"


class Emitter(QObject):
    toggled = Signal(bool)


def test_emitting_keeps_the_references_to_true() -> None:
    # PySide6 6.12.0 drops one per emit on CPython 3.11, and the program aborts after a while.
    # From 3.12 on True is immortal and its count does not move.
    emitter = Emitter()
    seen: list[int] = []
    emitter.toggled.connect(lambda value: seen.append(int(value)))
    before = sys.getrefcount(True)
    for _ in range(1000):
        emitter.toggled.emit(True)
    assert abs(sys.getrefcount(True) - before) < 100
    assert len(seen) == 1000
