"""Drives windows through the accessibility bus; runs on the system's python3, which has gi.

Reads one JSON command a line, answers one JSON line: {"value": ...} or {"error": ...}.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

# The names that Debian 12's and 13's bindings share are marked as old in the later one.
warnings.filterwarnings("ignore", category=DeprecationWarning)

_DEPTH = 40
_PRESSES = ("press", "click", "toggle")


def showing(window: str) -> Iterator[Any]:
    """Every accessible that is on screen, of windows whose title holds `window`."""
    desktop = Atspi.get_desktop(0)
    for number in range(desktop.get_child_count()):
        application = desktop.get_child_at_index(number)
        if application is None:
            continue
        for index in range(application.get_child_count()):
            frame = application.get_child_at_index(index)
            if frame is not None and window in (frame.get_name() or ""):
                yield from _walk(frame, 0)


def _walk(node: Any, depth: int) -> Iterator[Any]:
    if depth and not node.get_state_set().contains(Atspi.StateType.SHOWING):
        return
    yield node
    if depth < _DEPTH:
        for index in range(node.get_child_count()):
            child = node.get_child_at_index(index)
            if child is not None:
                yield from _walk(child, depth + 1)


def find(command: dict[str, Any], fits: Callable[[Any], bool], *, exact: bool = True) -> Any:
    """The accessible that a command names and that can do what it asks."""
    wanted = command["name"]
    seen = []
    for node in showing(command.get("window", "")):
        name = node.get_name() or ""
        if (name == wanted or (not exact and wanted in name)) and fits(node):
            return node
        if name:
            seen.append(name)
    raise LookupError(f"not on screen, or not ready; there is {seen[:80]}")


def _is_enabled(node: Any) -> bool:
    return bool(node.get_state_set().contains(Atspi.StateType.ENABLED))


def _press_action(node: Any) -> int | None:
    action = node.get_action_iface()
    count = action.get_n_actions() if action is not None else 0
    offered = [Atspi.Action.get_action_name(action, index).lower() for index in range(count)]
    return next((offered.index(name) for name in _PRESSES if name in offered), None)


def press(command: dict[str, Any]) -> bool:
    node = find(command, lambda n: _is_enabled(n) and _press_action(n) is not None)
    return bool(Atspi.Action.do_action(node.get_action_iface(), _press_action(node)))


def fill(command: dict[str, Any]) -> bool:
    node = find(command, lambda n: _is_enabled(n) and n.get_editable_text_iface() is not None)
    return bool(
        Atspi.EditableText.set_text_contents(node.get_editable_text_iface(), command["text"])
    )


def focus(command: dict[str, Any]) -> bool:
    node = find(
        command,
        lambda n: _is_enabled(n) and n.get_state_set().contains(Atspi.StateType.FOCUSABLE),
    )
    return bool(Atspi.Component.grab_focus(node.get_component_iface()))


def text(command: dict[str, Any]) -> str:
    """What stands in a field, which is not its name."""
    node = find(command, lambda n: n.get_text_iface() is not None)
    return str(Atspi.Text.get_text(node.get_text_iface(), 0, -1))


def read(command: dict[str, Any]) -> str:
    return str(find(command, lambda _: True, exact=False).get_name())


def names(command: dict[str, Any]) -> list[str]:
    return [name for node in showing(command.get("window", "")) if (name := node.get_name())]


_COMMANDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "press": press,
    "fill": fill,
    "focus": focus,
    "find": read,
    "text": text,
    "names": names,
}


def main() -> None:
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer: dict[str, object] = {"value": _COMMANDS[command["do"]](command)}
        except (LookupError, GLib.Error) as error:
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
