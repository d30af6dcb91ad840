"""Check a prompt before it is sent: for the errors that the server reports, and for inputs that it ignores."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .schema import (
    ANY_TYPE,
    CUSTOM_MENU,
    DYNAMIC_MENU,
    UPLOADS,
    WIDGETS,
    Field,
    fields,
    is_open,
    is_socket,
    menu_of,
    options_of,
    specs,
)

BROWSER_ONLY = frozenset({"audioUI", "upload", "control_after_generate", "preview"})
"""Widgets that only the browser uses. It exports them for all nodes."""
BROWSER_ONLY_OF = {
    "SaveGLB": "image",
    "Preview3D": "image",
    "LoadImageOutput": "refresh",
    "LoadVideo": "video-preview",
}
"""More of them, of single nodes."""
ANYTHING = Field(["*", {}], False)
"""An input of which only the server knows the type."""


def problems(
    prompt: Mapping[str, Any],
    object_info: Mapping[str, Any],
    *,
    uploaded: frozenset[str] = frozenset(),
    allow_unknown: bool = False,
) -> list[str]:
    """Check a prompt against `/object_info`.

    Args:
        prompt: API JSON.
        object_info: all nodes of the server.
        uploaded: files that are uploaded after `object_info` was read.
        allow_unknown: allow inputs that no schema has, for packs with dynamic inputs.

    Returns:
        one line per problem.
    """
    lines = misfits(prompt, object_info, allow_unknown=allow_unknown)
    for key, node, known in _checked(prompt, object_info):
        for name, value in node["inputs"].items():
            field = _field(name, node, known)
            if field:
                texts = _link(value, field.spec[0], prompt, object_info) if is_link(value) else _value(
                    value, field.spec, object_info, uploaded
                )  # fmt: skip
                lines += [f"{_where(key, node)}: {name}: {text}" for text in texts]
    return lines


def misfits(prompt: Mapping[str, Any], object_info: Mapping[str, Any], *, allow_unknown: bool = False) -> list[str]:
    """The problems of a prompt for another server: nodes and inputs that this one does not have, or needs in addition."""
    lines = [
        f"{_where(key, node)}: the server has no node {node['class_type']!r}{near(node['class_type'], object_info)}"
        for key, node in prompt.items()
        if node["class_type"] not in object_info
    ]
    for key, node, known in _checked(prompt, object_info):
        unknown = [
            name for name in node["inputs"] if not _field(name, node, known) and not _is_browser_only(name, node)
        ]
        lines += [f"{_where(key, node)}: no input {name!r}{near(name, known)}" for name in unknown if not allow_unknown]
        missing = [name for name, field in known.items() if field.required and name not in node["inputs"]]
        lines += [f"{_where(key, node)}: input {name!r} is missing" for name in missing]
    return lines


def _checked(
    prompt: Mapping[str, Any], object_info: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], dict[str, Field]]]:
    """The nodes that the server checks, with their inputs' fields."""
    running = _running(prompt, object_info)
    for key, node in prompt.items():
        if key in running and node["class_type"] in object_info:
            yield key, node, fields(object_info[node["class_type"]]["input"], node["inputs"])


def _is_browser_only(name: str, node: Mapping[str, Any]) -> bool:
    return name in BROWSER_ONLY or BROWSER_ONLY_OF.get(node["class_type"]) == name


def _where(key: str, node: Mapping[str, Any]) -> str:
    return f"node {key} ({title(node)})"


def _field(name: str, node: Mapping[str, Any], known: Mapping[str, Field]) -> Field | None:
    """The field of an input; None for an unknown one."""
    if node["class_type"] == CUSTOM_MENU:
        return ANYTHING
    if name in known:
        return ANYTHING if is_open(known[name].spec) else known[name]
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        around = known.get(".".join(parts[:count]))
        if around is None or not isinstance(around.spec[0], str):
            continue
        # The inputs of a choice that does not exist, or comes over a link: the choice itself is reported.
        choice = node["inputs"].get(".".join(parts[:count]))
        if is_open(around.spec) or (around.spec[0] == DYNAMIC_MENU and choice not in (menu_of(around.spec) or [])):
            return ANYTHING
    return None


