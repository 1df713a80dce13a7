"""Light and dark: one table of colours, a palette and a style sheet made from it.

Colours are named after their meaning, never after their hue, so that both schemes and a test of
their contrast (WCAG 4.5:1) come from the same table.
"""

from dataclasses import dataclass, fields

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

from wallet_gui.widgets.resources import resource


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as #rrggbb, each named after what it means."""

    name: str
    window: str
    surface: str
    sunken: str
    text: str
    muted: str
    line: str
    accent: str
    accent_text: str
    accent_soft: str
    positive: str
    warning: str
    warning_soft: str
    negative: str
    negative_soft: str
    play: str
    play_text: str


LIGHT = Theme(
    name="light",
    window="#f5f4f0",
    surface="#ffffff",
    sunken="#ecebe5",
    text="#14211f",
    muted="#566461",
    line="#d6d5cc",
    accent="#0b5c68",
    accent_text="#ffffff",
    accent_soft="#dcecee",
    positive="#1a6b3b",
    warning="#7d5200",
    warning_soft="#fbefd3",
    negative="#a3261b",
    negative_soft="#fbe4e0",
    play="#5b3a8c",
    play_text="#ffffff",
)
DARK = Theme(
    name="dark",
    window="#11191b",
    surface="#1a2528",
    sunken="#0c1315",
    text="#e9eeec",
    muted="#a3b1ae",
    line="#334246",
    accent="#62c6d4",
    accent_text="#062a30",
    accent_soft="#1d3a40",
    positive="#76d494",
    warning="#f1bd68",
    warning_soft="#3a2e16",
    negative="#ff9485",
    negative_soft="#43231f",
    play="#c9adf2",
    play_text="#22103f",
)

# (foreground, background): the pairs in which text is drawn.
TEXT_PAIRS = (
    ("text", "window"),
    ("text", "surface"),
    ("text", "sunken"),
    ("muted", "window"),
    ("muted", "surface"),
    ("accent", "surface"),
    ("accent", "window"),
    ("accent_text", "accent"),
    ("text", "accent_soft"),
    ("positive", "surface"),
    ("warning", "surface"),
    ("warning", "warning_soft"),
    ("negative", "surface"),
    ("negative", "window"),
    ("negative", "negative_soft"),
    ("text", "warning_soft"),
    ("text", "negative_soft"),
    ("play_text", "play"),
)


_shown = LIGHT


def current() -> Theme:
    """Return the theme on screen, for those who paint by hand."""
    return _shown


class ThemeSwitch(QObject):
    """Applies a theme to the application and tells those who paint by hand."""

    changed = Signal(object)

    def __init__(self, application: QApplication, choice: str = "system") -> None:
        super().__init__(application)
        self._application = application
        self._choice = choice
        self.current = LIGHT
        application.setStyle(QStyleFactory.create("Fusion"))
        application.styleHints().colorSchemeChanged.connect(self._follow_system)
        self.choose(choice)

    @property
    def choice(self) -> str:
        return self._choice

    def choose(self, choice: str) -> None:
        """`light`, `dark` or `system`."""
        self._choice = choice
        if choice == "system":
            scheme = self._application.styleHints().colorScheme()
            theme = DARK if scheme == Qt.ColorScheme.Dark else LIGHT
        else:
            theme = DARK if choice == "dark" else LIGHT
        self.current = theme
        global _shown  # noqa: PLW0603 - there is one application, and it has one theme
        _shown = theme
        self._application.setPalette(palette(theme))
        self._application.setStyleSheet(style_sheet(theme))
        self.changed.emit(theme)

    def _follow_system(self) -> None:
        if self._choice == "system":
            self.choose("system")


def palette(theme: Theme) -> QPalette:
    """The Qt palette of a theme, so that unstyled widgets fit as well."""
    role = QPalette.ColorRole
    result = QPalette()
    for target, colour in (
        (role.Window, theme.window),
        (role.WindowText, theme.text),
        (role.Base, theme.surface),
        (role.AlternateBase, theme.sunken),
        (role.Text, theme.text),
        (role.Button, theme.surface),
        (role.ButtonText, theme.text),
        (role.ToolTipBase, theme.surface),
        (role.ToolTipText, theme.text),
        (role.PlaceholderText, theme.muted),
        (role.Highlight, theme.accent),
        (role.HighlightedText, theme.accent_text),
        (role.Link, theme.accent),
        (role.Accent, theme.accent),
        (role.Mid, theme.line),
    ):
        result.setColor(target, QColor(colour))
    for target in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, target, QColor(theme.muted))
    return result


