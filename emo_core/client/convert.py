"""Convert a workflow of the browser (UI JSON, version 0.4) to a prompt of the server (API JSON).

Widget values have positions in UI JSON and names in API JSON. The server's `/object_info` gives the order of the names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
"""Input types with a widget in the browser. A list instead of a type is a menu in the older form."""
ANY_TYPE = ("*", "COMFY_MATCHTYPE_V3")
"""Types of sockets that take any type. The second one takes equal types at several sockets, which the server checks."""
NOTES = ("Note", "MarkdownNote")
REROUTE, PRIMITIVE = "Reroute", "PrimitiveNode"
"""Nodes that only the browser has: one forwards a link, one holds a value."""
MUTED, BYPASSED = 2, 4
"""Values of `mode` for nodes that do not run."""
SEEDS = ("seed", "noise_seed")
"""Integers with these names have an extra widget in the browser, even if their node does not request it."""
SEED_CONTROLS = ("fixed", "increment", "decrement", "randomize")
"""Values of that widget."""
EXPORT = "export it from the browser (Workflow, Export (API)) and give that file"


def is_ui(workflow: Any) -> bool:
    """Whether the JSON is a UI workflow."""
    return isinstance(workflow, dict) and isinstance(workflow.get("nodes"), list)


def to_api(workflow: Mapping[str, Any], object_info: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a workflow.

    Raises:
        InputError: if the server does not have a node, or only the browser can convert the workflow.
    """
    if (workflow.get("definitions") or {}).get("subgraphs"):
        raise InputError(f"workflow: it has subgraphs, which only the browser can expand; {EXPORT}")
    try:
        nodes = {str(node["id"]): node for node in workflow["nodes"] if node["type"] not in NOTES}
        links = {link[0]: (str(link[1]), link[2]) for link in workflow["links"]}
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"workflow: its version is not 0.4 ({type(error).__name__}: {error}); {EXPORT}") from error
    graph = _Graph(nodes, links, object_info)
    return {key: graph.convert(node) for key, node in nodes.items() if graph.runs(node)}


@dataclass(frozen=True, slots=True)
class _Graph:
    nodes: Mapping[str, Any]
    links: Mapping[int, tuple[str, int]]
    object_info: Mapping[str, Any]

    def runs(self, node: Mapping[str, Any]) -> bool:
        return node.get("mode") != MUTED and node["type"] not in (REROUTE, PRIMITIVE)

    def convert(self, node: Mapping[str, Any]) -> dict[str, Any]:
        kind, title = node["type"], node.get("title")
        if kind not in self.object_info:
            raise InputError(
                f"workflow: the server has no node {kind!r}; install its pack, or, if only the browser has it, {EXPORT}"
            )
        if node.get("mode") == BYPASSED:
            raise InputError(f"workflow: node {title or kind!r} is bypassed; {EXPORT}")
        inputs = self._widgets(node)
        for socket in node.get("inputs") or []:
            if socket.get("link") is None:
                continue
            inputs.pop(socket["name"], None)
            source = self._source(socket["link"])
            if source is not None:
                inputs[socket["name"]] = source
        info = self.object_info[kind]
        return {"class_type": kind, "inputs": inputs, "_meta": {"title": title or info["display_name"] or kind}}

    def _source(self, link: int) -> Any:
        """The source of a link: [node, slot], or the value of a primitive; None for a node that does not run."""
        key, slot = self.links[link]
        node = self.nodes.get(key)
        if node is None or node.get("mode") == MUTED:
            return None
        if node["type"] == PRIMITIVE:
            return node["widgets_values"][0]
        if node["type"] == REROUTE:
            incoming = node["inputs"][0].get("link")
            return None if incoming is None else self._source(incoming)
        return [key, slot]

    def _widgets(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """Names and values of a node's widgets."""
        values, named = node.get("widgets_values") or [], list(self._widget_specs(node))
        if isinstance(values, dict):
            return {name: values[name] for name, _, _ in named if name in values}
        inputs, place = {}, 0
        for name, kind, options in named:
            if place >= len(values):
                raise InputError(f"workflow: node {node['type']} has fewer values than widgets; {EXPORT}")
            inputs[name] = values[place]
            place += 1
            control = values[place] if place < len(values) else None
            if options.get("control_after_generate") or (kind == "INT" and name in SEEDS):
                if control not in SEED_CONTROLS:
                    raise InputError(
                        f"workflow: node {node['type']}: got {control!r} after {name}; expected one of {SEED_CONTROLS}; {EXPORT}"
                    )
                place += 1
        return inputs

    def _widget_specs(self, node: Mapping[str, Any]) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
        sockets = {socket["name"] for socket in node.get("inputs") or [] if "widget" not in socket}
        for name, spec in specs(self.object_info[node["type"]]):
            kind, options = spec[0], spec[1] if len(spec) > 1 else {}
            if name in sockets or options.get("forceInput"):
                continue
            if isinstance(kind, list) or kind in WIDGETS:
                yield name, kind, options
            elif node.get("widgets_values") and not is_socket(kind, self.object_info):
                raise InputError(f"workflow: node {node['type']} has a widget of type {kind}; {EXPORT}")


def is_socket(kind: str, object_info: Mapping[str, Any]) -> bool:
    """Whether values of a type are passed over links: an output of some node has it."""
    outputs = {name for info in object_info.values() for name in info["output"] if isinstance(name, str)}
    return kind in ANY_TYPE or bool(outputs & set(kind.split(",")))


def specs(info: Mapping[str, Any]) -> Iterator[tuple[str, list]]:
    """Inputs of a node in `/object_info`, required ones first: name and [type, options]."""
    for group in ("required", "optional"):
        yield from info["input"].get(group, {}).items()
