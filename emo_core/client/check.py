"""Check a prompt before it is sent: for the errors that the server reports, and for inputs that it ignores."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .widgets import ANY_TYPE, is_socket, specs

BROWSER_ONLY = frozenset({"audioUI", "upload", "control_after_generate", "preview"})
"""Widgets that only the browser uses. It exports them for all nodes."""
DYNAMIC = ("COMFY_AUTOGROW", "COMFY_DYNAMIC")
"""Prefixes of types with dynamic inputs, such as `images.image0` of `images`."""
DYNAMIC_SPEC = ["*", {}]
"""Specification of a dynamic input. The server checks its type, and whether it is required."""
UPLOADS = ("image_upload", "audio_upload", "video_upload", "file_upload")
"""Options of menus that list files. Files in folders, or with the suffix [output], are allowed too."""


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
    lines, running = [], _running(prompt, object_info)
    for key, node in prompt.items():
        where, kind = f"node {key} ({title(node)})", node["class_type"]
        if kind not in object_info:
            lines.append(f"{where}: the server has no node {kind!r}{near(kind, object_info)}")
        if kind not in object_info or key not in running:
            continue
        schema = dict(specs(object_info[kind]))
        if not allow_unknown:
            unknown = [name for name in node["inputs"] if not _spec(name, schema) and name not in BROWSER_ONLY]
            lines += [f"{where}: no input {name!r}{near(name, schema)}" for name in unknown]
        required = [
            name for name in object_info[kind]["input"].get("required", {}) if _spec(name, schema) is not DYNAMIC_SPEC
        ]
        lines += [f"{where}: input {name!r} is missing" for name in required if name not in node["inputs"]]
        for name, value in node["inputs"].items():
            spec = _spec(name, schema)
            if spec:
                texts = _link(value, spec[0], prompt, object_info) if is_link(value) else _value(
                    value, spec, object_info, uploaded
                )  # fmt: skip
                lines += [f"{where}: {name}: {text}" for text in texts]
    return lines


def _spec(name: str, schema: Mapping[str, list]) -> list | None:
    """The specification of an input; None for an unknown one."""
    group = schema.get(name.partition(".")[0])
    if group and isinstance(group[0], str) and group[0].startswith(DYNAMIC):
        return DYNAMIC_SPEC
    return schema.get(name)


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

    def is_input(kind: str, name: str) -> bool:
        return name not in BROWSER_ONLY or kind not in object_info or name in dict(specs(object_info[kind]))

    return {
        key: {
            **node,
            "inputs": {name: value for name, value in node["inputs"].items() if is_input(node["class_type"], name)},
        }
        for key, node in prompt.items()
    }


def is_link(value: Any) -> bool:
    """Whether a value is a link [node, slot], by the rule of the server."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) in (int, float)


def title(node: Mapping[str, Any]) -> str:
    """The title of a node in the browser."""
    return node.get("_meta", {}).get("title") or node["class_type"]


def near(name: str, names: Iterable[Any]) -> str:
    """A suggestion for a misspelt name; empty for none."""
    close = difflib.get_close_matches(name, [str(candidate) for candidate in names], 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def menu_of(spec: list) -> list | None:
    """The choices of a menu; None for other inputs."""
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    return kind if isinstance(kind, list) else options.get("options") if kind == "COMBO" else None


def _value(value: Any, spec: list, object_info: Mapping[str, Any], uploaded: frozenset[str]) -> Iterator[str]:
    kind, options, menu = spec[0], spec[1] if len(spec) > 1 else {}, menu_of(spec)
    if isinstance(value, dict) and "__value__" in value:
        return
    if menu is not None:
        named_otherwise = (
            any(options.get(mark) for mark in UPLOADS)
            and isinstance(value, str)
            and value.strip("/") != value.split("/")[-1]
        )
        annotated = isinstance(value, str) and value.endswith("]")
        if value not in menu and value not in uploaded and not named_otherwise and not annotated:
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
        kind != "COMBO"
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
    low, high = options.get("min", -math.inf), options.get("max", math.inf)
    if not low <= value <= high:
        yield f"got {value}; expected {low} .. {high}"
