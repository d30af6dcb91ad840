"""Names and values of a node's widgets, as the browser has them after it has opened a workflow."""

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from .graph import EXPORT, Node
from .schema import (
    CUSTOM_MENU,
    DYNAMIC_MENU,
    UPLOADS,
    choice_of,
    default_of,
    is_socket,
    is_widget,
    menu_of,
    options_of,
    specs,
)

COMPARISON = "IMAGECOMPARE"
"""A view of two pictures. Its value is always the same, and no file has it."""
UNKNOWN = object()
"""The value of a widget that neither file nor schema has. Such an input is left out."""
SEEDS = ("seed", "noise_seed")
"""Integers with these names have an extra widget in the browser, even if their node does not request it."""
SEED_CONTROLS = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
"""Values of that widget. Old files have true and false."""


def widget_values(node: Node, object_info: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values of a node's widgets. A value that the file does not have is the widget's default.

    Raises:
        InputError: if only the browser knows the widgets.
    """
    info = object_info[node.kind]
    source = _Named(node.named) if node.named is not None else _Positional(_without_dummies(node, info), node)
    values: dict[str, Any] = {}
    for group in ("required", "optional"):
        inputs = info["input"].get(group, {})
        _collect(list(inputs.items()), node, object_info, source, values)
        # The browser adds a button behind the required inputs.
        if group == "required" and any(options_of(spec).get(mark) for spec in inputs.values() for mark in UPLOADS):
            source.skip()
    if source.unknown and source.has_more():
        raise InputError(f"workflow: {node} has a widget of type {source.unknown[0]}; {EXPORT}")
    if node.kind == CUSTOM_MENU:
        options = source.options()
        values["index"] = options.index(values.get("choice")) if values.get("choice") in options else -1
        values.update({f"option{number}": option for number, option in enumerate(options, 1)})
    return values


def _collect(
    inputs: list[tuple[str, list]], node: Node, object_info: Mapping[str, Any], source: Any, values: dict[str, Any]
) -> None:
    for name, spec in inputs:
        kind, options = spec[0], options_of(spec)
        if kind == COMPARISON:
            values[name] = ["", ""]
        elif is_widget(spec):
            value = source.take(name, spec)
            if value is not UNKNOWN:
                values[name] = value
            if kind == DYNAMIC_MENU:
                inner = specs({"input": choice_of(spec, value)})
                _collect([(f"{name}.{key}", item) for key, item in inner], node, object_info, source, values)
            if options.get("control_after_generate") or (kind == "INT" and name in SEEDS):
                source.control(name)
        elif name in source:
            values[name] = source.take(name, spec)
        elif not _is_socket(name, spec, node, object_info):
            source.unknown.append(kind)


def _is_socket(name: str, spec: list, node: Node, object_info: Mapping[str, Any]) -> bool:
    """Whether an input that is no known widget has no value by position. The browser lists a socket without a widget."""
    kind, listed = spec[0], any(slot.name == name and not slot.widget for slot in node.inputs)
    linkable = kind.startswith("COMFY_") or is_socket(kind, object_info)
    return listed or linkable or bool(options_of(spec).get("forceInput"))


def _without_dummies(node: Node, info: Mapping[str, Any]) -> list[Any]:
    """Values by position. Frontends before 1.16 saved values of sockets with `forceInput` too."""
    marks: list[bool] = []
    for _, spec in specs(info):
        if is_widget(spec) or options_of(spec).get("forceInput"):
            marks += [bool(options_of(spec).get("forceInput"))]
            marks += [False] if options_of(spec).get("control_after_generate") else []
    if len(marks) != len(node.values):
        return list(node.values)
    return [value for value, dummy in zip(node.values, marks, strict=True) if not dummy]


def _or_unknown(value: Any) -> Any:
    return UNKNOWN if value is None else value


def _or_first(value: Any, spec: list) -> Any:
    """A menu without a value shows its first choice."""
    menu = menu_of(spec)
    return menu[0] if value is None and menu else value


class _Named:
    """Values that the browser saved with their names."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.unknown: list[Any] = []

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def has_more(self) -> bool:
        """Nothing shifts values with names."""
        return False

    def take(self, name: str, spec: list) -> Any:
        return _or_first(self._values[name], spec) if name in self._values else _or_unknown(default_of(spec))

    def control(self, name: str) -> None:
        """The control has a name of its own."""

    def skip(self) -> None:
        """So has the button."""

    def options(self) -> list[Any]:
        """The choices of a `CUSTOM_MENU`."""
        names = [f"option{number}" for number in range(1, len(self._values) + 1)]
        return [self._values[name] for name in names if name in self._values] or [""]


class _Positional:
    """Values that the browser saved in the order of the widgets."""

    def __init__(self, values: list[Any], node: Node) -> None:
        self._values = iter(values)
        self._node = node
        self.unknown: list[Any] = []
        """Types of inputs that are sockets, or widgets of a pack's own: then values are left over."""

    def has_more(self) -> bool:
        """Whether values are left over."""
        return next(self._values, UNKNOWN) is not UNKNOWN

    def __contains__(self, name: str) -> bool:
        return False

    def take(self, name: str, spec: list) -> Any:
        value = next(self._values, UNKNOWN)
        return _or_unknown(default_of(spec)) if value is UNKNOWN else _or_first(value, spec)

    def control(self, name: str) -> None:
        control = next(self._values, "fixed")
        if not isinstance(control, bool) and control not in SEED_CONTROLS:
            raise InputError(
                f"workflow: {self._node}: got {control!r:.80} after {name}; expected one of {', '.join(SEED_CONTROLS)}; "
                f"{EXPORT}"
            )

    def skip(self) -> None:
        next(self._values, None)

    def options(self) -> list[Any]:
        self.skip()  # The number of the choice.
        return list(self._values) or [""]
