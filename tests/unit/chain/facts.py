"""Finds the folder of official vectors and public facts that lies beside the repository."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


def shared(name: str) -> Path:
    """Return a file of the folder `shared` beside the repository, or skip the test."""
    for folder in REPOSITORY.parents:
        path = folder / "shared" / name
        if path.exists():
            return path
    pytest.skip(f"shared/{name} does not lie beside the repository")
