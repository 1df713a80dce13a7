"""The pages around the others: a long step under way, done, and refused."""

from PySide6.QtWidgets import QProgressBar

from wallet_gui.vault.page import VaultPage
from wallet_gui.widgets.labels import text_label
from wallet_gui.widgets.notice import INFORMATION


class ProgressPage(VaultPage):
    """Something that takes seconds, and why; it can be cancelled."""

    def __init__(self) -> None:
        super().__init__("progress", "One moment", "", primary="", secondary="Cancel")
        self.primary.hide()
        self.step_label = text_label()
        self.step_label.setObjectName("progress_step")
        self.bar = QProgressBar()
        self.bar.setObjectName("progress_bar")
        self.bar.setTextVisible(False)
        self.body.addWidget(self.step_label)
        self.body.addWidget(self.bar)
        self.body.addWidget(
            text_label(
                "This takes a few seconds and much memory on purpose: so does every guess of "
                "somebody who has stolen the file.",
                role="muted",
            )
        )

    def show_step(self, step: str, fraction: float | None) -> None:
        """Name the step; a bar without end where its length is not known."""
        self.step_label.setText(f"{step} …")
        if fraction is None:
            self.bar.setRange(0, 0)
            spoken = "under way"
        else:
            self.bar.setRange(0, 100)
            self.bar.setValue(round(fraction * 100))
            spoken = f"{round(fraction * 100)} %"
        self.bar.setAccessibleName(f"{step}: {spoken}")


class DonePage(VaultPage):
    """It worked; what else there is to know."""

    def __init__(self, title: str, text: str, notices: tuple[str, ...], *, primary: str) -> None:
        super().__init__("done", title, text, primary=primary, secondary="")
        if notices:
            self.notice.say(" ".join(notices), INFORMATION)


class RefusedPage(VaultPage):
    """It cannot be done, and why; the only way is out."""

    def __init__(self, title: str, sentence: str) -> None:
        super().__init__("refused", title, "", primary="&Close", secondary="")
        self.refuse(sentence)
