"""QrReader: puts a message together from codes, wherever their pictures come from.

Pictures are looked at and parts put together in one thread beside the window's. There is no page
here: it has signals, and any page or wizard of either process may use it.
"""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from PySide6.QtCore import QMimeData, QObject, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QImage, QPixmap

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.qr_frames import Decoder, Progress
from wallet_gui.widgets.camera import NO_CAMERA_SUPPORT, Camera, CameraDevice
from wallet_gui.widgets.qr_images import pictures_of, read_codes

Source = Callable[[], Iterable[list[str]]]
"""What a job does in the thread: it yields the codes of one picture after the other."""

_NO_CODE: Final = "No QR code was found in that picture. Take it closer, sharp and straight."
_NOTHING_PASTED: Final = "There is neither a picture nor text on the clipboard."
NO_SCREEN: Final = (
    "This desktop does not let programs look at the screen. Take a screenshot and open it as a "
    "picture, or copy it and paste it here."
)
_MAX_WAITING: Final = 16
_WATCH_MS: Final = 150


class _Post(QObject):
    """Carries what the thread found to the reader, and goes on to exist when that is gone.

    A reader is deleted as soon as its message is complete: the thread may not touch it then.
    """

    step = Signal(object, object, str, bool)
    ended = Signal(object)


class QrReader(QObject):
    """Tells of each step: `progressed` and `finished` with a Progress, `refused` with a sentence.

    Codes may come from several sources for one message. After `finished` it takes no more until
    `start_over`; a code of another message is refused and changes nothing.
    """

    progressed = Signal(object)
    finished = Signal(object)
    refused = Signal(str)
    busy_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None, camera: Camera | None = None) -> None:
        super().__init__(parent)
        self._camera = camera
        self._camera_is_on = False
        self._decoder = Decoder()
        self._is_finished = False
        self._said = ""
        self._running: threading.Thread | None = None
        self._waiting: deque[tuple[Source, bool]] = deque()
        self._region: QRect | None = None
        self._watch = QTimer(self)
        self._watch.setInterval(_WATCH_MS)
        self._watch.timeout.connect(self._look_at_screen)
        self._post = _Post()
        self._post.step.connect(self._take_step, Qt.ConnectionType.QueuedConnection)
        self._post.ended.connect(self._take_end, Qt.ConnectionType.QueuedConnection)

    @property
    def progress(self) -> Progress:
        return self._decoder.progress

    @property
    def is_busy(self) -> bool:
        return self._running is not None

    def start_over(self) -> None:
        """Forget what was read. What is being looked at still is not counted in any more."""
        self._decoder = Decoder()
        self._is_finished = False
        self._waiting.clear()

    # --- sources

    def read_text(self, text: str) -> None:
        """Take what a person pasted: the text of one code, or of several, one a line."""
        self._submit(lambda: [_lines(text)])

    def read_image(self, image: QImage) -> None:
        """Look for codes in a picture."""
        copy = QImage(image)
        self._submit(lambda: [read_codes(copy)])

    def read_files(self, paths: list[str]) -> None:
        """Look for codes in picture files; an animated one is gone through."""

        def source() -> Iterable[list[str]]:
            for path in paths:
                for picture in pictures_of(path):
                    yield read_codes(picture)

        self._submit(source)

    def read_clipboard(self) -> None:
        """Take a picture, files or text from the clipboard."""
        # There is nothing at all on a clipboard that nobody has used yet.
        content: QMimeData | None = QGuiApplication.clipboard().mimeData()
        if content is None:
            self.refused.emit(_NOTHING_PASTED)
        else:
            self.read_content(content)

    def read_content(self, content: QMimeData) -> None:
        """Take a picture, files or text that were pasted or dropped."""
        paths = [url.toLocalFile() for url in content.urls() if url.isLocalFile()]
        image = content.imageData() if content.hasImage() else None
        if isinstance(image, QImage) and not image.isNull():
            self.read_image(image)
        elif paths:
            self.read_files(paths)
        elif content.hasText() and content.text().strip():
            self.read_text(content.text())
        else:
            self.refused.emit(_NOTHING_PASTED)

    def read_screen(self, region: QRect | None = None) -> None:
        """Look for codes on all screens, or in a region in coordinates of the desktop."""
        pictures = grab_screens(region)
        if not pictures:
            self.refused.emit(NO_SCREEN)
            return
        self._submit(lambda: [[text for picture in pictures for text in read_codes(picture)]])

    def watch_screen(self, region: QRect | None = None) -> None:
        """Look at the screens again and again, until `stop_watching` or the message is there.

        This is for codes that another window shows in turn.
        """
        self._region = region
        self._watch.start()
        self._look_at_screen()

    def stop_watching(self) -> None:
        self._watch.stop()

    @property
    def is_watching(self) -> bool:
        return self._watch.isActive()

    def _look_at_screen(self) -> None:
        if self.is_busy:
            return
        pictures = grab_screens(self._region)
        if not pictures:
            self.stop_watching()
            self.refused.emit(NO_SCREEN)
            return
        self._submit(
            lambda: [[text for picture in pictures for text in read_codes(picture)]], is_live=True
        )

    def cameras(self) -> list[CameraDevice]:
        """List the cameras; empty also where the build knows none (see `has_camera_support`)."""
        return self._camera.devices() if self._camera is not None else []

    @property
    def is_camera_on(self) -> bool:
        return self._camera_is_on

    @property
    def has_camera_support(self) -> bool:
        return self._camera is not None

    def start_camera(self, device_id: str) -> None:
        """Look at what a camera sees until `stop_camera`, or until the message is there."""
        if self._camera is None:
            self.refused.emit(NO_CAMERA_SUPPORT)
            return
        self._camera_is_on = True
        self._camera.start(device_id, self._see, self._lose_camera)

    def stop_camera(self) -> None:
        if self._camera is not None and self._camera_is_on:
            self._camera_is_on = False
            self._camera.stop()

    def _lose_camera(self, sentence: str) -> None:
        self.stop_camera()
        self.refused.emit(sentence)

    def _see(self, picture: QImage) -> None:
        # A picture that comes while one is looked at is let go: the next one is newer.
        if self._camera_is_on and not self.is_busy:
            self._submit(lambda: [read_codes(picture)], is_live=True)

    # --- the thread

    def _submit(self, source: Source, *, is_live: bool = False) -> None:
        if self._is_finished or len(self._waiting) >= _MAX_WAITING:
            return
        self._waiting.append((source, is_live))
        self._start_next()

    def _start_next(self) -> None:
        if self._running is not None or not self._waiting:
            return
        source, is_live = self._waiting.popleft()
        decoder = self._decoder
        self._running = threading.Thread(
            target=self._run, args=(source, decoder, is_live), name="qr", daemon=True
        )
        self._running.start()
        self.busy_changed.emit(True)

    def _run(self, source: Source, decoder: Decoder, is_live: bool) -> None:  # noqa: FBT001
        found, sentence = False, ""
        try:
            for texts in source():
                found = found or bool(texts)
                sentence = self._feed(decoder, texts)
                if decoder is not self._decoder or decoder.progress.is_done:
                    break
            if not found and not is_live:
                sentence = _NO_CODE
        except ParseError as refusal:
            sentence = "" if is_live else str(refusal)
        finally:
            # A bug is told like a refusal, and goes on to threading.excepthook.
            if sys.exc_info()[1] is not None:
                sentence = "That picture could not be looked at."
            self._post.step.emit(decoder, decoder.progress, sentence, is_live)
            self._post.ended.emit(decoder)

    def _feed(self, decoder: Decoder, texts: list[str]) -> str:
        """Give the codes of one picture to the decoder; return the last refusal."""
        sentence = ""
        before = decoder.progress
        for text in texts:
            try:
                decoder.receive(text)
            except ParseError as refusal:
                sentence = str(refusal)
        if decoder.progress is not before and not decoder.progress.is_done:
            self._post.step.emit(decoder, decoder.progress, "", False)
        return "" if decoder.progress.is_done else sentence

    def _take_step(
        self,
        decoder: Decoder,
        progress: Progress,
        sentence: str,
        is_live: bool,  # noqa: FBT001
    ) -> None:
        if decoder is not self._decoder or self._is_finished:
            return
        if progress.is_done:
            self._is_finished = True
            self._waiting.clear()
            self.stop_camera()
            self.stop_watching()
            self.progressed.emit(progress)
            self.finished.emit(progress)
            return
        if progress.total:
            self.progressed.emit(progress)
        # A camera sees the same wrong code many times a second; it is said once.
        if sentence and not (is_live and sentence == self._said):
            self.refused.emit(sentence)
        self._said = sentence

    def _take_end(self, _decoder: Decoder) -> None:
        self._running = None
        self._start_next()
        if self._running is None:
            self.busy_changed.emit(False)


def _lines(text: str) -> list[str]:
    """Codes that were pasted one a line; anything else is one text."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(line[:3].lower() == "ur:" or line[:2] == "B$" for line in lines):
        return lines
    return [text]


def grab_screens(region: QRect | None = None) -> list[QImage]:
    """Take a picture of each screen, or of a region of the desktop; empty where that is barred."""
    pictures = []
    for screen in QGuiApplication.screens():
        area = screen.geometry() if region is None else region & screen.geometry()
        if area.isEmpty():
            continue
        place = area.translated(-screen.geometry().topLeft())
        grabbed: QPixmap = screen.grabWindow(0, place.x(), place.y(), place.width(), place.height())
        if not grabbed.isNull():
            pictures.append(grabbed.toImage())
    return pictures
