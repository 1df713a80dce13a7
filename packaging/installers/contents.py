"""Tells what each file of a frozen folder is: whose package, which version, under which licence.

Run where the folder was frozen, for the answers come from there: which files belong to a Python
package is in its RECORD, which Debian package a library was copied from knows dpkg. What belongs to
nothing that packaging/dependencies.toml lists raises Unknown: nothing gets into a release without
having been looked at.
"""

import fnmatch
import platform
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, Final

from installers.frozen_archive import module_names

PACKAGING: Final = Path(__file__).resolve().parents[1]
REVIEWED: Final = PACKAGING / "dependencies.toml"
OWN_TEXTS: Final = PACKAGING / "licences"
PROGRAM: Final = "wallet-gui"
FOLDER: Final = "licences"
"""Where the texts and the list are, below the folder that the executable loads from."""

_LIBRARY: Final = re.compile(r"[^/]+\.(so(\.[0-9.]+)?|dll|dylib|pyd)", re.IGNORECASE)
_DISTRIBUTION: Final = re.compile(r"([A-Za-z0-9_.]+)-[^/-]+\.dist-info/")
# What CPython brings, by the names that PyInstaller gives it.
_PYTHON_FILES: Final = (
    "base_library.zip",
    "lib-dynload/*",
    "python3.*/lib-dynload/*",
    "libpython3*",
    "python3*.dll",
    "Python",
    "Python3*",
    "Python.framework/*",
    "*.pyd",
)
# Libraries that python.org's Windows and macOS builds carry beside Python.
_WITH_PYTHON: Final = (
    "libcrypto-3*.dll",
    "libssl-3*.dll",
    "libffi-*.dll",
    "sqlite3.dll",
    "zlib*.dll",
    "libcrypto.3.dylib",
    "libssl.3.dylib",
)
_VC_RUNTIME: Final = ("*vcruntime140*.dll", "*msvcp140*.dll", "*ucrtbase.dll", "*api-ms-win-*.dll")
_FONTS: Final = {"inter": "Inter-*", "jetbrains-mono": "JetBrainsMono-*"}
# The two of Windows: with a console and without.
_EXECUTABLES: Final = (PROGRAM, f"{PROGRAM}.exe", f"{PROGRAM}-window.exe")
_OURS: Final = (
    *_EXECUTABLES,
    f"{PROGRAM}.icns",
    f"{PROGRAM}.ico",
    "Contents/Info.plist",
    "Contents/PkgInfo",
    "Contents/_CodeSignature/CodeResources",
)
# What ziglang compiles carries a C runtime.
_WITH_MINGW: Final = "wallet_gui/chain/native/engine-win32-*.dll"
_BOOT: Final = ("pyi*", "_pyi*", "PyInstaller*")


class Unknown(Exception):
    """Something would be shipped that nobody has looked at; the sentence says what to do."""


@dataclass
class Part:
    """One thing of somebody's that is in the folder.

    `files` are paths below the folder; `modules` are Python modules inside the executable; `texts`
    are its licences: a file name and what it says. `inside` are libraries that are compiled into
    it, as components of CycloneDX.
    """

    name: str
    version: str
    licence: str
    purl: str
    homepage: str = ""
    files: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)
    inside: list[dict[str, Any]] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)


