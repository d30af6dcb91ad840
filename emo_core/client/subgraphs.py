"""Expand subgraphs: every node inside one becomes a node of the prompt, named by its path (`12:3`), as in the browser."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .graph import BYPASSED, EXPORT, MUTED, Graph, Node, Port, Workflow
from .widgets import widget_values

NOTES = ("Note", "MarkdownNote")
REROUTE, PRIMITIVE = "Reroute", "PrimitiveNode"
"""Nodes that only the browser has: one forwards a link, one holds a value."""
MAX_NODES = 20_000
"""Subgraphs inside subgraphs can multiply without limit."""
MAX_DEPTH = 50
PREFIX = re.compile(r"^\s*\d+\s*:\s*")
"""Older files name a shown widget by the numbers of its nodes: `3: seed`."""


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """A node in one place: a subgraph that is used twice has two instances of each of its nodes."""

    path: tuple[str, ...]
    node: Node
    graph: Graph
    """The graph that the node stands in."""
    host: "Instance | None"
    """The node of the subgraph that it stands in; None in the workflow itself."""
    inside: Graph | None
    """The subgraph that the node stands for; None for others."""

    @property
    def key(self) -> str:
        """Its number in the prompt."""
        return ":".join(self.path)

    def __str__(self) -> str:
        return f"{self.node}" if self.host is None else f"{self.node} in {self.graph.name}"


def expand(workflow: Workflow) -> dict[str, Instance]:
    """All nodes of a workflow and of its subgraphs, by their number in the prompt.

    Raises:
        InputError: if a subgraph contains itself, or there are too many nodes.
    """
    found: dict[str, Instance] = {}
    for instance in _instances(workflow, workflow.root, None, ()):
        found[instance.key] = instance
        if len(found) > MAX_NODES:
            raise InputError(f"workflow: it has more than {MAX_NODES} nodes with those of its subgraphs")
    return found


def _instances(workflow: Workflow, graph: Graph, host: Instance | None, around: tuple[str, ...]) -> Iterator[Instance]:
    for node in graph.nodes.values():
        inside = workflow.subgraphs.get(node.kind)
        path = (*host.path, node.key) if host else (node.key,)
        instance = Instance(path, node, graph, host, inside)
        yield instance
        # The browser leaves out the nodes of a subgraph that does not run in the workflow itself only: switching one off in
        # the browser switches off its nodes too.
        if inside is None or (host is None and node.mode in (MUTED, BYPASSED)):
            continue
        if len(around) >= MAX_DEPTH:
            raise InputError(f"workflow: it has more than {MAX_DEPTH} subgraphs inside each other")
        if node.kind in around:
            raise InputError(f"workflow: {inside.name} contains itself ({instance}); {EXPORT}")
        yield from _instances(workflow, inside, instance, (*around, node.kind))


@dataclass(frozen=True, slots=True)
class Shown:
    """Values that a subgraph's node gives to widgets inside it."""

    inputs: Mapping[str, Any]
    """By the name of the subgraph's input."""
    widgets: Mapping[tuple[str, str], Any]
    """By number of the inner node, and widget."""


class Promotions:
    """Widgets inside subgraphs that the browser shows on the subgraph's node."""

    def __init__(self, workflow: Workflow, object_info: Mapping[str, Any]) -> None:
        self._subgraphs = workflow.subgraphs
        self._object_info = object_info
        self._shown: dict[str, Shown] = {}
        self._sources: dict[tuple[str, str], tuple[str, str] | None] = {}

    def of(self, host: Instance) -> Shown:
        """The values of one subgraph's node."""
        if host.key not in self._shown:
            self._shown[host.key] = self._find(host)
        return self._shown[host.key]

    def _find(self, host: Instance) -> Shown:
        node, inside = host.node, host.inside
        assert inside is not None
        sources = {port.name: self._source(inside, port) for port in inside.inputs}
        promoted = {name: source for name, source in sources.items() if source is not None}
        inputs: dict[str, Any] = {name: self._value(inside, *source) for name, source in promoted.items()}
        inputs.update(zip(inputs, node.values, strict=False))
        if node.named is not None:
            inputs.update({name: value for name, value in node.named.items() if name in inputs})
        widgets: dict[tuple[str, str], Any] = {}
        for place, (key, name) in enumerate(node.proxies):
            value = node.values[place] if place < len(node.values) else None
            self._set(inside, key, name, value, promoted, inputs, widgets)
        if host.host is not None:  # A node around it may show its widgets in turn.
            outer = self.of(host.host).widgets
            for name, (_, widget) in promoted.items():
                for shown in (name, widget):
                    inputs[name] = outer.get((node.key, shown), inputs[name])
        return Shown(inputs, widgets)

    def _set(
        self,
        inside: Graph,
        key: str,
        name: str,
        value: Any,
        promoted: Mapping[str, tuple[str, str]],
        inputs: dict[str, Any],
        widgets: dict[tuple[str, str], Any],
    ) -> None:
        """Enter the value of one shown widget. None means that the file has no value: the inner one counts."""
        bare = name
        while PREFIX.match(bare):
            bare = PREFIX.sub("", bare)
        names = [port for port, source in promoted.items() if source in ((key, name), (key, bare))]
        names = names or ([name] if key == "-1" and name in promoted else [])
        inner = inside.nodes.get(key)
        if names:
            inputs.update({names[0]: value} if value is not None else {})
        elif inner is not None and inner.kind == PRIMITIVE:
            value = primitive_value(inner) if value is None else value
            for link in inside.links.values():
                target = inside.nodes.get(link.target)
                if link.origin == key and target and 0 <= link.target_slot < len(target.inputs):
                    widgets[link.target, target.inputs[link.target_slot].name] = value
        elif inner is not None and value is not None:
            widgets[key, bare] = value

    def _source(self, graph: Graph, port: Port) -> tuple[str, str] | None:
        """Inner node and widget that an input of a subgraph is linked to; None if there is no widget."""
        place = (graph.key, port.name)
        if place not in self._sources:
            self._sources[place] = None  # Subgraphs inside themselves.
            self._sources[place] = self._find_source(graph, port)
        return self._sources[place]

    def _find_source(self, graph: Graph, port: Port) -> tuple[str, str] | None:
        for key in port.links:
            node = graph.nodes.get(graph.links[key].target) if key in graph.links else None
            slot = next((slot for slot in node.inputs if slot.link == key), None) if node else None
            if node is None or slot is None:
                continue
            inside = self._subgraphs.get(node.kind)
            if inside is not None:
                inner = next((inner for inner in inside.inputs if inner.name == slot.name), None)
                if inner is not None and self._source(inside, inner) is not None:
                    return node.key, slot.name
            elif slot.name in self._widgets(node):
                return node.key, slot.name
        return None

    def _value(self, graph: Graph, key: str, name: str) -> Any:
        """The value of a widget inside, before any node of a subgraph changes it."""
        node = graph.nodes[key]
        inside = self._subgraphs.get(node.kind)
        if inside is None:
            return self._widgets(node)[name]
        port = next(port for port in inside.inputs if port.name == name)
        source = self._source(inside, port)
        return self._value(inside, *source) if source else None

    def _widgets(self, node: Node) -> Mapping[str, Any]:
        return widget_values(node, self._object_info) if node.kind in self._object_info else {}


def primitive_value(node: Node) -> Any:
    """The value that a primitive gives to the widgets it is linked to."""
    return (node.named or {}).get("value", node.values[0] if node.values else None)