def style_sheet(theme: Theme) -> str:
    """The style sheet of a theme. Sizes are in em so that they follow the text scale."""
    text = _STYLE
    for field in sorted(fields(theme), key=lambda item: -len(item.name)):
        text = text.replace(f"${field.name}", getattr(theme, field.name))
    for picture in ("chevron", "check"):
        path = resource("icons", f"{picture}-{theme.name}.svg").as_posix()
        text = text.replace(f"@{picture}", f'url("{path}")')
    return text


_STYLE = """
QWidget { color: $text; }
/* They have a mark of their own for the keyboard: no second one inside of it. */
QPushButton, QToolButton, QCheckBox, QRadioButton, QComboBox, QTabBar { outline: 0; }
QMainWindow, QDialog, QWizard, QWidget[role="page"], QStackedWidget { background: $window; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: 0; }
QToolTip { background: $surface; color: $text; border: 1px solid $line; padding: 4px; }

QFrame[role="card"] { background: $surface; border: 1px solid $line; border-radius: 10px; }
QFrame[role="inset"] { background: $window; border: 1px solid $line; border-radius: 8px; }
QFrame[role="sidebar"] { background: $surface; border: 0; border-right: 1px solid $line; }
QFrame[role="status-bar"] { background: $surface; border: 0; border-top: 1px solid $line; }
QFrame[role="bottom-bar"] { background: $window; border: 0; border-top: 1px solid $line; }
QFrame[role="vault-header"] {
  background: $surface; border: 0; border-bottom: 1px solid $line; }
QFrame[role="line"] { background: $line; border: 0; max-height: 1px; min-height: 1px; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="positive"] { color: $positive; }
QLabel[role="warning"] { color: $warning; }
QLabel[role="negative"] { color: $negative; }
QLabel[role="accent"] { color: $accent; }
QLabel[role="play-badge"] {
  background: $play; color: $play_text; border-radius: 4px; padding: 2px 8px; }
QFrame[role="play-banner"] { background: $play; border: 0; }
QFrame[role="play-banner"] QLabel { color: $play_text; }
QFrame[role="play-banner"] QPushButton { background: transparent; color: $play_text;
  border: 1px solid $play_text; padding: 3px 12px; }
QFrame[role="play-banner"] QPushButton:hover { background: $play_text; color: $play; }
QFrame[role="play-banner"] QPushButton:focus { border: 3px solid $play_text; padding: 1px 10px; }
QFrame[role="play-banner"] QPushButton:disabled { color: $play_text; background: $play;
  border: 1px dashed $play_text; }
QFrame[role="notice"] { background: $accent_soft; border: 0; border-radius: 8px; }
QFrame[role="warning-notice"] { background: $warning_soft; border: 0; border-radius: 8px; }
QFrame[role="error-notice"] { background: $negative_soft; border: 0; border-radius: 8px; }
QFrame[role="error-notice"] QLabel { color: $negative; }
QFrame[role="error-notice"] QLabel[role="in-notice"] { color: $text; }
QFrame[role="error-notice"] QPushButton[role="plain"] { color: $negative; }
QFrame[role="warning-notice"] QPushButton[role="plain"] { color: $warning; }

QPushButton, QToolButton {
  background: $surface; color: $text; border: 1px solid $line; border-radius: 7px;
  padding: 7px 16px; }
QPushButton:hover, QToolButton:hover { border-color: $accent; }
QPushButton:pressed, QToolButton:pressed { background: $sunken; }
QPushButton:focus, QToolButton:focus { border: 2px solid $accent; padding: 6px 15px; }
QPushButton:disabled, QToolButton:disabled { color: $muted; background: $window; }
QPushButton[role="primary"] {
  background: $accent; color: $accent_text; border: 1px solid $accent; font-weight: 600; }
QPushButton[role="primary"]:hover { border-color: $text; }
QPushButton[role="primary"]:focus { border: 2px solid $text; }
QPushButton[role="primary"]:disabled {
  background: $sunken; color: $muted; border-color: $line; }
QPushButton[role="danger"] { color: $negative; border-color: $negative; }
QPushButton[role="danger"]:disabled { color: $muted; border-color: $line; }
QPushButton[role="plain"] { background: transparent; border: 1px solid transparent;
  color: $accent; padding: 7px 8px; }
QPushButton[role="plain"]:hover { border-color: $line; }
QPushButton[role="plain"]:disabled { color: $muted; }
QPushButton[role="plain"]:focus { border: 2px solid $accent; padding: 6px 7px; }
QPushButton[role="navigation"] {
  background: transparent; border: 2px solid transparent; text-align: left;
  padding: 1px 14px; border-radius: 8px; }
QPushButton[role="navigation"]:hover { background: $sunken; }
QPushButton[role="navigation"]:checked {
  background: $accent_soft; color: $text; font-weight: 600; }
QPushButton[role="navigation"]:focus { border: 2px solid $accent; }
QPushButton[role="choice"] { padding: 0; border-radius: 10px; }
QPushButton[role="choice"]:focus { padding: 0; }
QPushButton[role="choice"] QLabel:disabled { color: $muted; }

QLineEdit, QPlainTextEdit, QSpinBox, QComboBox {
  background: $surface; color: $text; border: 1px solid $line; border-radius: 7px;
  padding: 7px 10px; selection-background-color: $accent;
  selection-color: $accent_text; }
QLineEdit:focus, QPlainTextEdit:focus, QSpinBox:focus, QComboBox:focus {
  border: 2px solid $accent; padding: 6px 9px; }
QLineEdit:read-only { background: $sunken; }
QLineEdit[invalid="true"], QPlainTextEdit[invalid="true"] { border-color: $negative; }
QComboBox { padding-right: 30px; }
QComboBox:focus { padding-right: 29px; }
QComboBox::drop-down { border: 0; width: 28px; subcontrol-origin: padding;
  subcontrol-position: center right; }
QComboBox::down-arrow { image: @chevron; width: 12px; height: 12px; }
QLineEdit:disabled, QComboBox:disabled { background: $sunken; color: $muted; }
QComboBox QAbstractItemView { background: $surface; color: $text; border: 1px solid $line;
  selection-background-color: $accent_soft; selection-color: $text; }
QCheckBox, QRadioButton { spacing: 8px; padding: 3px; border: 2px solid transparent;
  border-radius: 6px; }
QCheckBox:focus, QRadioButton:focus { border: 2px solid $accent; }

QCheckBox::indicator { width: 16px; height: 16px; border: 1px solid $muted;
  border-radius: 4px; background: $surface; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: @check; }

QRadioButton::indicator { width: 16px; height: 16px; border: 1px solid $muted;
  border-radius: 9px; background: $surface; }
QRadioButton::indicator:checked { width: 8px; height: 8px; border: 5px solid $accent; }

QTableView, QTreeView, QListView {
  background: $surface; border: 1px solid $line; border-radius: 10px;
  gridline-color: $line; selection-background-color: $accent_soft;
  selection-color: $text; outline: 0; }
QTableView:focus, QTreeView:focus, QListView:focus { border: 2px solid $accent; }
QTableView::item { padding: 6px 10px; }
QHeaderView, QHeaderView::section { background: transparent; border: 0; }
QHeaderView::section { color: $muted; border-bottom: 1px solid $line; padding: 8px 13px;
  font-weight: 600; }
QTableCornerButton::section { background: $surface; border: 0; }

QTabBar::tab { background: transparent; color: $muted; border: 2px solid transparent;
  border-bottom: 3px solid transparent; padding: 6px 12px; }
QTabBar::tab:selected { color: $text; border-bottom: 3px solid $accent; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:focus { border: 2px solid $accent; border-bottom: 3px solid $accent; }

QProgressBar { background: $sunken; border: 0; border-radius: 4px; min-height: 8px;
  max-height: 8px; color: transparent; }
QProgressBar::chunk { background: $accent; border-radius: 4px; }
QStatusBar { background: $surface; border-top: 1px solid $line; }
QStatusBar::item { border: 0; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 2px; }
QScrollBar::handle:vertical { background: $line; border-radius: 4px; min-height: 28px; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 2px; }
QScrollBar::handle:horizontal { background: $line; border-radius: 4px; min-width: 28px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QMenu { background: $surface; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 6px 22px; border-radius: 4px; }
QMenu::item:selected { background: $accent_soft; color: $text; }
"""
