"""Which of our calls a node refuses to this login: its rpcwhitelist, found out without harm.

bitcoind looks at the whitelist before it looks at what a call wants (Core src/httprpc.cpp), so each
call is made with arguments that it cannot do anything with: a wrong type, an empty list, "status".
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, RpcError, rpc_whitelist
from wallet_gui.chain.bitcoind.rpc import NodeRpc

_NO_HASH: Final = ""
# The node answers with an error, or with a few bytes; nothing is scanned, sent or waited for.
HARMLESS: Final[Mapping[str, tuple[Any, ...]]] = {
    "estimatesmartfee": (0,),
    "getblock": (_NO_HASH,),
    "getblockchaininfo": (),
    "getblockfilter": (_NO_HASH,),
    "getblockhash": (-1,),
    "getblockheader": (_NO_HASH,),
    "getdescriptoractivity": ([], []),
    "getindexinfo": (),
    "getmempoolentry": (_NO_HASH,),
    "getmempoolinfo": (),
    "getnetworkinfo": (),
    "getrawmempool": ("not a truth value",),
    "getrawtransaction": (_NO_HASH,),
    "gettxout": (_NO_HASH, 0),
    "gettxspendingprevout": ([],),
    "scanblocks": ("status",),
    "scantxoutset": ("status",),
    "sendrawtransaction": ("",),
    "submitpackage": ([],),
    "testmempoolaccept": ([],),
    "uptime": (),
    "waitfornewblock": ("not a number",),
}


async def refused_calls(rpc: NodeRpc) -> tuple[str, ...]:
    """Return the calls that this login may not make, in the order of the alphabet.

    A call that the node's version does not know is not one of them. Raises NodeProblem when the
    login may do nothing at all, or when the node cannot be asked.
    """
    names = sorted(HARMLESS)
    tried = await asyncio.gather(
        *(rpc.call(name, *HARMLESS[name]) for name in names), return_exceptions=True
    )
    refused = []
    for name, outcome in zip(names, tried, strict=True):
        if isinstance(outcome, NodeProblem) and outcome.code is Code.RPC_WHITELIST:
            refused.append(name)
        elif isinstance(outcome, BaseException) and not isinstance(outcome, RpcError):
            raise outcome
    return tuple(refused)


def calls_refused(names: tuple[str, ...], user: str) -> NodeProblem:
    """Name the calls that the node's rpcwhitelist lacks."""
    return rpc_whitelist(", ".join(names), user)
