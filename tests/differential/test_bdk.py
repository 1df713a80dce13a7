"""Seeds, accounts and addresses compared with bdk on random wallets."""

import random

import bdkpython  # type: ignore[import-untyped]
import pytest

from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.seed import ENTROPY_BITS, bip39_seed, words_from_entropy
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import MAINNET, REGTEST, SIGNET, TESTNET4, ChainParams

CASES = 1000
BDK_NETWORK = {
    MAINNET: bdkpython.Network.BITCOIN,
    TESTNET4: bdkpython.Network.TESTNET4,
    SIGNET: bdkpython.Network.SIGNET,
    REGTEST: bdkpython.Network.REGTEST,
}
BDK_TEMPLATE = {
    DescriptorType.PKH: bdkpython.Descriptor.new_bip44,
    DescriptorType.SH_WPKH: bdkpython.Descriptor.new_bip49,
    DescriptorType.WPKH: bdkpython.Descriptor.new_bip84,
    DescriptorType.TR: bdkpython.Descriptor.new_bip86,
}
BDK_KEYCHAIN = (bdkpython.KeychainKind.EXTERNAL, bdkpython.KeychainKind.INTERNAL)
LETTERS = "abcXYZ 0189 äÖßé\u0301Å\u212bｱ㍍十人十色🙂"


def random_index(source: random.Random) -> int:
    return source.choice([source.randrange(100), source.randrange(2**31), 0, 2**31 - 1])


@pytest.mark.parametrize("kind", list(DescriptorType), ids=lambda kind: kind.name)
def test_a_thousand_random_addresses(kind: DescriptorType) -> None:
    source = random.Random(f"addresses {kind.name}")
    for _ in range(CASES):
        params: ChainParams = source.choice(list(BDK_NETWORK))
        entropy = source.randbytes(source.choice(ENTROPY_BITS) // 8)
        passphrase = "".join(source.choices(LETTERS, k=source.choice([0, 0, 1, 12])))
        keychain, index = source.randrange(2), random_index(source)

        seed = bip39_seed(entropy, "english", passphrase)
        root = ExtendedPrivateKey.from_seed(seed, params)
        ours = account_descriptors(root, params, types=[kind])[kind]

        mnemonic = bdkpython.Mnemonic.from_entropy(entropy)
        assert str(mnemonic) == words_from_entropy(entropy)
        is_main = params is MAINNET
        network = bdkpython.NetworkKind.MAIN if is_main else bdkpython.NetworkKind.TEST
        secret = bdkpython.DescriptorSecretKey(network, mnemonic, passphrase)
        theirs = BDK_TEMPLATE[kind](secret, BDK_KEYCHAIN[keychain], network)

        address = str(theirs.derive_address(index, BDK_NETWORK[params]))
        assert ours.address(index, keychain) == address
        # Their text read by us, and ours read by them, means the same.
        assert Descriptor.parse(str(theirs), params).address(index) == address
        single = bdkpython.Descriptor(ours.to_string(), network).to_single_descriptors()[keychain]
        assert str(single.derive_address(index, BDK_NETWORK[params])) == address


def test_the_largest_satisfaction_weights_agree() -> None:
    root = ExtendedPrivateKey.from_seed(bytes(32))
    for kind, ours in account_descriptors(root, MAINNET).items():
        single = bdkpython.Descriptor(ours.to_string(), bdkpython.NetworkKind.MAIN)
        theirs = single.to_single_descriptors()[0].max_weight_to_satisfy()
        # They leave out the 41 bytes of outpoint, sequence and empty script's length (and for
        # segwit the empty witness's count), and allow for signatures of high R, one byte longer.
        high_r = {DescriptorType.PKH: 4, DescriptorType.TR: 0}.get(kind, 1)
        assert 0 <= theirs + 4 * 41 - ours.input_weight <= high_r + 1
