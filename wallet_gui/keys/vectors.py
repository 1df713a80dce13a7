"""Official test vectors of what private keys are used for; see `wallet.vectors`.

Run in a vault process: no other one has this code.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from wallet_gui.curve import ecdsa_sign, schnorr_sign, taproot_secret
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.keys import secret_box
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.errors import PasswordWrong
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.keys.seed import LANGUAGES, Seed, entropy_from_words, word_list, words_from_entropy
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives import sighash
from wallet_gui.primitives.params import MAINNET
from wallet_gui.sealing import FLOOR
from wallet_gui.wallet.vectors import bip341_spending

# BIP39, vectors.json of its reference (passphrase TREZOR): numbers 2 and 17 of the English ones.
_BIP39: Final = (
    (
        "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
        bytes.fromhex(
            "2e8905819b8723fe2c1d161860e5ee1830318dbf49a83bd451cfb8440c28bd6fa457fe129610"
            "6559a3c80937a1c1069be3a3a5bd381ee6260e8d9739fce1f607"
        ),
    ),
    (
        "0000000000000000000000000000000000000000000000000000000000000000",
        (
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
            "abandon abandon abandon art"
        ),
        bytes.fromhex(
            "bda85446c68413707090a52022edd26a1c9462295029f2e60cd7c4f2bbd3097170af7a4d7324"
            "5cafa9c3cca8d561a7c3de6f5d4a10be8ed2a5e608d68f92fcc8"
        ),
    ),
)

# BIP32, test vectors 1 (m/0h/1/2h/2) and 3 (m/0h, a key that begins with zeros).
_BIP32: Final = (
    (
        "000102030405060708090a0b0c0d0e0f",
        "m/0h/1/2h/2",
        (
            "xprvA2JDeKCSNNZky6uBCviVfJSKyQ1mDYahRjijr5idH2WwLsEd4Hsb2Tyh8RfQMuPh7f7RtyzT"
            "tdrbdqqsunu5Mm3wDvUAKRHSC34sJ7in334"
        ),
    ),
    (
        (
            "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319a"
            "c14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be"
        ),
        "m/0h",
        (
            "xprv9uPDJpEQgRQfDcW7BkF7eTya6RPxXeJCqCJGHuCJ4GiRVLzkTXBAJMu2qaMWPrS7AANYqdq6"
            "vcBcBUdJCVVFceUvJFjaPdGZ2y9WACViL4L"
        ),
    ),
)

# BIP84, section Test vectors.
_BIP84_ADDRESS: Final = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"

# BIP143, section Native P2WPKH: the key, the digest and the signature of the second input.
_BIP143_SECRET: Final = bytes.fromhex(
    "619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9"
)
_BIP143_DIGEST: Final = bytes.fromhex(
    "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"
)
_BIP143_SIGNATURE: Final = bytes.fromhex(
    "304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220"
    "573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee"
)

# BIP340, test-vectors.csv, number 1.
_BIP340_SECRET: Final = bytes.fromhex(
    "b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef"
)
_BIP340_RANDOM: Final = bytes.fromhex(
    "0000000000000000000000000000000000000000000000000000000000000001"
)
_BIP340_MESSAGE: Final = bytes.fromhex(
    "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89"
)
_BIP340_SIGNATURE: Final = bytes.fromhex(
    "6896bd60eeae296db48a229ff71dfe071bde413e6d43f917dc8dcf8c78de33418906d11ac976"
    "abccb20b091292bff4ea897efcb639ea871cfa95f6de339e4b0a"
)

# BIP341, wallet-test-vectors.json, keyPathSpending, fifth input.
_BIP341_SECRET: Final = bytes.fromhex(
    "f36bb07a11e469ce941d16b63b11b9b9120a84d9d87cff2c84a8d4affb438f4e"
)
_BIP341_ROOT: Final = bytes.fromhex(
    "ccbd66c6f7e8fdab47b3a486f59d28262be857f30d4773f2d5ea47f7761ce0e2"
)
_BIP341_WITNESS: Final = bytes.fromhex(
    "b4010dd48a617db09926f729e79c33ae0b4e94b79f04a1ae93ede6315eb3669de185a17d2b0a"
    "c9ee09fd4c64b678a0b61a0a86fa888a273c8511be83bfd6810f"
)

# RFC 9106, section 5.3: Argon2id.
_RFC9106_TAG: Final = bytes.fromhex(
    "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
)


def _bip39() -> bool:
    for entropy, words, seed in _BIP39:
        raw = bytes.fromhex(entropy)
        if words_from_entropy(raw) != words or entropy_from_words(words) != (raw, "english"):
            return False
        if Seed(raw, "english", "TREZOR").stretched() != seed:
            return False
    return True


def _word_lists() -> bool:
    entropy = bytes(range(16))
    return all(
        len(set(word_list(language))) == 2048
        and entropy_from_words(words_from_entropy(entropy, language), language)[0] == entropy
        for language in LANGUAGES
    )


def _bip32() -> bool:
    return all(
        ExtendedPrivateKey.from_seed(bytes.fromhex(seed)).derive(path).serialize() == expected
        for seed, path, expected in _BIP32
    )


def _bip84() -> bool:
    root = ExtendedPrivateKey.from_seed(Seed(bytes(16)).stretched())
    kind = DescriptorType.WPKH
    return account_descriptors(root, MAINNET, types=[kind])[kind].address() == _BIP84_ADDRESS


def _bip143() -> bool:
    return ecdsa_sign(_BIP143_SECRET, _BIP143_DIGEST) == _BIP143_SIGNATURE


def _bip340() -> bool:
    signature = schnorr_sign(_BIP340_SECRET, _BIP340_MESSAGE, _BIP340_RANDOM)
    return signature == _BIP340_SIGNATURE


def _bip341() -> bool:
    tx, spent = bip341_spending()
    digest = sighash.taproot(tx, 4, spent, 0)
    return schnorr_sign(taproot_secret(_BIP341_SECRET, _BIP341_ROOT), digest, bytes(32)) == (
        _BIP341_WITNESS
    )


def _rfc9106() -> bool:
    derived = Argon2id(
        salt=b"\2" * 16,
        length=32,
        iterations=3,
        lanes=4,
        memory_cost=32,
        ad=b"\4" * 12,
        secret=b"\3" * 8,
    ).derive(b"\1" * 32)
    return derived == _RFC9106_TAG


def _secret_box() -> bool:
    payload = SecretPayload(bytes(range(16)))
    sealed = secret_box.seal("four lamps", payload, parameters=FLOOR)
    try:
        secret_box.open("five lamps", sealed)
    except PasswordWrong:
        return secret_box.open("four lamps", sealed) == payload
    return False


VECTORS: Final[Mapping[str, Callable[[], bool]]] = {
    "BIP39 words and seeds": _bip39,
    "BIP39 word lists": _word_lists,
    "BIP32 private keys": _bip32,
    "BIP84 from words to an address": _bip84,
    "BIP143 signing": _bip143,
    "BIP340 signing": _bip340,
    "BIP341 signing": _bip341,
    "RFC 9106 Argon2id": _rfc9106,
    "secret box": _secret_box,
}
"""See `wallet.vectors.VECTORS`."""
