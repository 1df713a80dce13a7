"""Usual fee rates as the person's own node estimates them, and what its mempool takes at all."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from wallet_gui.chain.bitcoind.money import sat_per_kvb
from wallet_gui.chain.bitcoind.problems import RpcError, bad_reply
from wallet_gui.chain.reports import FeeAdvice
from wallet_gui.primitives.serialize import ParseError

TARGETS: Final = (2, 6, 144)  # blocks: fast, normal, slow
MAX_RATE: Final = 10_000_000  # sat/kvB, 0.1 BTC/kvB: no estimate of this world is higher
_ESTIMATED: Final = (
    "What your node estimates from the payments that it has seen, for {targets} blocks."
)
_TOO_LITTLE: Final = (
    "Your node has not seen enough payments yet to estimate fees; this is the least that it takes."
)


class Batches(Protocol):
    """What is needed of a `NodeRpc`."""

    async def batch(self, calls: Any, /) -> list[Any]: ...


class NodeFees:
    """The last answers; rates in sat/kvB. `now` gives the Unix time."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._advice: FeeAdvice | None = None

    def advice(self) -> FeeAdvice | None:
        """Give what was learned last; None before the first answer."""
        return self._advice

    def minimum_rate(self) -> int | None:
        """Give the rate below which the node takes nothing; None before the first answer."""
        return None if self._advice is None else self._advice.minimum

    async def refresh(self, rpc: Batches) -> FeeAdvice:
        """Ask anew; raises NodeProblem and leaves the old advice, whose age shows."""
        calls = [("estimatesmartfee", [target, "economical"]) for target in TARGETS]
        *estimates, pool = await rpc.batch([*calls, ("getmempoolinfo", [])])
        if isinstance(pool, RpcError):
            raise pool
        try:
            minimum = max(sat_per_kvb(pool["mempoolminfee"]), sat_per_kvb(pool["minrelaytxfee"]))
            rates = [_rate(estimate) for estimate in estimates]
        except (ParseError, KeyError, TypeError):
            raise bad_reply("estimatesmartfee or getmempoolinfo") from None
        self._advice = _advice(rates, minimum, self._now())
        return self._advice


def _rate(estimate: Any) -> int | None:
    """Read an estimate; None where the node has too few facts, or makes none at all."""
    if isinstance(estimate, RpcError):
        return None  # "Fee estimation disabled": a node that relays blocks only
    if not isinstance(estimate, dict):
        raise ParseError("An estimate was expected.")
    if "feerate" not in estimate:
        return None
    rate = sat_per_kvb(estimate["feerate"])
    return rate if 0 < rate <= MAX_RATE else None


def _advice(rates: list[int | None], minimum: int, now: int) -> FeeAdvice:
    """Never below what the node takes, and a faster rate never below a slower one."""
    fast, normal, slow = rates
    floor = minimum
    raised: list[int | None] = []
    for rate in (slow, normal, fast):
        if rate is not None:
            floor = max(floor, rate)
        raised.append(None if rate is None else floor)
    known = [str(target) for target, rate in zip(TARGETS, rates, strict=True) if rate is not None]
    source = _TOO_LITTLE
    if known:
        listed = known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}"
        source = _ESTIMATED.format(targets=listed)
    return FeeAdvice(
        fast=raised[2],
        normal=raised[1],
        slow=raised[0],
        minimum=minimum,
        source=source,
        learned=now,
    )
