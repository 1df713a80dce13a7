"""Payment requests: addresses given away, what was noted about them, what arrived for them."""

from collections.abc import Mapping

from wallet_gui.wallet.changes import (
    ChainKey,
    PaymentRequest,
    RequestKey,
    ViewChange,
)
from wallet_gui.wallet.keychain import GAP_LIMIT, ScriptPlace, WatchSet
from wallet_gui.wallet.ledger import Ledger
from wallet_gui.wallet.snapshot import ReceiveState, RequestEntry, RequestStatus


class RequestBook:
    """The requests of a wallet. Changes go to `staged`, which the owner empties."""

    def __init__(
        self,
        staged: ViewChange,
        watch: WatchSet,
        ledger: Ledger,
        requests: Mapping[RequestKey, PaymentRequest | None],
    ) -> None:
        self._staged = staged
        self._watch = watch
        self._ledger = ledger
        self._requests = {key: item for key, item in requests.items() if item is not None}

    def set(self, request: PaymentRequest) -> None:
        self._requests[request.key] = request
        self._staged.requests[request.key] = request

    def remove(self, key: RequestKey) -> None:
        if self._requests.pop(key, None) is not None:
            self._staged.requests[key] = None

    def _script(self, request: PaymentRequest) -> bytes:
        place = ScriptPlace(request.descriptor_index, request.keychain, request.index)
        return self._watch.script(place)

    def address(self, request: PaymentRequest) -> str:
        return self._ledger.address(self._script(request))

    def entries(self, now: int) -> tuple[RequestEntry, ...]:
        """List the requests, newest first, with what arrived for each."""
        found = [self._entry(request, now) for request in self._requests.values()]
        return tuple(sorted(found, key=lambda e: (e.request.created, e.request.key), reverse=True))

    def _entry(self, request: PaymentRequest, now: int) -> RequestEntry:
        arrived = self._ledger.received_on(self._script(request))
        received = sum(output.value_sat for output, _ in arrived)
        confirmed = sum(output.value_sat for output, is_confirmed in arrived if is_confirmed)
        wanted = request.amount_sat or 1
        if confirmed >= wanted:
            status = RequestStatus.CONFIRMED
        elif received >= wanted:
            status = RequestStatus.SEEN
        elif request.expires is not None and request.expires <= now:
            status = RequestStatus.EXPIRED
        else:
            status = RequestStatus.WAITING
        return RequestEntry(request, self.address(request), status, received)

    def receive_state(self, key: ChainKey) -> ReceiveState:
        """Say which address of a chain to show, and whether another one may be revealed."""
        last_used, revealed = self._watch.last_used(key), self._watch.revealed(key)
        unused = max(0, revealed - last_used)
        can_reveal = unused < GAP_LIMIT
        if unused == 0:
            return ReceiveState(None, None, None, unused, can_reveal)
        script = self._watch.script(ScriptPlace(*key, revealed))
        return ReceiveState(self._ledger.address(script), script, revealed, unused, can_reveal)
