from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.chain.mining import easy
from tests.unit.chain.signet_mining import (
    KEYS,
    SECRETS,
    SignetMiner,
    Solver,
    bare_multisig,
    legacy_signatures,
    multisig,
    segwit_signatures,
)
from wallet_gui.chain import signet
from wallet_gui.chain.signet import UnsupportedChallenge, check_block
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.params import REGTEST, SIGNET, ChainParams
from wallet_gui.primitives.script import p2pkh, p2sh, p2wpkh, p2wsh, push
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

TIME = 1_700_000_000
TWO_OF_THREE = multisig(2, KEYS)
ONE_OF_TWO = multisig(1, KEYS[:2])
P2PK = push(KEYS[0]) + b"\xac"


def network(challenge: bytes) -> ChainParams:
    return replace(easy(SIGNET), signet_challenge=challenge)


def block_for(challenge: bytes, solve: Solver, *, with_solution: bool = True) -> Block:
    miner = SignetMiner(challenge, solve, REGTEST.pow_limit_bits)
    payment = Transaction(2, (TxIn(OutPoint(b"\x07" * 32, 0)),), (TxOut(5, b"\x51"),), 0)
    return miner.block(b"\x05" * 32, 7, TIME, [payment], with_solution=with_solution)


def plain(sign: Callable[[Transaction], list[bytes]], *more: bytes) -> Solver:
    return lambda tx: (b"".join(push(each) for each in [*sign(tx), *more]), [])


def witness(sign: Callable[[Transaction], list[bytes]], *more: bytes) -> Solver:
    return lambda tx: (b"", [*sign(tx), *more])


def multi_witness(script: bytes, *secrets: bytes) -> Solver:
    sign = segwit_signatures(script, *secrets)
    return lambda tx: (b"", [b"", *sign(tx), script])


def nested(inner: Solver, redeem: bytes) -> Solver:
    def solve(tx: Transaction) -> tuple[bytes, list[bytes]]:
        return push(redeem), inner(tx)[1]

    return solve


KEY_HASH = hash160(KEYS[0])
GOOD = {
    "1 of 2": (ONE_OF_TWO, bare_multisig(ONE_OF_TWO, SECRETS[1])),
    "2 of 3": (TWO_OF_THREE, bare_multisig(TWO_OF_THREE, SECRETS[0], SECRETS[2])),
    "key": (P2PK, plain(legacy_signatures(P2PK, SECRETS[0]))),
    "key hash": (
        p2pkh(KEY_HASH),
        plain(legacy_signatures(p2pkh(KEY_HASH), SECRETS[0]), KEYS[0]),
    ),
    "script hash": (
        p2sh(hash160(P2PK)),
        plain(legacy_signatures(P2PK, SECRETS[0]), P2PK),
    ),
    "p2wpkh": (
        p2wpkh(KEY_HASH),
        witness(segwit_signatures(p2pkh(KEY_HASH), SECRETS[0]), KEYS[0]),
    ),
    "p2wsh": (
        p2wsh(sha256(TWO_OF_THREE)),
        multi_witness(TWO_OF_THREE, SECRETS[1], SECRETS[2]),
    ),
    "p2wsh key": (
        p2wsh(sha256(P2PK)),
        witness(segwit_signatures(P2PK, SECRETS[0]), P2PK),
    ),
    "nested": (
        p2sh(hash160(p2wsh(sha256(ONE_OF_TWO)))),
        nested(multi_witness(ONE_OF_TWO, SECRETS[0]), p2wsh(sha256(ONE_OF_TWO))),
    ),
    "true": (b"\x51", lambda _tx: (b"", [])),
}


@pytest.mark.parametrize("kind", GOOD)
def test_signed_blocks_of_every_kind(kind: str) -> None:
    challenge, solve = GOOD[kind]
    block = block_for(challenge, solve)
    block.check()
    check_block(block, network(challenge))
    # The solution is bound to the block: nothing around it may change.
    if kind == "true":
        return
    header = replace(block.header, time=block.header.time + 1)
    with pytest.raises(ParseError, match="not signed"):
        check_block(Block(header, block.transactions), network(challenge))
    first = block.transactions[0]
    richer = replace(first, outputs=(TxOut(51 * 10**8, b"\x51"), first.outputs[1]))
    with pytest.raises(ParseError, match="not signed"):
        check_block(Block(block.header, (richer, *block.transactions[1:])), network(challenge))
    with pytest.raises(ParseError, match="not signed"):
        check_block(block_for(challenge, solve, with_solution=False), network(challenge))


