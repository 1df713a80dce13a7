"""SourceCard: where the chain comes from: public peers, a person's own node, or both in turn."""

from typing import Final

from PySide6.QtCore import Signal, SignalInstance
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.gui.node_form import NodeForm
from wallet_gui.gui.node_test_panel import NodeTestPanel
from wallet_gui.storage.node_settings import DIRECT, NODE, NODE_ELSE_DIRECT, NodeSettings
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, set_role, text_label
from wallet_gui.widgets.notice import INFORMATION, Notice
from wallet_gui.widgets.text import breakable, plain

_SOURCES: Final = (
    (
        DIRECT,
        "Dire&ctly",
        (
            "From public peers; nothing to install. What they say is compared. They see that "
            "somebody at your address reads the chain, not which payments are yours."
        ),
    ),
    (
        NODE,
        "&My own node",
        (
            "From your bitcoind, through an SSH connection that this program makes itself. While "
            "the node is away, nothing new is seen."
        ),
    ),
    (
        NODE_ELSE_DIRECT,
        "My own node, else directly",
        (
            "Your node as long as it answers. After a minute without it public peers take over, "
            "and it says so; the node is tried on and used again when it stays."
        ),
    ),
)


class SourceCard(QFrame):
    """Gives a NodeChoice with `wanted` (to be used) or `test_wanted` (to be tried out)."""

    wanted = Signal(object)
    test_wanted = Signal(object)
    stop_wanted = Signal()
    try_wanted = Signal()
    forget_wanted = Signal(object)
    make_key_wanted = Signal(object)
    show_key_wanted = Signal(object)
    # A node is to be named: the hosts of the ssh configuration may be offered.
    aliases_wanted = Signal()

    def __init__(self, prefix: str, parent: QWidget, *, is_part: bool = False) -> None:
        """Draw the card; as a part of a form it has no buttons of its own for applying."""
        super().__init__(parent)
        self.setObjectName(f"{prefix}_card")
        self.setProperty("role", "card")
        self._is_part = is_part
        self._tested: NodeChoice | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        if not is_part:
            layout.addWidget(heading("Where the chain comes from", 120))
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        self.buttons: dict[str, QRadioButton] = {}
        group = QButtonGroup(self)
        for value, text, hint in _SOURCES:
            button = QRadioButton(text if not is_part else text.replace("&", ""))
            button.setObjectName(f"{prefix}_{value.replace('-', '_')}")
            button.setAccessibleName(text.replace("&", ""))
            button.setAccessibleDescription(hint)
            group.addButton(button)
            layout.addWidget(button)
            note = text_label(hint, role="muted")
            note.setContentsMargins(29, 0, 0, 4)
            layout.addWidget(note)
            self.buttons[value] = button
        self.form = NodeForm(prefix, self)
        layout.addWidget(self.form)
        self.panel = NodeTestPanel(prefix, self)
        layout.addWidget(self.panel)
        self._add_bottom(prefix, layout)
        group.buttonToggled.connect(lambda *_: self._follow())
        self._connect()
        self.show_choice(NodeChoice())

    def _add_bottom(self, prefix: str, layout: QVBoxLayout) -> None:
        self.in_use = text_label(role="muted")
        self.in_use.setObjectName(f"{prefix}_in_use")
        self.in_use.setVisible(not self._is_part)
        layout.addWidget(self.in_use)
        row = FlowLayout(spacing=10, spread=True)
        self.try_button = QPushButton("Try my node now")
        self.test_button = QPushButton("Test connection")
        self.apply_button = QPushButton("Apply")
        for button, name, act in (
            (self.try_button, "try", self.try_wanted.emit),
            (self.test_button, "test", self._test),
            (self.apply_button, "apply", self._apply),
        ):
            button.setObjectName(f"{prefix}_{name}")
            button.setAccessibleName(button.text())
            button.clicked.connect(act)
            row.addWidget(button)
        self.apply_button.setProperty("role", "primary")
        self.apply_button.setVisible(not self._is_part)
        self.try_button.hide()
        layout.addLayout(row)

    def _connect(self) -> None:
        self.form.edited.connect(self._edited)
        self.form.submitted.connect(self._test)
        self.form.forget_wanted.connect(lambda: self._give(self.forget_wanted))
        self.form.make_key_wanted.connect(lambda: self._give(self.make_key_wanted, is_strict=False))
        self.form.show_key_wanted.connect(lambda: self._give(self.show_key_wanted, is_strict=False))
        self.panel.retry_wanted.connect(self._test)
        self.panel.change_wanted.connect(self._change)
        self.panel.port_wanted.connect(self._take_port)
        self.panel.cancel_wanted.connect(self.stop_wanted.emit)
        self.panel.use_wanted.connect(self._use_tested)

    # --- what is shown

    @property
    def source(self) -> str:
        """Which of the three is chosen at this moment."""
        return next((value for value, b in self.buttons.items() if b.isChecked()), DIRECT)

    def show_choice(self, choice: NodeChoice, *, has_password: bool = False) -> None:
        """Show what is stored."""
        self.buttons[choice.source].setChecked(True)
        self.form.show_node(choice.node, has_password=has_password)
        self._follow()

    def show_snapshot(self, snapshot: SyncSnapshot) -> None:
        """Say which source is in use and why."""
        self.in_use.setText(breakable(plain(snapshot.source_words, 400)))
        status = snapshot.node
        is_away = status is not None and not status.is_ready
        set_role(self.in_use, "warning" if is_away else "muted")
        self.try_button.setVisible(is_away and not self._is_part)

    def _show_buttons(self) -> None:
        """Offer each thing once: what the panel offers is not offered below it, too."""
        wants_node = self.source != DIRECT
        has_panel = wants_node and not self.panel.isHidden()
        self.test_button.setVisible(wants_node and not has_panel)
        is_offered = has_panel and not self.panel.use_button.isHidden()
        self.apply_button.setVisible(not self._is_part and not is_offered)

    def begin_test(self) -> None:
        """A test begins."""
        self.test_button.setEnabled(False)
        self.panel.begin()
        self._show_buttons()

    def end_test(self) -> None:
        """A test has ended, however."""
        self.test_button.setEnabled(True)
        self._show_buttons()

    def _follow(self) -> None:
        wants_node = self.source != DIRECT
        if wants_node and self.form.isHidden():
            self.aliases_wanted.emit()
        self.form.setVisible(wants_node)
        if not wants_node:
            self.panel.hide()
        elif self._tested is not None:
            self.panel.show()
        self.notice.clear()
        self._show_buttons()

    def _edited(self) -> None:
        """What was tested is not what stands there any more."""
        self._tested = None
        self.panel.use_button.hide()
        self.notice.clear()
        self._show_buttons()

    # --- what a person wants

    def choice(self) -> NodeChoice | None:
        """What the fields say; None when one of them is wrong, which is said beside it."""
        if self.source == DIRECT and not self.form.address.text().strip():
            return NodeChoice(DIRECT, NodeSettings())
        return self.form.choice(self.source)

    def _test(self) -> None:
        if not self.test_button.isEnabled():
            return
        choice = self.form.choice(self.source)
        if choice is not None:
            self._tested = choice
            self.test_wanted.emit(choice)

    def _apply(self) -> None:
        choice = self.choice()
        if choice is None and self.source == DIRECT:
            # An unfinished address of a node that is not wanted holds nothing up.
            choice = NodeChoice(DIRECT, NodeSettings())
        if choice is not None:
            self._use(choice)

    def _use_tested(self) -> None:
        choice = self.form.choice(self.source)
        if choice is not None:
            self._use(choice)

    def _use(self, choice: NodeChoice) -> None:
        self.notice.say("Applied.", INFORMATION)
        self.wanted.emit(choice)

    def _change(self) -> None:
        """Lead to the settings; where the server changed, also to the button that forgets it."""
        if self.panel.is_stop:
            self.form.more_button.setChecked(True)
        self.form.go_to_problem()

    def _take_port(self, code: Code, port: int) -> None:
        if code in {Code.PORT_IS_RPC, Code.PORT_IS_P2P}:
            self.form.enter_ssh_port(port)
        else:
            self.form.enter_port(port, is_p2p=code is Code.P2P_TO_RPC)
        self._test()

    def _give(self, signal: SignalInstance, *, is_strict: bool = True) -> None:
        choice = self.form.choice(self.source) if is_strict else self.form.draft(self.source)
        if choice is not None:
            signal.emit(choice)
