"""The packaged program tests itself, offscreen and on a screen, and takes no orders from links."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.journey.payments import SOMEBODY
from tests.journey.screen import Screen, screen_in
from tests.packaging.frozen_copy import copy_of, replace
from tests.patience import PATIENCE
from tests.smoke import CHECKS, environment, smoke_test

pytestmark = pytest.mark.slow

OFFLINE = {"fonts", "icons", "curve", "vectors", "QR codes", "vault", "wallet", "window"}
LINK = f"bitcoin:{SOMEBODY}?amount=1"


@pytest.fixture
def program(frozen_folder: Path) -> str:
    return str(frozen_folder / "wallet-gui")


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    with screen_in(tmp_path / "screen") as screen:
        yield screen


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.functional
def test_it_passes_its_own_test_with_a_real_node(program: str, node: Node, tmp_path: Path) -> None:
    node.mature()
    env = environment(tmp_path)
    peer = f"{node.host}:{node.p2p_port}"
    told = smoke_test("--network", "regtest", "--peer", peer, env=env, command=[program])
    assert told.is_good, told
    assert tuple(told.found) == (*CHECKS, f"peer {peer}")
    assert told.stderr == ""
    assert "engine-linux-x64.so" in told.found["engine"]
    assert f"ours {node.height}" in told.found[f"peer {peer}"]
    # Nothing of it stays, wherever a desktop keeps things of its person.
    assert files(tmp_path) <= {"home/.cache/fontconfig/CACHEDIR.TAG"}


def test_it_passes_its_own_test_on_a_screen(program: str, screen: Screen, tmp_path: Path) -> None:
    env = environment(tmp_path, **{**screen.environment, "HOME": str(tmp_path)})
    told = smoke_test(env=env, command=[program])
    assert told.is_good, told
    assert "platform xcb" in told.found["window"]


def test_the_offline_program_passes_its_own_test(program: str, tmp_path: Path) -> None:
    told = smoke_test(env=environment(tmp_path), command=[program, "--offline"])
    assert told.is_good, told
    assert set(told.found) == OFFLINE | {"no network"}
    assert told.stderr == ""


def test_a_damaged_folder_is_found_out(frozen_folder: Path, tmp_path: Path) -> None:
    """What is lost or changed on the way to a person's disk does not pass."""
    copy = copy_of(frozen_folder, tmp_path / "copy")
    inside = copy / "_internal" / "wallet_gui"
    fonts = sorted((inside / "resources" / "fonts").glob("Inter*"))
    for path in (*fonts, inside / "resources" / "checkpoints" / "mainnet.bin"):
        data = path.read_bytes()
        replace(path, data[: len(data) // 2])
    next((inside / "chain" / "native").glob("engine-*")).unlink()
    command = [str(copy / "wallet-gui")]
    told = smoke_test("--network", "regtest", env=environment(tmp_path), command=command)
    assert told.status == 1
    assert set(told.problems) == {"fonts", "checkpoints", "engine"}
    assert "Inter is missing" in told.problems["fonts"]
    # Where it cannot even open its window, it says why.
    fonts[0].unlink()
    for mode in ([], ["--offline"]):
        told = smoke_test(env=environment(tmp_path), command=[*command, *mode])
        assert told.status == 1
        assert told.problems == {"start": f"resources/fonts/{fonts[0].name}"}


# Links that a web page wrote, CVE-2021-3401


@pytest.mark.parametrize("dashes", [[], ["--"]])
@pytest.mark.parametrize(
    "after",
    [
        ["-platformpluginpath", "PLUGINS"],
        ["-platform", "offscreen", "-stylesheet", "PLUGINS/evil.qss"],
        ["--vault", "--headless", "--pipe", "0,1"],
        ["--data-dir", "PLUGINS"],
        ["--offline"],
        ["--smoke-test"],
    ],
    ids=lambda after: after[0],
)
def test_what_follows_a_link_opens_nothing(
    program: str, tmp_path: Path, after: list[str], dashes: list[str]
) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    # Whoever opens it would wait for ever.
    os.mkfifo(plugins / "evil.qss")
    arguments = [text.replace("PLUGINS", str(plugins)) for text in after]
    done = subprocess.run(
        [program, *dashes, LINK, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(tmp_path),
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert files(tmp_path) == set()


def test_a_hostile_link_only_fills_the_form(program: str, screen: Screen, tmp_path: Path) -> None:
    """Options inside of a link, and what it wants fetched, are text and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        hostile = (
            f"bitcoin:{SOMEBODY}?amount=0.5&label=x%20-stylesheet%20{tmp_path}/evil.qss%22%20--vault"
            f"&r=http://127.0.0.1:{port}/request&R2=file:///etc/passwd --data-dir {tmp_path}/evil"
        )
        data = tmp_path / "data"
        command = [program, "--network", "regtest", "--data-dir", str(data)]
        window = screen.start([*command, "--", hostile])
        screen.wait_for("Open a wallet to make the payment of the link.", "play money")
        # A later start hands its link over; one with options behind the link hands nothing over.
        later = subprocess.run(
            [*command, LINK, "--playground"],
            capture_output=True,
            text=True,
            check=False,
            env=screen.environment,
            timeout=PATIENCE,
        )
        assert later.returncode == 2
        later = subprocess.run(
            [*command, "--", LINK],
            capture_output=True,
            text=True,
            check=False,
            env=screen.environment,
            timeout=PATIENCE,
        )
        assert (later.returncode, later.stderr) == (0, "")
        time.sleep(1)
        assert window.poll() is None
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()
    assert not (tmp_path / "evil").exists()
    # What the process itself was told, as the system keeps it: one argument, whole.
    told = Path(f"/proc/{window.pid}/cmdline").read_bytes().split(b"\0")
    assert hostile.encode() in told
    maps = Path(f"/proc/{window.pid}/maps").read_text()
    assert not re.search(r"evil", maps)
