"""What can go wrong on the side of the keys. Each message is one sentence without any secret."""


class VaultError(Exception):
    """Base of every error about seeds, passwords, the secret box, policy and signing."""


class SeedError(VaultError, ValueError):
    """Seed words or entropy are not valid.

    `positions` counts from 1 and names the words that are in no list; words are never repeated in
    the message, because messages may be logged.
    """

    def __init__(self, sentence: str, positions: tuple[int, ...] = ()) -> None:
        super().__init__(sentence)
        self.positions = positions


class BrokenRandomSource(VaultError):
    """The system's random numbers are not random; no wallet may be created."""


class PasswordWrong(VaultError):
    """The password does not open the secret box (or the box's header is damaged)."""


class CorruptSecretBox(VaultError):
    """The secret box is damaged; an older copy of the wallet file may still hold it."""


class NotEnoughMemory(VaultError):
    """The system refused the memory that checking the password takes."""


class PolicyRefused(VaultError):
    """A transaction breaks a rule that signing enforces; it was not signed."""


class SigningFailed(VaultError):
    """A signature could not be made, or did not verify; nothing was signed."""
