"""The RPC calls that this program makes, and no others: nothing here reads or writes a wallet."""

from typing import Final

ALLOWED: Final = frozenset(
    {
        "estimatesmartfee",
        "getblock",
        "getblockchaininfo",
        "getblockfilter",
        "getblockhash",
        "getblockheader",
        "getdescriptoractivity",
        "getindexinfo",
        "getmempoolentry",
        "getmempoolinfo",
        "getnetworkinfo",
        "getrawmempool",
        "getrawtransaction",
        "gettxout",
        "gettxspendingprevout",
        "scanblocks",
        "scantxoutset",
        "sendrawtransaction",
        "submitpackage",
        "testmempoolaccept",
        "uptime",
        "waitfornewblock",
    }
)
