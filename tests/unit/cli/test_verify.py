"""What `verify` says of downloads, with keys that exist for one test."""

import argparse
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wallet_gui
from tests.release_keys import ReleaseSigner
from wallet_gui.cli.arguments import parse
from wallet_gui.cli.result import CommandError, Result, UsageError
from wallet_gui.cli.verify import run
from wallet_gui.cli.verify_sums import parse_sums, version_in_name
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.release_signature import ReleaseKeys
from wallet_gui.storage.update_file import UpdateFile, UpdateRecord

VERSION = wallet_gui.__version__
DEB = f"wallet-gui_{VERSION}_amd64.deb"
EXE = f"wallet-gui-{VERSION}-setup.exe"


class Download:
    """A folder with a release in it, as a person has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.anna, self.ben = ReleaseSigner(), ReleaseSigner()
        for name in (DEB, EXE):
            (folder / name).write_bytes(name.encode() * 1000)
        self.sums = folder / "SHA256SUMS"
        self.sums.write_text(
            "".join(
                f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
                for name in (EXE, DEB)
            )
        )
        self.sign(self.anna)

    def sign(self, signer: ReleaseSigner, builder: str = "", comment: str = "") -> None:
        name = f"SHA256SUMS.{builder}.minisig" if builder else "SHA256SUMS.minisig"
        comment = comment or f"wallet-gui {VERSION} SHA256SUMS"
        (self.folder / name).write_text(signer.sign(self.sums.read_bytes(), comment))

    @property
    def keys(self) -> ReleaseKeys:
        return ReleaseKeys("", (self.anna.public, self.ben.public))

    def verify(self, *arguments: str, keys: ReleaseKeys | None = None) -> Result:
        return run(self.options(*arguments), self.keys if keys is None else keys)

    def options(self, *arguments: str) -> argparse.Namespace:
        given = arguments or (str(self.folder / DEB),)
        return parse(["verify", "--data-dir", str(self.folder / "data"), *given])


@pytest.fixture
def download(tmp_path: Path) -> Download:
    return Download(tmp_path)


def test_a_genuine_file_is_called_so_and_who_signed(download: Download) -> None:
    result = download.verify()
    assert not result.failure
    assert result.lines == [
        f"{download.folder / DEB} is genuine: Wallet GUI {VERSION}.",
        f"Signed with the release key {download.anna.public.name}.",
    ]
    assert result.document == {
        "version": VERSION,
        "signed_by": [download.anna.public.name],
        "files": [
            {
                "file": str(download.folder / DEB),
                "genuine": True,
                "explanation": result.lines[0],
            }
        ],
    }


def test_a_changed_file_is_refused_and_others_are_still_judged(download: Download) -> None:
    with (download.folder / DEB).open("ab") as file:
        file.write(b"!")
    result = download.verify(str(download.folder / DEB), str(download.folder / EXE))
    assert "is NOT what was released" in result.failure
    assert result.lines[0].startswith(f"{download.folder / EXE} is genuine")


def test_a_file_that_the_browser_renamed_is_recognised(download: Download) -> None:
    renamed = (download.folder / DEB).rename(download.folder / "wallet (1).deb")
    result = download.verify(str(renamed))
    assert not result.failure
    assert result.lines[0].endswith(f"published as {DEB}.")


def test_a_genuine_file_under_the_name_of_another_is_named_rightly(download: Download) -> None:
    (download.folder / DEB).write_bytes((download.folder / EXE).read_bytes())
    assert download.verify().lines[0].endswith(f"published as {EXE}.")


def test_a_file_that_is_not_listed_is_refused(download: Download) -> None:
    other = download.folder / "holiday.jpg"
    other.write_bytes(b"?")
    assert "is not among the files of Wallet GUI" in download.verify(str(other)).failure


def test_the_list_of_another_version_is_named(download: Download) -> None:
    newer = download.folder / "wallet-gui_9.9.9_amd64.deb"
    newer.write_bytes(b"?")
    failure = download.verify(str(newer)).failure
    assert f"is of version 9.9.9, and the list of hashes is of version {VERSION}" in failure


def test_a_genuine_older_release_is_called_older(download: Download) -> None:
    download.sign(download.anna, comment="wallet-gui 0.0.1 SHA256SUMS")
    assert (
        download.verify().lines[-1]
        == f"It is older than the program that you are using, {VERSION}."
    )


def test_no_list_and_no_signature_are_told(download: Download) -> None:
    (download.folder / "SHA256SUMS.minisig").unlink()
    with pytest.raises(CommandError, match=r"There is no signature beside .*anybody may have"):
        download.verify()
    download.sums.unlink()
    with pytest.raises(CommandError, match="There is no list of hashes"):
        download.verify()


def test_the_list_may_lie_elsewhere(download: Download, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = (download.folder / DEB).rename(tmp_path / "elsewhere" / DEB)
    assert not download.verify(str(moved), "--sums", str(download.sums)).failure


def test_a_stranger_s_signature_is_refused(download: Download) -> None:
    download.sign(ReleaseSigner())
    with pytest.raises(CommandError, match="none of those that this program trusts"):
        download.verify()


def test_a_changed_list_is_refused(download: Download) -> None:
    download.sums.write_text(download.sums.read_text().replace(DEB, f"{DEB}x"))
    with pytest.raises(CommandError, match="The signature does not match"):
        download.verify()


def test_a_damaged_signature_is_refused(download: Download) -> None:
    (download.folder / "SHA256SUMS.minisig").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="not a signature file"):
        download.verify()


def test_what_was_signed_for_another_purpose_does_not_count(download: Download) -> None:
    download.sign(download.anna, comment="wallet-gui notice 7")
    with pytest.raises(CommandError, match="made for something else: “wallet-gui notice 7”"):
        download.verify()


def test_a_signed_list_that_is_none_is_refused(download: Download) -> None:
    download.sums.write_text("../../etc/passwd\n")
    download.sign(download.anna)
    with pytest.raises(CommandError, match="Line 1 of the list of hashes"):
        download.verify()


def test_several_builders_are_counted_by_their_keys(download: Download) -> None:
    ask = (str(download.folder / DEB), "--at-least", "2")
    with pytest.raises(CommandError, match="1 of the 2 keys"):
        download.verify(*ask)
    download.sign(download.anna, "anna")  # the same key again is no second one
    with pytest.raises(CommandError, match="1 of the 2 keys"):
        download.verify(*ask)
    download.sign(ReleaseSigner(), "mallory")
    with pytest.raises(CommandError, match=r"1 of the 2 keys.*SHA256SUMS\.mallory\.minisig"):
        download.verify(*ask)
    download.sign(download.ben, "ben")
    result = download.verify(*ask)
    names = sorted([download.anna.public.name, download.ben.public.name])
    assert result.lines[1] == f"Signed with the release keys {', '.join(names)}."
    # What does not count is said, though it stops nothing.
    assert "mallory" in result.lines[2]


def test_builders_of_different_versions_do_not_add_up(download: Download) -> None:
    download.sign(download.ben, "ben", "wallet-gui 9.9.9 SHA256SUMS")
    with pytest.raises(CommandError, match="different versions"):
        download.verify()


def test_a_key_that_a_notice_withdrew_no_longer_counts(download: Download) -> None:
    (download.folder / "data").mkdir()
    withdrawn = UpdateRecord(revoked=(download.anna.public.name,))
    UpdateFile(download.folder / "data").save(withdrawn)
    with pytest.raises(CommandError, match="which the makers have withdrawn"):
        download.verify()
    download.sign(download.ben, "ben")
    result = download.verify()
    assert result.lines[1] == f"Signed with the release key {download.ben.public.name}."


def test_nothing_is_made_in_the_data_folder(download: Download) -> None:
    download.verify()
    assert not (download.folder / "data").exists()


def test_without_a_key_nothing_is_called_genuine(download: Download) -> None:
    with pytest.raises(CommandError, match=r"no release key built in.*minisign -Vm"):
        download.verify(keys=ReleaseKeys())


def test_a_key_may_be_named_as_text_or_file(download: Download, tmp_path: Path) -> None:
    carl = ReleaseSigner()
    download.sign(carl)
    text = carl.public.to_text()
    (tmp_path / "carl.pub").write_text(f"untrusted comment: carl\n{text}\n")
    for key in (text, str(tmp_path / "carl.pub")):
        asked = (str(download.folder / DEB), "--signed-by", key)
        assert not download.verify(*asked, keys=ReleaseKeys()).failure
    with pytest.raises(UsageError, match="no public key of minisign"):
        download.verify(str(download.folder / DEB), "--signed-by", str(download.sums))
    with pytest.raises(CommandError, match="cannot be read"):
        download.verify(str(download.folder / DEB), "--signed-by", "nowhere.pub")


def test_command_lines_that_make_no_sense(download: Download) -> None:
    with pytest.raises(UsageError, match="Name the file"):
        run(parse(["verify"]), download.keys)
    with pytest.raises(UsageError, match="from 1"):
        download.verify(str(download.folder / DEB), "--at-least", "0")
    with pytest.raises(CommandError, match="There is no file"):
        download.verify(str(download.folder / "missing.deb"))
    behind = parse(["verify", "--sums", str(download.sums), "a.deb", "--json", "b.deb"])
    assert behind.files == [Path("a.deb"), Path("b.deb")]


def test_names_cannot_move_the_cursor(download: Download) -> None:
    evil = download.folder / "\x1b[2Jgenuine\u202e.deb"
    evil.write_bytes(b"?")
    failure = download.verify(str(evil)).failure
    assert failure.isprintable()
    assert "\u202e" not in failure


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,40}", fullmatch=True),
        st.binary(min_size=32, max_size=32),
        min_size=1,
    )
)
def test_lists_are_read_as_they_were_written(sums: dict[str, bytes]) -> None:
    text = "".join(f"{digest.hex()}  {name}\n" for name, digest in sums.items())
    assert parse_sums(text.encode()) == sums


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_a_list_or_an_error(data: bytes) -> None:
    try:
        found = parse_sums(data)
    except ParseError:
        return
    assert all(len(digest) == 32 and "/" not in name for name, digest in found.items())


def test_versions_are_read_from_names() -> None:
    assert version_in_name("wallet-gui_0.1.0_amd64.deb") == "0.1.0"
    assert version_in_name("wallet-gui-1.2.13-setup.exe") == "1.2.13"
    assert version_in_name("wallet-gui-0.1.0.sbom.json") == "0.1.0"
    assert version_in_name("wallet-gui.exe") == ""
    assert version_in_name("holiday.jpg") == ""
