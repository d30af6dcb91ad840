"""Names and values of a node's widgets, as the browser has them after it has opened a workflow."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InputError
from .graph import EXPORT, Node

WIDGETS = frozenset(
    "INT FLOAT STRING BOOLEAN COMBO MARKDOWN TEXTAREA COLOR COLORS CURVE RANGE BOUNDING_BOX BOUNDING_BOXES CHART"
    " GALLERIA PAINTER COMPOSITOR VIDEO_EDIT COMFY_DYNAMICCOMBO_V3".split()
)
"""Input types with a widget of one value. A list instead of a type is a menu in the older form."""
DYNAMIC_MENU, AUTOGROW = "COMFY_DYNAMICCOMBO_V3", "COMFY_AUTOGROW_V3"
"""A menu whose choice adds inputs, and a group of equal inputs that grows as they are linked."""
COMPARISON = "IMAGECOMPARE"
"""A view of two pictures. Its value is always the same, and no file has it."""
CUSTOM_MENU = "CustomCombo"
"""A node whose choices, `option1` and so on, are widgets that no schema has. The server takes them, and the choice's number."""
ANY_TYPE = ("*", "COMFY_MATCHTYPE_V3")
"""Types of sockets that take any type. The second one takes equal types at several sockets, which the server checks."""
SEEDS = ("seed", "noise_seed")
"""Integers with these names have an extra widget in the browser, even if their node does not request it."""
SEED_CONTROLS = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
"""Values of that widget. Old files have true and false."""
UPLOADS = ("image_upload", "audio_upload", "video_upload", "file_upload", "animated_image_upload")
"""Options of menus that list files. The browser adds a button behind the required inputs."""

Specs = list[tuple[str, list]]


def specs(info: Mapping[str, Any]) -> Iterator[tuple[str, list]]:
    """Inputs of a node in `/object_info`, required ones first: name and [type, options]."""
    for group in ("required", "optional"):
        yield from info["input"].get(group, {}).items()


def options_of(spec: list) -> Mapping[str, Any]:
    """The options of an input."""
    return spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}


def menu_of(spec: list) -> list | None:
    """The choices of a menu; None for other inputs."""
    kind, options = spec[0], options_of(spec)
    if kind == DYNAMIC_MENU:
        return [choice["key"] for choice in options.get("options", [])]
    return kind if isinstance(kind, list) else options.get("options") if kind == "COMBO" else None


def choice_specs(name: str, spec: list, value: Any) -> Specs:
    """The inputs that a choice of a dynamic menu adds: NAME.INPUT and [type, options]."""
    for choice in options_of(spec).get("options", []):
        if choice["key"] == value:
            return [(f"{name}.{key}", inner) for key, inner in specs({"input": choice.get("inputs", {})})]
    return []


def is_socket(kind: str, object_info: Mapping[str, Any]) -> bool:
    """Whether values of a type are passed over links: an output of some node has it."""
    outputs = {name for info in object_info.values() for name in info["output"] if isinstance(name, str)}
    return kind in ANY_TYPE or bool(outputs & set(kind.split(",")))


def is_widget(spec: list) -> bool:
    """Whether the browser shows a widget for an input."""
    kind, options = spec[0], options_of(spec)
    return not options.get("forceInput") and (isinstance(kind, list) or options.get("widgetType", kind) in WIDGETS)


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
        if group == "required" and any(options_of(spec).get(mark) for spec in inputs.values() for mark in UPLOADS):
            source.skip()
    if node.kind == CUSTOM_MENU:
        options = source.options()
        values["index"] = options.index(values.get("choice")) if values.get("choice") in options else -1
        values.update({f"option{number}": option for number, option in enumerate(options, 1)})
    return values


def _collect(inputs: Specs, node: Node, object_info: Mapping[str, Any], source: Any, values: dict[str, Any]) -> None:
    for name, spec in inputs:
        kind, options = spec[0], options_of(spec)
        if kind == COMPARISON:
            values[name] = ["", ""]
        elif kind == AUTOGROW:
            _collect(_grown(name, options, node), node, object_info, source, values)
        elif is_widget(spec):
            value = values[name] = source.take(name, spec)
            _collect(choice_specs(name, spec, value) if kind == DYNAMIC_MENU else [], node, object_info, source, values)
            if options.get("control_after_generate") or (kind == "INT" and name in SEEDS):
                source.control(name)
        elif name in source:
            values[name] = source.take(name, spec)
        elif (
            node.values and node.named is None and not options.get("forceInput") and not _is_linkable(kind, object_info)
        ):
            raise InputError(f"workflow: {node} has a widget of type {kind}; {EXPORT}")


def _is_linkable(kind: Any, object_info: Mapping[str, Any]) -> bool:
    return kind.startswith("COMFY_") or is_socket(kind, object_info)


def _grown(name: str, options: Mapping[str, Any], node: Node) -> Specs:
    """Inputs of a growing group. The file's sockets tell how many there are."""
    template = options.get("template", {})
    inner = list(specs({"input": template.get("input", {})}))
    if len(inner) != 1 or not is_widget(inner[0][1]):
        return []
    return [(slot.name, inner[0][1]) for slot in node.inputs if slot.name.startswith(f"{name}.") and slot.widget]


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


def _default(spec: list) -> Any:
    options, menu = options_of(spec), menu_of(spec)
    if options.get("default") is not None:
        return options["default"]
    if menu is not None:
        return menu[0] if menu else None
    return {"INT": 0, "FLOAT": 0, "BOOLEAN": False, "STRING": ""}.get(options.get("widgetType", spec[0]))


def _or_first(value: Any, spec: list) -> Any:
    """A menu without a value shows its first choice."""
    menu = menu_of(spec)
    return menu[0] if value is None and menu else value


class _Named:
    """Values that the browser saved with their names."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def take(self, name: str, spec: list) -> Any:
        return _or_first(self._values[name], spec) if name in self._values else _default(spec)

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

    def __contains__(self, name: str) -> bool:
        return False

    def take(self, name: str, spec: list) -> Any:
        missing = object()
        value = next(self._values, missing)
        return _default(spec) if value is missing else _or_first(value, spec)

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
