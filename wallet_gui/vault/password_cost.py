"""What a guess at the password of a wallet file costs: the Argon2id parameters the vault uses."""

from dataclasses import dataclass
from typing import Final

from wallet_gui.sealing import DEFAULT, REDUCED, KdfParameters


@dataclass(frozen=True, slots=True)
class PasswordCost:
    """Parameters for new boxes, those for when memory is refused, and the least that is read.

    `minimum` None stands for sealing.FLOOR. Only tests build another one than PRODUCTION; nothing
    in arguments or environment can make the vault cheaper.
    """

    preferred: KdfParameters = DEFAULT
    fallback: KdfParameters = REDUCED
    minimum: KdfParameters | None = None

    @property
    def reduced_notice(self) -> str:
        """What a person is told when the system refused the preferred amount of memory."""
        return (
            f"This computer had less than {self.preferred.memory_kib // 1024} MiB of memory to "
            f"give, so the password is protected with {self.fallback.memory_kib // 1024} MiB: a "
            "guess is cheaper. Change the password on a larger computer to protect it fully."
        )


PRODUCTION: Final = PasswordCost()
