"""Keys that the real bitcoind hands out, restored here: its addresses, and payments it takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bitcoind import COIN, Node
from tests.unit.vault.samples import PASSWORD, TINY_COST, restore_request
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.keys.imported import ImportedKeys
from wallet_gui.keys.signer import sign
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.transfer.messages import SOURCE_XPRV
from wallet_gui.vault import creation, signing

pytestmark = pytest.mark.functional

ADDRESS_TYPES = {
    "legacy": DescriptorType.PKH,
    "p2sh-segwit": DescriptorType.SH_WPKH,
    "bech32": DescriptorType.WPKH,
    "bech32m": DescriptorType.TR,
}


@pytest.fixture
def exported(node: Node) -> Any:
    node.rpc("createwallet", "keys")
    return node.rpc("listdescriptors", True, wallet="keys")


def of_kind(descriptors: tuple[Descriptor, ...], kind: DescriptorType) -> Descriptor:
    (found,) = [descriptor for descriptor in descriptors if descriptor.type is kind]
    return found


def test_what_core_lists_is_the_same_wallet(node: Node, exported: Any, tmp_path: Path) -> None:
    node.mature()
    keys = ImportedKeys.parse(json.dumps(exported, default=str), REGTEST)
    request = restore_request(tmp_path, source=SOURCE_XPRV)
    created = creation.create(request, keys, PASSWORD, TINY_COST, lambda _step, _fraction: None)
    opened = signing.keyring(signing.open_payload(Path(created.reply.path), PASSWORD, TINY_COST))
    assert {descriptor.type for descriptor in opened.descriptors} == set(ADDRESS_TYPES.values())
    address = ""
    for name, kind in ADDRESS_TYPES.items():
        descriptor = of_kind(opened.descriptors, kind)
        for index in range(3):
            address = node.rpc("getnewaddress", "", name, wallet="keys")
            assert descriptor.address(index, 0) == address
        assert descriptor.address(0, 1) == node.rpc("getrawchangeaddress", name, wallet="keys")
        node.fund(address, COIN)
    node.mine(1)
    # Core prepares a payment of all four kinds of coins; it is signed here, and Core takes it.
    target = node.bank("getnewaddress")
    funded = node.rpc("walletcreatefundedpsbt", [], [{target: "3.9"}], 0, {}, wallet="keys")
    unsigned = Psbt.parse(funded["psbt"])
    assert len(unsigned.inputs) == 4
    done = sign(unsigned, opened.root, opened.descriptors, opened.params)
    final = node.rpc("finalizepsbt", done.to_base64())
    assert final["complete"]
    txid = node.rpc("sendrawtransaction", final["hex"])
    assert txid in node.mempool()


def test_one_descriptor_of_it_is_enough(exported: Any) -> None:
    for item in exported["descriptors"]:
        keys_text = item["desc"]
        if item["internal"]:
            continue
        keys = ImportedKeys.parse(keys_text, REGTEST)
        (descriptor,) = keys.descriptors
        assert descriptor.is_account
        assert keys.is_whole_wallet
