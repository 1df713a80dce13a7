"""NetworkCard: whom the wallet connects to, how, and how much it may read."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.network_words import bytes_text, sources_text
from wallet_gui.app.p2p_choice import (
    MEGABYTE,
    NO_PROXY,
    NetworkChoice,
    can_find_peers,
    parse_proxy,
)
from wallet_gui.app.peer_address import parse_peer
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import ASK_ABOVE, ProxyUse, RelayMode
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import caption, heading, text_label
from wallet_gui.widgets.line_edits import show_text
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.text import plain

DATA_LIMITS = (0, 200, 500, 1_000, 2_000, 5_000, 20_000)
"""Megabytes for one session; 0 without a limit."""
_PROXY_USES = (
    (ProxyUse.NEVER, "Not used", "Peers see the address of your internet connection."),
    (
        ProxyUse.ONION_AND_PAYMENTS,
        "For onion peers and for payments",
        (
            "Blocks are read directly, which is fast. Payments you send leave on a connection of "
            "their own that does not show where you are."
        ),
    ),
    (
        ProxyUse.EVERYTHING,
        "For everything",
        (
            "No peer and no name look-up goes around the proxy. Without it, nothing is connected "
            "to. Slower."
        ),
    ),
)
_RELAY_MODES = (
    (
        RelayMode.ALWAYS,
        "Always",
        "Costs about 300 MB a day. Only payments sent while the program runs are seen early.",
    ),
    (
        RelayMode.RECEIVING,
        "While the Receive page is open",
        "Costs about 12 MB an hour while that page is on screen.",
    ),
    (RelayMode.OFF, "Never", "Costs nothing. A payment appears with its first confirmation."),
)


class NetworkCard(QFrame):
    """Shows a NetworkChoice and gives another one back with `wanted`, once it is complete."""

    wanted = Signal(object)
    # The proxy as a PeerAddress, None to look for Tor, and whether it should be Tor.
    test_wanted = Signal(object, bool)
    peers_wanted = Signal()

    def __init__(self, params: ChainParams, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setObjectName("network_card")
        self._params = params
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        layout.addWidget(heading("Network", 120))
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        self._add_peers(layout)
        self._add_proxy(layout)
        self._add_relay(layout)
        self._add_limits(layout)
        row = QHBoxLayout()
        self.connected = text_label("Not connected.", role="muted")
        self.connected.setObjectName("settings_connected")
        row.addWidget(self.connected, 1)
        self.list_button = QPushButton("Show &peers")
        self.list_button.setObjectName("settings_show_peers")
        self.list_button.setAccessibleName("Show peers")
        self.list_button.clicked.connect(self.peers_wanted.emit)
        row.addWidget(self.list_button)
        self.apply_button = QPushButton("App&ly")
        self.apply_button.setObjectName("settings_connect")
        self.apply_button.setAccessibleName("Apply")
        self.apply_button.setProperty("role", "primary")
        self.apply_button.clicked.connect(self._apply)
        row.addWidget(self.apply_button)
        layout.addSpacing(4)
        layout.addLayout(row)
        self.show_choice(NetworkChoice())

    # --- building

    def _add_peers(self, layout: QVBoxLayout) -> None:
        params = self._params
        finds = can_find_peers(params)
        self.automatic = QRadioButton("&Find peers by itself")
        self.only_own = QRadioButton("Onl&y my own peers")
        group = QButtonGroup(self)
        for button, name, text in (
            (
                self.automatic,
                "network_automatic",
                "Addresses come from DNS seeds, from other peers and from earlier sessions. What "
                "peers say is compared, so that one that lies is found out. Peers that you name "
                "below are used besides."
                if finds
                else "This network has no public peers: name one below.",
            ),
            (
                self.only_own,
                "network_only_own",
                (
                    "Nobody else is contacted, whatever happens. If they keep a payment back, "
                    "there is nobody to contradict them."
                ),
            ),
        ):
            button.setObjectName(name)
            button.setAccessibleName(button.text().replace("&", ""))
            button.setAccessibleDescription(text)
            group.addButton(button)
            layout.addWidget(button)
            layout.addWidget(_hint(text))
        self.peers_edit = QPlainTextEdit()
        self.peers_edit.setObjectName("settings_peers")
        self.peers_edit.setAccessibleName("Peers, one host or host:port on each line")
        self.peers_edit.setPlaceholderText(f"one on each line: 192.0.2.7:{params.default_port}")
        self.peers_edit.setTabChangesFocus(True)
        self.peers_edit.setMaximumHeight(92)
        layout.addSpacing(4)
        layout.addWidget(caption("My o&wn peers (nodes with compact filters)", self.peers_edit))
        layout.addWidget(self.peers_edit)
        self.encrypted = QCheckBox("&Encrypted connections only (BIP324)")
        self.encrypted.setObjectName("network_encrypted")
        self.encrypted.setAccessibleName("Encrypted connections only (BIP324)")
        layout.addWidget(self.encrypted)
        layout.addWidget(
            _hint(
                "Most peers encrypt anyhow. With this on, those that do not are refused: whoever "
                "listens on the way reads nothing, and nobody can force plain text."
            )
        )

    def _add_proxy(self, layout: QVBoxLayout) -> None:
        layout.addSpacing(6)
        self.proxy_use = _choices("network_proxy_use", "Tor or SOCKS5 proxy", _PROXY_USES)
        layout.addWidget(caption("Tor or SOC&KS5 proxy", self.proxy_use))
        layout.addWidget(self.proxy_use)
        self.proxy_hint = text_label(role="muted")
        layout.addWidget(self.proxy_hint)
        self.proxy_row = QWidget()
        row = FlowLayout(self.proxy_row, spacing=10)
        self.proxy_edit = QLineEdit()
        self.proxy_edit.setObjectName("network_proxy")
        self.proxy_edit.setAccessibleName("Address of the proxy, host:port")
        self.proxy_edit.setPlaceholderText("127.0.0.1:9050")
        self.proxy_edit.setMaxLength(255)
        self.proxy_edit.setMinimumWidth(220)
        self.is_tor = QCheckBox("This is To&r")
        self.is_tor.setObjectName("network_is_tor")
        self.is_tor.setAccessibleName("This is Tor")
        self.test_button = QPushButton("Te&st")
        self.test_button.setObjectName("network_test")
        self.test_button.setAccessibleName("Test the proxy")
        self.test_button.clicked.connect(self._test)
        for widget in (self.proxy_edit, self.test_button, self.is_tor):
            row.addWidget(widget)
        layout.addWidget(self.proxy_row)
        self.proxy_result = Notice(self)
        self.proxy_result.setObjectName("network_proxy_result")
        layout.addWidget(self.proxy_result)
        self.proxy_edit.textEdited.connect(lambda _: self.proxy_result.clear())
        self.proxy_use.currentIndexChanged.connect(lambda _: self._follow())

    def _add_relay(self, layout: QVBoxLayout) -> None:
        layout.addSpacing(6)
        self.relay = _choices("network_relay", "Show payments before they confirm", _RELAY_MODES)
        layout.addWidget(caption("Show payments before they co&nfirm", self.relay))
        layout.addWidget(self.relay)
        self.relay_hint = text_label(role="muted")
        layout.addWidget(self.relay_hint)
        self.relay.currentIndexChanged.connect(lambda _: self._follow())

    def _add_limits(self, layout: QVBoxLayout) -> None:
        layout.addSpacing(6)
        self.data_limit = QComboBox()
        self.data_limit.setObjectName("network_data_limit")
        self.data_limit.setAccessibleName("Data limit for reading the past")
        for megabytes in DATA_LIMITS:
            self.data_limit.addItem(limit_text(megabytes), megabytes)
        layout.addWidget(caption("&Data limit for reading the past", self.data_limit))
        layout.addWidget(self.data_limit)
        layout.addWidget(
            text_label(
                "Counted from the start of the program. New blocks are followed all the same.",
                role="muted",
            )
        )
        self.ask = QCheckBox(f"&Ask before reading more than {bytes_text(ASK_ABOVE)}")
        self.ask.setObjectName("network_ask")
        self.ask.setAccessibleName(self.ask.text().replace("&", ""))
        layout.addWidget(self.ask)

    # --- what is shown

    def show_choice(self, choice: NetworkChoice) -> None:
        """Show what is stored."""
        (self.only_own if choice.only_own_peers else self.automatic).setChecked(True)
        self.peers_edit.setPlainText("\n".join(str(peer) for peer in choice.own_peers))
        self.encrypted.setChecked(choice.encrypted_only)
        self.proxy_use.setCurrentIndex(self.proxy_use.findData(choice.proxy_use.value))
        show_text(self.proxy_edit, plain(choice.proxy, 255))
        self.is_tor.setChecked(choice.is_tor)
        self.relay.setCurrentIndex(self.relay.findData(choice.relay.value))
        self.show_data_limit(choice.data_limit_mb)
        self.ask.setChecked(choice.ask_before_long_scans)
        self.proxy_result.clear()
        self._follow()

    def show_data_limit(self, megabytes: int) -> None:
        """Show a limit, also one that somebody wrote into the settings by hand."""
        if self.data_limit.findData(megabytes) < 0:
            self.data_limit.addItem(limit_text(megabytes), megabytes)
        self.data_limit.setCurrentIndex(self.data_limit.findData(megabytes))

    def show_snapshot(self, snapshot: SyncSnapshot) -> None:
        """Say to whom it is connected."""
        if not snapshot.peers:
            self.connected.setText(plain(snapshot.detail, 300) or "Not connected.")
            return
        names = [f"{plain(p.address, 80)} ({plain(p.user_agent, 60)})" for p in snapshot.peers[:2]]
        text = f"{sources_text(snapshot)}: {', '.join(names)}"
        text += " and others." if len(snapshot.peers) > len(names) else "."
        if snapshot.warning:
            text = f"{text} {plain(snapshot.warning, 300)}"
        self.connected.setText(text)

    def show_test(self, sentence: str, *, is_failure: bool) -> None:
        """Say how the test of the proxy went."""
        self.test_button.setEnabled(True)
        kind = ERROR if is_failure else (INFORMATION if " but " not in sentence else WARNING)
        self.proxy_result.say(sentence, kind)

    def _follow(self) -> None:
        """Say what the present choices mean, and show only the fields that they need."""
        use = ProxyUse(self.proxy_use.currentData())
        self.proxy_hint.setText(next(hint for value, _, hint in _PROXY_USES if value is use))
        self.proxy_row.setVisible(use is not ProxyUse.NEVER)
        if use is ProxyUse.NEVER:
            self.proxy_result.clear()
        mode = RelayMode(self.relay.currentData())
        self.relay_hint.setText(next(hint for value, _, hint in _RELAY_MODES if value is mode))

    # --- what a person wants

    def _read_proxy(self) -> PeerAddress | None:
        """Read the proxy; says what is wrong with it and gives None."""
        text = self.proxy_edit.text().strip()
        try:
            return parse_proxy(text) if text else None
        except ParseError as error:
            self.proxy_result.say(str(error), ERROR)
            self.proxy_edit.setFocus()
            return None

    def _test(self) -> None:
        is_empty = not self.proxy_edit.text().strip()
        proxy = self._read_proxy()
        if proxy is None and not is_empty:
            return
        self.test_button.setEnabled(False)
        words = "Looking for Tor on this computer." if proxy is None else f"Asking {proxy}."
        self.proxy_result.say(words, INFORMATION)
        self.test_wanted.emit(proxy, self.is_tor.isChecked())

    def show_found(self, proxy: PeerAddress | None) -> None:
        """Take the Tor that was found on this computer, or say that there is none."""
        if proxy is None:
            self.show_test(
                "No Tor was found on this computer. Start Tor or the Tor Browser, or write the "
                "address of your proxy.",
                is_failure=True,
            )
            return
        self.proxy_edit.setText(str(proxy))
        self.is_tor.setChecked(True)
        self.show_test(f"Tor answers at {proxy}.", is_failure=False)

    def _read_peers(self) -> tuple[PeerAddress, ...] | None:
        peers = []
        for number, text in enumerate(self.peers_edit.toPlainText().splitlines(), 1):
            if not text.strip():
                continue
            try:
                peers.append(parse_peer(text, self._params))
            except ParseError as error:
                self.notice.say(f"Line {number}: {error}", ERROR)
                self.peers_edit.setFocus()
                return None
        return tuple(peers)

    def choice(self) -> NetworkChoice | None:
        """What the fields say; None when one of them is wrong, which is said beside it."""
        peers = self._read_peers()
        if peers is None:
            return None
        if self.only_own.isChecked() and not peers:
            self.notice.say("Name at least one peer, or let the program find peers.", ERROR)
            self.peers_edit.setFocus()
            return None
        use = ProxyUse(self.proxy_use.currentData())
        proxy = self.proxy_edit.text().strip()
        if use is not ProxyUse.NEVER:
            if not proxy:
                self.proxy_result.say(NO_PROXY, ERROR)
                self.proxy_edit.setFocus()
                return None
            read = self._read_proxy()
            if read is None:
                return None
            proxy = str(read)
        return NetworkChoice(
            own_peers=peers,
            only_own_peers=self.only_own.isChecked(),
            encrypted_only=self.encrypted.isChecked(),
            proxy=proxy,
            is_tor=self.is_tor.isChecked(),
            proxy_use=use,
            relay=RelayMode(self.relay.currentData()),
            data_limit_mb=int(self.data_limit.currentData()),
            ask_before_long_scans=self.ask.isChecked(),
        )

    def _apply(self) -> None:
        choice = self.choice()
        if choice is None:
            return
        if not choice.own_peers and not can_find_peers(self._params):
            self.notice.say("Disconnected: no peer is named.", WARNING)
        else:
            self.notice.say("Applied.", INFORMATION)
        self.wanted.emit(choice)


def limit_text(megabytes: int) -> str:
    """A limit in words."""
    return bytes_text(megabytes * MEGABYTE) if megabytes else "No limit"


def _hint(text: str) -> QWidget:
    label = text_label(text, role="muted")
    # Stands below the text of its button, not below its circle.
    label.setContentsMargins(29, 0, 0, 4)
    return label


def _choices(
    name: str, spoken: str, items: tuple[tuple[ProxyUse | RelayMode, str, str], ...]
) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(spoken)
    for value, text, _ in items:
        box.addItem(text, value.value)
    return box
