import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.vault.samples import (
    PASSWORD,
    TINY,
    TINY_COST,
    WORDS,
    create_request,
    make_wallet,
    read_state,
    restore_request,
    sample_seed,
)
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.keys import kdf, secret_box
from wallet_gui.keys.errors import BrokenRandomSource, NotEnoughMemory
from wallet_gui.keys.seed import LANGUAGES, WORD_COUNTS, Seed, entropy_from_words
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.params import MAINNET
from wallet_gui.sealing import KdfParameters, WrongKeyOrHeader, open_box, parse_box
from wallet_gui.storage.errors import AlreadyExists, WriteFailed
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.vault import creation
from wallet_gui.vault.errors import BadRequest, PersonCancelled
from wallet_gui.vault.password_cost import PasswordCost


def _no_progress(_step: str, _fraction: float | None) -> None:
    pass


def _create(folder: Path, **changes: object) -> creation.Created:
    request = restore_request(folder, **changes)
    return creation.create(request, sample_seed(), PASSWORD, TINY_COST, _no_progress)


def test_created_file_opens_with_the_view_key_and_the_secrets_with_the_password(
    tmp_path: Path,
) -> None:
    created = _create(tmp_path, script_types=("tr", "wpkh"), account=3, birthday_time=1_700_000_000)
    path = Path(created.reply.path)
    assert path == (tmp_path / "Savings.wallet").resolve()
    assert created.notices == ()
    description = read_state(path, created.reply.view_key).description
    assert description.name == "Savings"
    assert description.network == "regtest"
    assert description.birthday_time == 1_700_000_000
    assert description.has_secrets
    assert description.active == 0
    assert [text.split("(")[0] for text in description.descriptors] == ["tr", "wpkh"]
    assert all("/1h/3h]" in text for text in description.descriptors)
    box = WalletFile.read(path, minimum=TINY).secret_box
    assert box is not None
    payload = secret_box.open(PASSWORD, box, minimum=TINY)
    assert payload.entropy == entropy_from_words(WORDS)[0]
    assert payload.script_types == ("tr", "wpkh")
    assert payload.account == 3
    assert payload.network == "regtest"
    assert not payload.needs_passphrase


def test_first_address_is_that_of_bip84(tmp_path: Path) -> None:
    # BIP84's test vector: "abandon" eleven times and "about", account 0, first receive address.
    entropy, language = entropy_from_words("abandon " * 11 + "about")
    seed = Seed(entropy, language)
    request = restore_request(tmp_path, network="mainnet")
    created = creation.create(request, seed, PASSWORD, TINY_COST, _no_progress)
    state = read_state(Path(created.reply.path), created.reply.view_key)
    descriptor = Descriptor.parse(state.description.descriptors[0], MAINNET)
    address = address_from_script(descriptor.script_pubkey(0, 0), MAINNET)
    assert address == "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"


def test_boxes_have_salts_of_their_own_and_cache_keys_are_fresh(tmp_path: Path) -> None:
    first, second = _create(tmp_path, name="a"), _create(tmp_path, name="b")
    contents = [WalletFile.read(Path(c.reply.path), minimum=TINY) for c in (first, second)]
    salts = set()
    for each in contents:
        assert each.secret_box is not None
        salts |= {each.view_header.salt, parse_box(each.secret_box, minimum=TINY)[0].salt}
    assert len(salts) == 4
    states = [read_state(Path(c.reply.path), c.reply.view_key) for c in (first, second)]
    assert states[0].description.cache_key != states[1].description.cache_key


def test_view_key_opens_nothing_of_the_secret_box(tmp_path: Path) -> None:
    created = _create(tmp_path)
    box = WalletFile.read(Path(created.reply.path), minimum=TINY).secret_box
    assert box is not None
    with pytest.raises(WrongKeyOrHeader):
        open_box(created.reply.view_key, box, minimum=TINY)


def test_file_holds_neither_words_nor_entropy_nor_password(tmp_path: Path) -> None:
    created = _create(tmp_path)
    data = Path(created.reply.path).read_bytes()
    entropy = entropy_from_words(WORDS)[0]
    for secret in (entropy, entropy.hex().encode(), b"winner", PASSWORD.encode()):
        assert secret not in data
    assert created.reply.view_key not in data


