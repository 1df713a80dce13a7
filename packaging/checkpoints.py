"""Write the packaged checkpoints: `python packaging/checkpoints.py DATA_FOLDER`.

DATA_FOLDER holds `mainnet-epochs.csv`, `mainnet-epoch-headers.csv`, `mainnet-filter-headers.csv`,
`signet-epochs.csv` and `testnet4-epochs.csv`. The same tables give the same files, byte for byte,
in `resources/checkpoints/`; their format is described in `wallet_gui/chain/checkpoints.py`.

Everything that can be checked is: the work adds up, the bits follow from one another within the
clamp, and every known header has its proof of work, links to the epoch before it and has the bits
that the table names.

Times: the first header of an epoch dates the end of the one before it. Above the last known header
the retarget itself tells how long an epoch took, to a minute: new target = old target x seconds /
two weeks. What it does not cover is the one interval between two epochs, ten minutes on average; a
day is added to cover them all, so that an estimated time is rather too late than too early.
"""

import argparse
import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from wallet_gui.chain.checkpoints import FILTER_ENTRY, FULL_EPOCH, HASH_ONLY, HEAD, MAGIC
from wallet_gui.chain.difficulty import EPOCH, EPOCH_SECONDS
from wallet_gui.primitives.block import BlockHeader, target_from_bits, work_from_bits
from wallet_gui.primitives.hashes import hash_from_hex, sha256d
from wallet_gui.primitives.params import MAINNET, SIGNET, TESTNET4, ChainParams

ROOT = Path(__file__).resolve().parent.parent
INTERVAL = 600
ESTIMATE_MARGIN = 24 * 3600
CLAMP = 4


class WrongTable(Exception):
    """A table contradicts itself or the network's rules."""


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="ascii") as file:
        return list(csv.DictReader(file))


def hashes(table: list[dict[str, str]]) -> list[bytes]:
    """Give the hash of each epoch's last block; the epochs must be all there, in order."""
    for number, row in enumerate(table, 1):
        if int(row["last_height"]) != number * EPOCH - 1:
            raise WrongTable(f"epoch {number} is missing or out of order")
    return [hash_from_hex(row["last_hash"]) for row in table]


def known_headers(folder: Path) -> dict[int, BlockHeader]:
    """Read the first header of each epoch, by height."""
    return {
        int(row["height"]): BlockHeader.parse(bytes.fromhex(row["header"]))
        for row in rows(folder, "mainnet-epoch-headers.csv")
    }


def check_header(height: int, header: BlockHeader, previous: bytes, bits: int) -> None:
    """Check the first header of an epoch against the epoch before it."""
    if header.prev_blockhash != previous:
        raise WrongTable(f"header {height} does not follow its epoch")
    if header.bits != bits:
        raise WrongTable(f"header {height} has other bits than the table")
    if int.from_bytes(header.hash, "little") > target_from_bits(bits):
        raise WrongTable(f"header {height} lacks its proof of work")


def epoch_seconds(old_bits: int, new_bits: int) -> int:
    """Tell how long an epoch took, from what its retarget made of it."""
    return target_from_bits(new_bits) * EPOCH_SECONDS // target_from_bits(old_bits)


def mainnet_epochs(folder: Path) -> list[bytes]:
    """Pack mainnet's epochs, checked."""
    table = rows(folder, "mainnet-epochs.csv")
    headers = known_headers(folder)
    packed = []
    bits, work, time = MAINNET.pow_limit_bits, 0, 0
    for number, (row, last_hash) in enumerate(zip(table, hashes(table), strict=True), 1):
        height = number * EPOCH
        work += EPOCH * work_from_bits(bits)
        next_bits = int(row["next_bits"], 16)
        if work != int(row["chainwork_through_last_height"], 16):
            raise WrongTable(f"the work of epoch {number} does not add up")
        seconds = epoch_seconds(bits, next_bits)
        if not EPOCH_SECONDS // CLAMP - 1 <= seconds <= EPOCH_SECONDS * CLAMP:  # one: rounding
            raise WrongTable(f"the difficulty changes too much after epoch {number}")
        header = headers.get(height)
        if header is not None:
            check_header(height, header, last_hash, next_bits)
            time = header.time
            latest = time
        else:
            time += seconds + INTERVAL
            latest = time + ESTIMATE_MARGIN
        packed.append(FULL_EPOCH.pack(last_hash, work.to_bytes(16, "little"), next_bits, latest))
        bits = next_bits
    if work != MAINNET.minimum_chain_work:
        raise WrongTable("MAINNET.minimum_chain_work is not that of the last epoch")
    return packed


def filter_entries(folder: Path) -> list[bytes]:
    """Pack mainnet's filter headers."""
    table = sorted(rows(folder, "mainnet-filter-headers.csv"), key=lambda row: int(row["height"]))
    return [
        FILTER_ENTRY.pack(
            int(row["height"]),
            hash_from_hex(row["filter_header"]),
            hash_from_hex(row["block_hash"]) if row["block_hash"] else bytes(32),
        )
        for row in table
    ]


def packed_file(
    params: ChainParams, epochs: list[bytes], filters: list[bytes], *, is_full: bool
) -> bytes:
    """Put head, entries and checksum together."""
    head = HEAD.pack(MAGIC, params.magic, params.genesis_hash, is_full, len(epochs), len(filters))
    body = b"".join([head, *epochs, *filters])
    return body + sha256d(body)[:4]


def files(folder: Path) -> dict[str, bytes]:
    """Make every file from the tables in `folder`; WrongTable when they cannot be right."""
    made = {
        MAINNET.name: packed_file(
            MAINNET, mainnet_epochs(folder), filter_entries(folder), is_full=True
        )
    }
    for params in (SIGNET, TESTNET4):
        epochs = [
            HASH_ONLY.pack(each) for each in hashes(rows(folder, f"{params.name}-epochs.csv"))
        ]
        made[params.name] = packed_file(params, epochs, [], is_full=False)
    return made


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data_folder", type=Path)
    arguments.add_argument("--output", type=Path, default=ROOT / "resources" / "checkpoints")
    options = arguments.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name, content in files(options.data_folder).items():
        path = options.output / f"{name}.bin"
        path.write_bytes(content)
        print(f"{path.name}: {len(content)} bytes")


if __name__ == "__main__":
    main()