def _running(prompt: Mapping[str, Any], object_info: Mapping[str, Any]) -> set[str]:
    """The nodes that lead to an output. The server neither runs nor checks the others."""
    waiting = [key for key, node in prompt.items() if object_info.get(node["class_type"], {}).get("output_node")]
    running = set(waiting)
    while waiting:
        values = prompt[waiting.pop()]["inputs"].values()
        sources = {value[0] for value in values if is_link(value) and value[0] in prompt} - running
        running |= sources
        waiting += sources
    return running


def without_browser_only(prompt: Mapping[str, Any], object_info: Mapping[str, Any]) -> dict[str, Any]:
    """The prompt without the inputs that only the browser uses."""

    def is_input(node: Mapping[str, Any], name: str) -> bool:
        info = object_info.get(node["class_type"])
        return not _is_browser_only(name, node) or info is None or name in dict(specs(info))

    return {
        key: {
            **node,
            "inputs": {name: value for name, value in node["inputs"].items() if is_input(node, name)},
        }
        for key, node in prompt.items()
    }


def is_link(value: Any) -> bool:
    """Whether a value is a link [node, slot], by the rule of the server."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) in (int, float)


def title(node: Mapping[str, Any]) -> str:
    """The title of a node in the browser."""
    meta = node.get("_meta")
    name = meta.get("title") if isinstance(meta, dict) else None
    return name if isinstance(name, str) and name else node["class_type"]


def near(name: str, names: Iterable[Any]) -> str:
    """A suggestion for a misspelt name; empty for none."""
    close = difflib.get_close_matches(name, [str(candidate) for candidate in names], 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _value(value: Any, spec: list, object_info: Mapping[str, Any], uploaded: frozenset[str]) -> Iterator[str]:
    kind, options, menu = spec[0], options_of(spec), menu_of(spec)
    if isinstance(value, dict) and "__value__" in value:
        return
    if menu is not None:
        named_otherwise = (
            any(options.get(mark) for mark in UPLOADS)
            and isinstance(value, str)
            and value.strip("/") != value.split("/")[-1]
        )
        annotated = isinstance(value, str) and value.endswith("]")
        is_uploaded = isinstance(value, str) and value in uploaded
        if value not in menu and not is_uploaded and not named_otherwise and not annotated:
            yield f"got {value!r}{near(str(value), menu)}; one of {menu[:12]}"
    elif kind in ("INT", "FLOAT"):
        yield from _number(value, kind, options)
    elif kind == "BOOLEAN":
        if not isinstance(value, bool) and value not in (0, 1):
            yield f"got {value!r}; expected true or false"
    elif kind == "STRING":
        if isinstance(value, (list, dict)):
            yield f"got {value!r}; expected text"
    elif (
        kind not in WIDGETS
        and kind not in ANY_TYPE
        and is_socket(kind, object_info)
        and not set(kind.split(",")) & {"INT", "FLOAT", "STRING"}
    ):
        yield f"got {value!r}; expected a link to an output of type {kind}"


def _link(link: list, kind: Any, prompt: Mapping[str, Any], object_info: Mapping[str, Any]) -> Iterator[str]:
    source = prompt.get(link[0])
    if source is None:
        yield f"it is linked to node {link[0]}, which does not exist"
        return
    if source["class_type"] not in object_info:
        return  # `problems` reports it.
    outputs = object_info[source["class_type"]]["output"]
    if not 0 <= link[1] < len(outputs):
        yield f"it is linked to output {link[1]} of node {link[0]} ({title(source)}), which has {len(outputs)}"
        return
    output = outputs[int(link[1])]
    if isinstance(output, str) and isinstance(kind, str) and not {output, kind} & set(ANY_TYPE):
        if not set(output.split(",")) & set(kind.split(",")):
            yield f"it takes {kind}, and is linked to {output} of node {link[0]} ({title(source)})"


def _number(value: Any, kind: str, options: Mapping[str, Any]) -> Iterator[str]:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or (kind == "INT" and value != int(value)):
        yield f"got {value!r}; expected {'a whole number' if kind == 'INT' else 'a number'}"
        return
    limits = [(options.get("min"), -math.inf), (options.get("max"), math.inf)]
    low, high = (limit if isinstance(limit, (int, float)) else default for limit, default in limits)
    if not low <= value <= high:
        yield f"got {value}; expected {low} .. {high}"
