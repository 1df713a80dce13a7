"""Random multisig wallets beside bitcoind and bdk: scripts, checksums, weights, signatures."""

import random

import bdkpython  # type: ignore[import-untyped]
import pytest

from tests.functional.bitcoind import COIN, Node
from tests.unit.wallet.shared_wallet import funded, plan
from wallet_gui.descriptors.descriptor import MAX_COSIGNERS, Descriptor, MultisigType
from wallet_gui.descriptors.exporters import branch
from wallet_gui.descriptors.xpub import HARDENED, KeyOrigin
from wallet_gui.keys.accounts import cosigner_path
from wallet_gui.keys.signer import sign
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt

pytestmark = pytest.mark.functional

KINDS = list(MultisigType)
CASES = 60
SIGNED = 170


def roots(source: random.Random, count: int) -> list[ExtendedPrivateKey]:
    return [ExtendedPrivateKey.from_seed(source.randbytes(32), REGTEST) for _ in range(count)]


def random_wallet(
    source: random.Random, kind: MultisigType, most: int = MAX_COSIGNERS
) -> tuple[list[ExtendedPrivateKey], Descriptor]:
    total = source.choice([1, 2, 3, source.randint(1, most), most])
    required = source.randint(1, total)
    made = roots(source, total)
    path = cosigner_path(kind, REGTEST, source.randrange(3))
    cosigners = [(KeyOrigin(r.fingerprint, path), r.derive(path).neuter()) for r in made]
    descriptor = Descriptor.multisig(kind, REGTEST, required, cosigners)
    if source.random() < 0.3:  # the order as written
        text = str(descriptor).partition("#")[0].replace("sortedmulti", "multi")
        descriptor = Descriptor.parse(text, REGTEST)
    return made, descriptor


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_addresses_and_checksums_of_bitcoind(module_node: Node, kind: MultisigType) -> None:
    source = random.Random(f"multisig {kind.name}")
    for _ in range(CASES):
        _, ours = random_wallet(source, kind)
        start = source.choice([0, source.randrange(HARDENED - 5)])
        answer = module_node.rpc("deriveaddresses", str(ours), [start, start + 3])
        for keychain, addresses in enumerate(answer):
            assert [ours.address(start + n, keychain) for n in range(4)] == addresses
        info = module_node.rpc("getdescriptorinfo", str(ours))
        assert info["checksum"] == str(ours)[-8:]
        assert info["issolvable"]
        # What bitcoind writes is the same to us.
        assert Descriptor.parse(info["descriptor"], REGTEST) in (
            ours,
            Descriptor.parse(branch(ours, 0), REGTEST),
        )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_addresses_and_weights_of_bdk(kind: MultisigType) -> None:
    source = random.Random(f"bdk multisig {kind.name}")
    for _ in range(CASES):
        _, ours = random_wallet(source, kind)
        theirs = bdkpython.Descriptor(str(ours), bdkpython.NetworkKind.TEST)
        for keychain, single in enumerate(theirs.to_single_descriptors()):
            for index in (0, source.randrange(HARDENED)):
                address = str(single.derive_address(index, bdkpython.Network.REGTEST))
                assert ours.address(index, keychain) == address
        weight = single.max_weight_to_satisfy()
        # Theirs lacks outpoint, sequence and the empty script's length, and may count the number
        # of items, or a length of the script, that we count elsewhere.
        assert abs(ours.input_weight - weight - 4 * 41) <= 8


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_payments_signed_here_are_final_there_and_the_other_way_round(
    module_node: Node, kind: MultisigType
) -> None:
    source = random.Random(f"signed multisig {kind.name}")
    for number in range(SIGNED):
        made, descriptor = random_wallet(source, kind, 7)
        wallet = funded(descriptor, coins=2)
        asked = plan(wallet, COIN // 2 + source.randrange(COIN), number).psbt
        signers = source.sample(range(len(made)), descriptor.required)
        split = source.randint(0, len(signers))
        psbt = asked
        for signer in signers[:split]:
            psbt = sign(psbt, made[signer], [descriptor], REGTEST)
        # The others sign in bitcoind, which is given their private descriptors.
        for signer in signers[split:]:
            psbt = signed_by_bitcoind(module_node, psbt, descriptor, made[signer])
        final = module_node.rpc("finalizepsbt", psbt.to_base64())
        assert final["complete"]
        assert psbt.finalize().extract().serialize().hex() == final["hex"]


def signed_by_bitcoind(
    node: Node, psbt: Psbt, descriptor: Descriptor, root: ExtendedPrivateKey
) -> Psbt:
    """Let bitcoind sign with one cosigner's key; the signatures are compared with ours."""
    texts = []
    for keychain in range(2):
        body = branch(descriptor, keychain).partition("#")[0]
        for key in descriptor.keys:
            if key.origin is not None and key.origin.fingerprint == root.fingerprint:
                private = root.derive(key.origin.path).serialize()
                body = body.replace(str(key.key), private)
        texts.append(f"{body}#{node.rpc('getdescriptorinfo', body)['checksum']}")
    wanted = [{"desc": text, "range": [0, 50]} for text in texts]
    answer = node.rpc("descriptorprocesspsbt", psbt.to_base64(), wanted, "ALL", True, False)
    theirs = Psbt.parse(answer["psbt"])
    ours = sign(psbt, root, [descriptor], REGTEST)
    for mine, yours in zip(ours.inputs, theirs.inputs, strict=True):
        assert mine.partial_sigs == yours.partial_sigs
    return theirs
