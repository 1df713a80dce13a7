"""Official test vectors of what needs no private key: quick proof that this build computes rightly.

Typed in from the standards that each name says, and run by `wallet-gui --smoke-test` of whatever
was installed; the tests of the project run all vectors of all standards.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wallet_gui.curve import schnorr_verify
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.descriptors.xpub import ExtendedPublicKey
from wallet_gui.primitives import sighash
from wallet_gui.primitives.params import MAINNET
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction, TxOut
from wallet_gui.sealing import FLOOR, VIEW, DamagedBox, open_box, seal_box

# BIP32, test vector 1: the keys at m/0h and m/0h/1.
_BIP32_PARENT: Final = (
    "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTF"
    "UHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw"
)
_BIP32_CHILD: Final = (
    "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uM"
    "ash7SyYq527Hqck2AxYysAA7xmALppuCkwQ"
)

# BIP84, section Test vectors: the account of "abandon ... about", two addresses and a change one.
_BIP84_ACCOUNT: Final = (
    "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToU"
    "G868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"
)
_BIP84_ADDRESSES: Final = (
    (0, 0, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"),
    (0, 1, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"),
    (1, 0, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"),
)

# BIP86, section Test vectors: the account of the same words, two addresses and a change one.
_BIP86_ACCOUNT: Final = (
    "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9Q"
    "yrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
)
_BIP86_ADDRESSES: Final = (
    (0, 0, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
    (0, 1, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"),
    (1, 0, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"),
)

# BIP143, section Native P2WPKH.
_BIP143_TRANSACTION: Final = bytes.fromhex(
    "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00"
    "00000000eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90e"
    "c68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a78"
    "3a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa"
    "815988ac11000000"
)
_BIP143_CODE: Final = bytes.fromhex("76a9141d0f172a0ecb48aee1be1f2687d2963ae33f71a188ac")
_BIP143_HASH: Final = bytes.fromhex(
    "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"
)

# BIP174, section Test Vectors: a signed P2PKH input and a P2SH-P2WPKH one that is not signed.
_BIP174_PSBT: Final = bytes.fromhex(
    "70736274ff0100a00200000002ab0949a08c5af7c49b8212f417e2f15ab3f5c33dcf153821a8"
    "139f877a5b7be40000000000feffffffab0949a08c5af7c49b8212f417e2f15ab3f5c33dcf15"
    "3821a8139f877a5b7be40100000000feffffff02603bea0b000000001976a914768a40bbd740"
    "cbe81d988e71de2a4d5c71396b1d88ac8e240000000000001976a9146f4620b553fa095e721b"
    "9ee0efe9fa039cca459788ac000000000001076a47304402204759661797c01b036b25928948"
    "686218347d89864b719e1f7fcf57d1e511658702205309eabf56aa4d8891ffd111fdf1336f3a"
    "29da866d7f8486d75546ceedaf93190121035cdc61fc7ba971c0b501a646a2a83b102cb43881"
    "217ca682dc86e2d73fa882920001012000e1f5050000000017a9143545e6e33b832c47050f24"
    "d3eeb93c9c03948bc787010416001485d13537f2e265405a34dbafa9e3dda01fb82308000000"
)

# BIP340, test-vectors.csv: number 1, and number 6, of which the nonce's y is odd.
_BIP340_VALID: Final = (
    bytes.fromhex("dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659"),
    bytes.fromhex("243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89"),
    bytes.fromhex(
        "6896bd60eeae296db48a229ff71dfe071bde413e6d43f917dc8dcf8c78de33418906d11ac976"
        "abccb20b091292bff4ea897efcb639ea871cfa95f6de339e4b0a"
    ),
)
_BIP340_INVALID: Final = (
    bytes.fromhex("dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659"),
    bytes.fromhex("243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89"),
    bytes.fromhex(
        "fff97bd5755eeea420453a14355235d382f6472f8568a18b2f057a14602975563cc27944640a"
        "c607cd107ae10923d9ef7a73c643e166be5ebeafa34b1ac553e2"
    ),
)

# BIP341, wallet-test-vectors.json, keyPathSpending: the transaction, what it spends, its 5th input.
BIP341_TRANSACTION: Final = bytes.fromhex(
    "02000000097de20cbff686da83a54981d2b9bab3586f4ca7e48f57f5b55963115f3b334e9c01"
    "0000000000000000d7b7cab57b1393ace2d064f4d4a2cb8af6def61273e127517d44759b6daf"
    "dd990000000000fffffffff8e1f583384333689228c5d28eac13366be082dc57441760d95727"
    "5419a418420000000000fffffffff0689180aa63b30cb162a73c6d2a38b7eeda2a83ece74310"
    "fda0843ad604853b0100000000feffffffaa5202bdf6d8ccd2ee0f0202afbbb7461d9264a25e"
    "5bfd3c5a52ee1239e0ba6c0000000000feffffff956149bdc66faa968eb2be2d2faa29718acb"
    "fe3941215893a2a3446d32acd050000000000000000000e664b9773b88c09c32cb70a2a3e4da"
    "0ced63b7ba3b22f848531bbb1d5d5f4c94010000000000000000e9aa6b8e6c9de67619e6a392"
    "4ae25696bb7b694bb677a632a74ef7eadfd4eabf0000000000ffffffffa778eb6a263dc09046"
    "4cd125c466b5a99667720b1c110468831d058aa1b82af10100000000ffffffff0200ca9a3b00"
    "0000001976a91406afd46bcdfd22ef94ac122aa11f241244a37ecc88ac807840cb0000000020"
    "ac9a87f5594be208f8532db38cff670c450ed2fea8fcdefcc9a663f78bab962b0065cd1d"
)
BIP341_SPENT: Final = (
    (420000000, "512053a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"),
    (462000000, "5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3"),
    (294000000, "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac"),
    (504000000, "5120e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e"),
    (630000000, "512091b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605"),
    (378000000, "00147dd65592d0ab2fe0d0257d571abf032cd9db93dc"),
    (672000000, "512075169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831"),
    (546000000, "5120712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5"),
    (588000000, "512077e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220"),
)
_BIP341_HASH: Final = bytes.fromhex(
    "4f900a0bae3f1446fd48490c2958b5a023228f01661cda3496a11da502a7f7ef"
)

# RFC 8439, section 2.8.2: ChaCha20-Poly1305.
_RFC8439_TEXT: Final = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it."
)
_RFC8439_KEY: Final = bytes(range(0x80, 0xA0))
_RFC8439_NONCE: Final = bytes.fromhex("070000004041424344454647")
_RFC8439_DATA: Final = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
_RFC8439_SEALED: Final = bytes.fromhex(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9"
    "671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee3"
    "28091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116"
    "1ae10b594f09e26a7e902ecbd0600691"
)


def bip341_spending() -> tuple[Transaction, list[TxOut]]:
    """Return the transaction of BIP341's vectors and the outputs that its inputs spend."""
    spent = [TxOut(amount_sat, bytes.fromhex(script)) for amount_sat, script in BIP341_SPENT]
    return Transaction.parse(BIP341_TRANSACTION), spent


