"""Whether bytes are a PSBT: our verdict beside bitcoind's, on spoilt ones of every kind.

The two agree but for what is named here, with its reason. Version 2 is left out: bitcoind does not
read it.
"""

import base64
import random
from collections import Counter

import pytest

from tests.functional.bitcoind import Node, RpcError
from tests.fuzz import fuzz_psbt
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError

pytestmark = pytest.mark.functional

CASES = 1_500
WE_ALONE_REFUSE = (
    # No such signature is ever valid (BIP66); bitcoind finds out when it is used.
    "The signature is not DER encoded.",
    # BIP174 asks for it.
    "The extended public key is not as deep as its path is long.",
    # A larger amount of records than any transaction needs.
    "records.",
)
THEY_ALONE_REFUSE = (
    # There is no curve on the floor of the parser: whoever uses the key finds out.
    "Invalid pubkey",
    "Signature is not a valid encoding",
)


def test_the_verdicts_agree(module_node: Node) -> None:
    chosen = [raw for raw in fuzz_psbt.corpus() if b"\x01\xfb\x04\x02" not in raw]
    said: Counter[str] = Counter()
    for number in range(CASES):
        raw = fuzz_psbt.one(random.Random(f"verdicts/{number}"), chosen)
        ours = theirs = ""
        try:
            psbt = Psbt.parse(raw)
        except ParseError as error:
            ours = str(error)
            psbt = None
        if "version 2" in ours or (psbt is not None and psbt.version == 2):
            continue
        try:
            module_node.rpc("decodepsbt", base64.b64encode(raw).decode())
        except RpcError as error:
            theirs = error.message
        if bool(ours) == bool(theirs):
            said["both refuse" if ours else "both read"] += 1
            continue
        reasons = WE_ALONE_REFUSE if ours else THEY_ALONE_REFUSE
        assert any(reason in ours + theirs for reason in reasons), (ours, theirs, raw.hex())
        said["we refuse" if ours else "they refuse"] += 1
    assert said["both read"] > CASES // 10, said
    assert said["both refuse"] > CASES // 3, said
    assert said["we refuse"] + said["they refuse"] < CASES // 50, said
