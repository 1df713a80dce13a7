"""What `--smoke-test` checks of the online program."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from wallet_gui.app import smoke_checks
from wallet_gui.chain.backend import ConnectionState
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.netgroup import ip_of
from wallet_gui.gui.main_window import MainWindow
from wallet_gui.primitives.check_failed import CheckFailed
from wallet_gui.primitives.params import ChainParams
from wallet_gui.widgets.smoke_checks import (
    FirstFrame,
    check_codes,
    check_fonts,
    check_icons,
    look_at_window,
)
from wallet_gui.widgets.smoke_test import Check, SmokeTest


def checks(
    test: SmokeTest,
    window: MainWindow,
    first_frame: FirstFrame,
    folder: Path,
    params: ChainParams,
    peers: Sequence[PeerAddress],
) -> list[Check]:
    """Return the checks in their order; the last ones need the named peers."""
    pages = {name: partial(window.show_page, name) for name in window.navigation}
    return [
        Check("fonts", check_fonts, on_screen=True),
        Check("icons", check_icons, on_screen=True),
        Check("checkpoints", smoke_checks.check_checkpoints),
        Check("curve", smoke_checks.check_curve),
        Check("vectors", smoke_checks.check_vectors),
        Check("engine", smoke_checks.check_engine),
        Check("QR codes", check_codes, on_screen=True),
        Check("SSH", smoke_checks.check_ssh),
        Check("releases", smoke_checks.check_releases),
        Check("vault", smoke_checks.check_vault),
        Check("wallet", partial(smoke_checks.check_wallet, folder, params)),
        Check(
            "window",
            partial(
                look_at_window,
                window,
                first_frame,
                {**pages, "start": window.show_wizard},
                test.qt_messages,
            ),
            on_screen=True,
        ),
        *(
            Check(f"peer {peer}", partial(_connected, window, peer), on_screen=True)
            for peer in peers
        ),
    ]


def _connected(window: MainWindow, peer: PeerAddress) -> str | None:
    """Whether the handshake with a peer is done and the window shows what it told; None if not."""
    snapshot = window.sync_model.snapshot
    if snapshot is None:
        return None
    if snapshot.state is ConnectionState.OFFLINE and snapshot.detail:
        raise CheckFailed(snapshot.detail)
    # A peer that was named by a name is listed by its address.
    found = next((each for each in snapshot.peers if each.address == str(peer)), None) or next(
        (each for each in snapshot.peers if each.is_own and ip_of(peer.host) is None), None
    )
    if found is None or snapshot.tip_height is None:
        return None
    return (
        f"{found.user_agent} over {found.transport}, its height {found.best_height:,}, "
        f"ours {snapshot.tip_height:,}"
    )
