"""The seam for cameras: what the scanner asks of one, and the one that Qt brings, if it is there.

QtMultimedia is not among the parts of Qt that this program is built with. Where it is installed
beside them it is used; where it is not, `find_camera` returns None and the window says so.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from PySide6.QtCore import QObject
from PySide6.QtGui import QImage

NO_CAMERA_SUPPORT: Final = (
    "There is no camera support in this build. Open a picture of the code, paste it, or show it "
    "on this screen."
)
NO_CAMERA: Final = "No camera was found. Connect one, or open a picture of the code."
_MODULE: Final = "PySide6.QtMultimedia"


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """One camera: what the system calls it, and the name that a person knows."""

    id: str
    name: str


class Camera(Protocol):
    """Hands out pictures while it is on. Both functions are called in the GUI thread."""

    def devices(self) -> list[CameraDevice]:
        """List the cameras without switching one on."""
        ...

    def start(
        self,
        device_id: str,
        on_picture: Callable[[QImage], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """Switch a camera on; a failure comes as a sentence, then or later."""
        ...

    def stop(self) -> None:
        """Switch it off; nothing is called after that."""
        ...


def find_camera(parent: QObject) -> Camera | None:
    """Return what reads cameras in this build, or None."""
    if importlib.util.find_spec(_MODULE) is None:
        return None
    try:
        multimedia = importlib.import_module(_MODULE)
    except ImportError:  # a system library that it needs is missing
        return None
    return QtCamera(multimedia, parent)


class QtCamera:
    """QtMultimedia's cameras. The module is handed in, as it is not always there."""

    def __init__(self, multimedia: Any, parent: QObject) -> None:
        self._multimedia = multimedia
        self._parent = parent
        self._camera: Any = None
        self._session: Any = None
        self._sink: Any = None

    def devices(self) -> list[CameraDevice]:
        found = self._multimedia.QMediaDevices.videoInputs()
        return [CameraDevice(bytes(each.id()).hex(), each.description()) for each in found]

    def start(
        self,
        device_id: str,
        on_picture: Callable[[QImage], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self.stop()
        for device in self._multimedia.QMediaDevices.videoInputs():
            if bytes(device.id()).hex() == device_id:
                break
        else:
            on_failure(NO_CAMERA)
            return
        self._camera = self._multimedia.QCamera(device, self._parent)
        self._sink = self._multimedia.QVideoSink(self._parent)
        self._session = self._multimedia.QMediaCaptureSession(self._parent)
        self._session.setCamera(self._camera)
        self._session.setVideoSink(self._sink)
        self._sink.videoFrameChanged.connect(lambda frame: on_picture(frame.toImage()))
        self._camera.errorOccurred.connect(
            lambda _error, _text: on_failure(
                "The camera could not be switched on. Another program may be using it."
            )
        )
        self._camera.start()

    def stop(self) -> None:
        if self._camera is None:
            return
        self._sink.videoFrameChanged.disconnect()
        self._camera.errorOccurred.disconnect()
        self._camera.stop()
        for each in (self._session, self._sink, self._camera):
            each.deleteLater()
        self._camera = self._session = self._sink = None
