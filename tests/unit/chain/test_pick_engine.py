from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.chain.engines import NATIVE
from wallet_gui.chain.filters import pick_engine
from wallet_gui.chain.native import engine, library, self_test
from wallet_gui.chain.native.library import EngineUnavailable

needs_library = pytest.mark.skipif(not NATIVE, reason="there is no C compiler")


@pytest.fixture(autouse=True)
def choose_anew() -> Iterator[None]:
    pick_engine.cache_clear()
    yield
    pick_engine.cache_clear()


@needs_library
def test_the_native_engine_is_the_first_choice(caplog: pytest.LogCaptureFixture) -> None:
    assert pick_engine().name == "native"
    assert pick_engine() is pick_engine()  # the self-test is made once
    assert not caplog.records


@needs_library
@pytest.mark.parametrize("each", NATIVE, ids=lambda engine: engine.name)
def test_every_mode_passes_its_self_test(each: engine.NativeEngine) -> None:
    assert self_test.disagreement(each) is None


def test_a_missing_library_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "load", lambda: library.load(tmp_path / "engine.so"))
    assert pick_engine().name == "numpy"
    assert "engine.so is not built" in caplog.text


def test_a_damaged_library_is_not_loaded(tmp_path: Path) -> None:
    damaged = tmp_path / "engine.so"
    damaged.write_bytes(b"\x7fELF and no more")
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        library.load(damaged)


@needs_library
def test_a_library_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "ABI", library.ABI + 1)
    with pytest.raises(EngineUnavailable, match="is needed"):
        library.load.__wrapped__()


@needs_library
def test_an_engine_that_is_wrong_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def disagreement(tested: engine.NativeEngine) -> str:
        asked.append(tested.mode)
        return "everything"

    monkeypatch.setattr(self_test, "disagreement", disagreement)
    assert pick_engine().name == "numpy"
    assert "wrong about everything" in caplog.text
    assert asked[-1] == 0


@needs_library
def test_plain_code_steps_in_for_the_fastest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(self_test, "disagreement", lambda tested: "hashes" if tested.mode else None)
    picked = pick_engine()
    assert isinstance(picked, engine.NativeEngine)
    assert picked.mode == 0


LIES = {
    "frame_filters": "framing",
    "hash_run": "hashes",
    "header_hashes": "hashes",
    "header_chain": "hashes",
    "first_wrong": "filters compared with headers",
    "match_run": "matches",
    "scan_block": "blocks",
}


@needs_library
@pytest.mark.parametrize(("method", "found"), LIES.items())
def test_the_self_test_sees_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, method: str, found: str
) -> None:
    liar = engine.NativeEngine()
    right = getattr(liar, method)

    def lie(*arguments: object) -> object:
        if method == "scan_block" and isinstance(arguments[0], bytes):
            return right(arguments[0][:-1] + b"\x01")  # another lock time
        answer = right(*arguments)
        match answer:
            case bytes():
                return bytes([answer[0] ^ 1]) + answer[1:]
            case list():
                return answer[:-1]
        return 0

    monkeypatch.setattr(liar, method, lie)
    assert self_test.disagreement(liar) == found


@needs_library
def test_a_mode_that_is_not_there_is_refused() -> None:
    for mode in (0x200, 3, -1, 0xFF):
        with pytest.raises(EngineUnavailable, match="mode"):
            engine.NativeEngine(mode=mode)
