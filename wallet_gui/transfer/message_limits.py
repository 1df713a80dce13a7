"""The limits of what the vault's pipe carries, and how a field of a message declares its own."""

from typing import Final

MAX_PATH: Final = 4096
MAX_SENTENCE: Final = 2000
MAX_PSBT: Final = 14_000_000  # base64 of a 10 MB transaction; a frame has 16 MiB
MAX_ITEMS: Final = 10_000
MAX_MESSAGE: Final = 10_000  # what is signed is shown whole, and somebody reads it
MAX_MESSAGE_SIGNATURE: Final = 200_000
MAX_DESCRIPTOR: Final = 10_000  # 15 cosigners, with their origins
VIEW_KEY_SIZE: Final = 32
DIGEST_SIZE: Final = 32

# Percent: what the settings offer (storage.settings); another size makes the vault unreadable.
TEXT_SCALE: Final = {"min": 80, "max": 200}


def text(maximum: int) -> dict[str, int]:
    """Metadata of a text field of at most `maximum` characters."""
    return {"max": maximum}


def exactly(size: int) -> dict[str, int]:
    """Metadata of a field of exactly `size` bytes."""
    return {"min": size, "max": size}
