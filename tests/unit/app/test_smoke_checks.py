from pathlib import Path

import pytest

from wallet_gui.app import smoke_checks
from wallet_gui.primitives.check_failed import CheckFailed
from wallet_gui.release_signature import ReleaseKeys
from wallet_gui.storage import release_keys


def test_release_keys_are_shipped_also_while_there_are_none() -> None:
    assert smoke_checks.check_releases() == "no release keys built in, TLS is there"


def test_a_program_without_the_file_of_the_keys_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_keys, "_PACKAGE", tmp_path / "wallet_gui")
    assert release_keys.built_in() == ReleaseKeys()
    with pytest.raises(CheckFailed, match=r"The file of the release keys is missing\."):
        smoke_checks.check_releases()