def _bip32() -> bool:
    parent = ExtendedPublicKey.parse(_BIP32_PARENT)
    return parent.derive((1,)).serialize() == _BIP32_CHILD


def _addresses(
    kind: DescriptorType, account: str, expected: tuple[tuple[int, int, str], ...]
) -> bool:
    xpub, _ = ExtendedPublicKey.parse_any(account, MAINNET)
    descriptor = Descriptor.account(kind, MAINNET, None, xpub)
    return all(
        descriptor.address(index, keychain) == address for keychain, index, address in expected
    )


def _bip143() -> bool:
    tx = Transaction.parse(_BIP143_TRANSACTION)
    return sighash.segwit_v0(tx, 1, _BIP143_CODE, 600_000_000, 1) == _BIP143_HASH


def _bip174() -> bool:
    psbt = Psbt.parse(_BIP174_PSBT)
    again = Psbt.parse(psbt.to_version(2).serialize())
    return psbt.serialize() == _BIP174_PSBT and again.serialize(0) == _BIP174_PSBT


def _bip340() -> bool:
    return schnorr_verify(*_BIP340_VALID) and not schnorr_verify(*_BIP340_INVALID)


def _bip341() -> bool:
    tx, spent = bip341_spending()
    return sighash.taproot(tx, 4, spent, 0) == _BIP341_HASH


def _rfc8439() -> bool:
    cipher = ChaCha20Poly1305(_RFC8439_KEY)
    sealed = cipher.encrypt(_RFC8439_NONCE, _RFC8439_TEXT, _RFC8439_DATA)
    try:
        cipher.decrypt(_RFC8439_NONCE, _RFC8439_SEALED, _RFC8439_DATA + b"\0")
    except InvalidTag:
        return sealed == _RFC8439_SEALED
    return False


def _sealed_box() -> bool:
    key = bytes(range(32))
    sealed = seal_box(key, VIEW, FLOOR, bytes(16), b"labels")
    try:
        open_box(key, sealed[:-1] + bytes((sealed[-1] ^ 1,)))
    except DamagedBox:
        return open_box(key, sealed) == b"labels"
    return False


VECTORS: Final[Mapping[str, Callable[[], bool]]] = {
    "BIP32 public keys": _bip32,
    "BIP84 addresses": lambda: _addresses(DescriptorType.WPKH, _BIP84_ACCOUNT, _BIP84_ADDRESSES),
    "BIP86 addresses": lambda: _addresses(DescriptorType.TR, _BIP86_ACCOUNT, _BIP86_ADDRESSES),
    "BIP143 signature hash": _bip143,
    "BIP174 PSBT": _bip174,
    "BIP340 verifying": _bip340,
    "BIP341 signature hash": _bip341,
    "RFC 8439 ChaCha20-Poly1305": _rfc8439,
    "sealed box": _sealed_box,
}
"""The name of a standard -> whether this build agrees with it; ParseError counts as no."""


def disagreement(vectors: Mapping[str, Callable[[], bool]]) -> str:
    """Name the first standard with which this build disagrees; "" when it agrees with all."""
    for name, holds in vectors.items():
        try:
            if not holds():
                return name
        except ValueError:  # ParseError, CurveError, SealError: the input is a standard's own
            return name
    return ""