def canonical(name: str) -> str:
    """A package's name as locks write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def reviewed() -> dict[str, dict[str, dict[str, Any]]]:
    """Return dependencies.toml: kind -> name -> what was said about it."""
    with REVIEWED.open("rb") as file:
        return tomllib.load(file)


def survey(tree: Path, version: str, site: Path | None = None) -> list[Part]:
    """Sort every file and module of a frozen folder into parts, ordered by name.

    `site` is where the Python packages are installed that were frozen; without it those of this
    Python count. Raises Unknown.
    """
    distributions = {
        canonical(each.metadata["Name"]): each
        for each in (metadata.distributions(path=[str(site)]) if site else metadata.distributions())
    }
    return _Survey(tree, version, distributions).parts()


def inner(path: str) -> str:
    """Drop the folder that PyInstaller loads from, whatever it is called on this system."""
    for prefix in ("_internal/", "Contents/Frameworks/", "Contents/Resources/", "Contents/MacOS/"):
        if path.startswith(prefix):
            return path.removeprefix(prefix)
    return path


def files_of(tree: Path) -> Iterator[str]:
    """Every file below a folder but links, as paths with slashes, sorted."""
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(tree).as_posix()


class _Survey:
    def __init__(
        self, tree: Path, version: str, distributions: dict[str, metadata.Distribution]
    ) -> None:
        self._tree = tree
        self._distributions = distributions
        self._parts: dict[str, Part] = {}
        self._version = version
        self._owners: dict[str, str] = {}
        self._tops: dict[str, str] = {}
        for name, distribution in distributions.items():
            for file in distribution.files or ():
                path = PurePosixPath(str(file).replace("\\", "/"))
                self._owners[path.as_posix()] = name
                if len(path.parts) > 1 or path.suffix == ".py":
                    self._tops.setdefault(path.parts[0].removesuffix(".py"), name)

    def parts(self) -> list[Part]:
        for path in files_of(self._tree):
            name = inner(path)
            if name.startswith(f"{FOLDER}/"):
                continue
            self._part_of(name).files.append(path)
        found: set[str] = set()
        for executable in self._own().files:
            if inner(executable) in _EXECUTABLES:
                for names in module_names(self._tree / executable):
                    found.update(names)
        self._sort_modules(sorted(found))
        return sorted(self._parts.values(), key=lambda part: part.name)

    def _part_of(self, name: str) -> Part:  # noqa: PLR0911 - one line for each kind of file
        for font, pattern in _FONTS.items():
            if fnmatch.fnmatch(name, f"wallet_gui/resources/fonts/{pattern}"):
                return self._other(font, self._font_text())
        if name.startswith("wallet_gui/") or name in _OURS:
            return self._ours(name)
        found = _DISTRIBUTION.match(name)
        owner = self._owners.get(name) or (canonical(found[1]) if found else None)
        if owner in self._distributions:
            return self._package(str(owner))
        # PyInstaller puts libraries of a package beside it, too.
        moved = [path for path in self._owners if path.endswith(f"/{name}")]
        if moved and _LIBRARY.fullmatch(name):
            return self._package(self._owners[moved[0]])
        if any(fnmatch.fnmatch(name, pattern) for pattern in _PYTHON_FILES):
            return self._python(name)
        lower = name.rsplit("/", maxsplit=1)[-1].lower()
        if any(fnmatch.fnmatch(lower, pattern) for pattern in _VC_RUNTIME):
            return self._other("vc-runtime", {})
        if any(fnmatch.fnmatch(lower, pattern) for pattern in _WITH_PYTHON):
            return self._python(name)
        if _LIBRARY.fullmatch(name):
            return self._system(name)
        raise Unknown(
            f"{name} is in the frozen folder and belongs to nothing that packaging/"
            "dependencies.toml lists. Keep it out (packaging/wallet_gui.spec), or find out whose "
            "it is and add it there with the reason why it is needed."
        )

    def _own(self) -> Part:
        if PROGRAM not in self._parts:
            self._parts[PROGRAM] = Part(
                PROGRAM,
                self._version,
                "MIT",
                f"pkg:generic/{PROGRAM}@{self._version}",
                texts={"LICENSE.txt": (PACKAGING.parent / "LICENSE").read_bytes()},
            )
        return self._parts[PROGRAM]

    def _ours(self, name: str) -> Part:
        part = self._own()
        if fnmatch.fnmatch(name, _WITH_MINGW):
            known = reviewed()["part"]["mingw-w64"]
            facts = {key: known[key] for key in ("version", "licence", "purl")}
            part.inside.append({"name": "mingw-w64", **facts})
            part.texts |= {each: (OWN_TEXTS / each).read_bytes() for each in known["texts"]}
        return part

    def _font_text(self) -> dict[str, bytes]:
        return {"OFL.txt": (PACKAGING.parent / "resources" / "fonts" / "OFL.txt").read_bytes()}

    def _package(self, name: str) -> Part:
        """The part of a Python package. Raises Unknown."""
        if name in self._parts:
            return self._parts[name]
        distribution = self._distributions.get(name)
        if distribution is None:
            raise Unknown(
                f"The Python package {name} is in the frozen folder and is not installed here. Run "
                "this with the Python that the folder was frozen with."
            )
        known = reviewed()["runtime"].get(name) or reviewed()["build"].get(name) or {}
        if "licence" not in known:
            raise Unknown(
                f"The Python package {name} would be shipped and is not in packaging/"
                "dependencies.toml, or not with its licence. Review it and add it, or keep it out."
            )
        version = distribution.version
        inside = list(known.get("inside", [])) + list(_compiled_in(distribution))
        for component in known.get("inside", []):
            if component["name"] == "qt" and component["version"] != version:
                raise Unknown(
                    f"PySide6 is {version} and packaging/dependencies.toml says that Qt is "
                    f"{component['version']}: correct it there, and look at the versions beside it."
                )
        self._parts[name] = Part(
            name,
            version,
            known["licence"],
            f"pkg:pypi/{name}@{version}",
            _homepage(distribution.metadata),
            texts=_texts_of(distribution, known),
            inside=inside,
            needs=sorted(_needs(distribution)),
        )
        return self._parts[name]

    def _python(self, name: str) -> Part:
        # Debian's own Python, rather than one that a person installed beside it.
        owner = _debian_owner(name) if Path(sys.base_prefix) == Path("/usr") else None
        if owner is not None:
            return self._debian(owner)
        return self._other("python", _python_text(), platform.python_version())

    def _system(self, name: str) -> Part:
        owner = _debian_owner(name) if sys.platform == "linux" else None
        if owner is None:
            raise Unknown(
                f"Nobody knows where the library {name} in the frozen folder comes from. Build in "
                "a bare root of Debian, or keep it out (packaging/wallet_gui.spec)."
            )
        return self._debian(owner)

    def _debian(self, owner: tuple[str, str, str]) -> Part:
        package, source, version = owner
        known = reviewed()["system"].get(source)
        if known is None:
            raise Unknown(
                f"A library of Debian's {source} would be shipped (package {package}), which "
                "packaging/dependencies.toml does not list under [system]. Leave it to the system "
                "(packaging/wallet_gui.spec), or add it with the reason why it is needed."
            )
        if source not in self._parts:
            self._parts[source] = Part(
                source,
                version,
                known["licence"],
                f"pkg:deb/debian/{source}@{version}?arch=source",
                texts=_debian_text(package),
            )
        return self._parts[source]

    def _other(self, name: str, texts: dict[str, bytes], version: str = "") -> Part:
        known = reviewed()["part"][name]
        texts |= {each: (OWN_TEXTS / each).read_bytes() for each in known.get("texts", [])}
        if name not in self._parts:
            version = version or known.get("version", "")
            purl = known.get("purl", f"pkg:generic/{name}" + (f"@{version}" if version else ""))
            self._parts[name] = Part(name, version, known["licence"], purl, texts=texts)
        return self._parts[name]

    def _sort_modules(self, modules: Iterable[str]) -> None:
        """Say whose the modules inside the executables are. Raises Unknown."""
        for module in modules:
            top = module.partition(".")[0]
            if top in {"wallet_gui", "__main__", "frozen_program"}:
                part = self._own()
            elif any(path.endswith(f"/rthooks/{top}.py") for path in self._owners):
                part = self._package(self._owner_of_hook(top))
            elif any(fnmatch.fnmatch(top, pattern) for pattern in _BOOT):
                part = self._package("pyinstaller")
            elif top in self._tops:
                part = self._package(self._tops[top])
            elif top in sys.stdlib_module_names or top.startswith("_sysconfigdata"):
                part = self._python_modules()
            else:
                raise Unknown(
                    f"The module {module} is in the executable and comes from no package that is "
                    "installed here."
                )
            part.modules.append(module)
        # Its bootloader is the executable.
        self._package("pyinstaller")

    def _owner_of_hook(self, name: str) -> str:
        return next(
            owner for path, owner in self._owners.items() if path.endswith(f"/rthooks/{name}.py")
        )

    def _python_modules(self) -> Part:
        stems = ("python3", "python")
        found = [part for name, part in self._parts.items() if name.startswith(stems)]
        return found[0] if found else self._python("base_library.zip")


def _homepage(fields: metadata.PackageMetadata) -> str:
    lower: dict[str, str] = {}
    for line in fields.get_all("Project-URL") or []:
        name, _, url = str(line).partition(",")
        lower[name.strip().lower()] = url.strip()
    for key in ("source", "source code", "homepage", "home"):
        if key in lower:
            return lower[key]
    return ""


def _needs(distribution: metadata.Distribution) -> Iterator[str]:
    for line in distribution.requires or ():
        if "extra ==" not in line:
            yield canonical(re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0])


def _texts_of(distribution: metadata.Distribution, known: dict[str, Any]) -> dict[str, bytes]:
    """The licence texts that a package brings, and those of ours that stand for missing ones."""
    texts: dict[str, bytes] = {}
    for file in distribution.files or ():
        path = str(file).replace("\\", "/")
        is_text = re.search(r"(licen[cs]e|copying|notice)[^/]*$", path, re.IGNORECASE)
        if (
            is_text
            and ".dist-info/" in path
            and Path(str(distribution.locate_file(file))).is_file()
        ):
            name = path.partition(".dist-info/")[2].removeprefix("licenses/").replace("/", "-")
            texts[name] = Path(str(distribution.locate_file(file))).read_bytes()
    if not texts and not known.get("brings_no_text"):
        raise Unknown(
            f"The Python package {distribution.metadata['Name']} brings no licence text. Put it "
            "into packaging/licences/ and name it in packaging/dependencies.toml (`texts`, and "
            "`brings_no_text`)."
        )
    for name in known.get("texts", []):
        texts[name] = (OWN_TEXTS / name).read_bytes()
    return texts


def _compiled_in(distribution: metadata.Distribution) -> Iterator[dict[str, Any]]:
    """What a wheel says is inside its libraries, in its own bills of material (PEP 770)."""
    import json  # noqa: PLC0415 - here alone

    for file in distribution.files or ():
        if ".dist-info/sboms/" not in str(file).replace("\\", "/"):
            continue
        bill = json.loads(Path(str(distribution.locate_file(file))).read_bytes())
        for component in bill.get("components", []):
            if "purl" in component:
                found = {key: component[key] for key in ("name", "version", "purl")}
                licences = component.get("licenses")
                if licences:
                    found["licenses"] = licences
                yield found


def _python_text() -> dict[str, bytes]:
    """Python's licence from beside its standard library."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    for folder in (stdlib, stdlib.parent, Path(sys.base_prefix)):
        for path in (folder / "LICENSE.txt", folder / "LICENSE"):
            if path.is_file():
                return {"LICENSE.txt": path.read_bytes()}
    raise Unknown("This Python has no licence text beside its standard library (LICENSE.txt).")


