"""Keys, descriptors and accounts as URs against `urtypes`, which SeedSigner and Krux use.

It is no dependency of the tests; `pip install urtypes` brings it.
"""

import random
from typing import Any

import pytest

from wallet_gui.curve import public_key
from wallet_gui.descriptors.xpub import HARDENED, ExtendedKeyFields, format_path
from wallet_gui.primitives.params import MAINNET, REGTEST, ChainParams
from wallet_gui.transfer import cbor, ur_keys

registry: Any = pytest.importorskip("urtypes.crypto", reason="urtypes is not installed")

SINGLE = ("pkh({})", "wpkh({})", "sh(wpkh({}))", "tr({})")
MULTI = ("sh(sortedmulti({}))", "wsh(sortedmulti({}))", "sh(wsh(sortedmulti({})))")


def xpub(rng: random.Random, params: ChainParams, path: list[int]) -> str:
    return ExtendedKeyFields(
        params.xpub_version,
        len(path),
        rng.randbytes(4),
        path[-1],
        rng.randbytes(32),
        public_key(rng.randbytes(32)),
    ).to_base58()


def key(rng: random.Random, params: ChainParams) -> str:
    path = [rng.choice([0, 1, 84, rng.randrange(HARDENED)]) + HARDENED for _ in range(3)]
    origin = f"[{rng.randbytes(4).hex()}/{format_path(path)}]"
    return origin + xpub(rng, params, path) + rng.choice(["", "/0/*", "/1/*", "/7/*"])


@pytest.mark.parametrize("seed", range(100))
def test_outputs_are_read_and_written_alike(seed: int) -> None:
    rng = random.Random(seed)
    params = rng.choice([MAINNET, REGTEST])
    for script in (*SINGLE, *MULTI):
        keys = [key(rng, params) for _ in range(rng.randrange(2, 6) if script in MULTI else 1)]
        required = [str(rng.randrange(1, len(keys) + 1))] if script in MULTI else []
        descriptor = script.format(",".join(required + keys))
        theirs = registry.Output.from_cbor(cbor.dumps(ur_keys.output_value(descriptor)))
        assert theirs.descriptor(include_checksum=False).replace("'", "h") == descriptor
        assert ur_keys.output_text(cbor.loads(bytes(theirs.to_cbor()))) == descriptor


@pytest.mark.parametrize("seed", range(50))
def test_accounts_are_read_and_written_alike(seed: int) -> None:
    rng = random.Random(seed)
    fingerprint = rng.randbytes(4).hex()
    lines = []
    for script, purpose in zip((*SINGLE, "wsh(cosigner({}))"), (44, 84, 49, 86, 48), strict=True):
        path = [purpose + HARDENED, HARDENED, HARDENED]
        origin = f"[{fingerprint}/{format_path(path)}]"
        lines.append(script.format(origin + xpub(rng, MAINNET, path)))
    account = "\n".join(lines)
    theirs = registry.Account.from_cbor(cbor.dumps(ur_keys.account_value(account)))
    read = [each.descriptor(False).replace("'", "h") for each in theirs.output_descriptors]
    assert read == lines
    assert ur_keys.account_text(cbor.loads(bytes(theirs.to_cbor()))) == account
