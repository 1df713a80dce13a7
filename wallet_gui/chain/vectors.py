"""Test vectors of what is read from the network, official where there are some."""

from collections.abc import Callable, Mapping
from typing import Final

from wallet_gui.chain import filters
from wallet_gui.chain.p2p.bip324 import Session
from wallet_gui.chain.p2p.transport import Frame
from wallet_gui.chain.p2p.transport_v2 import V2Transport
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.params import MAINNET
from wallet_gui.release_signature import BadSignature, PublicKey, verify

# BIP158, testnet-19.json: block 1,263,442, which has witness data; hashes as displayed.
_BIP158_BLOCK: Final = bytes.fromhex(
    "000000201c8d1a529c39a396db2db234d5ec152fa651a2872966daccbde028b400000000083f"
    "14492679151dbfaa1a825ef4c18518e780c1f91044180280a7d33f4a98ff5f45765aaddc001d"
    "38333b9a02010000000001010000000000000000000000000000000000000000000000000000"
    "000000000000ffffffff230352471300fe5f45765afe94690a000963676d696e657234320800"
    "0000000000000000ffffffff024423a804000000001976a914f2c25ac3d59f3d674b1d1d0a25"
    "c27339aaac0ba688ac0000000000000000266a24aa21a9edcb26cb3052426b9ebb4d19c819ef"
    "87c19677bbf3a7c46ef0855bd1b2abe834910120000000000000000000000000000000000000"
    "00000000000000000000000000000000000002000000000101d20978463906ba4ff5e7192494"
    "b88dd5eb0de85d900ab253af909106faa22cc5010000000004000000014777ff000000000016"
    "001446c29eabe8208a33aa1023c741fa79aa92e881ff0347304402207d7ca96134f2bcfdd6b5"
    "36536fdd39ad17793632016936f777ebb32c22943fda02206014d2fb8a6aa58279797f861042"
    "ba604ebd2f8f61e5bddbd9d3be5a245047b201004b632103eeaeba7ce5dc2470221e9517fb49"
    "8e8d6bd4e73b85b8be655196972eb9ccd5566754b2752103a40b74d43df244799d041f32ce1a"
    "d515a6cd99501701540e38750d883ae21d3a68ac00000000"
)
_BIP158_SPENT: Final = tuple(
    map(bytes.fromhex, ["002027a5000c7917f785d8fc6e5a55adfca8717ecb973ebb7743849ff956d896a7ed"])
)
_BIP158_PREVIOUS: Final = bytes.fromhex(
    "31d66d516a9eda7de865df29f6ef6cb8e4bf9309e5dac899968a9a62a5df61e3"
)
_BIP158_FILTER: Final = bytes.fromhex("0385acb4f0fe889ef0")
_BIP158_HEADER: Final = bytes.fromhex(
    "4e6d564c2a2452065c205dd7eb2791124e0c4e0dbb064c410c24968572589dec"
)

# BIP324, packet_encoding_test_vectors.csv, first row: the second packet of an initiator.
_BIP324_SECRET: Final = bytes.fromhex(
    "61062ea5071d800bbfd59e2e8b53d47d194b095ae5a4df04936b49772ef0d4d7"
)
_BIP324_OURS: Final = bytes.fromhex(
    "ec0adff257bbfe500c188c80b4fdd640f6b45a482bbc15fc7cef5931deff0aa186f6eb9bba7b"
    "85dc4dcc28b28722de1e3d9108b985e2967045668f66098e475b"
)
_BIP324_THEIRS: Final = bytes.fromhex(
    "a4a94dfce69b4a2a0a099313d10f9f7e7d649d60501c9e1d274c300e0d89aafaffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffff8faf88d5"
)
_BIP324_SESSION: Final = bytes.fromhex(
    "ce72dffb015da62b0d0f5474cab8bc72605225b0cee3f62312ec680ec5f41ba5"
)
_BIP324_PACKET: Final = bytes.fromhex("7530d2a18720162ac09c25329a60d75adf36eda3c3")

# Made by minisign 0.11 of Debian; the key was thrown away.
_MINISIGN_KEY: Final = "RWRIWZKQsoosRdIAgSU7LTp3KyjCoGOsdCXT4PGDBdcq8ECEJhXkuRFG"
_MINISIGN_DATA: Final = b"A file that was signed, with a byte that is no text: \xff\n"
_MINISIGN_SIGNATURE: Final = """untrusted comment: untrusted words
RURIWZKQsoosRY9yYSy4Urg8BcDTLu9dIVbUim1W6Wls4OJFgtu2YQfEYxmxl02Al6Ht87Hf55lqCGsrfEUrnrYkwfgcfVOqPQk=
trusted comment: timestamp:1700000000 file:data
PY9lRww2o7C8AZY4hp1SqFSDmTKRg47DK3DoN5M1ED9Zmvh1Dy74YASuRDQhYeKeIdXNGyCSpjtimQQqbZe6Dw==
"""


def _bip158() -> bool:
    block = Block.parse(_BIP158_BLOCK)
    built = filters.build(block, _BIP158_SPENT)
    return (
        built.data == _BIP158_FILTER
        and built.header(_BIP158_PREVIOUS[::-1]) == _BIP158_HEADER[::-1]
        and built.match_any(_BIP158_SPENT)
        and not built.match_any([bytes(22)])
    )


def _bip324() -> bool:
    session = Session(
        _BIP324_SECRET, _BIP324_OURS, _BIP324_THEIRS, MAINNET.magic, is_initiator=True
    )
    session.encrypt(b"")
    packet = session.encrypt(bytes.fromhex("8e"))
    return session.id == _BIP324_SESSION and packet == _BIP324_PACKET


def _handshake() -> bool:
    ours, theirs = V2Transport(MAINNET.magic), V2Transport(MAINNET.magic, is_initiator=False)
    ours.frame("ping", bytes(8))
    _feed(theirs, ours.data_to_send())
    _feed(ours, theirs.data_to_send())
    received = _feed(theirs, ours.data_to_send())
    return (
        ours.is_established
        and theirs.is_established
        and ours.session_id == theirs.session_id
        and received == [("ping", bytes(8))]
    )


def _feed(transport: V2Transport, data: bytes) -> list[tuple[str, bytes]]:
    """Give received bytes to a transport; returns the messages that they complete."""
    messages = []
    view = memoryview(data)
    while view:
        room = transport.get_buffer()
        count = min(len(room), len(view))
        room[:count] = view[:count]
        view = view[count:]
        messages += [
            (each.command, bytes(transport.buffer[each.start : each.end]))
            for each in transport.received(count)
            if isinstance(each, Frame)
        ]
    return messages


def _minisign() -> bool:
    keys = (PublicKey.parse(_MINISIGN_KEY),)
    signed = verify(_MINISIGN_DATA, _MINISIGN_SIGNATURE, keys)
    try:
        verify(_MINISIGN_DATA + b"\n", _MINISIGN_SIGNATURE, keys)
    except BadSignature:
        return signed.trusted_comment == "timestamp:1700000000 file:data"
    return False


VECTORS: Final[Mapping[str, Callable[[], bool]]] = {
    "BIP158 block filter": _bip158,
    "BIP324 packets": _bip324,
    "BIP324 handshake": _handshake,
    "signatures of minisign": _minisign,
}
"""See `wallet.vectors.VECTORS`."""
