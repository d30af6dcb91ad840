"""A prompt (API JSON): read it from a file, set its inputs and its files by node title."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import existing_file
from .check import is_link, near, title
from .convert import to_api
from .graph import is_ui
from .schema import DYNAMIC_MENU, choice_of, default_of, fields, is_widget, menu_of, specs

LOADERS = {"image": ("LoadImage", "image"), "audio": ("LoadAudio", "audio"), "video": ("LoadVideo", "file")}
"""Kinds of uploaded files: class and input of the node that loads them."""
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")

Prompt = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A new value for one input of a node."""

    target: str
    """NODE.INPUT. The node is a title or number. Both may have dots."""
    text: str
    """The value as text; its meaning depends on the input's type."""

    @classmethod
    def parse(cls, text: str) -> "Change":
        """Read NODE.INPUT=VALUE.

        Raises:
            InputError: if the text has another form.
        """
        target, equals, value = text.partition("=")
        if not equals:
            raise InputError(
                f"set: got {text!r}; expected NODE.INPUT=VALUE, for instance 'Motion Frame Chainer (EMO).seed=7'"
            )
        return cls.of(target, value)

    @classmethod
    def of(cls, target: str, value: str) -> "Change":
        """Read NODE.INPUT, with its value.

        Raises:
            InputError: if the target has another form.
        """
        change = cls(target.strip(), value)
        if not change.splits():
            raise InputError(
                f"set: got {target!r}; expected NODE.INPUT, for instance 'Motion Frame Chainer (EMO).seed'"
            )
        return change

    def splits(self) -> list[tuple[str, str]]:
        """All pairs of a node and an input that the target may mean, the longest node first."""
        parts = self.target.split(".")
        pairs = [(".".join(parts[:n]).strip(), ".".join(parts[n:]).strip()) for n in range(len(parts) - 1, 0, -1)]
        return [(node, name) for node, name in pairs if node and name]


@dataclass(frozen=True, slots=True)
class Upload:
    """A local file for a loader node."""

    kind: str
    """A key of `LOADERS`."""
    path: Path
    node: str | None = None
    """Its title or number; None for the only loader of that kind."""

    @classmethod
    def parse(cls, kind: str, text: str, folder: Path = Path()) -> "Upload":
        """Read FILE, or NODE=FILE if several nodes load such files."""
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
        """Read UI or API JSON.

        Raises:
            InputError: if it is neither.
        """
        path = existing_file(path, "workflow", "a workflow saved or exported from ComfyUI")
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise InputError(f"workflow: {path} cannot be read ({error.strerror})") from error
        except (ValueError, RecursionError) as error:  # Wrong encoding, wrong JSON, or lists in lists without end.
            raise InputError(f"workflow: {path} is not JSON ({error}); save or export it again") from error
        if isinstance(content, dict) and _is_api(content.get("prompt")):  # The body of a request to /prompt.
            content = content["prompt"]
        if not is_ui(content) and not _is_api(content):
            raise InputError(
                f"workflow: {path} is not a ComfyUI workflow; give one that ComfyUI saved or exported (API)"
            )
        return cls(path, content)

    def prompt(self, object_info: Mapping[str, Any]) -> Prompt:
        """A new prompt in the server's form."""
        if is_ui(self.content):
            return to_api(self.content, object_info)
        return {key: {**node, "inputs": dict(node["inputs"])} for key, node in self.content.items()}


def _is_api(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and bool(content)
        and all(
            isinstance(n, dict) and isinstance(n.get("class_type"), str) and isinstance(n.get("inputs"), dict)
            for n in content.values()
        )
    )


def find_node(prompt: Prompt, name: str) -> str:
    """The number of the node with a title or number.

    Raises:
        InputError: if no node or several nodes have it.
    """
    keys = [key for key, node in prompt.items() if title(node) == name]
    if len(keys) > 1:
        raise InputError(
            f"workflow: {len(keys)} nodes have the title {name!r} (numbers {', '.join(keys)}); give the number"
        )
    if keys or name in prompt:
        return keys[0] if keys else name
    titles = sorted({title(node) for node in prompt.values()})
    raise InputError(
        f"workflow: no node has the title {name!r}{near(name, titles)}; the titles are: {', '.join(titles)}"
    )


def apply(prompt: Prompt, change: Change, object_info: Mapping[str, Any]) -> None:
    """Set one input, with its text read as the input's type. `check.problems` checks the result."""
    titles = {title(node) for node in prompt.values()} | set(prompt)
    splits = change.splits()
    known = [split for split in splits if split[0] in titles]
    alike = [split for split in splits if near(split[0], titles)]
    name, input_name = (known or alike or splits)[0]
    node = prompt[find_node(prompt, name)]
    inputs, groups = node["inputs"], object_info.get(node["class_type"], {}).get("input", {})
    field = fields(groups, inputs).get(input_name)
    inputs[input_name] = read_value(change.text, field.spec if field else ["STRING"])
    if field and field.spec[0] == DYNAMIC_MENU and inputs[input_name] in (menu_of(field.spec) or []):
        _open(inputs, input_name, field.spec)


def _open(inputs: dict[str, Any], menu: str, spec: list) -> None:
    """Give a node the inputs of a dynamic menu's new choice, with their defaults, and none of the old one, as the browser does."""
    groups, prefix = choice_of(spec, inputs[menu]), f"{menu}."
    known = fields(groups, inputs, prefix)
    for name in [name for name in inputs if name.startswith(prefix) and name not in known]:
        del inputs[name]
    for key, inner in specs({"input": groups}):
        if is_widget(inner):
            inputs.setdefault(prefix + key, default_of(inner))
            if inner[0] == DYNAMIC_MENU:
                _open(inputs, prefix + key, inner)


def read_value(text: str, spec: list) -> Any:
    """The value of a text for an input: a number, true or false, a menu's choice, a link, else the text."""
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
    """Set the input of the loader node to an uploaded file's name on the server.

    Raises:
        InputError: if no node loads such files, or several do and the upload names none.
    """
    kind, field_name = LOADERS[upload.kind]
    if upload.node is not None:
        key = find_node(prompt, upload.node)
    else:
        keys = [key for key, node in prompt.items() if node["class_type"] == kind]
        if len(keys) != 1:
            titles = ", ".join(repr(title(prompt[key])) for key in keys) or "none"
            raise InputError(
                f"{upload.kind}: the workflow's {kind} nodes are: {titles}; choose one with --{upload.kind} TITLE=FILE"
            )
        key = keys[0]
    prompt[key]["inputs"][field_name] = name
