"""Why a node does not take a transaction: Core's reasons, and Knots', in words for a person.

Sources: Core src/validation.cpp, src/policy/, src/consensus/tx_verify.cpp; the texts observed with
Knots 29.5. `testmempoolaccept` gives the same reasons as `sendrawtransaction`, without a number.
"""

from typing import Final, NamedTuple

from wallet_gui.chain.bitcoind.problems import Code, Fix, NodeProblem, clean

_ALREADY: Final = -27


class _Row(NamedTuple):
    code: Code
    title: str
    what_to_do: str


_MORE_FEE: Final = "Choose a higher fee rate and send again; nothing was sent."
_ROWS: Final[tuple[tuple[tuple[str, ...], _Row], ...]] = (
    (
        ("already in utxo set", "txn-already-known", "already in block chain"),
        _Row(Code.ALREADY_MINED, "The payment is in a block already.", ""),
    ),
    (
        ("rejecting replacement", "insufficient fee", "replacement-failed"),
        _Row(
            Code.REPLACEMENT_FEE,
            "The node keeps the earlier payment: the new one does not pay enough more.",
            "Raise the fee further; it has to pay for both.",
        ),
    ),
    (
        ("min relay fee not met", "mempool min fee not met"),
        _Row(Code.FEE_TOO_LOW, "The fee is below what the node takes.", _MORE_FEE),
    ),
    (
        ("fee exceeds maximum", "max-fee-exceeded"),
        _Row(
            Code.FEE_TOO_HIGH,
            "The fee is higher than anybody would pay on purpose.",
            "Check the fee rate; nothing was sent.",
        ),
    ),
    (
        ("in-belowout",),
        _Row(
            Code.SPENDS_TOO_MUCH,
            "The payment spends more than its coins hold.",
            "Make it anew; nothing was sent.",
        ),
    ),
    (
        ("dust",),
        _Row(
            Code.DUST,
            "An amount of the payment is too small to be worth sending.",
            "Send a larger amount; nothing was sent.",
        ),
    ),
    (
        ("script-verify-flag",),
        _Row(
            Code.SIGNATURE_INVALID,
            "A signature of the payment is not valid.",
            "Sign it anew; nothing was sent.",
        ),
    ),
    (
        ("missing-inputs", "missingorspent"),
        _Row(
            Code.COINS_GONE,
            "The node does not know a coin that the payment spends: it was spent already, or the "
            "payment that brings it has not arrived.",
            "Wait until the wallet is up to date and make the payment anew if it is still missing.",
        ),
    ),
    (
        ("txn-mempool-conflict", "spends-conflicting-tx", "replacement-adds-unconfirmed"),
        _Row(
            Code.CONFLICT,
            "Another payment that spends the same coin is on its way.",
            "Wait for that one, or raise its fee instead.",
        ),
    ),
    (
        ("non-final", "non-bip68-final"),
        _Row(
            Code.NOT_YET_FINAL,
            "The payment is locked until a later time.",
            "Send it when that time has come.",
        ),
    ),
    (
        ("premature-spend-of-coinbase",),
        _Row(
            Code.IMMATURE,
            "A mined coin may be spent only when it is 100 blocks deep.",
            "Wait, or leave that coin out.",
        ),
    ),
    (
        ("tx decode failed",),
        _Row(
            Code.TX_DECODE,
            "The node cannot read the transaction.",
            "Please report this as an error of the wallet; nothing was sent.",
        ),
    ),
    (
        ("too-long-mempool-chain", "too-large-cluster", "too many potential replacements"),
        _Row(
            Code.TOO_MANY_UNCONFIRMED,
            "Too many payments in a row wait for a block.",
            "Wait until one of them is confirmed, then send again.",
        ),
    ),
    (
        ("mempool full",),
        _Row(Code.MEMPOOL_FULL, "So many payments wait that the node drops cheap ones.", _MORE_FEE),
    ),
)


def refusal(reason: str, number: int = 0) -> NodeProblem:
    """Put a node's reason into words; what is not known is told in the node's own."""
    lower = reason.lower()
    for words, row in _ROWS:
        if any(word in lower for word in words):
            return NodeProblem(row.code, row.title, row.what_to_do, detail=reason)
    if number == _ALREADY:
        return refusal("already in utxo set")
    return NodeProblem(
        Code.SEND_REFUSED,
        "The node does not take the payment.",
        f"Nothing was sent. It says: “{clean(reason, 120)}”.",
        fix=Fix("Copy what the node says", clean(reason, 200)),
        detail=reason,
    )


def txid_differs() -> NodeProblem:
    """The node claims to have sent something else."""
    return NodeProblem(
        Code.TXID_DIFFERS,
        "The node says that it sent another transaction than the one it was given.",
        "Do not trust this node. Send the payment directly, or through another node.",
        is_final=True,
    )
