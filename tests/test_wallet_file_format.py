"""The written format and the code are the same: every number of the page is checked here."""

import dataclasses
import re
import struct

from tests.hostile.restore_drill import SCRIPT, load_script
from wallet_gui import sealing
from wallet_gui.keys import secret_box
from wallet_gui.keys.accounts import PURPOSE
from wallet_gui.keys.seed import LANGUAGES
from wallet_gui.primitives.params import NETWORKS
from wallet_gui.storage import view_state, wallet_layout
from wallet_gui.storage.view_state import ViewState
from wallet_gui.wallet.changes import PaymentRequest, WalletDescription

recover_wallet = load_script()
PAGE = SCRIPT.with_name("wallet-file-format.md").read_text()


def section(number: int) -> str:
    found = re.search(rf"^## {number}\..*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables, without their headings."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in {"bytes", "field", "field of `description"}]


def sizes(text: str) -> list[int]:
    return [int(row[0]) for row in rows(text) if row[0].isdigit()]


def test_the_header_of_the_file() -> None:
    assert sizes(section(1))[:6] == [8, 2, 2, 8, 4, 4]
    assert wallet_layout._HEADER.size == sum(sizes(section(1))[:6]) == 28
    assert struct.calcsize("<8sHHQII") == 28
    assert wallet_layout._MAGIC.decode() in section(1)
    assert "The header is 28 bytes long" in section(1)
    assert str(wallet_layout.MAX_SIZE) in section(1)
    assert f"| format | {wallet_layout.FORMAT} |" in section(1)
    assert wallet_layout._PURGE_PENDING == 1
    assert "wallet-gui wallet file" in section(1)
    assert sizes(section(1))[6:] == [wallet_layout._TAG_SIZE, wallet_layout._CHECKSUM_SIZE]


def test_the_header_of_a_box() -> None:
    assert sizes(section(2)) == [8, 2, 2, 4, 4, 4, 4, 16, 32, 4, 32]
    assert sum(sizes(section(2))) == sealing.HEADER_SIZE == 112
    assert sealing._HEADER.size == 80
    assert "the first 80 bytes" in section(2)
    assert "the first 112 bytes" in section(2)
    assert sealing._MAGIC.decode() in section(2)
    assert f"| format | {sealing._FORMAT} |" in section(2)
    assert f"| kdf | {sealing._ARGON2ID}:" in section(2)
    for kind in sealing.KINDS:
        assert f"`{kind.decode()}`" in section(2)
    for number in (
        sealing._PAD_TO,
        sealing.MAX_MEMORY_KIB,
        sealing.MAX_ITERATIONS,
        sealing.MAX_LANES,
        sealing._MAX_PLAINTEXT,
        sealing.FLOOR.memory_kib,
        sealing.FLOOR.iterations,
        sealing.DEFAULT.memory_kib,
        sealing.DEFAULT.iterations,
        sealing.DEFAULT.lanes,
        sealing.REDUCED.memory_kib,
        sealing._AEAD_TAG_SIZE,
    ):
        assert re.search(rf"(?<!\d){number}(?!\d)", section(2)), number
    assert bytes(12) == sealing._NONCE
    assert "12 zero bytes" in section(2)


def test_the_fields_of_the_view() -> None:
    first, second = section(3).split("| field of `description`")
    assert f"| `format` | {view_state.FORMAT} |" in first
    sample = ViewState(
        WalletDescription("n", "regtest", ("d",), 0, "00000000", None, bytes(32))
    ).encode()
    for name in re.findall(rb'"([a-z_]+)":', sample):
        assert f"`{name.decode()}`" in section(3), name
    assert {row[0] for row in rows(second)} == {
        field.name for field in dataclasses.fields(WalletDescription)
    }
    for field in dataclasses.fields(PaymentRequest):
        assert f"`{field.name}`" in first
    for network in NETWORKS:
        assert f"`{network}`" in second


def test_the_fields_of_the_secrets() -> None:
    table = rows(section(4))
    payload = secret_box.SecretPayload(bytes(16))
    written = re.findall(rb'"([a-z_]+)":', payload.encode())
    assert {row[0] for row in table} == {name.decode() for name in written}
    since = {row[0]: int(row[1]) for row in table}
    assert max(since.values()) == secret_box.FORMAT
    assert {name: number for name, number in since.items() if number > 1} == {
        name: number for number, name in secret_box._FIELDS_SINCE.items()
    }
    assert f"| `format` | 1 | {secret_box.FORMAT};" in section(4)
    for language in LANGUAGES:
        assert f"`{language}`" in section(4)
    for kind, purpose in PURPOSE.items():
        assert f"`{kind.name.lower()}`" in section(4)
        assert f"{purpose}h" in section(4)


def test_the_script_reads_what_is_written() -> None:
    constants = {
        "FILE_MAGIC": wallet_layout._MAGIC,
        "FILE_FORMAT": wallet_layout.FORMAT,
        "MAX_FILE": wallet_layout.MAX_SIZE,
        "BOX_MAGIC": sealing._MAGIC,
        "BOX_FORMAT": sealing._FORMAT,
        "MAX_MEMORY_KIB": sealing.MAX_MEMORY_KIB,
        "MAX_ITERATIONS": sealing.MAX_ITERATIONS,
        "MAX_LANES": sealing.MAX_LANES,
        "VIEW_FORMAT": view_state.FORMAT,
        "SECRET_FORMAT": secret_box.FORMAT,
    }
    assert {name: getattr(recover_wallet, name) for name in constants} == constants
    assert recover_wallet.FILE_HEADER.format == wallet_layout._HEADER.format
    assert recover_wallet.BOX_HEADER.format == sealing._HEADER.format
    assert set(recover_wallet.LISTS) == set(LANGUAGES)
