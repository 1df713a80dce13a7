"""Scripts: building, walking and recognising them. Nothing here executes a script.

Source: Core src/script/script.h, src/script/solver.cpp and src/policy/policy.cpp.
"""

import enum
from collections.abc import Iterator, Sequence

from wallet_gui.primitives.serialize import ParseError, Reader, compact_size

OP_0 = 0x00
OP_PUSHDATA1 = 0x4C
OP_PUSHDATA2 = 0x4D
OP_PUSHDATA4 = 0x4E
OP_1NEGATE = 0x4F
OP_RESERVED = 0x50
OP_1 = 0x51
OP_16 = 0x60
OP_RETURN = 0x6A
OP_DUP = 0x76
OP_EQUAL = 0x87
OP_EQUALVERIFY = 0x88
OP_HASH160 = 0xA9
OP_CODESEPARATOR = 0xAB
OP_CHECKSIG = 0xAC
OP_CHECKMULTISIG = 0xAE
OP_CHECKLOCKTIMEVERIFY = 0xB1
OP_CHECKSEQUENCEVERIFY = 0xB2
OP_CHECKSIGADD = 0xBA

MAX_SCRIPT_SIZE = 10_000  # consensus; a longer output script can never be spent
MAX_PUSH = 520  # consensus, and so the limit of a P2SH redeem script: 15 compressed keys
_MAX_MULTISIG_KEYS = 20
_DUST_SAT_PER_VBYTE = 3  # Core's DUST_RELAY_TX_FEE, 3000 sat/kvB


class ScriptType(enum.Enum):
    """What an output script asks for, as Core's Solver tells them apart."""

    P2PKH = "pkh"
    P2SH = "sh"
    P2WPKH = "wpkh"
    P2WSH = "wsh"
    P2TR = "tr"
    WITNESS_UNKNOWN = "witness_unknown"
    P2PK = "pk"
    MULTISIG = "multisig"
    NULL_DATA = "null_data"
    NONSTANDARD = "nonstandard"


