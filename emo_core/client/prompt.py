"""A prompt (API JSON): read from a file, its inputs set and its files put in place by node title."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import existing_file
from .check import is_link, menu_of, near, title
from .convert import is_ui, specs, to_api

LOADERS = {"image": ("LoadImage", "image"), "audio": ("LoadAudio", "audio"), "video": ("LoadVideo", "file")}
"""Kinds of file that are uploaded: which node takes them, at which input."""
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")

Prompt = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One input of one node, to be set."""

    node: str
    """Its title or number."""
    name: str
    text: str
    """As it was typed; what it means depends on the input's type."""

    @classmethod
    def parse(cls, text: str) -> "Change":
        """Read NODE.INPUT=VALUE.

        Raises:
            InputError: for anything else.
        """
        target, equals, value = text.partition("=")
        if not equals:
            raise InputError(
                f"set: got {text!r}; expected NODE.INPUT=VALUE, for instance 'Motion Frame Chainer (EMO).seed=7'"
            )
        return cls.of(target, value)

    @classmethod
    def of(cls, target: str, value: str) -> "Change":
        """NODE.INPUT and its value.

        Raises:
            InputError: where the target names no input.
        """
        node, dot, name = target.rpartition(".")
        if not (dot and node.strip() and name.strip()):
            raise InputError(
                f"set: got {target!r}; expected NODE.INPUT, for instance 'Motion Frame Chainer (EMO).seed'"
            )
        return cls(node.strip(), name.strip(), value)


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
            content = json.loads(path.read_text(encoding="utf-8-sig"))
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
        and all(
            isinstance(n, dict) and "class_type" in n and isinstance(n.get("inputs"), dict) for n in content.values()
        )
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
    raise InputError(f"workflow: no node is called {name!r}{near(name, titles)}; there are: {', '.join(titles)}")


def apply(prompt: Prompt, change: Change, object_info: Mapping[str, Any]) -> None:
    """Set one input, its value read as its type asks for; whether it exists and fits, `check.problems` tells."""
    node = prompt[find_node(prompt, change.node)]
    known = dict(specs(object_info[node["class_type"]])) if node["class_type"] in object_info else {}
    node["inputs"][change.name] = read_value(change.text, known.get(change.name, ["STRING"]))


def read_value(text: str, spec: list) -> Any:
    """What a typed text means for an input: numbers, true and false, a menu's choice, a link; else the text itself."""
    menu, kind = menu_of(spec), spec[0]
    if menu is not None:
        return next((choice for choice in menu if str(choice) == text), _json(text) if text.startswith("[") else text)
    if kind == "BOOLEAN" and text.strip().lower() in TRUE + FALSE:
        return text.strip().lower() in TRUE
    if kind == "STRING" and not is_link(_json(text)):
        return text
    return _json(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


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
