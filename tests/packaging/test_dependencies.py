"""Nothing gets into the locks, and so into a release, without a reason in dependencies.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from installers.contents import OWN_TEXTS, canonical, reviewed
from installers.sbom import locked_hashes

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {
    "runtime": ROOT / "requirements.lock",
    "build": ROOT / "packaging" / "requirements-build.lock",
    "test": ROOT / "packaging" / "requirements-test.lock",
}
WHAT_TO_DO = (
    "Look at who maintains it, what else it brings and what it does when it is installed; then add "
    "it to packaging/dependencies.toml with the reason why it is needed, or change pyproject.toml "
    "so that it does not come along."
)


def locked(kind: str) -> dict[str, list[str]]:
    lock = LOCKS[kind]
    found = locked_hashes(lock.read_text(encoding="utf-8"))
    merged: dict[str, list[str]] = {}
    for (name, _), hashes in found.items():
        merged.setdefault(name, []).extend(hashes)
    return merged


@pytest.mark.parametrize("kind", LOCKS)
def test_every_locked_package_was_reviewed(kind: str) -> None:
    known = set(reviewed()[kind])
    names = set(locked(kind))
    new, gone = sorted(names - known), sorted(known - names)
    assert not new, f"{', '.join(new)}: new in {LOCKS[kind].name}. {WHAT_TO_DO}"
    assert not gone, f"{', '.join(gone)}: not in {LOCKS[kind].name} any more; take it out here too."


@pytest.mark.parametrize("kind", LOCKS)
def test_every_locked_package_has_hashes_and_no_address(kind: str) -> None:
    assert all(locked(kind).values())
    text = LOCKS[kind].read_text(encoding="utf-8")
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    # A name, a version, a condition: neither an address nor a file nor an option of pip.
    allowed = re.compile(r"[a-z0-9.\[\]-]+==[A-Za-z0-9.!+]+( ; [^\\]+)? \\")
    assert [line for line in entries if not allowed.fullmatch(line)] == []
    assert "://" not in text


def test_every_entry_has_a_reason_and_what_ships_has_a_licence() -> None:
    for kind, entries in reviewed().items():
        assert kind in {*LOCKS, "system", "part", "action"}
        for name, entry in entries.items():
            assert entry["reason"].endswith("."), (kind, name)
            assert name == canonical(name) or kind in {"system", "action"}
            if kind in {"runtime", "system", "part"}:
                assert entry["licence"], (kind, name)
            for text in entry.get("texts", []):
                assert (OWN_TEXTS / text).is_file()


def test_no_text_lies_about_unused() -> None:
    used = {
        text
        for kind in reviewed().values()
        for each in kind.values()
        for text in each.get("texts", [])
    }
    assert used == {path.name for path in OWN_TEXTS.iterdir()}


def test_what_pyproject_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {
        canonical(re.split(r"[\[<>=!~;]", line, maxsplit=1)[0].strip())
        for line in project["project"]["dependencies"]
    }
    assert asked <= set(locked("runtime"))
    assert len(asked) <= 8  # decisions.md 24: each with its reason in pyproject.toml


def test_versions_that_are_compiled_in_are_those_of_the_lock() -> None:
    found = locked_hashes(LOCKS["runtime"].read_text(encoding="utf-8"))
    runtime = reviewed()["runtime"]
    qt = next(each for each in runtime["pyside6-essentials"]["inside"] if each["name"] == "qt")
    assert ("pyside6-essentials", qt["version"]) in found
    # coincurve 21.0.0 is the release that took libsecp256k1 0.6.0 (its history.md).
    assert ("coincurve", "21.0.0") in found
    assert runtime["coincurve"]["inside"][0]["version"] == "0.6.0"


@pytest.mark.parametrize(
    ("path", "option"),
    [
        ("packaging/lock.py", '"--generate-hashes"'),
        ("packaging/lock.py", '"--exclude-newer", "1 week"'),
        ("packaging/run.py", '"--require-hashes"'),
        ("packaging/run.py", '"--only-binary", ":all:"'),
    ],
)
def test_locks_are_made_and_used_with_hashes_and_wheels(path: str, option: str) -> None:
    assert option in (ROOT / path).read_text(encoding="utf-8")
