"""The ciphers of version 2 of the peer-to-peer transport: keys, lengths, packets (BIP324).

No state of a conversation lives here: `transport_v2` decides when what is sent. Both ciphers
change their key every 224 packets, so that one stolen from memory opens little of the past.
"""

import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wallet_gui import curve
from wallet_gui.chain.p2p.packet_sizes import (
    DECOY,
    LENGTH_SIZE,
    TERMINATOR_SIZE,
)

REKEY_INTERVAL: Final = 224

_COUNTERS: Final = tuple(struct.pack("<I", index) for index in range(REKEY_INTERVAL))
_REKEY_COUNTER: Final = b"\xff\xff\xff\xff"
_KEYSTREAM_SIZE: Final = REKEY_INTERVAL * LENGTH_SIZE + 32


class LengthCipher:
    """FSChaCha20 for the 3-byte lengths; each 224 are computed at once."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._epoch = 0
        self._index = 0
        self._masks = self._next_masks()

    def apply(self, length: int) -> int:
        """Encrypt or decrypt the next length."""
        if self._index == REKEY_INTERVAL:
            self._epoch += 1
            self._index = 0
            self._masks = self._next_masks()
        self._index += 1
        return length ^ self._masks[self._index - 1]

    def _next_masks(self) -> tuple[int, ...]:
        """Compute the masks of this epoch, and the key of the next."""
        nonce = bytes(8) + self._epoch.to_bytes(8, "little")  # block counter, then the nonce
        stream = Cipher(ChaCha20(self._key, nonce), None).encryptor().update(bytes(_KEYSTREAM_SIZE))
        self._key = stream[-32:]
        return tuple(
            int.from_bytes(stream[at : at + LENGTH_SIZE], "little")
            for at in range(0, _KEYSTREAM_SIZE - 32, LENGTH_SIZE)
        )


class PacketCipher:
    """FSChaCha20Poly1305 for headers and contents."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._aead = ChaCha20Poly1305(key)
        self._epoch = bytes(8)
        self._number = 0
        self._index = 0

    def encrypt(self, header: int, contents: bytes, aad: bytes = b"") -> bytes:
        """Give the encrypted header and contents, and the tag."""
        nonce = _COUNTERS[self._index] + self._epoch
        encrypted = self._aead.encrypt(nonce, bytes((header,)) + contents, aad)
        self._advance()
        return encrypted

    def decrypt(self, encrypted: memoryview, into: memoryview, aad: bytes = b"") -> bool:
        """Decrypt header and contents `into` a buffer that is `TAG_SIZE` shorter.

        Returns False when the packet is not what was sent; `into` is then worthless.
        """
        nonce = _COUNTERS[self._index] + self._epoch
        try:
            self._aead.decrypt_into(nonce, encrypted, aad, into)
        except InvalidTag:
            return False
        self._advance()
        return True

    def peek(self, encrypted: memoryview) -> bytes:
        """Decrypt the beginning of the next packet, which is not complete: nothing is proved."""
        nonce = b"\1\0\0\0" + _COUNTERS[self._index] + self._epoch
        return Cipher(ChaCha20(self._key, nonce), None).decryptor().update(encrypted)

    def _advance(self) -> None:
        self._index += 1
        if self._index < REKEY_INTERVAL:
            return
        self._key = self._aead.encrypt(_REKEY_COUNTER + self._epoch, bytes(32), b"")[:32]
        self._aead = ChaCha20Poly1305(self._key)
        self._number += 1
        self._epoch = self._number.to_bytes(8, "little")
        self._index = 0


class Session:
    """What both sides know once they have each other's public key."""

    def __init__(
        self, secret: bytes, ours: bytes, theirs: bytes, magic: bytes, *, is_initiator: bool
    ) -> None:
        """Derive everything from our secret (32 bytes) and the two public keys (64 bytes each).

        Raises `curve.CurveError` when the secret is not one.
        """
        shared = curve.ellswift_shared_secret(secret, ours, theirs, is_initiator=is_initiator)
        salt = b"bitcoin_v2_shared_secret" + magic

        def derive(info: bytes) -> bytes:
            return HKDF(SHA256(), 32, salt, info).derive(shared)

        initiator = derive(b"initiator_L"), derive(b"initiator_P")
        responder = derive(b"responder_L"), derive(b"responder_P")
        terminators = derive(b"garbage_terminators")
        halves = terminators[:TERMINATOR_SIZE], terminators[TERMINATOR_SIZE:]
        if is_initiator:
            sending, receiving = initiator, responder
            self.send_terminator, self.receive_terminator = halves
        else:
            sending, receiving = responder, initiator
            self.receive_terminator, self.send_terminator = halves
        self.id = derive(b"session_id")
        self._send_length = LengthCipher(sending[0])
        self._send_packet = PacketCipher(sending[1])
        self.receive_length = LengthCipher(receiving[0])
        self.receive_packet = PacketCipher(receiving[1])

    def encrypt(self, contents: bytes, *, aad: bytes = b"", decoy: bool = False) -> bytes:
        """Make a packet."""
        length = self._send_length.apply(len(contents)).to_bytes(LENGTH_SIZE, "little")
        return length + self._send_packet.encrypt(DECOY if decoy else 0, contents, aad)
