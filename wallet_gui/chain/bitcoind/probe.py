"""What a node is and can, asked in one round trip before anything else is believed of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from wallet_gui.chain.bitcoind.money import sat_per_kvb
from wallet_gui.chain.bitcoind.networks import CHAIN_NAMES, named
from wallet_gui.chain.bitcoind.node_facts import FilterIndex, IndexState, NodeFacts
from wallet_gui.chain.bitcoind.problems import (
    Code,
    NodeProblem,
    RpcError,
    bad_reply,
    clean,
    too_old,
    wrong_network,
)
from wallet_gui.chain.bitcoind.rights import calls_refused, refused_calls
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError

OLDEST_VERSION: Final = 250_000  # the first with scanblocks
PACKAGE_VERSION: Final = 280_000  # the first that relays a parent with its child
FILTER_INDEX: Final = "basic block filter index"
_METHOD_NOT_FOUND: Final = -32601
_MAX_WARNINGS: Final = 10
_MAX_NUMBER: Final = 1_000_000_000  # of heights, versions and seconds
_MAX_TIME: Final = 0xFFFFFFFF


_QUESTIONS: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("getblockchaininfo", ()),
    ("getnetworkinfo", ()),
    ("getindexinfo", ()),
    ("getblockhash", (0,)),
    ("getmempoolinfo", ()),
    ("uptime", ()),
    # Whether these exist is seen from the error, not from a version number.
    ("scanblocks", ("status",)),
    ("getdescriptoractivity", ([], [], False)),
    ("submitpackage", ()),
)


async def probe(rpc: NodeRpc, params: ChainParams, *, seconds: float = 30.0) -> NodeFacts:
    """Ask a node who it is; it has so many `seconds` to answer.

    Raises NodeProblem: WRONG_NETWORK, TOO_OLD, WARMING_UP, RPC_WHITELIST with all calls that are
    missing, BAD_REPLY for answers that no bitcoind gives, and what `NodeRpc` raises.
    """
    try:
        answers = await rpc.batch(_QUESTIONS, seconds=seconds)
    except NodeProblem as problem:
        if problem.code is not Code.RPC_WHITELIST:
            raise
        refused = await refused_calls(rpc)
        raise (calls_refused(refused, rpc.user) if refused else problem) from None
    told = dict(zip((method for method, _ in _QUESTIONS), answers, strict=True))
    try:
        return _facts(told, params)
    except (ParseError, KeyError, TypeError):
        # Their texts quote the answer; what is wrong with it matters to nobody here.
        raise bad_reply("getblockchaininfo, getnetworkinfo or getindexinfo") from None


def _facts(told: Mapping[str, Any], params: ChainParams) -> NodeFacts:
    chain = _object(_answer(told["getblockchaininfo"]))
    _check_network(chain, _answer(told["getblockhash"]), params)
    network = _object(_answer(told["getnetworkinfo"]))
    version = _integer(network["version"])
    subversion = clean(_text(network["subversion"]), 100)
    if version < OLDEST_VERSION:
        raise too_old(subversion)
    mempool = _object(_answer(told["getmempoolinfo"]))
    blocks = _integer(chain["blocks"])
    is_pruned = _flag(chain["pruned"])
    return NodeFacts(
        network=params.name,
        version=version,
        subversion=subversion,
        blocks=blocks,
        headers=_integer(chain["headers"]),
        is_ibd=_flag(chain["initialblockdownload"]),
        percent=_percent(chain["verificationprogress"]),
        is_pruned=is_pruned,
        prune_height=_integer(chain.get("pruneheight", 0)) if is_pruned else None,
        filter_index=_filter_index(_object(_answer(told["getindexinfo"]))),
        has_scan=_exists(told["scanblocks"]),
        has_activity=_exists(told["getdescriptoractivity"]),
        has_package_relay=_exists(told["submitpackage"]) and version >= PACKAGE_VERSION,
        min_relay_rate=sat_per_kvb(network["relayfee"]),
        mempool_min_rate=sat_per_kvb(mempool["mempoolminfee"]),
        warnings=_warnings(chain.get("warnings", network.get("warnings", ""))),
        uptime=_integer(_answer(told["uptime"])),
        tip_time=_integer(chain.get("time", 0), most=_MAX_TIME),
    )


def _check_network(chain: Mapping[str, Any], genesis: Any, params: ChainParams) -> None:
    found = _text(chain["chain"])
    if found != CHAIN_NAMES[params.name]:
        raise wrong_network(params.name, named(found))
    # All signets have one genesis block; their challenge tells them apart.
    challenge = chain.get("signet_challenge", params.signet_challenge.hex())
    if genesis != hash_to_hex(params.genesis_hash) or challenge != params.signet_challenge.hex():
        raise wrong_network(params.name, f"another {params.name}")


def _filter_index(indexes: Mapping[str, Any]) -> FilterIndex:
    if FILTER_INDEX not in indexes:
        return FilterIndex(IndexState.ABSENT)
    index = _object(indexes[FILTER_INDEX])
    state = IndexState.READY if _flag(index["synced"]) else IndexState.BUILDING
    return FilterIndex(state, _integer(index["best_block_height"]))


def _warnings(told: Any) -> tuple[str, ...]:
    """Read a list (since 28.0) or one text."""
    listed = told if isinstance(told, list) else [told]
    cleaned = (clean(_text(each)) for each in listed[:_MAX_WARNINGS])
    return tuple(text for text in cleaned if text)


def _answer(answer: Any) -> Any:
    if isinstance(answer, RpcError):
        raise answer
    return answer


def _exists(answer: Any) -> bool:
    return not (isinstance(answer, RpcError) and answer.number == _METHOD_NOT_FOUND)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ParseError("An object was expected.")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ParseError("A text was expected.")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ParseError("A yes or no was expected.")
    return value


def _integer(value: Any, *, most: int = _MAX_NUMBER) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ParseError("A number was expected.")
    return value


def _percent(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ParseError("A share was expected.")
    return int(max(Decimal(0), min(Decimal(1), Decimal(value))) * 100)