def encode_script_number(n: int) -> bytes:
    """Write a number as scripts do: little endian, sign in the top bit, empty for zero."""
    if n == 0:
        return b""
    magnitude = abs(n)
    # One bit more than the magnitude needs, for the sign.
    data = bytearray(magnitude.to_bytes(magnitude.bit_length() // 8 + 1, "little"))
    if n < 0:
        data[-1] |= 0x80
    return bytes(data)


def push(data: bytes) -> bytes:
    """Return the shortest script that pushes `data` (BIP62 rule 3)."""
    size = len(data)
    if size == 1 and 1 <= data[0] <= 16:
        return bytes((OP_1 + data[0] - 1,))
    if data == b"\x81":
        return bytes((OP_1NEGATE,))
    if size < OP_PUSHDATA1:  # OP_0 pushes no bytes
        head = bytes((size,))
    elif size <= 0xFF:
        head = bytes((OP_PUSHDATA1, size))
    elif size <= 0xFFFF:
        head = bytes((OP_PUSHDATA2,)) + size.to_bytes(2, "little")
    else:
        head = bytes((OP_PUSHDATA4,)) + size.to_bytes(4, "little")
    return head + data


def iterate(script: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Walk a script: each opcode with the bytes it pushes, None for one that pushes no bytes.

    OP_0 pushes b""; OP_1 to OP_16 and OP_1NEGATE stand for numbers and come with None. Raises
    `ParseError` when a push reaches beyond the end.
    """
    reader = Reader(script)
    while reader.remaining:
        opcode = reader.u8()
        if opcode > OP_PUSHDATA4:
            yield opcode, None
            continue
        if opcode < OP_PUSHDATA1:
            length = opcode
        elif opcode == OP_PUSHDATA1:
            length = reader.u8()
        elif opcode == OP_PUSHDATA2:
            length = reader.u16()
        else:
            length = reader.u32()
        yield opcode, reader.read(length)


def parse_pushes(script: bytes) -> tuple[bytes, ...]:
    """Return what a script pushes that does nothing else, numbers as script numbers.

    Raises `ParseError` for any other script.
    """
    pushed: list[bytes] = []
    for opcode, data in iterate(script):
        if data is not None:
            pushed.append(data)
        elif OP_1 <= opcode <= OP_16:
            pushed.append(bytes((opcode - OP_1 + 1,)))
        elif opcode == OP_1NEGATE:
            pushed.append(b"\x81")
        else:
            raise ParseError(f"The script does more than push data: it has opcode {opcode:#04x}.")
    return tuple(pushed)


def _sized(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError(f"{size} bytes are needed here, not {len(data)}.")
    return data


def p2pkh(public_key_hash: bytes) -> bytes:
    """Pay to the hash160 (20 bytes) of a public key."""
    head = bytes((OP_DUP, OP_HASH160, 20))
    return head + _sized(public_key_hash, 20) + bytes((OP_EQUALVERIFY, OP_CHECKSIG))


def p2sh(script_hash: bytes) -> bytes:
    """Pay to the hash160 (20 bytes) of a script (BIP16)."""
    return bytes((OP_HASH160, 20)) + _sized(script_hash, 20) + bytes((OP_EQUAL,))


def p2wpkh(public_key_hash: bytes) -> bytes:
    """Pay to the hash160 (20 bytes) of a compressed public key (BIP141)."""
    return bytes((OP_0, 20)) + _sized(public_key_hash, 20)


def p2wsh(script_hash: bytes) -> bytes:
    """Pay to the SHA256 (32 bytes) of a witness script (BIP141)."""
    return bytes((OP_0, 32)) + _sized(script_hash, 32)


def p2tr(output_key: bytes) -> bytes:
    """Pay to an x-only public key (32 bytes), tweaked already (BIP341)."""
    return bytes((OP_1, 32)) + _sized(output_key, 32)


def witness_program(version: int, program: bytes) -> bytes:
    """Pay to a witness program (2 to 40 bytes) of version 0 to 16 (BIP141)."""
    if not 0 <= version <= 16 or not 2 <= len(program) <= 40:
        raise ValueError("This is not a witness program.")
    return bytes((OP_1 + version - 1 if version else OP_0, len(program))) + program


def op_return(data: bytes) -> bytes:
    """Carry data in an output that nobody can spend."""
    return bytes((OP_RETURN,)) + push(data)


def is_op_return(script: bytes) -> bool:
    """Whether the script begins with OP_RETURN, so that its output can never be spent."""
    return script[:1] == bytes((OP_RETURN,))


def parse_witness_program(script: bytes) -> tuple[int, bytes] | None:
    """Return version and program when the script is exactly a witness program, else None."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    first = script[0]
    if first == OP_0:
        return 0, script[2:]
    if OP_1 <= first <= OP_16:
        return first - OP_1 + 1, script[2:]
    return None


def classify(script: bytes) -> ScriptType:
    """Tell the type of an output script; any bytes have one."""
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == OP_EQUAL:
        return ScriptType.P2SH
    witness = parse_witness_program(script)
    if witness is not None:
        return _classify_witness(*witness)
    if is_op_return(script) and _is_push_only(script[1:]):
        return ScriptType.NULL_DATA
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return ScriptType.P2PKH
    if (
        len(script) in (35, 67)
        and script[0] == len(script) - 2
        and script[-1] == OP_CHECKSIG
        and _has_key_size(script[1:-1])
    ):
        return ScriptType.P2PK
    return ScriptType.NONSTANDARD if parse_multisig(script) is None else ScriptType.MULTISIG


def _classify_witness(version: int, program: bytes) -> ScriptType:
    match version, len(program):
        case 0, 20:
            return ScriptType.P2WPKH
        case 0, 32:
            return ScriptType.P2WSH
        case 1, 32:
            return ScriptType.P2TR
        case 0, _:
            return ScriptType.NONSTANDARD
        case _:
            return ScriptType.WITNESS_UNKNOWN


def _is_push_only(script: bytes) -> bool:
    # As in Core, OP_RESERVED counts as a push here.
    try:
        return all(opcode <= OP_16 for opcode, _ in iterate(script))
    except ParseError:
        return False


def _has_key_size(key: bytes) -> bool:
    if key[:1] in (b"\x02", b"\x03"):
        return len(key) == 33
    return key[:1] in (b"\x04", b"\x06", b"\x07") and len(key) == 65


def multisig(required: int, keys: Sequence[bytes]) -> bytes:
    """Ask for `required` signatures, in the order of `keys` (33 or 65 bytes each; at most 20)."""
    if not 1 <= required <= len(keys) <= _MAX_MULTISIG_KEYS or not all(map(_has_key_size, keys)):
        raise ValueError("This is not a multisig script.")
    pushed = b"".join(map(push, keys))
    return b"".join((_number(required), pushed, _number(len(keys)), bytes((OP_CHECKMULTISIG,))))


def parse_multisig(script: bytes) -> tuple[int, tuple[bytes, ...]] | None:
    """Return how many signatures are required, and the keys, if it is exactly such a script."""
    if script[-1:] != bytes((OP_CHECKMULTISIG,)) or len(script) > MAX_SCRIPT_SIZE:
        return None
    try:
        items = list(iterate(script))
    except ParseError:
        return None
    if len(items) < 4 or items[-1] != (OP_CHECKMULTISIG, None):
        return None
    required, total = _small_number(*items[0]), _small_number(*items[-2])
    keys = tuple(data for _, data in items[1:-2] if data is not None and _has_key_size(data))
    if 1 <= required <= total <= _MAX_MULTISIG_KEYS and len(keys) == total == len(items) - 3:
        return required, keys
    return None


def _number(n: int) -> bytes:
    return bytes((OP_1 + n - 1,)) if n <= 16 else push(bytes((n,)))


def _small_number(opcode: int, data: bytes | None) -> int:
    """Return a number of keys (1 to 20) written in its shortest form, else 0."""
    if OP_1 <= opcode <= OP_16:
        return opcode - OP_1 + 1
    # Above 16 there is no opcode; the number is pushed as one byte.
    if opcode == 1 and data is not None and 16 < data[0] <= _MAX_MULTISIG_KEYS:
        return data[0]
    return 0


def dust_threshold(script: bytes) -> int:
    """Return the least value in satoshis that nodes relay in an output with this script.

    Below it, at 3 sat/vB, spending the output costs more than a third of its value. Source: Core
    src/policy/policy.cpp GetDustThreshold.
    """
    if is_op_return(script) or len(script) > MAX_SCRIPT_SIZE:
        return 0
    output_size = 8 + len(compact_size(len(script))) + len(script)
    # Outpoint, script length, signature and key, sequence; a witness counts a quarter.
    signature_size = 107 // 4 if parse_witness_program(script) else 107
    return (output_size + 32 + 4 + 1 + signature_size + 4) * _DUST_SAT_PER_VBYTE
