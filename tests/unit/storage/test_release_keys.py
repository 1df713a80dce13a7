from pathlib import Path

import pytest

from tests.release_keys import ReleaseSigner
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage import release_keys


def test_the_shipped_file_is_read() -> None:
    keys = release_keys.built_in()
    # No maintainer has made a key yet, so that nothing may be offered nor believed.
    assert keys.keys == ()
    assert not keys.offers_updates


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    signer = ReleaseSigner()
    path.write_text(f"notice https://example.org/n\nkey {signer.public.to_text()} tests\n")
    assert release_keys.read(path) == signer.keys("https://example.org/n")


@pytest.mark.parametrize("data", [b"\xff", b"key x", b"#" * (release_keys.MAX_SIZE + 1)])
def test_a_damaged_file_trusts_nobody(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "keys.txt"
    path.write_bytes(data)
    with pytest.raises(ParseError, match="damaged; install the program again"):
        release_keys.read(path)
