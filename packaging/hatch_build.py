"""Puts the native engine into wheels: `pip install .` and uv build it where there is a compiler.

Without one, or where it fails, the wheel is a pure one and the program uses NumPy.
"""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags


class EngineHook(BuildHookInterface):
    """Called by hatchling for each wheel, an editable one too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library, and say that the wheel is for this system alone."""
        script = _build_script(Path(self.root))
        try:
            script.build_here()
        except script.NoCompiler as reason:
            self.app.display_warning(str(reason))
            return
        except script.BuildFailed as failure:
            self.app.display_warning(f"The native engine was not built.\n{failure}")
            return
        library = script.SOURCES / script.library_name(script.this_target())
        build_data["pure_python"] = False
        # Any Python can load it: it does not know Python's interface.
        build_data["tag"] = f"py3-none-{_platform()}"
        if version != "editable":
            inside = library.relative_to(script.ROOT).as_posix()
            build_data["force_include"][str(library)] = inside


def _build_script(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "build_engine", root / "packaging" / "build_engine.py"
    )
    if spec is None or spec.loader is None:
        raise FileNotFoundError("packaging/build_engine.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _platform() -> str:
    """Name the system in a wheel's tag; on Linux without the promise of an older glibc."""
    system = sysconfig.get_platform()
    if system.startswith("linux"):
        return system.replace("-", "_").replace(".", "_")
    return next(platform_tags())
