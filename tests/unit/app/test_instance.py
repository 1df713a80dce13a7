"""Two windows on one folder: who owns it, and what crosses from the later one to the first."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.functional.listening import listening
from wallet_gui.app import instance as module
from wallet_gui.app.instance import MAX_SIZE, HandOver, Instance, is_acceptable, psbt_path
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.locks import FileLock

REPOSITORY = Path(__file__).resolve().parents[3]
LINK = "bitcoin:bcrt1qexample?amount=0.1&label=Anna%20%26%20Ben"
# Tells whether it owns the folder, holds it until its input ends, and never lets go by itself.
_OWNER = """
import sys
from pathlib import Path
from wallet_gui.app.instance import Instance
from wallet_gui.storage.locks import FileLock
folder = Path(sys.argv[1])
instance = Instance(FileLock(folder / "instance"), folder / "instance.socket")
print("owner" if instance.acquire() else instance.hand_over(sys.argv[2]).value, flush=True)
sys.stdin.read()
"""


def start(folder: Path, text: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(folder), text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )


def make(folder: Path) -> Instance:
    return Instance(FileLock(folder / "instance"), folder / "instance.socket")


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Instance]:
    instance = make(tmp_path)
    assert instance.acquire()
    yield instance
    asyncio.run(instance.close())


def received_by(owner: Instance, send: Callable[[], object]) -> list[str]:
    """Listen while `send`, a blocking function, runs; return what arrived."""

    async def listen() -> list[str]:
        found: list[str] = []
        await owner.listen(found.append)
        await asyncio.to_thread(send)
        for _ in range(40):
            if found:
                break
            await asyncio.sleep(0.01)
        return found

    return asyncio.run(listen())


@pytest.mark.parametrize("text", ["", LINK, LINK.upper(), "/home/anna/Payment 1.psbt", "/ü.PSBT"])
def test_a_later_start_hands_over(owner: Instance, tmp_path: Path, text: str) -> None:
    later = make(tmp_path)
    assert not later.acquire()
    outcomes: list[HandOver] = []
    assert received_by(owner, lambda: outcomes.append(later.hand_over(text))) == [text]
    assert outcomes == [HandOver.DONE]


def test_what_is_handed_over_while_the_window_starts_is_not_lost(
    owner: Instance, tmp_path: Path
) -> None:
    assert make(tmp_path).hand_over(LINK) is HandOver.DONE
    assert received_by(owner, lambda: None) == [LINK]


@pytest.mark.parametrize(
    "text",
    [
        "bitcoin:" + "x" * MAX_SIZE,
        "http://example.org",
        "relative.psbt",
        "/etc/passwd",
        "/a\nb.psbt",
        "/a\u202eb.psbt",
        "/\udc80.psbt",
        "--data-dir=/",
    ],
)
def test_anything_else_is_refused_by_both(owner: Instance, tmp_path: Path, text: str) -> None:
    assert make(tmp_path).hand_over(text) is HandOver.REFUSED
    raw = text.encode("utf-8", "surrogatepass")
    assert received_by(owner, lambda: send_raw(tmp_path, raw)) == []


def send_raw(folder: Path, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(folder / "instance.socket"))
        try:
            client.sendall(data)
        except OSError:
            pass  # it hung up, as it should
    time.sleep(0.05)


def test_hostile_bytes_are_ignored_and_the_next_one_is_heard(
    owner: Instance, tmp_path: Path
) -> None:
    def attack() -> None:
        for data in (b"\x00" * 100, os.urandom(2_000), b"\xff\xfe", b"bitcoin:" + b"A" * 100_000):
            send_raw(tmp_path, data)
        assert make(tmp_path).hand_over(LINK) is HandOver.DONE

    assert received_by(owner, attack) == [LINK]


def test_callers_that_never_hang_up_do_not_block_the_others(
    owner: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_READ_SECONDS", 0.3)
    silent = []

    def attack() -> None:
        for _ in range(12):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.connect(str(tmp_path / "instance.socket"))
            silent.append(client)
        assert make(tmp_path).hand_over(LINK) is HandOver.DONE

    try:
        assert received_by(owner, attack) == [LINK]
    finally:
        for client in silent:
            client.close()


@given(st.binary(max_size=80))
def test_any_bytes_are_acceptable_text_or_nothing(data: bytes) -> None:
    async def read() -> str | None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await module._read(reader)

    text = asyncio.run(read())
    assert text is None or is_acceptable(text)


def test_only_the_owner_may_connect_and_nothing_listens_on_the_network(
    owner: Instance, tmp_path: Path
) -> None:
    mode = (tmp_path / "instance.socket").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    ours = [where for where in listening() if str(tmp_path) in where]
    assert ours == [f"unix {tmp_path / 'instance.socket'}"]
    assert not any(where.startswith(("tcp", "udp")) for where in listening())
    asyncio.run(owner.close())
    assert not (tmp_path / "instance.socket").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere long folders have no channel")
def test_folders_with_long_names(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("deeper" * 20)
    folder.mkdir(parents=True)
    owner = make(folder)
    assert owner.acquire()
    assert received_by(owner, lambda: make(folder).hand_over(LINK)) == [LINK]
    asyncio.run(owner.close())


def test_a_window_that_hangs_is_waited_for_a_second_at_the_most(tmp_path: Path) -> None:
    with FileLock(tmp_path / "instance"):
        later = make(tmp_path)
        began = time.monotonic()
        assert not later.acquire()
        assert later.hand_over(LINK) is HandOver.NOBODY
        assert time.monotonic() - began < 1.5


def test_a_killed_owner_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    with start(tmp_path) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "owner\n"
        killed.kill()
    assert (tmp_path / "instance.socket").exists()
    owner = make(tmp_path)
    assert owner.acquire()
    assert received_by(owner, lambda: make(tmp_path).hand_over(LINK)) == [LINK]
    asyncio.run(owner.close())


@pytest.mark.slow
def test_fifty_starts_at_once_have_one_owner(tmp_path: Path) -> None:
    started = [start(tmp_path, LINK) for _ in range(50)]
    try:
        answers = [
            process.stdout.readline().strip() for process in started if process.stdout is not None
        ]
        assert sorted(answers) == ["done"] * 49 + ["owner"]
    finally:
        for process in started:
            process.communicate()
    # All of them have gone, one without a word to say: the folder is free again.
    owner = make(tmp_path)
    assert owner.acquire()
    asyncio.run(owner.close())


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/home/me/pay.psbt", "/home/me/pay.psbt"),
        ("file:///home/me/pay.psbt", "/home/me/pay.psbt"),
        ("FILE:///home/me/a%20b%C3%A9.psbt", "/home/me/a bé.psbt"),
        ("file://localhost/pay.psbt", "/pay.psbt"),
        ("file:/pay.psbt", "/pay.psbt"),
    ],
)
def test_a_file_comes_as_a_path_or_as_desktops_write_it(given: str, path: str) -> None:
    assert psbt_path(given) == path


def test_a_relative_path_is_seen_from_here() -> None:
    assert psbt_path("pay.psbt") == str(Path.cwd() / "pay.psbt")


@pytest.mark.parametrize(
    "given",
    [
        "file://203.0.113.7/share/pay.psbt",
        "file://evil.example/pay.psbt",
        "file:////evil.example/share/pay.psbt",
        "file:pay.psbt",
        "file:///a%00.psbt",
    ],
)
def test_a_file_of_another_computer_is_refused(given: str) -> None:
    with pytest.raises(ParseError):
        psbt_path(given)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("file:///C:/Users/Anna/pay%20me.psbt", "C:/Users/Anna/pay me.psbt"),
        ("file:///%5C%5Cevil.example/share/pay.psbt", ""),
        ("file:///%5c/evil.example/share/pay.psbt", ""),
        ("file:///%2F%5Cevil.example/share/pay.psbt", ""),
        ("file:///%5C%5C%3F%5CUNC%5Cevil.example%5Cshare%5Cpay.psbt", ""),
    ],
)
def test_windows_would_tell_the_other_computer_who_asks(
    given: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as windows:
        windows.setattr("wallet_gui.app.instance.Path", PureWindowsPath)
        windows.setattr(sys, "platform", "win32")
        if path:
            assert psbt_path(given) == path
        else:
            with pytest.raises(ParseError):
                psbt_path(given)
