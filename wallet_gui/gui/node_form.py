"""NodeForm: where a person's node is and how to log in there; one field first, the rest folded."""

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QStringListModel, Qt, Signal
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QCompleter,
    QFileDialog,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.app.node_words import RUNG_CHOICES
from wallet_gui.chain.bitcoind.ssh_target import LocalNode, SshTarget, parse_node
from wallet_gui.gui.key_card import KeyCard
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.node_settings import ASYNCSSH, SYSTEM_SSH, NodeSettings
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import caption, text_label
from wallet_gui.widgets.line_edits import show_text
from wallet_gui.widgets.text import plain

LOCAL: Final = "local"
_AGENT, _FILE, _OWN = "agent", "file", "own"
_KEYS: Final = (
    (_AGENT, "My SSH agent and usual keys"),
    (_FILE, "A key file"),
    (_OWN, "A key that this program made"),
)
_PATH_LIMIT, _NAME_LIMIT, _ADDRESS_LIMIT = 1_024, 120, 512
_MOST_ALIASES = 200


class NodeForm(QWidget):
    """Shows a NodeChoice's node and gives another back; what is wrong is said below the address."""

    edited = Signal()
    make_key_wanted = Signal()
    show_key_wanted = Signal()
    forget_wanted = Signal()
    submitted = Signal()

    def __init__(self, prefix: str, parent: QWidget | None = None) -> None:
        """Make the fields; `prefix` begins the names of the objects."""
        super().__init__(parent)
        self._prefix = prefix
        self._has_password = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self._add_address(layout)
        self._add_key(layout)
        self.more_button = QPushButton("More settings")
        self.more_button.setProperty("role", "plain")
        self.more_button.setCheckable(True)
        self._name(self.more_button, "more", "More settings")
        self.more_button.toggled.connect(self._unfold)
        layout.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.more = QWidget()
        inside = QVBoxLayout(self.more)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        self._add_privacy(inside)
        self._add_rpc(inside)
        self._add_ssh(inside)
        layout.addWidget(self.more)
        self._unfold(is_open=False)
        self.show_node(NodeSettings())
        for edit in self._edits():
            edit.textEdited.connect(lambda _: self.edited.emit())

    # --- building

    def _name(self, widget: QWidget, name: str, spoken: str) -> None:
        widget.setObjectName(f"{self._prefix}_{name}")
        widget.setAccessibleName(spoken)

    def _edit(
        self, name: str, spoken: str, *, hint: str = "", limit: int = _PATH_LIMIT
    ) -> QLineEdit:
        edit = QLineEdit()
        self._name(edit, name, spoken)
        edit.setPlaceholderText(hint)
        edit.setMaxLength(limit)
        return edit

    def _add_address(self, layout: QVBoxLayout) -> None:
        self.address = self._edit(
            "address",
            "Address of my node: ssh://user@host",
            hint="ssh://bitcoin@mynode.local",
            limit=_ADDRESS_LIMIT,
        )
        self.address.returnPressed.connect(self.submitted.emit)
        self.address.textChanged.connect(lambda _: self._follow())
        self._aliases = QStringListModel(self)
        completer = QCompleter(self._aliases, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.address.setCompleter(completer)
        layout.addWidget(caption("How you log in on its machine", self.address))
        layout.addWidget(self.address)
        self.problem = text_label(role="negative")
        self.problem.setObjectName(f"{self._prefix}_address_problem")
        self.problem.hide()
        layout.addWidget(self.problem)
        row = FlowLayout(spacing=10)
        self.local_button = QPushButton("It runs on this computer")
        self.local_button.setProperty("role", "plain")
        self._name(self.local_button, "local", "It runs on this computer")
        self.local_button.clicked.connect(self._choose_local)
        row.addWidget(self.local_button)
        layout.addLayout(row)
        self.address_hint = text_label(role="muted")
        layout.addWidget(self.address_hint)

    def _add_key(self, layout: QVBoxLayout) -> None:
        self.login = QWidget()
        inside = QVBoxLayout(self.login)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        self.key_kind = QComboBox()
        self._name(self.key_kind, "key_kind", "SSH key")
        for key, text in _KEYS:
            self.key_kind.addItem(text, key)
        _shrink(self.key_kind)
        inside.addWidget(caption("SSH key", self.key_kind))
        inside.addWidget(self.key_kind)
        self.key_row = QWidget()
        row = FlowLayout(self.key_row, spacing=10)
        self.key_path = self._edit("key_path", "Key file", hint="~/.ssh/id_ed25519")
        self.key_path.setMinimumWidth(300)
        self.choose_button = QPushButton("Choose a file")
        self._name(self.choose_button, "choose_key", "Choose a key file")
        self.choose_button.clicked.connect(self._choose_key)
        row.addWidget(self.key_path)
        row.addWidget(self.choose_button)
        inside.addWidget(self.key_row)
        self.key_card = KeyCard(f"{self._prefix}_own_key", self)
        self.key_card.make_wanted.connect(self.make_key_wanted.emit)
        inside.addWidget(self.key_card)
        layout.addWidget(self.login)
        self.key_kind.currentIndexChanged.connect(lambda _: self._key_kind_changed())

    def _add_privacy(self, layout: QVBoxLayout) -> None:
        self.tell_nothing = self._switch(
            layout,
            "tell_nothing",
            "Tell the node nothing",
            "Its filters are matched on this computer, so it does not learn which scripts are "
            "yours. Costs more data; choose it when others can look into the node.",
        )
        self.broadcast_by_p2p = self._switch(
            layout,
            "broadcast_by_p2p",
            "Send payments through public peers instead",
            "The node does not learn which payments are yours before everybody does.",
        )
        self.compare = self._switch(
            layout,
            "compare",
            "Compare my node with a few public peers",
            "They show whether it follows the same chain, and have the blocks that a pruned node "
            "threw away. They see that somebody at your address asks for blocks.",
        )
        self.rung = QComboBox()
        self._name(self.rung, "rung", "How the chain is read")
        for value, text in RUNG_CHOICES:
            self.rung.addItem(text, value)
        self.rung.currentIndexChanged.connect(lambda _: self.edited.emit())
        _shrink(self.rung)
        layout.addWidget(caption("How the chain is read", self.rung))
        layout.addWidget(self.rung)

    def _switch(self, layout: QVBoxLayout, name: str, text: str, hint: str) -> QCheckBox:
        box = QCheckBox(text)
        self._name(box, name, text)
        box.setAccessibleDescription(hint)
        box.toggled.connect(lambda _: self.edited.emit())
        layout.addWidget(box)
        note = text_label(hint, role="muted")
        note.setContentsMargins(29, 0, 0, 4)
        layout.addWidget(note)
        return box

    def _add_rpc(self, layout: QVBoxLayout) -> None:
        ports = QIntValidator(1, 65_535, self)
        self.rpc_port = self._edit("rpc_port", "RPC port", hint="by itself", limit=5)
        self.p2p_port = self._edit("p2p_port", "P2P port", hint="by itself", limit=5)
        self.cookie_path = self._edit(
            "cookie_path", "Cookie file of the node", hint="found by itself"
        )
        self.user = self._edit(
            "user", "RPC user", hint="none: the cookie is used", limit=_NAME_LIMIT
        )
        self.password = self._edit("password", "RPC password", limit=_PATH_LIMIT)
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.user.textChanged.connect(lambda _: self._follow())
        for edit in (self.rpc_port, self.p2p_port):
            edit.setValidator(ports)
            edit.setMaximumWidth(160)
        for edit in (self.rpc_port, self.p2p_port, self.cookie_path, self.user, self.password):
            layout.addWidget(caption(edit.accessibleName(), edit))
            layout.addWidget(edit)
        self.password_hint = text_label(
            "Kept encrypted in the wallet that is open, or in memory only while none is.",
            role="muted",
        )
        layout.addWidget(self.password_hint)

    def _add_ssh(self, layout: QVBoxLayout) -> None:
        self.system_ssh = self._switch(
            layout,
            "system_ssh",
            "Use the ssh program of this computer",
            "For security keys (FIDO) and unusual ssh configurations. Slower to connect.",
        )
        self.forget_button = QPushButton("Forget this server")
        self._name(self.forget_button, "forget", "Forget this server")
        self.forget_button.clicked.connect(self.forget_wanted.emit)
        layout.addWidget(self.forget_button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(
            text_label(
                "Its identity is forgotten, and you compare the fingerprint at the next connection "
                "again.",
                role="muted",
            )
        )

    def _edits(self) -> tuple[QLineEdit, ...]:
        return (
            *(self.address, self.key_path, self.rpc_port, self.p2p_port, self.cookie_path),
            *(self.user, self.password),
        )

    # --- what is shown

    def show_node(self, node: NodeSettings, *, has_password: bool = False) -> None:
        """Show what is stored; `has_password`: one is remembered for it."""
        self._has_password = has_password
        show_text(self.address, plain(node.address, _ADDRESS_LIMIT))
        kind = _OWN if node.own_key else (_FILE if node.key_path else _AGENT)
        self.key_kind.setCurrentIndex(self.key_kind.findData(kind))
        self.key_path.setText(node.key_path)
        self.tell_nothing.setChecked(node.tell_nothing)
        self.broadcast_by_p2p.setChecked(node.broadcast_by_p2p)
        self.compare.setChecked(node.compare_with_public)
        self.rung.setCurrentIndex(max(0, self.rung.findData(node.rung)))
        self.rpc_port.setText("" if node.rpc_port is None else str(node.rpc_port))
        self.p2p_port.setText("" if node.p2p_port is None else str(node.p2p_port))
        self.cookie_path.setText(node.cookie_path)
        self.user.setText(node.user)
        self.password.clear()
        self.system_ssh.setChecked(node.implementation == SYSTEM_SSH)
        self._say("")
        self._follow()

    def forget_password(self, *, is_kept: bool) -> None:
        """Take the password off the screen; `is_kept`: it is remembered where it belongs."""
        self.password.clear()
        self._has_password = is_kept
        self._follow()

    def show_aliases(self, aliases: tuple[str, ...]) -> None:
        """Offer the hosts of the person's ssh configuration while they type."""
        self._aliases.setStringList([plain(text, 200) for text in aliases[:_MOST_ALIASES]])

    def enter_port(self, port: int, *, is_p2p: bool) -> None:
        """Take over the port that a test found out."""
        (self.p2p_port if is_p2p else self.rpc_port).setText(str(port))
        self.edited.emit()

    def enter_ssh_port(self, port: int) -> None:
        """Take over the port of the machine's SSH server."""
        try:
            address = parse_node(self.address.text())
        except ParseError:
            return
        if isinstance(address, SshTarget):
            show_text(self.address, replace(address, port=port).text)
            self.edited.emit()

    def go_to_problem(self) -> None:
        """Lead the keyboard to the first field."""
        self.address.setFocus()
        self.address.selectAll()

    def _say(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
        self.address.setAccessibleDescription(text)
        self.address.setProperty("invalid", "true" if text else "false")
        self.address.style().polish(self.address)

    def _follow(self) -> None:
        """Show only the fields that the present choices need."""
        is_local = self._is_local()
        self.login.setVisible(not is_local)
        self.system_ssh.setEnabled(not is_local)
        self.forget_button.setEnabled(not is_local and bool(self.address.text().strip()))
        kind = self.key_kind.currentData()
        self.key_row.setVisible(kind == _FILE)
        self.key_card.setVisible(kind == _OWN)
        has_user = bool(self.user.text().strip())
        self.password.setEnabled(has_user)
        self.cookie_path.setEnabled(not has_user)
        self.password.setPlaceholderText(
            "remembered" if self._has_password and has_user else "only with an RPC user"
        )
        self.address_hint.setText(
            "bitcoind on this computer is asked through the loopback interface."
            if is_local
            else "The program opens the SSH connection itself. No port is opened, here or at the "
            "node, and the node gets no extended key and keeps no wallet."
        )

    def _is_local(self) -> bool:
        text = self.address.text().strip().lower()
        return text == LOCAL or text.startswith(f"{LOCAL}:")

    def _unfold(self, is_open: bool) -> None:  # noqa: FBT001 - a Qt slot
        self.more.setVisible(is_open)
        text = "Fewer settings" if is_open else "More settings"
        self.more_button.setText(text)
        self.more_button.setAccessibleName(text)

    # --- what a person does

    def _choose_local(self) -> None:
        self.address.setText("" if self._is_local() else LOCAL)
        self.edited.emit()

    def _choose_key(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a private SSH key")
        if path:
            self.key_path.setText(path)
            self.edited.emit()

    def _key_kind_changed(self) -> None:
        self._follow()
        self.edited.emit()
        if self.key_kind.currentData() == _OWN:
            self.show_key_wanted.emit()

    def choice(self, source: str) -> NodeChoice | None:
        """What the fields say; None when one of them is wrong, which is said beside it."""
        try:
            address = parse_node(self.address.text())
        except ParseError as error:
            self._say(plain(str(error), 300))
            self.go_to_problem()
            return None
        self._say("")
        kind = self.key_kind.currentData()
        is_local = isinstance(address, LocalNode)
        key_path = self.key_path.text().strip()
        if kind == _FILE and not is_local and not key_path:
            self._say("Choose the key file, or another kind of key.")
            self.key_path.setFocus()
            return None
        user = self.user.text().strip()
        typed = self.password.text()
        if user and not typed and not self._has_password:
            self._say("The RPC user needs a password: it stands under More settings.")
            self.more_button.setChecked(True)
            self.password.setFocus()
            return None
        draft = self.draft(source)
        node = replace(
            draft.node,
            own_key=draft.node.own_key and not is_local,
            key_path="" if is_local else draft.node.key_path,
        )
        return NodeChoice(source, node, draft.password)

    def draft(self, source: str) -> NodeChoice:
        """What the fields say at this moment, complete or not."""
        kind = self.key_kind.currentData()
        user = self.user.text().strip()
        node = NodeSettings(
            # As it was typed: an alias of the ssh configuration stays one.
            address=self.address.text().strip(),
            key_path=self.key_path.text().strip() if kind == _FILE else "",
            own_key=kind == _OWN,
            implementation=SYSTEM_SSH if self.system_ssh.isChecked() else ASYNCSSH,
            rpc_port=_number(self.rpc_port),
            p2p_port=_number(self.p2p_port),
            cookie_path=self.cookie_path.text().strip(),
            user=user,
            tell_nothing=self.tell_nothing.isChecked(),
            broadcast_by_p2p=self.broadcast_by_p2p.isChecked(),
            rung=self.rung.currentData(),
            compare_with_public=self.compare.isChecked(),
        )
        return NodeChoice(source, node, self.password.text() or None if user else None)


def _number(edit: QLineEdit) -> int | None:
    text = edit.text().strip()
    return int(text) if text.isdecimal() and 1 <= int(text) <= 65_535 else None


def _shrink(box: QComboBox) -> None:
    """Let a box be narrower than its longest text."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(18)
