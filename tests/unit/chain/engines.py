"""All engines that there are here: the native one, built if need be, in each mode it can run in."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from wallet_gui.chain import gcs_numpy
from wallet_gui.chain.filters import FilterEngine, ScalarEngine
from wallet_gui.chain.gcs_numpy import NumpyEngine
from wallet_gui.chain.gcs_scalar import PreparedScripts
from wallet_gui.chain.native.engine import NativeEngine
from wallet_gui.chain.native.library import FLAG_SHA, LEVEL_MASK, EngineUnavailable

REPOSITORY = Path(__file__).resolve().parents[3]


class LanesOnly(NumpyEngine):
    """NumPy's lock step for few filters too, which are decoded one by one otherwise."""

    name = "lanes"

    def match_many(
        self,
        filters: Sequence[tuple[bytes, bytes]],
        scripts: PreparedScripts | Sequence[bytes],
    ) -> list[bool]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gcs_numpy, "_FEW_LANES", 1)
            return super().match_many(filters, scripts)


def build_script() -> ModuleType:
    """Give `packaging/build_engine.py` as a module."""
    path = REPOSITORY / "packaging" / "build_engine.py"
    spec = importlib.util.spec_from_file_location("build_engine", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def native_engines() -> list[NativeEngine]:
    """The native engine in every mode that this processor has; none without a compiler."""
    script = build_script()
    try:
        script.build_here()
    except script.NoCompiler:
        return []
    made = []
    best = NativeEngine().mode
    for level in range((best & LEVEL_MASK) + 1):
        for flag in (0, best & FLAG_SHA):
            try:
                made.append(NativeEngine(mode=level | flag))
            except EngineUnavailable:
                assert level  # baseline code runs everywhere
    for engine in made:
        engine.name = f"native {engine.mode:#x}"
    return list({engine.mode: engine for engine in made}.values())


NATIVE: list[NativeEngine] = native_engines()
ENGINES: list[FilterEngine] = [ScalarEngine(), NumpyEngine(), LanesOnly(), *NATIVE]