def test_passphrase_is_not_stored_but_its_fingerprint_is(tmp_path: Path) -> None:
    plain = make_wallet(tmp_path / "plain")
    secret = make_wallet(tmp_path / "secret", passphrase="25th word")
    boxes = [WalletFile.read(s.path, minimum=TINY).secret_box for s in (plain, secret)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    payloads = [secret_box.open(PASSWORD, box, minimum=TINY) for box in boxes if box is not None]
    assert payloads[0].passphrase_fingerprint is None
    description = secret.wallet.description
    assert payloads[1].passphrase_fingerprint == bytes.fromhex(description.fingerprint)
    assert description.fingerprint != plain.wallet.description.fingerprint
    assert b"25th" not in payloads[1].encode()


@pytest.mark.parametrize("count", WORD_COUNTS)
def test_new_seeds_have_the_words_asked_for(tmp_path: Path, count: int) -> None:
    seed = creation.new_seed(create_request(tmp_path, word_count=count))
    assert len(seed.words.split()) == count


def test_new_seed_is_exactly_what_the_source_gave(tmp_path: Path) -> None:
    given: list[bytes] = []

    def source(size: int) -> bytes:
        given.append(hashlib.shake_256(b"%d" % len(given)).digest(size))
        return given[-1]

    assert creation.new_seed(create_request(tmp_path), source).entropy == given[0]


@pytest.mark.parametrize(
    "broken",
    [bytes, lambda n: b"\x07" * n, lambda n: bytes(range(n))],
    ids=["zeros", "constant", "counting"],
)
def test_a_dead_random_source_makes_no_wallet(
    tmp_path: Path, broken: Callable[[int], bytes]
) -> None:
    with pytest.raises(BrokenRandomSource, match="not random"):
        creation.new_seed(create_request(tmp_path), broken)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "  "},
        {"name": ".hidden"},
        {"name": "a/b"},
        {"name": "..\\up"},
        {"name": "a\x00b"},
        {"name": "CON"},
        {"name": "nul.txt"},
        {"name": "x" * 101},
        {"name": "dot."},
        {"name": " lead"},
        {"network": "litecoin"},
        {"script_types": ()},
        {"script_types": ("wsh",)},
        {"script_types": ("tr", "tr")},
        {"account": -1},
        {"account": 1 << 31},
        {"word_count": 13},
        {"language": "klingon"},
        {"birthday_time": -1},
        {"directory": "relative/folder"},
    ],
)
def test_impossible_requests_are_refused_before_anything_is_shown(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(BadRequest) as refused:
        creation.wallet_path(create_request(tmp_path, **changes))
    assert str(refused.value).endswith(".")
    assert list(tmp_path.iterdir()) == []


def test_a_taken_name_is_refused_at_once_and_left_alone(tmp_path: Path) -> None:
    created = _create(tmp_path)
    before = Path(created.reply.path).read_bytes()
    with pytest.raises(AlreadyExists, match="Savings"):
        creation.wallet_path(create_request(tmp_path))
    with pytest.raises(AlreadyExists):
        _create(tmp_path)
    assert Path(created.reply.path).read_bytes() == before


def test_a_damaged_file_of_that_name_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "Savings.wallet").write_bytes(b"something else")
    with pytest.raises(AlreadyExists):
        creation.wallet_path(create_request(tmp_path))


def test_neighbouring_names_do_not_disturb_each_other(tmp_path: Path) -> None:
    files = {}
    for name in ("a", "a b", "a.b", "ab", "a.wallet"):
        files[name] = Path(_create(tmp_path, name=name).reply.path)
    assert len(set(files.values())) == 5
    for path in files.values():
        assert WalletFile.read(path, minimum=TINY).source == ""


@pytest.mark.parametrize("password", ["", "short", "1234567"])
def test_no_or_tiny_passwords_are_refused(tmp_path: Path, password: str) -> None:
    request = restore_request(tmp_path)
    with pytest.raises(BadRequest):
        creation.create(request, sample_seed(), password, TINY_COST, _no_progress)
    assert list(tmp_path.iterdir()) == []


def test_cancelling_at_any_step_leaves_nothing(tmp_path: Path) -> None:
    seen: list[str] = []
    steps = 0

    def count(step: str, _fraction: float | None) -> None:
        seen.append(step)

    creation.create(restore_request(tmp_path / "x"), sample_seed(), PASSWORD, TINY_COST, count)
    assert seen[-1] == creation.WRITING
    for cancel_at in range(len(seen)):
        steps = 0

        def step(_step: str, _fraction: float | None, at: int = cancel_at) -> None:
            nonlocal steps
            if steps == at:
                raise PersonCancelled
            steps += 1

        folder = tmp_path / str(cancel_at)
        with pytest.raises(PersonCancelled):
            creation.create(restore_request(folder), sample_seed(), PASSWORD, TINY_COST, step)
        assert not folder.exists()


def test_less_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = kdf.derive_key
    wanted = KdfParameters(64, 1, 1)

    def refuse(password: str, salt: bytes, parameters: KdfParameters) -> bytes:
        if parameters == wanted:
            raise NotEnoughMemory("no memory")
        return real(password, salt, parameters)

    monkeypatch.setattr(kdf, "derive_key", refuse)
    cost = PasswordCost(preferred=wanted, fallback=TINY, minimum=TINY)
    created = creation.create(
        restore_request(tmp_path), sample_seed(), PASSWORD, cost, _no_progress
    )
    assert created.notices == (cost.reduced_notice,)
    assert WalletFile.read(Path(created.reply.path), minimum=TINY).view_header.kdf == TINY


def test_a_held_lock_or_a_bad_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteFailed):
        _create(tmp_path / "file" / "below")
    with FileLock(tmp_path / "Savings.wallet"), pytest.raises(Exception, match="in use"):
        _create(tmp_path)


def test_words_are_compared_as_restoring_reads_them() -> None:
    assert creation.is_same_word(" Winner\t", "winner")
    assert not creation.is_same_word("winne", "winner")
    assert creation.words_asked(12) == 3
    assert creation.words_asked(24) == 4
    assert "english" in LANGUAGES


def test_reprs_and_replies_show_no_key(tmp_path: Path) -> None:
    created = _create(tmp_path)
    assert created.reply.view_key.hex() not in repr(created)
    assert repr(created.reply.view_key) not in repr(created)
    assert json.dumps(created.reply.path)
