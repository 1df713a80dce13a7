"""A package that cannot be made for a fault of ours must not pass for one that cannot be made."""

import pytest
from installers import bare_root
from installers.job import Missing, Wrong

from tests.packaging.skipping import skip, skipping_where_missing


@pytest.mark.parametrize(
    "reason",
    [
        "mmdebstrap is not here; apt-get install mmdebstrap brings it.",
        "A bare Debian is entered with chroot, which needs root: run this as root.",
        "mmdebstrap did not succeed: E: Temporary failure resolving 'deb.example'",
        "mmdebstrap did not succeed: E: The repository 'x trixie' does not have a Release file.",
    ],
)
def test_what_is_not_here_is_a_skip(reason: str) -> None:
    with pytest.raises(pytest.skip.Exception) as raised:
        skip(reason)
    assert str(raised.value) == reason


def test_what_failed_is_a_failure() -> None:
    with pytest.raises(Missing) as raised:
        bare_root._run(["sh", "-c", "echo 'E: Sub-process dpkg returned an error' >&2; exit 100"])
    with pytest.raises(pytest.fail.Exception, match="Sub-process"), skipping_where_missing():
        raise raised.value


def test_what_debian_does_not_have_is_a_fault_of_ours() -> None:
    with pytest.raises(Wrong, match="no package libegl,"), skipping_where_missing():
        bare_root._run(["sh", "-c", "echo 'E: Unable to locate package libegl' >&2; exit 100"])
