"""A window's side without a window: asks the vault one question and prints the answer's name.

Arguments: the vault's command as one JSON list; a request as its JSON on standard input. What is
printed was acknowledged. For tests that kill it, or the vault that it started.
"""

import asyncio
import json
import sys

from wallet_gui.app.vault_client import VaultClient, VaultError
from wallet_gui.transfer.messages import REPLIES, REQUESTS, Failed, Progress, Reply, from_json


def main() -> None:
    command = tuple(json.loads(sys.argv[1]))
    request = from_json(sys.stdin.buffer.read(), REQUESTS)

    def tell(progress: Progress) -> None:
        print(f"... {progress.step}", flush=True)

    client = VaultClient(headless=request.headless is not None, command=command)
    try:
        reply: Reply = asyncio.run(client.ask(request, REPLIES, tell))  # type: ignore[arg-type]
    except VaultError as error:
        print(f"refused: {error}", flush=True)
    else:
        name = type(reply).__name__
        print(f"refused: {reply}" if isinstance(reply, Failed) else f"done: {name}", flush=True)


if __name__ == "__main__":
    main()
