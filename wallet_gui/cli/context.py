"""What a command works with: the online side of its network, its wallet, and the way to print."""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from wallet_gui.app.network_words import plan_sentences, speed_text
from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.app.online import Online, Published
from wallet_gui.app.p2p_choice import MEGABYTE, NO_PEERS, parse_proxy, why_not_connect
from wallet_gui.app.published import PHASES, SyncSnapshot
from wallet_gui.app.session import WalletSession
from wallet_gui.app.vault_client import VaultClient
from wallet_gui.chain.backend import ConnectionState, Phase
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse, RelayMode
from wallet_gui.cli.node import (
    is_from_node,
    named_source,
    what_it_waits_for,
    why_given_up,
    why_not_there,
    with_password,
)
from wallet_gui.cli.result import CommandError, UsageError
from wallet_gui.cli.terminal import Terminal
from wallet_gui.cli.wallet_names import headless_options, is_path, no_wallet_named
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import NETWORKS, ChainParams
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.storage.settings import DataDirectory

# Nobody could be reached for so long: the person is told, and it goes on trying.
_TELL_ALONE = 4.0
# And for so long: waiting on would not tell anything new.
_ALONE_SECONDS = 20.0
# Every peer that was named said that it serves nothing, for so long.
_USELESS_SECONDS = 3.0
_LOOK_AGAIN = 0.25
# Rates are asked of peers after the headers: they are waited for a little.
_ADVICE_LOOKS, _ADVICE_PAUSE = 8, 0.5
_READING = (Phase.FILTERS, Phase.BLOCKS)
_NO_ADVICE = (
    "No fee rate is known: the connected peers have told none yet, and no website is asked. Give "
    "one with --fee-rate, such as --fee-rate 2.5."
)


