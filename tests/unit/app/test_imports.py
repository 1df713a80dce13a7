"""What is recognised in an export, and what is made of it."""

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gui.import_samples import WORDS, account, cosigner, descriptor, root, shared, xpub
from wallet_gui.app import imports
from wallet_gui.app.imports import ImportRefused
from wallet_gui.custody import exports
from wallet_gui.descriptors.account_import import CosignerOnly, ScriptTypeNeeded, SecretsInside
from wallet_gui.descriptors.descriptor import DescriptorType, MultisigType
from wallet_gui.descriptors.importers import MAX_SIZE
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import StorageError
from wallet_gui.transfer.qr_frames import Decoder, Format, Kind, encode


def test_an_account_is_shown_as_a_person_compares_it() -> None:
    look = imports.read(descriptor(), REGTEST)
    (shown,) = look.accounts
    assert shown.words == "Native SegWit, one key"
    assert shown.keys[0].fingerprint == root(1).fingerprint.hex()
    assert shown.keys[0].path == "m/84h/1h/0h"
    assert shown.addresses == tuple(look.found.descriptors[0].address(n) for n in range(3))
    assert not look.is_multisig


def test_an_offline_account_has_all_kinds_but_no_cosigner() -> None:
    look = imports.read(account(), REGTEST)
    assert {item.descriptor.type for item in look.accounts} == set(DescriptorType)
    assert look.found.descriptors[look.found.active].type is DescriptorType.WPKH
    only = imports.read(account(), REGTEST, DescriptorType.TR)
    assert [item.descriptor.type for item in only.accounts] == [DescriptorType.TR]
    assert only.found.active == 0


def test_a_bare_key_needs_a_kind_and_a_cosigners_key_a_multisig() -> None:
    with pytest.raises(ScriptTypeNeeded):
        imports.read(xpub(), REGTEST)
    assert imports.read(xpub(), REGTEST, DescriptorType.SH_WPKH).accounts[0].kind == (
        "Wrapped SegWit"
    )
    with pytest.raises(CosignerOnly):
        imports.read(str(cosigner(1)), REGTEST)


@pytest.mark.parametrize("format_", [Format.UR, Format.BBQR])
def test_codes_that_were_pasted_as_text_are_put_together(format_: Format) -> None:
    frames = encode(Kind.ACCOUNT, account().encode(), format=format_, max_fragment=100)
    codes = [frames.frame(number) for number in range(frames.count)]
    assert len(codes) > 2
    look = imports.read("\n".join(codes), REGTEST)
    assert len(look.accounts) == 4
    with pytest.raises(ParseError, match=r"of .* codes"):
        imports.read("\n".join(codes[:-1]), REGTEST)


def test_an_account_by_ur_has_the_keys_that_went_in() -> None:
    decoder = Decoder()
    frames = encode(Kind.ACCOUNT, account().encode(), format=Format.UR)
    progress = decoder.progress
    while not progress.is_done:
        progress = decoder.receive(next(frames))
    assert progress.kind is not None
    assert progress.data is not None
    text = imports.scanned(progress.kind, progress.data)
    assert imports.read(text, REGTEST).found.descriptors == (
        imports.read(account(), REGTEST).found.descriptors
    )
    assert imports.cosigner(text, REGTEST, MultisigType.WSH).identity == cosigner(1).identity
    with pytest.raises(ParseError, match="no key for this kind"):
        imports.cosigner(text, REGTEST, MultisigType.SH_WSH)


@pytest.mark.parametrize("kind", [Kind.PSBT, Kind.TRANSACTION, Kind.PAYMENT, Kind.BINARY])
def test_what_is_no_wallet_is_said(kind: Kind) -> None:
    with pytest.raises(ParseError, match=r"\.$"):
        imports.scanned(kind, b"x")


def test_files_are_read_with_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "export.txt"
    path.write_text(descriptor())
    assert imports.read(path, REGTEST).accounts[0].keys[0].path == "m/84h/1h/0h"
    path.write_bytes(b"a" * (MAX_SIZE + 10))
    with pytest.raises(ParseError, match="too large"):
        imports.read(path, REGTEST)
    with pytest.raises(ImportRefused, match="cannot be read"):
        imports.read(tmp_path, REGTEST)


def test_secrets_in_an_account_are_refused() -> None:
    for text in (WORDS, f"{descriptor()}\n{root(1).serialize()}"):
        with pytest.raises(SecretsInside):
            imports.read(text, REGTEST)
        with pytest.raises(SecretsInside):
            imports.cosigner(text, REGTEST, MultisigType.WSH)


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=400), st.text(max_size=400)))
def test_anything_is_a_wallet_or_a_sentence(data: bytes | str) -> None:
    for read in (
        lambda: imports.read(data, REGTEST),
        lambda: imports.cosigner(data, REGTEST, MultisigType.WSH),
    ):
        with suppress(ParseError, ImportRefused):
            read()


def test_keys_are_put_together_and_doubled_ones_refused() -> None:
    keys = [cosigner(number) for number in range(1, 4)]
    assert imports.check_new_key(keys[2], keys[:2]) == ""
    with pytest.raises(ParseError, match="cosigner 2"):
        imports.check_new_key(keys[1], keys[:2])
    with pytest.raises(ParseError, match="at most 15"):
        imports.check_new_key(keys[0], [cosigner(number) for number in range(2, 17)])
    look = shared()
    assert look.accounts[0].words == "Native SegWit, 2 of 3 signatures"
    assert look.is_multisig
    assert look.found.birthday_time is not None
    assert abs(look.found.birthday_time - time.time()) < 60
    # The order in which the keys are added changes no address.
    turned = imports.together(MultisigType.WSH, REGTEST, 2, keys[::-1])
    assert turned.accounts[0].addresses == look.accounts[0].addresses


def test_every_format_reads_back_as_the_same_wallet() -> None:
    for text, count in ((descriptor(), 5), (shared().found.descriptors[0].to_string(), 5)):
        found = imports.read(text, REGTEST).found
        written = exports.of_descriptors(found.descriptors, "Family", 1_700_000_000)
        assert len(written) == count
        for export in written:
            kind = None if export.key != "xpub" else DescriptorType.WPKH
            again = imports.read(export.text, REGTEST, kind).found
            assert again.descriptors == found.descriptors, export.key
            frames = encode(export.kind, export.text.encode(), format=Format.BBQR)
            assert frames.count > 0
    several = imports.read(account(), REGTEST).found
    keys = {item.key for item in exports.of_descriptors(several.descriptors, "All", None)}
    assert keys == {"descriptor", "xpub", "core"}


def test_an_export_is_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    exports.save(str(tmp_path / "a.txt"), "text")
    assert (tmp_path / "a.txt").read_text() == "text\n"
    with pytest.raises(StorageError, match="could not be saved"):
        exports.save(str(tmp_path / "b" / "a.txt"), "text")


def test_a_key_of_another_network_is_refused() -> None:
    with pytest.raises(ParseError):
        imports.cosigner(str(cosigner(1, MAINNET)), REGTEST, MultisigType.WSH)
