"""All that is wrong with a prompt, found before it is sent: what the server would say, and what it would ignore in silence."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .convert import ANYTHING, is_socket, specs

BROWSER_ONLY = frozenset({"audioUI", "upload", "control_after_generate", "preview"})
"""Widgets of the browser's own, which it exports though most nodes do not take them."""
DYNAMIC = ("COMFY_AUTOGROW", "COMFY_DYNAMIC")
"""Beginnings of types that stand for inputs which come and go: `images` for `images.image0` and so on."""
PART = ["*", {}]
"""What is known of such an input: which ones a node needs, and of which types, the server finds out."""
UPLOADS = ("image_upload", "audio_upload", "video_upload", "file_upload")
"""Marks of menus that list files; other files may be named too, in folders or with [output] behind."""


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
        uploaded: files that were sent after `object_info` was read.
        allow_unknown: let inputs pass that no schema names (packs with inputs that come and go).
    """
    found, running = [], _running(prompt, object_info)
    for key, node in prompt.items():
        where, kind = f"node {key} ({title(node)})", node["class_type"]
        if kind not in object_info:
            found.append(f"{where}: the server has no node {kind!r}{near(kind, object_info)}")
        if kind not in object_info or key not in running:
            continue
        known = dict(specs(object_info[kind]))
        if not allow_unknown:
            strange = [name for name in node["inputs"] if not _spec(name, known) and name not in BROWSER_ONLY]
            found += [f"{where}: no input {name!r}{near(name, known)}" for name in strange]
        needed = [name for name in object_info[kind]["input"].get("required", {}) if _spec(name, known) is not PART]
        found += [f"{where}: input {name!r} is missing" for name in needed if name not in node["inputs"]]
        for name, value in node["inputs"].items():
            spec = _spec(name, known)
            if spec:
                texts = _link(value, spec[0], prompt, object_info) if is_link(value) else _value(
                    value, spec, object_info, uploaded
                )  # fmt: skip
                found += [f"{where}: {name}: {text}" for text in texts]
    return found


def _spec(name: str, known: Mapping[str, list]) -> list | None:
    """What the server says of an input; None: it does not know it."""
    whole = known.get(name.partition(".")[0])
    if whole and isinstance(whole[0], str) and whole[0].startswith(DYNAMIC):
        return PART
    return known.get(name)


def _running(prompt: Mapping[str, Any], object_info: Mapping[str, Any]) -> set[str]:
    """The nodes that lead to an output: the server neither runs nor checks the others."""
    waiting = [key for key, node in prompt.items() if object_info.get(node["class_type"], {}).get("output_node")]
    found = set(waiting)
    while waiting:
        values = prompt[waiting.pop()]["inputs"].values()
        before = {value[0] for value in values if is_link(value) and value[0] in prompt} - found
        found |= before
        waiting += before
    return found


def without_browser_only(prompt: Mapping[str, Any], object_info: Mapping[str, Any]) -> dict[str, Any]:
    """The prompt less what only the browser knows."""

    def known(kind: str, name: str) -> bool:
        return name not in BROWSER_ONLY or kind not in object_info or name in dict(specs(object_info[kind]))

    return {
        key: {
            **node,
            "inputs": {name: value for name, value in node["inputs"].items() if known(node["class_type"], name)},
        }
        for key, node in prompt.items()
    }


def is_link(value: Any) -> bool:
    """[node, slot], as the server tells links from values."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) in (int, float)


def title(node: Mapping[str, Any]) -> str:
    """What the artist sees above a node."""
    return node.get("_meta", {}).get("title") or node["class_type"]


def near(name: str, names: Iterable[Any]) -> str:
    """A guess at what was meant."""
    close = difflib.get_close_matches(name, [str(known) for known in names], 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def menu_of(spec: list) -> list | None:
    """The choices of a menu, where the server lists them."""
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
        and kind not in ANYTHING
        and is_socket(kind, object_info)
        and not set(kind.split(",")) & {"INT", "FLOAT", "STRING"}
    ):
        yield f"got {value!r}; expected a link to an output of type {kind}"


def _link(link: list, kind: Any, prompt: Mapping[str, Any], object_info: Mapping[str, Any]) -> Iterator[str]:
    source = prompt.get(link[0])
    if source is None:
        yield f"it is linked to node {link[0]}, which is not there"
        return
    if source["class_type"] not in object_info:
        return  # Said elsewhere.
    outputs = object_info[source["class_type"]]["output"]
    if not 0 <= link[1] < len(outputs):
        yield f"it is linked to output {link[1]} of node {link[0]} ({title(source)}), which has {len(outputs)}"
        return
    given, wanted = outputs[int(link[1])], kind
    if isinstance(given, str) and isinstance(wanted, str) and not {given, wanted} & set(ANYTHING):
        if not set(given.split(",")) & set(wanted.split(",")):
            yield f"it takes {wanted}, and is linked to {given} of node {link[0]} ({title(source)})"


def _number(value: Any, kind: str, options: Mapping[str, Any]) -> Iterator[str]:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or (kind == "INT" and value != int(value)):
        yield f"got {value!r}; expected {'a whole number' if kind == 'INT' else 'a number'}"
        return
    low, high = options.get("min", -math.inf), options.get("max", math.inf)
    if not low <= value <= high:
        yield f"got {value}; expected {low} .. {high}"