@pytest.mark.parametrize(
    ("challenge", "solve"),
    [
        (TWO_OF_THREE, bare_multisig(TWO_OF_THREE, SECRETS[0])),
        (TWO_OF_THREE, bare_multisig(TWO_OF_THREE, SECRETS[2], SECRETS[0])),
        (TWO_OF_THREE, bare_multisig(TWO_OF_THREE, SECRETS[0], SECRETS[0])),
        (P2PK, plain(legacy_signatures(P2PK, SECRETS[1]))),
        (P2PK, plain(segwit_signatures(P2PK, SECRETS[0]))),
        (P2PK, lambda _tx: (b"\x00", [])),
        (P2PK, lambda _tx: (b"\x75", [])),
        (p2wpkh(KEY_HASH), witness(segwit_signatures(p2pkh(KEY_HASH), SECRETS[0]), KEYS[1])),
        (p2wsh(sha256(P2PK)), witness(segwit_signatures(P2PK, SECRETS[0]), TWO_OF_THREE)),
        (p2wsh(sha256(P2PK)), lambda _tx: (b"", [])),
        (b"\x51", lambda _tx: (b"", [b"\x01"])),
    ],
    ids=[
        "one of two",
        "wrong order",
        "one twice",
        "other key",
        "other digest",
        "empty signature",
        "no push",
        "other key hash",
        "other script",
        "no witness",
        "witness of no use",
    ],
)
def test_wrong_solutions(challenge: bytes, solve: Solver) -> None:
    with pytest.raises(ParseError, match="not signed"):
        check_block(block_for(challenge, solve), network(challenge))


def test_either_s_is_right_in_a_block() -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

    def high(tx: Transaction) -> tuple[bytes, list[bytes]]:
        (low,) = legacy_signatures(P2PK, SECRETS[0])(tx)
        r_end = 4 + low[3]
        s = order - int.from_bytes(low[r_end + 2 : -1], "big")
        raw = s.to_bytes(33, "big")
        raw = raw if raw[1] & 0x80 else raw[1:]
        body = low[2:r_end] + b"\x02" + bytes([len(raw)]) + raw
        return push(b"\x30" + bytes([len(body)]) + body + low[-1:]), []

    check_block(block_for(P2PK, high), network(P2PK))


def test_unknown_kinds_are_named() -> None:
    taproot = b"\x51\x20" + KEYS[0][1:]
    for challenge in (taproot, b"\x52\x87", p2wsh(sha256(b"\x52\x87"))):
        program = b"\x52\x87" if challenge[:1] == b"\x00" else b""
        block = block_for(challenge, lambda _tx, p=program: (b"", [p] if p else []))  # type: ignore[misc]
        with pytest.raises(UnsupportedChallenge, match="proof of work alone"):
            check_block(block, network(challenge))


def test_other_networks_and_the_first_block_need_no_signature() -> None:
    block = block_for(P2PK, lambda _tx: (b"", []))
    check_block(block, REGTEST)
    params = replace(network(P2PK), genesis_header=block.header.serialize())
    check_block(block, params)


def test_a_block_without_a_place_for_a_solution() -> None:
    challenge, solve = GOOD["key"]
    block = block_for(challenge, solve)
    first = block.transactions[0]
    bare = replace(first, outputs=first.outputs[:1])
    with pytest.raises(ParseError, match="cannot be signed"):
        check_block(Block(block.header, (bare,)), network(challenge))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=120))
def test_any_solution_is_wrong_or_refused(solution: bytes) -> None:
    challenge, solve = GOOD["1 of 2"]
    block = block_for(challenge, solve)
    first = block.transactions[0]
    script = first.outputs[1].script_pubkey[:38] + push(signet.HEADER + solution)
    forged = replace(first, outputs=(first.outputs[0], TxOut(0, script)))
    with pytest.raises(ParseError):
        check_block(Block(block.header, (forged, *block.transactions[1:])), network(challenge))
