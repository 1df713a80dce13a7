"""Checks that a tag is the version, and prints what changed in it, for the release's page.

python3 packaging/installers/tag.py v1.2.3
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # started as a program: packaging/ is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from installers.changelog import entries
from installers.licences import own_version


class WrongTag(Exception):
    """The tag, the version and the changelog do not agree; the sentence says where."""


def notes(tag: str) -> str:
    """Return the changes of the version that a tag names, as Markdown. Raises WrongTag."""
    version = own_version()
    if tag != f"v{version}":
        raise WrongTag(
            f"The tag is {tag} and wallet_gui/__init__.py says {version}. Raise the version first, "
            f"or name the tag v{version}."
        )
    newest = entries()[0]
    if newest.version != version:
        raise WrongTag(
            f"The newest entry of packaging/changelog.md is {newest.version}, not {version}. "
            "Write down what changed."
        )
    return "".join(f"- {line}\n" for line in newest.lines)


def main(arguments: list[str]) -> int:
    """Print the notes; 1 and a sentence when something does not agree."""
    try:
        print(notes(*arguments), end="")
    except WrongTag as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
