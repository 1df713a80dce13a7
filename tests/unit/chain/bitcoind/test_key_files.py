"""Key files are read from where a person says they are, whatever is there."""

import os
import sys
import threading
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind.identities import _read_public
from wallet_gui.chain.bitcoind.key_files import MOST_OF_A_KEY, read_key
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"x" * (MOST_OF_A_KEY + 1))
    assert read_key(str(path)) == b"x" * MOST_OF_A_KEY
    with pytest.raises(NodeProblem) as caught:
        read_key(str(tmp_path / "none"))
    assert caught.value.code is Code.KEY_FILE_MISSING
    with pytest.raises(NodeProblem) as caught:
        read_key(str(tmp_path))
    assert caught.value.code is Code.KEY_UNREADABLE


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are no files there")
@pytest.mark.parametrize("is_public", [False, True])
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path, *, is_public: bool) -> None:
    """The thread that waits would be waited for at the end of the program."""
    path = tmp_path / "key"
    os.mkfifo(tmp_path / ("key.pub" if is_public else "key"))
    if is_public:
        path.write_bytes(b"no key")
    problems: list[str] = []

    def read() -> None:
        if is_public:
            problems.append(str(_read_public(str(path), None)))
            return
        try:
            read_key(str(path))
        except NodeProblem as problem:
            problems.append(problem.code.name)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(PATIENCE / 6)
    assert problems == ["None" if is_public else Code.KEY_UNREADABLE.name]
