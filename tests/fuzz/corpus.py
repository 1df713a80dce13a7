"""What the fuzzers begin with: filters, streams and blocks as they should be, and some bombs."""

from random import Random

from tests.unit.chain.test_gcs import HOSTILE
from tests.unit.chain.test_native_blocks import CASES
from wallet_gui.chain import gcs_scalar
from wallet_gui.chain.gcs_scalar import PreparedScripts
from wallet_gui.chain.p2p.filter_messages import CFilter
from wallet_gui.chain.p2p.transport import V1Transport

MAGIC = b"\xfa\xbf\xb5\xda"
LONGEST_BLOCK = 20_000  # larger ones take too long under the sanitizers


def entries() -> list[tuple[str, bytes]]:
    """Make `(kind, bytes)`: S scripts, G a block hash and its filter, F a stream, B a block."""
    random = Random(158)
    scripts = [random.randbytes(22 if number < 12 else 34) for number in range(24)]
    packed = b"".join(group for _, _, group in PreparedScripts(scripts).groups)
    made = [("S", packed)]
    filters = []
    for size in [0, 1, 2, 3, 7, 8, 20, 60, 150, 400] * 3:
        block_hash = random.randbytes(32)
        items = {random.randbytes(22) for _ in range(size)}
        if size % 2:
            items.add(random.choice(scripts))
        filters.append((block_hash, gcs_scalar.build(block_hash, items)))
    filters += [(random.randbytes(32), data) for data in HOSTILE.values()]
    # One value for all: each is the same as a script's, or has its low bits.
    for shift in (0, 12, 14):
        block_hash = random.randbytes(32)
        target = gcs_scalar.hash_items(block_hash, scripts[:1], 3000)[0]
        span = 3000 * gcs_scalar.M
        values = [target % 2**shift + (number << shift) for number in range(3000)]
        values = [value if shift else target for value in values if value < span]
        values = sorted(values + [0] * (3000 - len(values)))
        filters.append((block_hash, gcs_scalar.encode(values)))
    made += [("G", block_hash + data) for block_hash, data in filters]
    transport = V1Transport(MAGIC)
    for _ in range(12):
        stream = b"".join(
            transport.frame("cfilter", CFilter(block_hash, data).serialize())
            for block_hash, data in random.sample(filters, random.randrange(1, 6))
        )
        made.append(("F", stream + transport.frame("ping", bytes(8))))
    blocks = [block.serialize() for block in CASES.values()]
    made += [("B", raw) for raw in blocks if len(raw) <= LONGEST_BLOCK]
    return made


def serialized() -> bytes:
    """Write all entries as the harness reads them."""
    return b"".join(
        kind.encode() + len(data).to_bytes(4, "little") + data for kind, data in entries()
    )
