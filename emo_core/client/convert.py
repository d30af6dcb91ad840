"""A workflow as the browser saves it (UI JSON, version 0.4) -> the prompt that the server runs (API JSON).

Widget values are positional in the one and named in the other; which is which, only the server's `/object_info` knows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
"""Input types that are widgets in the browser; a list instead of a name is an older menu."""
ANYTHING = ("*", "COMFY_MATCHTYPE_V3")
"""Types of sockets that take what they are given; the second one wants the same at some others, which the server checks."""
NOTES = ("Note", "MarkdownNote")
REROUTE, PRIMITIVE = "Reroute", "PrimitiveNode"
"""Nodes that only the browser knows: one passes a link on, one holds a value."""
MUTED, BYPASSED = 2, 4
"""Values of `mode` for nodes that do not run."""
SEEDS = ("seed", "noise_seed")
"""Whole numbers of these names get the browser's extra widget even where their node does not ask for it."""
SEED_CONTROLS = ("fixed", "increment", "decrement", "randomize")
"""What that widget holds."""
EXPORT = "export it from the browser (Workflow, Export (API)) and give that file"


def is_ui(workflow: Any) -> bool:
    """Whether it is a UI workflow."""
    return isinstance(workflow, dict) and isinstance(workflow.get("nodes"), list)


def to_api(workflow: Mapping[str, Any], object_info: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a workflow.

    Raises:
        InputError: for nodes that the server does not know, and whatever only the browser can resolve.
    """
    if (workflow.get("definitions") or {}).get("subgraphs"):
        raise InputError(f"workflow: it has subgraphs, which only the browser can unfold; {EXPORT}")
    try:
        nodes = {str(node["id"]): node for node in workflow["nodes"] if node["type"] not in NOTES}
        links = {link[0]: (str(link[1]), link[2]) for link in workflow["links"]}
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"workflow: it is not of version 0.4 ({type(error).__name__}: {error}); {EXPORT}") from error
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
                f"workflow: the server has no node {kind!r}; install the pack that brings it, or, if only the browser knows "
                f"it, {EXPORT}"
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
        """What a link leads to: [node, slot], or a primitive's value; None for a node that does not run."""
        key, slot = self.links[link]
        node = self.nodes.get(key)
        if node is None or node.get("mode") == MUTED:
            return None
        if node["type"] == PRIMITIVE:
            return node["widgets_values"][0]
        if node["type"] == REROUTE:
            before = node["inputs"][0].get("link")
            return None if before is None else self._source(before)
        return [key, slot]

    def _widgets(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """Names and values of a node's widgets."""
        values, named = node.get("widgets_values") or [], list(self._widget_specs(node))
        if isinstance(values, dict):
            return {name: values[name] for name, _, _ in named if name in values}
        found, place = {}, 0
        for name, kind, options in named:
            if place >= len(values):
                raise InputError(f"workflow: node {node['type']} has fewer values than widgets; {EXPORT}")
            found[name] = values[place]
            place += 1
            control = values[place] if place < len(values) else None
            if options.get("control_after_generate") or (kind == "INT" and name in SEEDS):
                if control not in SEED_CONTROLS:
                    raise InputError(
                        f"workflow: node {node['type']}: behind {name} came {control!r}, not what happens to the seed; {EXPORT}"
                    )
                place += 1
        return found

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
    """Whether values of a type travel over links: some node gives it out."""
    given = {name for info in object_info.values() for name in info["output"] if isinstance(name, str)}
    return kind in ANYTHING or bool(given & set(kind.split(",")))


def specs(info: Mapping[str, Any]) -> Iterator[tuple[str, list]]:
    """Inputs of a node in `/object_info`, required ones first: name and [type, options]."""
    for group in ("required", "optional"):
        yield from info["input"].get(group, {}).items()
