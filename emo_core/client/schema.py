"""Inputs of nodes, as the server's `/object_info` describes them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WIDGETS = frozenset(
    "INT FLOAT STRING BOOLEAN COMBO MARKDOWN TEXTAREA COLOR COLORS CURVE RANGE BOUNDING_BOX BOUNDING_BOXES CHART"
    " GALLERIA PAINTER COMPOSITOR VIDEO_EDIT COMFY_DYNAMICCOMBO_V3".split()
)
"""Input types with a widget of one value. A list instead of a type is a menu in the older form."""
DYNAMIC_MENU, AUTOGROW, DYNAMIC = "COMFY_DYNAMICCOMBO_V3", "COMFY_AUTOGROW_V3", "COMFY_DYNAMIC"
"""A menu whose choice adds inputs, a group of equal inputs, and the prefix of types with inputs that only the server knows."""
ANY_TYPE = ("*", "COMFY_MATCHTYPE_V3")
"""Types of sockets that take any type. The second one takes equal types at several sockets, which the server checks."""
UPLOADS = ("image_upload", "audio_upload", "video_upload", "file_upload", "animated_image_upload")
"""Options of menus that list files."""
CUSTOM_MENU = "CustomCombo"
"""A node whose choices, `option1` and so on, are widgets that no schema has. The server takes them, and the choice's number."""


@dataclass(frozen=True, slots=True)
class Field:
    """An input of a node."""

    spec: list
    """[type, options]."""
    required: bool


def well_formed(answer: Any) -> dict[str, Any]:
    """The nodes of `/object_info` that are described as the server does; packs may add others."""
    nodes = answer if isinstance(answer, dict) else {}
    return {
        kind: info
        for kind, info in nodes.items()
        if isinstance(info, dict)
        and isinstance(info.get("output"), list)
        and isinstance(info.get("input"), dict)
        and all(_is_group(info["input"].get(group, {})) for group in ("required", "optional"))
    }


def _is_group(group: Any) -> bool:
    return isinstance(group, dict) and all(
        isinstance(spec, list) and spec and isinstance(spec[0], (str, list)) for spec in group.values()
    )


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
        return [choice.get("key") for choice in _choices(options)]
    return kind if isinstance(kind, list) else options.get("options") if kind == "COMBO" else None


def choice_of(spec: list, value: Any) -> Mapping[str, Any]:
    """The inputs that a choice of a dynamic menu adds, grouped as in `/object_info`; empty for no such choice."""
    choices = _choices(options_of(spec))
    return next((choice.get("inputs") or {} for choice in choices if choice.get("key") == value), {})


def _choices(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [choice for choice in options.get("options", []) if isinstance(choice, dict)]


def is_widget(spec: list) -> bool:
    """Whether the browser shows a widget for an input."""
    kind, options = spec[0], options_of(spec)
    return not options.get("forceInput") and (isinstance(kind, list) or options.get("widgetType", kind) in WIDGETS)


def is_socket(kind: str, object_info: Mapping[str, Any]) -> bool:
    """Whether values of a type are passed over links: an output of some node has it."""
    outputs = {name for info in object_info.values() for name in info["output"] if isinstance(name, str)}
    return kind in ANY_TYPE or bool(outputs & set(kind.split(",")))


def default_of(spec: list) -> Any:
    """The value of a widget that nobody has set."""
    options, menu = options_of(spec), menu_of(spec)
    if options.get("default") is not None:
        return options["default"]
    if menu is not None:
        return menu[0] if menu else None
    return {"INT": 0, "FLOAT": 0, "BOOLEAN": False, "STRING": ""}.get(options.get("widgetType", spec[0]))


def fields(groups: Mapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> dict[str, Field]:
    """The inputs of a node with their full names, such as `format.codec`.

    Args:
        groups: required and optional inputs, as in `/object_info`.
        values: the node's inputs; the choices of its dynamic menus decide which inputs it has.
        prefix: of the names.
    """
    found: dict[str, Field] = {}
    for group in ("required", "optional"):
        for key, spec in groups.get(group, {}).items():
            name = prefix + key
            if spec[0] == AUTOGROW:
                found |= _grown(name, options_of(spec).get("template", {}))
                continue
            # The server itself asks for no dynamic input. Without the menu of a node nothing runs; those inside have a default.
            optional = is_open(spec) or (spec[0] == DYNAMIC_MENU and prefix != "")
            found[name] = Field(spec, group == "required" and not optional)
            if spec[0] == DYNAMIC_MENU:
                found |= fields(choice_of(spec, values.get(name)), values, f"{name}.")
    return found


def is_open(spec: list) -> bool:
    """Whether an input is of a dynamic type that only the server can expand."""
    return isinstance(spec[0], str) and spec[0].startswith(DYNAMIC) and spec[0] != DYNAMIC_MENU


def _grown(name: str, template: Mapping[str, Any]) -> dict[str, Field]:
    """All inputs that a growing group may have. The first ones are required."""
    names = template.get("names") or [f"{template.get('prefix', '')}{i}" for i in range(template.get("max", 100))]
    for group in ("required", "optional"):
        for spec in template.get("input", {}).get(group, {}).values():
            least = template.get("min", 1) if group == "required" else 0
            return {f"{name}.{key}": Field(spec, place < least) for place, key in enumerate(names)}
    return {}
