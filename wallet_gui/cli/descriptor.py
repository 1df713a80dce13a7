"""The descriptor command: what a wallet is, for other programs and for the cosigners of one."""

import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wallet_gui.cli.result import CommandError, Result, UsageError
from wallet_gui.cli.wallet_names import is_path
from wallet_gui.custody.requests import cosigner_key_request, join_request, watch_request
from wallet_gui.descriptors.account_import import WalletImport
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.exporters import EXPORTERS
from wallet_gui.descriptors.importers import MAX_SIZE, read_cosigner, read_wallet
from wallet_gui.primitives.serialize import ParseError

if TYPE_CHECKING:
    from wallet_gui.cli.context import Context

_SINGLE: Final = {kind.name.lower(): kind for kind in DescriptorType}
_SHARED: Final = {kind.name.lower(): kind for kind in MultisigType}
# What can only be public text, so that it may be an argument instead of a file.
_LITERAL = re.compile(r"\[[0-9a-fA-F]{8}[/\]]|[a-z]{2,4}\(|[xyztuvYZUV]pub[1-9A-HJ-NP-Za-km-z]{90}")
_FILE_NAME = re.compile(r"[\w][\w -]{0,59}")


async def run(context: "Context") -> Result:
    """Do what the action says."""
    return await _ACTIONS[context.options.action](context)


def name_and_directory(wallet: str) -> tuple[str, str | None]:
    """Split what --wallet says of a new wallet; no directory means the usual one."""
    if not is_path(wallet):
        return wallet, None
    path = Path(wallet).absolute()
    return path.name.removesuffix(".wallet"), str(path.parent)


def read_export(argument: str) -> bytes | str:
    """Read a file or standard input ("-"); a descriptor or key may stand there itself."""
    if _LITERAL.match(argument):
        return argument
    try:
        if argument == "-":
            return sys.stdin.buffer.read(MAX_SIZE + 1)
        with Path(argument).open("rb") as file:
            return file.read(MAX_SIZE + 1)
    except OSError as error:
        raise CommandError(f"{argument} cannot be read: {error.strerror}.") from error


def created_wallet(context: "Context", wallet_id: str, found: WalletImport | None = None) -> Result:
    """Tell what a new wallet is; `found` is what it was imported from."""
    wallet = context.online.session(wallet_id).wallet
    description = wallet.description
    lines = [f"The wallet is in {wallet_id}."]
    if not description.has_secrets or any(d.is_multisig for d in wallet.descriptors):
        first = wallet.descriptors[description.active].first_address
        lines.append(f"Its first address is {first}; compare it with what the other program shows.")
    document: dict[str, Any] = {
        "wallet": wallet_id,
        "network": description.network,
        "fingerprint": description.fingerprint,
        "descriptors": list(description.descriptors),
        "first_addresses": [d.first_address for d in wallet.descriptors],
        "watch_only": not description.has_secrets,
    }
    if found is not None:
        document["labels"] = len(found.labels)
        document["notices"] = list(found.notices)
        lines += found.notices
    return Result(document, lines)


def _one_file(context: "Context") -> bytes | str:
    files = context.options.files
    if len(files) != 1:
        raise UsageError('Name one file, or "-" for standard input.')
    if files[0] == "-" and context.options.password_file == "-":  # noqa: S105
        raise UsageError("Standard input can be read only once. Name a file for one of the two.")
    return read_export(files[0])


def _found(context: "Context") -> WalletImport:
    kind = context.options.type
    if kind is not None and kind not in _SINGLE:
        raise UsageError("The kind of addresses of one key is wpkh, tr, sh_wpkh or pkh.")
    return read_wallet(_one_file(context), context.params, None if kind is None else _SINGLE[kind])


def _described(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "descriptor": str(descriptor),
        "type": descriptor.type.name.lower(),
        "required": descriptor.required,
        "keys": [
            {
                "fingerprint": None if key.origin is None else key.origin.fingerprint.hex(),
                "key": str(key),
            }
            for key in descriptor.keys
        ],
        "first_address": descriptor.first_address,
    }


async def _inspect(context: "Context") -> Result:
    found = _found(context)
    document = {
        "source": found.source,
        "name": found.name,
        "descriptors": [_described(descriptor) for descriptor in found.descriptors],
        "active": found.active,
        "birthday": found.birthday_time,
        "labels": len(found.labels),
        "notices": list(found.notices),
    }
    lines = [f"from {found.source}: {found.name or 'without a name'}"]
    for descriptor in found.descriptors:
        lines += [str(descriptor), f"  first address {descriptor.first_address}"]
    return Result(document, [*lines, *found.notices])


