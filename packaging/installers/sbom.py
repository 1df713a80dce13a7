"""Writes the bill of materials of a release: CycloneDX 1.6 in JSON, dated by the sources.

Made from the list that installers/licences.py put into the frozen folder, from the folder itself
(each file with its SHA-256) and from the lock (which wheels were allowed). Nothing in it depends on
the day, the machine or the order of a listing, so that two builds have the same.
"""

import hashlib
import json
import platform
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from installers.contents import FOLDER, PACKAGING, PROGRAM, canonical, files_of, inner
from installers.job import Job, Missing, Wrong
from installers.licences import LIST, inner_folder

LOCK: Final = PACKAGING.parent / "requirements.lock"


class Unaccounted(Wrong):
    """A file is in the folder that its own list does not name, or the other way round."""


def build(job: Job) -> Path:
    """Write the bill of materials of `job.tree`. Raises Missing, Unaccounted."""
    target = job.output / f"{PROGRAM}-{job.version}{_system(job.tree)}.sbom.json"
    document = describe(job.tree, job.version, job.epoch)
    target.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return target


def describe(tree: Path, version: str, epoch: int) -> dict[str, Any]:
    """Return the bill of materials as a JSON document. Raises Missing, Unaccounted."""
    parts = contents(tree)
    hashes = check_all_named(tree, parts)
    locked = locked_hashes(LOCK.read_text(encoding="utf-8"))
    components = [_component(part, hashes, locked) for part in parts if part["name"] != PROGRAM]
    own = next(part for part in parts if part["name"] == PROGRAM)
    main = {
        **_component(own, hashes, {}),
        "type": "application",
        "description": "A Bitcoin desktop wallet that needs nobody's server",
    }
    texts = [path for path in hashes if inner(path).startswith(f"{FOLDER}/")]
    main["components"] += _files(texts, hashes)
    names = {part["name"]: part["purl"] for part in parts}
    identity = json.dumps([parts, sorted(hashes.items()), version], sort_keys=True)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(identity.encode()).hexdigest())
    needed = {name for part in parts for name in part["needs"]}
    direct = sorted(purl for name, purl in names.items() if name != PROGRAM and name not in needed)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": main,
        },
        "components": components,
        "dependencies": [
            {"ref": own["purl"], "dependsOn": direct},
            *(
                {
                    "ref": part["purl"],
                    "dependsOn": sorted(names[name] for name in part["needs"] if name in names),
                }
                for part in parts
                if part["name"] != PROGRAM
            ),
        ],
    }


def contents(tree: Path) -> list[dict[str, Any]]:
    """Read what installers/licences.py found out. Raises Missing."""
    path = inner_folder(tree) / FOLDER / LIST
    try:
        parts: list[dict[str, Any]] = json.loads(path.read_bytes())["parts"]
    except FileNotFoundError:
        raise Missing(
            f"{path} is not there: the folder was frozen without its licences. Build it with "
            "packaging/build.py folder."
        ) from None
    return parts


def check_all_named(tree: Path, parts: list[dict[str, Any]]) -> dict[str, str]:
    """Return path -> SHA-256 of every file, once each belongs to one part. Raises Unaccounted."""
    named = [path for part in parts for path in part["files"]]
    there = set(files_of(tree))
    unnamed = sorted(
        path for path in there - set(named) if not inner(path).startswith(f"{FOLDER}/")
    )
    gone = sorted(set(named) - there)
    if unnamed or gone or len(named) != len(set(named)):
        raise Unaccounted(
            f"The list of what is in the frozen folder is not true (unnamed: {unnamed[:5]}, gone: "
            f"{gone[:5]}). Run packaging/installers/licences.py on it last of all."
        )
    return {path: hashlib.sha256((tree / path).read_bytes()).hexdigest() for path in sorted(there)}


def locked_hashes(lock: str) -> dict[tuple[str, str], list[str]]:
    """Read a lock: package and version -> the SHA-256 of every wheel that may be installed."""
    found: dict[tuple[str, str], list[str]] = {}
    current: list[str] = []
    for line in lock.splitlines():
        pinned = re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;\\]+)", line)
        if pinned:
            current = found.setdefault((canonical(pinned[1]), pinned[2]), [])
        current.extend(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


def _system(tree: Path) -> str:
    if (tree / f"{PROGRAM}.exe").exists():
        return "-windows"
    # One for each processor, beside each other in one release.
    return f"-macos-{platform.machine()}" if (tree / "Contents").is_dir() else ""


def _component(
    part: dict[str, Any], hashes: dict[str, str], locked: dict[tuple[str, str], list[str]]
) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": part["purl"],
        "name": part["name"],
        "purl": part["purl"],
        "licenses": [_licence(part["licence"])],
        "components": [
            *(_inside(each, part["purl"]) for each in part["inside"]),
            *_files(part["files"], hashes),
        ],
    }
    if part["version"]:
        component["version"] = part["version"]
    if part["homepage"]:
        component["externalReferences"] = [{"type": "website", "url": part["homepage"]}]
    properties = []
    wheels = locked.get((part["name"], part["version"]), [])
    if wheels:
        # Which of them was installed depends on system and Python; pip took no other.
        properties.append({"name": "wallet-gui:locked-sha256", "value": " ".join(sorted(wheels))})
    if part["modules"]:
        properties.append(
            {"name": "wallet-gui:modules-in-executable", "value": " ".join(part["modules"])}
        )
    if properties:
        component["properties"] = properties
    return component


def _licence(expression: str) -> dict[str, Any]:
    if expression.startswith("LicenseRef-"):
        name = expression.removeprefix("LicenseRef-").replace("-", " ")
        return {"license": {"name": name}}
    return {"expression": expression}


def _inside(found: dict[str, Any], owner: str) -> dict[str, Any]:
    licences = found.get("licenses") or ([_licence(found["licence"])] if "licence" in found else [])
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"{owner}#{found['purl']}",
        "name": found["name"],
        "version": found["version"],
        "purl": found["purl"],
    }
    if licences:
        component["licenses"] = licences
    return component


def _files(paths: list[str], hashes: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "type": "file",
            "name": path,
            "hashes": [{"alg": "SHA-256", "content": hashes[path]}],
        }
        for path in sorted(paths)
    ]
