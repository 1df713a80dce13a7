"""The bill of materials: what it says of a folder, and that nothing in the folder is missing."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from installers import licences, sbom
from installers.job import Job, Missing

from tests.packaging import frozen_by_hand

EPOCH = 1_760_000_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    made = frozen_by_hand.make(tmp_path / "wallet-gui", site)
    licences.write(made, site=site)
    return made


@pytest.fixture
def job(tree: Path, tmp_path: Path) -> Job:
    output = tmp_path / "output"
    output.mkdir()
    return Job(tree, output, tmp_path / "work", "0.1.0", EPOCH)


def test_it_is_dated_by_the_sources_and_the_same_each_time(job: Job) -> None:
    written = sbom.build(job)
    assert written.name == "wallet-gui-0.1.0.sbom.json"
    first = written.read_bytes()
    assert sbom.build(job).read_bytes() == first
    bill = json.loads(first)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["timestamp"] == "2025-10-09T08:53:20Z"
    uuid.UUID(bill["serialNumber"].removeprefix("urn:uuid:"))


def test_another_byte_gives_another_serial_number(job: Job) -> None:
    first = sbom.describe(job.tree, job.version, job.epoch)["serialNumber"]
    (job.tree / "_internal" / "base_library.zip").write_bytes(b"changed")
    assert sbom.describe(job.tree, job.version, job.epoch)["serialNumber"] != first


def components(bill: dict[str, Any]) -> list[dict[str, Any]]:
    return [bill["metadata"]["component"], *bill["components"]]


def test_every_file_is_in_it_once_with_its_hash(job: Job) -> None:
    bill = sbom.describe(job.tree, job.version, job.epoch)
    files = [
        each["name"]
        for component in components(bill)
        for each in component["components"]
        if each["type"] == "file"
    ]
    there = [p.relative_to(job.tree).as_posix() for p in job.tree.rglob("*") if p.is_file()]
    assert sorted(files) == sorted(there)


def test_packages_carry_version_licence_purl_and_what_the_lock_allows(job: Job) -> None:
    bill = sbom.describe(job.tree, job.version, job.epoch)
    found = {component["name"]: component for component in components(bill)}
    bcrypt = found["bcrypt"]
    assert re.fullmatch(r"pkg:pypi/bcrypt@[0-9.]+", bcrypt["purl"])
    assert bcrypt["licenses"] == [{"expression": "Apache-2.0"}]
    locked = next(p for p in bcrypt["properties"] if p["name"] == "wallet-gui:locked-sha256")
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in locked["value"].split())
    modules = next(
        p["value"]
        for p in found["platformdirs"]["properties"]
        if p["name"] == "wallet-gui:modules-in-executable"
    )
    assert modules == "platformdirs platformdirs.unix"
    references = [component["bom-ref"] for component in components(bill)]
    assert len(references) == len(set(references))
    known = set(references)
    for edge in bill["dependencies"]:
        assert {edge["ref"], *edge["dependsOn"]} <= known


def test_a_file_that_came_later_is_told(job: Job) -> None:
    (job.tree / "_internal" / "later.so").write_bytes(b"?")
    with pytest.raises(sbom.Unaccounted, match=r"later\.so"):
        sbom.build(job)


def test_a_file_that_went_is_told(job: Job) -> None:
    (job.tree / "_internal" / "base_library.zip").unlink()
    with pytest.raises(sbom.Unaccounted, match=r"gone: .*base_library\.zip"):
        sbom.build(job)


def test_a_folder_without_its_licences_is_told(job: Job) -> None:
    (job.tree / "_internal" / "licences" / "contents.json").unlink()
    with pytest.raises(Missing, match="frozen without its licences"):
        sbom.build(job)


def test_locks_are_read_with_every_hash() -> None:
    lock = (
        f"numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:{'0a' * 32} \\\n"
        f"    --hash=sha256:{'1b' * 32}\n    # via x\n"
        f"numpy==2.5.4 ; python_full_version >= '3.12' \\\n    --hash=sha256:{'2c' * 32}\n"
    )
    assert sbom.locked_hashes(lock) == {
        ("numpy", "2.4.6"): ["0a" * 32, "1b" * 32],
        ("numpy", "2.5.4"): ["2c" * 32],
    }