async def _multisig(context: "Context") -> Result:
    """Put the cosigners' keys together."""
    options = context.options
    kind = _shared_kind(context)
    if options.required is None or not options.files:
        raise UsageError("Name the cosigners' keys, and with --required how many have to sign.")
    if options.files.count("-") > 1:
        raise UsageError("Standard input can be read only once.")
    cosigners = []
    for name in options.files:
        expression = read_cosigner(read_export(name), context.params, kind)
        if isinstance(expression.key, bytes):
            raise ParseError("A cosigner's key is an extended one, xpub or tpub.")
        cosigners.append((expression.origin, expression.key))
    descriptor = Descriptor.multisig(kind, context.params, options.required, cosigners)
    _write(context, f"{descriptor}\n")
    return Result(_described(descriptor), [str(descriptor)])


def _shared_kind(context: "Context") -> MultisigType:
    kind = context.options.type or "wsh"
    if kind not in _SHARED:
        raise UsageError("The kind of a multisig is wsh, sh_wsh or sh.")
    return _SHARED[kind]


async def _import(context: "Context") -> Result:
    """Make a wallet that only watches."""
    options = context.options
    found = _found(context)
    proposed = found.name if _FILE_NAME.fullmatch(found.name) else "wallet"
    name, directory = name_and_directory(options.wallet or proposed)
    await context.start(connect=False)
    look = context.online.vault_look()
    request = watch_request(name, directory, found, options.birthday, context.params, look)
    opened = await context.online.make_wallet(request)
    if found.labels:
        await context.online.session(opened.wallet_id).set_labels(found.labels)
    return created_wallet(context, opened.wallet_id, found)


async def _join(context: "Context") -> Result:
    """Make the wallet of a multisig, with the words of another wallet here."""
    options = context.options
    found = _found(context)
    if len(found.descriptors) != 1 or not found.descriptors[0].is_multisig:
        raise UsageError("This is no multisig wallet. Name its descriptor or multisig file.")
    if options.words_of is None or options.wallet is None:
        raise UsageError(
            "Name the new wallet with --wallet, and the one whose words are a cosigner's with "
            "--words-of."
        )
    name, directory = name_and_directory(options.wallet)
    await context.start(connect=False)
    request = join_request(
        name,
        directory,
        str(found.descriptors[0]),
        str(await context.path_of(options.words_of)),
        found.birthday_time if options.birthday is None else options.birthday,
        context.params,
        context.online.vault_look(),
    )
    opened = await context.online.make_wallet(request)
    return created_wallet(context, opened.wallet_id, found)


async def _key(context: "Context") -> Result:
    """Show the public key with which the wallet joins a multisig."""
    options = context.options
    kind = _shared_kind(context).name.lower()
    await context.start(connect=False)
    path = str(await context.path_of(options.wallet))
    request = cosigner_key_request(path, kind, options.account, context.online.vault_look())
    key = await context.online.cosigner_key(request)
    _write(context, f"{key}\n")
    return Result({"key": key, "type": kind}, [key])


async def _export(context: "Context") -> Result:
    """Write what the wallet is, in a format that other programs read."""
    options = context.options
    await context.start(connect=False)
    wallet = (await context.open_wallet()).wallet
    descriptors = wallet.descriptors
    if options.type is not None:
        descriptors = tuple(d for d in descriptors if d.type.name.lower() == options.type)
        if not descriptors:
            raise UsageError("The wallet has no addresses of this kind.")
    description = wallet.description
    text = EXPORTERS[options.format](descriptors, description.name, description.birthday_time)
    _write(context, text)
    document = {
        "format": options.format,
        "descriptors": [str(descriptor) for descriptor in descriptors],
        "text": text,
    }
    return Result(document, [] if options.output is not None else text.splitlines())


def _write(context: "Context", text: str) -> None:
    target = context.options.output
    if target is None:
        return
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}.") from error


_ACTIONS: Final[dict[str, Callable[["Context"], Awaitable[Result]]]] = {
    "export": _export,
    "import": _import,
    "inspect": _inspect,
    "key": _key,
    "multisig": _multisig,
    "join": _join,
}