class Context:
    """Opens lazily what a command asks for and closes all of it at the end."""

    def __init__(
        self, options: argparse.Namespace, peers: tuple[PeerAddress, ...], vault: VaultClient
    ) -> None:
        self.options = options
        self.params = self.params_of(options)
        self.directory = DataDirectory(options.data_dir, self.params)
        self._peers = peers
        self._progress_shown = False
        self._plan_told = False
        self.terminal = Terminal()
        self.terminal.before_question = self._end_progress
        self._alone_told = False
        self._problem_told = ""
        self.online = Online(
            self.directory,
            self.params,
            P2PBackend,
            self._published,
            vault=vault,
            headless=headless_options(options),
        )
        self.online.node_keeper.asker = self.terminal

    @staticmethod
    def params_of(options: argparse.Namespace) -> ChainParams:
        return NETWORKS[options.network]

    def check_settings(self) -> None:
        """Refuse to connect as settings say that could not be read. Raises CommandError."""
        if self.online.unread_settings:
            # What was lost may have been "only through Tor": nothing is risked on a guess.
            raise CommandError(
                f"{self.online.unread_settings} Nothing was connected to. Choose in the window how "
                "to connect, or run the command again to use the standard settings."
            )

    async def start(self, *, connect: bool) -> None:
        """Open the files of the network and, if asked to, connect to peers."""
        await self.online.start_offline()
        if not connect:
            return
        self.check_settings()
        options = self.p2p_options()
        source = await self._source()
        if not source.uses_node:
            reason = why_not_connect(options, self.params)
            if reason == NO_PEERS:
                reason = "There is no peer to read the chain from. Name one with --peer HOST:PORT."
            if reason:
                raise UsageError(reason)
        await self.online.node_keeper.use_for_now(source)
        await self.online.start(options=options)

    async def _source(self) -> NodeChoice:
        """Where the chain comes from: as the command line says, else as the settings say."""
        stored = self.online.node_choice()
        source = named_source(self.options, self.options.node, stored)
        if source is None:
            # Peers that are named are what is to be read from.
            return NodeChoice() if self._peers else stored
        if source.uses_node:
            if self._peers and self.options.node is None:
                raise UsageError("Name a node or peers to read from, not both.")
            if self.options.user:
                source = await with_password(source, self.terminal)
        return source

    def p2p_options(self) -> P2POptions:
        """The settings, with what the command line says instead."""
        asked = self.options
        options = self.online.network_choice().options()
        # Whoever types a command sees the plan and can end it: it does not wait for a yes.
        options = replace(options, ask_above=None)
        if self._peers:
            options = replace(options, own_peers=self._peers)
        if asked.only_peers:
            options = replace(options, only_own_peers=True)
        if asked.encrypted_only:
            options = replace(options, encrypted_only=True)
        if asked.proxy is not None:
            proxy = parse_proxy(asked.proxy)
            options = replace(options, proxy=proxy, proxy_use=ProxyUse.EVERYTHING)
        if asked.relay is not None:
            options = replace(options, relay=RelayMode(asked.relay))
        if asked.data_limit is not None:
            options = replace(options, data_cap=asked.data_limit * MEGABYTE)
        return options

    async def open_wallet(self) -> WalletSession:
        """Open the wallet of --wallet, or the only one there is."""
        path = await self.path_of(self.options.wallet)
        opened = await self.online.open_wallet(str(path))
        for notice in opened.notices:
            sys.stderr.write(f"wallet-gui: {notice}\n")
        session = self.online.session(opened.wallet_id)
        waiting = len(session.unconfirmed_own())
        if waiting and not self.options.json:
            # Signed and perhaps never sent, after a crash: a person must not pay twice.
            payments, them = (
                ("1 payment of yours is", "it")
                if waiting == 1
                else (f"{waiting} payments of yours are", "them")
            )
            sys.stderr.write(
                f"wallet-gui: {payments} in no block yet; wallet-gui sync sends {them} again.\n"
            )
        return session

    async def path_of(self, wanted: str | None) -> Path:
        """Find the file of a wallet that is named, or of the only one there is."""
        if wanted is None:
            entries = await self.online.wallets()
            if len(entries) != 1:
                raise no_wallet_named(len(entries), self.params)
            return Path(entries[0].path)
        if is_path(wanted):
            return Path(wanted)
        try:
            return self.directory.wallet_path(wanted)
        except ValueError as error:
            raise UsageError(str(error)) from error

    async def sync(self) -> None:
        """Read the chain up to its tip. Raises CommandError when that takes too long."""
        selector = self.online.selector
        if selector is None:
            return
        waiting = asyncio.ensure_future(selector.wait_until_synced())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.options.timeout
        alone_since: float | None = None
        try:
            while not waiting.done():
                now = loop.time()
                snapshot = selector.snapshot
                given_up = why_given_up(snapshot)
                if given_up:
                    raise CommandError(self.terminal.with_unasked(given_up))
                # A person who is asked for something may think about it.
                if _is_served(snapshot) or self.terminal.is_asking:
                    alone_since = None
                elif alone_since is None:
                    alone_since = now
                else:
                    until = min(deadline, alone_since + _ALONE_SECONDS)
                    self._tell_alone(snapshot, now - alone_since, until - now)
                self._tell_plan(snapshot)
                self._tell_problem(snapshot)
                held = next((plan.held_back for plan in snapshot.plans if plan.held_back), "")
                if held:
                    raise CommandError(
                        f"{plain_text(held, 300)} What was read is kept: run it again to go on."
                    )
                if now >= deadline or (alone_since and now - alone_since >= _ALONE_SECONDS):
                    raise CommandError(self._why_not_synced(selector.snapshot))
                await asyncio.wait([waiting], timeout=min(deadline - now, 0.5))
            await waiting
        finally:
            waiting.cancel()
            self._end_progress()

    async def look(self, seconds: float) -> SyncSnapshot:
        """Connect for a while, until in sync at the latest; gives what is known then."""
        selector = self.online.selector
        if selector is None:
            raise CommandError("Nothing is connected.")
        waiting = asyncio.ensure_future(selector.wait_until_synced())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        unserved_since = loop.time()
        try:
            while not waiting.done() and (now := loop.time()) < deadline:
                snapshot = selector.snapshot
                if _is_served(snapshot) or self.terminal.is_asking:
                    unserved_since = now
                if why_given_up(snapshot):
                    break
                self._tell_alone(snapshot, now - unserved_since, deadline - now)
                if snapshot.peers and now - unserved_since >= _USELESS_SECONDS:
                    break  # more will not come of it
                await asyncio.wait([waiting], timeout=min(deadline - now, _LOOK_AGAIN))
        finally:
            waiting.cancel()
            self._end_progress()
        return selector.picture()

    async def fee_rate(self) -> FeeRate:
        """What peers suggest; waits a little for them. Raises UsageError when nothing is known."""
        selector = self.online.selector
        if selector is None:
            raise UsageError(_NO_ADVICE)
        advice = selector.fee_advice()
        for _ in range(_ADVICE_LOOKS):
            if advice is not None and advice.normal is not None:
                break
            await asyncio.sleep(_ADVICE_PAUSE)
            advice = selector.fee_advice()
        rate = None if advice is None else (advice.normal or advice.minimum)
        if advice is None or not rate:
            raise UsageError(_NO_ADVICE)
        if not self.options.json:
            kind = "usual" if advice.normal else "the least that peers take; none is known as usual"
            source = plain_text(advice.source, 200)
            sys.stderr.write(f"wallet-gui: fee rate {FeeRate(rate)} sat/vB, {kind}. {source}\n")
        return FeeRate(rate)

    def why_nobody(self, snapshot: SyncSnapshot) -> str:
        """Why nobody serves us, as far as that is known; "" otherwise."""
        if is_from_node(snapshot):
            return self.terminal.with_unasked(why_not_there(snapshot))
        return plain_text(snapshot.detail, 400)

    def _nobody_answers(self, snapshot: SyncSnapshot) -> str:
        if is_from_node(snapshot):
            return why_not_there(snapshot)
        is_named = bool(self.p2p_options().own_peers)
        what = "its address and that it runs" if is_named else "the connection to the internet"
        return f"No peer answers. {plain_text(snapshot.detail, 300) or f'Check {what}.'}"

    def _tell_alone(self, snapshot: SyncSnapshot, seconds: float, left: float) -> None:
        """Say once that nobody can be reached, and for how long it goes on."""
        if self._alone_told or self.options.json or snapshot.peers or seconds < _TELL_ALONE:
            return
        self._alone_told = True
        self._end_progress()
        sys.stderr.write(
            f"wallet-gui: {self._nobody_answers(snapshot)} Trying for {max(left, 0):.0f} s more.\n"
        )
        sys.stderr.flush()

    def _tell_problem(self, snapshot: SyncSnapshot) -> None:
        """Say once what the node that is connected lets us wait for."""
        waits = what_it_waits_for(snapshot)
        if not waits or waits == self._problem_told or self.options.json:
            return
        self._problem_told = waits
        self._end_progress()
        sys.stderr.write(f"wallet-gui: {waits}\n")
        sys.stderr.flush()

    def _why_not_synced(self, snapshot: SyncSnapshot) -> str:
        if _serves_nothing(snapshot) and snapshot.warning:
            return snapshot.warning
        if snapshot.state is not ConnectionState.ONLINE:
            return self._nobody_answers(snapshot)
        if waits := what_it_waits_for(snapshot):
            return f"Not in sync after {self.options.timeout} s. {waits}"
        if snapshot.warning:
            return f"Not in sync after {self.options.timeout} s. {snapshot.warning}"
        return (
            f"Not in sync after {self.options.timeout} s. What was read is kept: run it again, or "
            "allow more time with --timeout."
        )

    # --- what a scan costs, and progress on a terminal

    def _tell_plan(self, snapshot: SyncSnapshot) -> None:
        """Say once what a long scan reads."""
        if self._plan_told or self.options.json or snapshot.phase not in _READING:
            return
        for plan in snapshot.plans:
            self._plan_told = True
            self._end_progress()
            what, cost = plan_sentences(plan)
            sys.stderr.write(f"wallet-gui: {what} {cost}\n")

    def _published(self, value: Published) -> None:
        if isinstance(value, SyncSnapshot) and sys.stderr.isatty() and not self.options.json:
            self._show_progress(value)

    def _show_progress(self, snapshot: SyncSnapshot) -> None:
        if snapshot.phase is Phase.SYNCED:
            text = f"in sync at block {snapshot.tip_height}"
        else:
            number = PHASES.index(snapshot.phase) + 1
            item = snapshot.phases[number - 1]
            parts = [f"{number} of {len(PHASES)}: {snapshot.phase.value}"]
            if item.total:
                parts.append(f"{item.done:,} of {item.total:,}")
            parts.append(speed_text(item))
            text = ", ".join(part for part in parts if part)
        self._progress_shown = True
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    def _end_progress(self) -> None:
        if self._progress_shown:
            self._progress_shown = False
            sys.stderr.write("\r\x1b[K")

    async def close(self) -> None:
        """Store, disconnect and close the files."""
        self._end_progress()
        await self.online.stop()


def _serves_nothing(snapshot: SyncSnapshot) -> bool:
    """Whether every connected peer has said that it serves no filters."""
    return (
        bool(snapshot.peers)
        and not is_from_node(snapshot)
        and not any(peer.services & Services.COMPACT_FILTERS for peer in snapshot.peers)
    )


def _is_served(snapshot: SyncSnapshot) -> bool:
    if is_from_node(snapshot):
        return snapshot.node is not None and snapshot.node.is_ready
    return snapshot.state is ConnectionState.ONLINE and not _serves_nothing(snapshot)
