"""A prompt (API JSON): read, patched by node title, and checked against the server's `/object_info` before it is sent."""

import copy
import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError, existing_file
from .convert import is_ui, specs, to_api

LOADERS = {"image": ("LoadImage", "image"), "audio": ("LoadAudio", "audio"), "video": ("LoadVideo", "file")}
"""Kinds of file that are uploaded: which node takes them, at which input."""

Prompt = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One input of one node, to be set."""

    node: str
    """Its title or number."""
    name: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> "Change":
        """Read NODE.INPUT=VALUE; the value is JSON where it can be, else text.

        Raises:
            InputError: for anything else.
        """
        target, equals, value = text.partition("=")
        node, dot, name = target.rpartition(".")
        if not (equals and dot and node and name):
            raise InputError(
                f"set: got {text!r}; expected NODE.INPUT=VALUE, for instance 'Motion Frame Chainer.seed=7'"
            )
        return cls(node.strip(), name.strip(), as_value(value))


def as_value(text: str) -> Any:
    """A number, true, false or quoted text as JSON reads it; anything else as it stands."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@dataclass(frozen=True, slots=True)
class Upload:
    """A local file for a loader node."""

    kind: str
    """A key of `LOADERS`."""
    path: Path
    node: str | None = None
    """Its title or number; None: the only loader of that kind."""

    @classmethod
    def parse(cls, kind: str, text: str, folder: Path = Path()) -> "Upload":
        """Read FILE, or NODE=FILE where several nodes load such files."""
        node, equals, name = text.rpartition("=")
        if equals and not (folder / text).is_file():
            return cls(kind, existing_file(folder / name, kind, "a file to upload"), node)
        return cls(kind, existing_file(folder / text, kind, "a file to upload"))


@dataclass(frozen=True, slots=True)
class Template:
    """A workflow file."""

    path: Path
    content: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> "Template":
        """Open UI or API JSON.

        Raises:
            InputError: where it is neither.
        """
        path = existing_file(path, "workflow", "a workflow saved or exported from ComfyUI")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InputError(f"workflow: {path} is no JSON ({error}); save or export it again") from error
        if not is_ui(content) and not _is_api(content):
            raise InputError(
                f"workflow: {path} is no ComfyUI workflow; give one that was saved or exported (API) there"
            )
        return cls(path, content)

    def prompt(self, object_info: Mapping[str, Any]) -> Prompt:
        """As the server takes it; a fresh copy."""
        return to_api(self.content, object_info) if is_ui(self.content) else copy.deepcopy(self.content)


def _is_api(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(node, dict) and "class_type" in node and "inputs" in node for node in content.values())
    )


def find_node(prompt: Prompt, name: str) -> str:
    """The number of the node with that title, or that number.

    Raises:
        InputError: where there is none, or several.
    """
    found = [key for key, node in prompt.items() if title(node) == name]
    if len(found) > 1:
        raise InputError(
            f"workflow: {len(found)} nodes are called {name!r} (numbers {', '.join(found)}); give the number"
        )
    if found or name in prompt:
        return found[0] if found else name
    titles = sorted({title(node) for node in prompt.values()})
    raise InputError(f"workflow: no node is called {name!r}{_near(name, titles)}; there are: {', '.join(titles)}")


def title(node: Mapping[str, Any]) -> str:
    """What the artist sees above a node."""
    return node.get("_meta", {}).get("title") or node["class_type"]


def apply(prompt: Prompt, change: Change) -> None:
    """Set one input; whether it exists, `problems` tells."""
    prompt[find_node(prompt, change.node)]["inputs"][change.name] = change.value


def place(prompt: Prompt, upload: Upload, name: str) -> None:
    """Let the right loader read an uploaded file, by its name on the server.

    Raises:
        InputError: where no node loads such files, or several do and none was named.
    """
    kind, field_name = LOADERS[upload.kind]
    if upload.node is not None:
        key = find_node(prompt, upload.node)
    else:
        keys = [key for key, node in prompt.items() if node["class_type"] == kind]
        if len(keys) != 1:
            titles = ", ".join(repr(title(prompt[key])) for key in keys) or "none"
            raise InputError(
                f"{upload.kind}: the workflow's {kind} nodes are: {titles}; say which: --{upload.kind} TITLE=FILE"
            )
        key = keys[0]
    prompt[key]["inputs"][field_name] = name


def problems(prompt: Prompt, object_info: Mapping[str, Any], uploaded: frozenset[str] = frozenset()) -> list[str]:
    """All that is wrong with a prompt, unknown inputs too, which the server would ignore in silence."""
    found = []
    for key, node in prompt.items():
        where, kind = f"node {key} ({title(node)})", node["class_type"]
        if kind not in object_info:
            found.append(f"{where}: the server has no node {kind!r}{_near(kind, object_info)}")
            continue
        known = dict(specs(object_info[kind]))
        found += [f"{where}: no input {name!r}{_near(name, known)}" for name in node["inputs"] if name not in known]
        missing = [name for name in object_info[kind]["input"].get("required", {}) if name not in node["inputs"]]
        found += [f"{where}: input {name!r} is missing" for name in missing]
        for name, value in node["inputs"].items():
            if name in known:
                found += [
                    f"{where}: {name}: {text}" for text in _value(value, known[name], prompt, object_info, uploaded)
                ]
    return found


def _value(
    value: Any, spec: list, prompt: Prompt, object_info: Mapping[str, Any], uploaded: frozenset[str]
) -> Iterator[str]:
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
        yield from _link(value, kind, prompt, object_info)
        return
    menu = kind if isinstance(kind, list) else options.get("options") if kind == "COMBO" else None
    if menu is not None:
        if value not in menu and value not in uploaded:
            yield f"got {value!r}{_near(str(value), [str(choice) for choice in menu])}; one of {menu[:12]}"
    elif kind in ("INT", "FLOAT"):
        yield from _number(value, kind, options)
    elif kind not in ("STRING", "BOOLEAN"):
        yield f"got {value!r}; expected a link to an output of type {kind}"


def _link(link: list, kind: Any, prompt: Prompt, object_info: Mapping[str, Any]) -> Iterator[str]:
    source = prompt.get(link[0])
    if source is None:
        yield f"it is linked to node {link[0]}, which is not there"
        return
    outputs = object_info.get(source["class_type"], {}).get("output", [])
    if link[1] >= len(outputs):
        yield f"it is linked to output {link[1]} of node {link[0]} ({title(source)}), which has {len(outputs)}"
        return
    given, wanted = outputs[link[1]], kind
    if isinstance(given, str) and isinstance(wanted, str) and "*" not in (given, wanted):
        if not set(given.split(",")) & set(wanted.split(",")):
            yield f"it takes {wanted}, and is linked to {given} of node {link[0]} ({title(source)})"


def _number(value: Any, kind: str, options: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (kind == "INT" and value != int(value)):
        yield f"got {value!r}; expected {'a whole number' if kind == 'INT' else 'a number'}"
        return
    low, high = options.get("min", -float("inf")), options.get("max", float("inf"))
    if not low <= value <= high:
        yield f"got {value}; expected {low} .. {high}"


def _near(name: str, names: Any) -> str:
    close = difflib.get_close_matches(name, list(names), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
