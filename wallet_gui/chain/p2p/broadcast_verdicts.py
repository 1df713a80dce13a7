"""What is said to a person about how the sending of a payment ended."""

from typing import Final

SPREAD: Final = "Nodes of {networks} networks have it that did not get it from this wallet."
ECHOED: Final = (
    "A node has it that did not get it from this wallet. More cannot be seen at the moment."
)
KEPT: Final = (
    "The node that got the payment has kept it. No other connected peer has shown it so far."
)
REQUESTED: Final = (
    "A node asked for the payment and got it. The connected peers do not tell whether others have "
    "it: that shows when a block holds it."
)
REFUSED: Final = (
    "The network did not keep the payment. The fee may be too low, one of the coins may be spent "
    "already, or an earlier payment that it needs may be missing."
)
CONFLICT: Final = (
    "The network did not keep the payment: another one that spends the same coin is on its way."
)
IGNORED: Final = (
    "No node asked for the payment. It may have been refused before, or the connection may be "
    "broken; it will be tried again."
)
GONE: Final = "The payment is not being sent any more."
NOBODY: Final = "The connection was lost before anyone confirmed the payment; it will be retried."
NO_PROXY: Final = (
    "The payment was not sent: no peer could be reached through the proxy, and it is not sent "
    "without. Check that Tor runs; it will be tried again."
)