def _debian_owner(name: str) -> tuple[str, str, str] | None:
    """Package, source package and version of Debian's that the file was copied from, if any."""
    base = name.rsplit("/", maxsplit=1)[-1]
    if base == "base_library.zip":
        base = "os.py"
        folders = [Path(sysconfig.get_path("stdlib"))]
    elif "lib-dynload/" in name:
        folders = [Path(sysconfig.get_path("stdlib")) / "lib-dynload"]
    else:
        multiarch = f"{platform.machine()}-linux-gnu"
        folders = [Path("/usr/lib") / multiarch, Path("/lib") / multiarch, Path("/usr/lib")]
    for folder in folders:
        path = folder / base
        if path.exists():
            owner = _ask_dpkg(_spellings(path))
            if owner is not None:
                return owner
    return None


def _spellings(path: Path) -> Iterator[str]:
    """A file's names: Debian 12 records some libraries below /lib, which is a link to /usr/lib."""
    for each in (path, path.resolve()):
        yield str(each)
        yield str(each).removeprefix("/usr")
        yield f"/usr{each}"


@cache
def _source_of(package: str) -> tuple[str, str]:
    wanted = "${source:Package}\n${source:Version}"
    asked = ["dpkg-query", "--show", f"--showformat={wanted}", package]
    source, version = subprocess.run(
        asked, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    return source, version


def _ask_dpkg(paths: Iterable[str]) -> tuple[str, str, str] | None:
    for path in paths:
        try:
            asked = subprocess.run(
                ["dpkg-query", "--search", path], capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            return None
        if asked.returncode == 0:
            package = asked.stdout.partition(": ")[0].split(",")[0].strip()
            return (package, *_source_of(package))
    return None


def _debian_text(package: str) -> dict[str, bytes]:
    name = package.partition(":")[0]
    path = Path("/usr/share/doc") / name / "copyright"
    if not path.is_file():
        raise Unknown(
            f"{path} is missing, so that the licence of a library that is shipped is not known. "
            "Build in a root that keeps the copyright files."
        )
    return {"copyright.txt": path.read_bytes()}
