"""Signs as minisign does, with a key of the tests: the twin of `release_signature`."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wallet_gui.app.update_notice import UpdateNotice, join, trusted_comment
from wallet_gui.release_signature import PublicKey, ReleaseKeys


class ReleaseSigner:
    """A release key that exists for one test."""

    def __init__(self, key: Ed25519PrivateKey | None = None) -> None:
        self._key = key or Ed25519PrivateKey.generate()
        raw = self._key.public_key().public_bytes_raw()
        self.public = PublicKey(hashlib.sha256(raw).digest()[:8], raw)

    def keys(self, notice_url: str = "https://example.org/notice.json") -> ReleaseKeys:
        return ReleaseKeys(notice_url, (self.public,))

    def sign(self, data: bytes, comment: str = "a test", *, legacy: bool = False) -> str:
        """Return the text of a .minisig file."""
        signature = self._key.sign(data if legacy else hashlib.blake2b(data).digest())
        packed = (b"Ed" if legacy else b"ED") + self.public.key_id + signature
        over_comment = self._key.sign(signature + comment.encode())
        return (
            "untrusted comment: signature of a test\n"
            f"{base64.b64encode(packed).decode()}\n"
            f"trusted comment: {comment}\n"
            f"{base64.b64encode(over_comment).decode()}\n"
        )

    def notice(self, notice: UpdateNotice) -> bytes:
        """Return the file that lies at the address of the update notice."""
        body = notice.to_json()
        return join(self.sign(body, trusted_comment(notice.version)), body)
