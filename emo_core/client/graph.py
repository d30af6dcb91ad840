"""Read a workflow of the browser (UI JSON) into checked values: nodes, links and subgraphs.

Both of the browser's forms are read: links as lists (version 0.4) and links as objects (version 1, and inside subgraphs).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..errors import InputError

OUTSIDE = "-10"
"""Number of the node from which a subgraph's inputs come, in links of the subgraph."""
MUTED, BYPASSED = 2, 4
"""Values of `mode` for nodes that do not run."""
EXPORT = "export it from the browser (Workflow, Export (API)) and give that file"


@dataclass(frozen=True, slots=True)
class Slot:
    """An input of a node."""

    name: str
    kind: str
    link: str | None = None
    widget: str | None = None
    """Name of its widget; None for a plain socket."""


@dataclass(frozen=True, slots=True)
class Link:
    """A connection inside one graph."""

    origin: str
    """Number of the node, or `OUTSIDE`."""
    slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a subgraph, with the links to it inside."""

    name: str
    kind: str
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the browser saved it."""

    key: str
    kind: str
    title: str | None
    alias: str | None
    """The name by which texts refer to the node ("Node name for S&R")."""
    mode: int
    inputs: tuple[Slot, ...]
    outputs: tuple[str, ...]
    """Types."""
    values: tuple[Any, ...]
    """Widget values by position."""
    named: Mapping[str, Any] | None
    """Widget values by name, where the browser saved them."""
    proxies: tuple[tuple[str, str], ...]
    """Widgets inside a subgraph that its node shows: number of the inner node, and widget. `values` has their values."""

    def __str__(self) -> str:
        return f"node {self.key} ({' '.join((self.title or self.kind).split())})"


@dataclass(frozen=True, slots=True)
class Graph:
    """A workflow, or a subgraph."""

    key: str
    """The type of the nodes that stand for it; empty for the workflow."""
    name: str
    """For messages."""
    nodes: Mapping[str, Node]
    links: Mapping[str, Link]
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow, and the subgraphs that its nodes may name as their type."""

    root: Graph
    subgraphs: Mapping[str, Graph]


def is_ui(workflow: Any) -> bool:
    """Whether the JSON is a UI workflow."""
    return isinstance(workflow, dict) and isinstance(workflow.get("nodes"), list)


def read_workflow(content: Mapping[str, Any]) -> Workflow:
    """Check a workflow's JSON.

    Raises:
        InputError: if a part has another form; the message names it.
    """
    root = _graph(content, "", "workflow")
    numbers = _Numbers(content, root)
    subgraphs: dict[str, Graph] = {}
    _read_definitions(content, subgraphs, numbers, 0)
    return Workflow(numbers.follow(root), {key: numbers.follow(graph) for key, graph in subgraphs.items()})


def _read_definitions(content: Mapping[str, Any], into: dict[str, Graph], numbers: "_Numbers", depth: int) -> None:
    if depth > 20:
        raise InputError(f"workflow: its subgraphs are defined inside each other more than 20 times; {EXPORT}")
    definitions = _take(content, "definitions", dict, "workflow", {})
    for item in _take(definitions, "subgraphs", list, "workflow: definitions", []):
        subgraph = _is(item, dict, "workflow: a subgraph")
        key = _text(subgraph, "id", "workflow: a subgraph")
        name = f"subgraph {subgraph.get('name') or key!r:.80}"
        into[key] = _graph(subgraph, key, name, partial(numbers.new, key))
        _read_definitions(subgraph, into, numbers, depth + 1)


class _Numbers:
    """Numbers of nodes. The browser gives new ones to a subgraph's nodes whose numbers are used elsewhere."""

    def __init__(self, content: Mapping[str, Any], root: Graph) -> None:
        state = content.get("state")
        last = content.get("last_node_id", state.get("lastNodeId") if isinstance(state, dict) else None)
        self._last = last if isinstance(last, int) else 0
        self._used = {key for key in root.nodes if key.isdecimal()}
        self._moved: dict[str, dict[str, str]] = {}

    def new(self, subgraph: str, keys: list[str]) -> list[str]:
        """The numbers of a subgraph's nodes."""
        moved = self._moved.setdefault(subgraph, {})
        numbers = []
        for key in keys:
            number = key
            if key in self._used:
                self._last += 1
                while str(self._last) in self._used:
                    self._last += 1
                number = moved[key] = str(self._last)
            elif key.isdecimal():
                self._last = max(self._last, int(key[:15]))
            self._used.add(number)
            numbers.append(number)
        return numbers

    def follow(self, graph: Graph) -> Graph:
        """Change the numbers in the lists of shown widgets."""
        nodes = {}
        for key, node in graph.nodes.items():
            moved = self._moved.get(node.kind, {})
            nodes[key] = replace(node, proxies=tuple((moved.get(inner, inner), name) for inner, name in node.proxies))
        return replace(graph, nodes=nodes)


def _graph(
    content: Mapping[str, Any], graph: str, name: str, renumber: Callable[[list[str]], list[str]] = list
) -> Graph:
    nodes = [_node(item, name) for item in _take(content, "nodes", list, name)]
    links = dict(_link(item, name) for item in _take(content, "links", list, name) if item is not None)
    ports = [
        tuple(_port(item, name) for item in (_take(content, side, list, name, []) if graph else []))
        for side in ("inputs", "outputs")
    ]
    keys = renumber([node.key for node in nodes])
    moved = {node.key: key for node, key in zip(nodes, keys, strict=True) if node.key != key}
    return Graph(
        graph,
        name,
        {key: replace(node, key=key) for node, key in zip(nodes, keys, strict=True)},
        {
            key: replace(link, origin=moved.get(link.origin, link.origin), target=moved.get(link.target, link.target))
            for key, link in links.items()
        },
        *ports,
    )


def _node(item: Any, graph: str) -> Node:
    content = _is(item, dict, f"{graph}: a node")
    key = _text(content, "id", f"{graph}: a node")
    name = f"{graph}: node {key}"
    kind = _text(content, "type", name)
    values, named = content.get("widgets_values"), content.get("widgets_values_named")
    if isinstance(values, dict):  # Packs that save by name.
        values, named = [], {**values, **(named if isinstance(named, dict) else {})}
    title, properties = content.get("title"), content.get("properties")
    alias = properties.get("Node name for S&R") if isinstance(properties, dict) else None
    return Node(
        key=key,
        kind=kind,
        title=title if isinstance(title, str) and title else None,
        alias=alias if isinstance(alias, str) else None,
        mode=_take(content, "mode", int, name, 0),
        inputs=tuple(_slot(slot, name) for slot in _take(content, "inputs", list, name, [])),
        outputs=tuple(_kind(slot, name) for slot in _take(content, "outputs", list, name, [])),
        values=tuple(_is(values, list, f"{name}: widgets_values")) if values is not None else (),
        named=named if isinstance(named, dict) else None,
        proxies=_proxies(properties),
    )


def _slot(item: Any, node: str) -> Slot:
    content = _is(item, dict, f"{node}: an input")
    widget, link = content.get("widget"), content.get("link")
    widget_name = widget.get("name") if isinstance(widget, dict) else None
    name = _is(content.get("name"), str, f"{node}: the name of an input")
    return Slot(
        name=name,
        kind=_kind(content, node),
        link=None if link is None else _number(link, f"{node}: input {name!r}: link"),
        widget=widget_name if isinstance(widget_name, str) else None,
    )


def _port(item: Any, graph: str) -> Port:
    content = _is(item, dict, f"{graph}: an input or output")
    links = _take(content, "linkIds", list, graph, [])
    return Port(
        name=_is(content.get("name"), str, f"{graph}: the name of an input or output"),
        kind=_kind(content, graph),
        links=tuple(_number(link, f"{graph}: linkIds") for link in links),
    )


def _link(item: Any, graph: str) -> tuple[str, Link]:
    where = f"{graph}: a link"
    if isinstance(item, dict):
        parts = [item.get(name) for name in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
    else:
        parts = _is(item, list, where)
    if len(parts) < 5:
        raise InputError(f"{where}: got {item!r:.80}; expected number, node, output, node, input; {EXPORT}")
    key, origin, slot, target, target_slot = parts[:5]
    link = Link(
        _number(origin, where), _is(slot, int, where), _number(target, where),
        target_slot if isinstance(target_slot, int) else -1,
    )  # fmt: skip
    return _number(key, where), link


def _proxies(properties: Any) -> tuple[tuple[str, str], ...]:
    """Entries of another form are ignored, as the browser does."""
    entries = properties.get("proxyWidgets") if isinstance(properties, dict) else None
    if not isinstance(entries, list) or not all(
        isinstance(entry, list) and len(entry) in (2, 3) and all(isinstance(part, str) for part in entry)
        for entry in entries
    ):
        return ()
    return tuple((entry[0], entry[1]) for entry in entries)


def _kind(slot: Any, where: str) -> str:
    """The type of a socket. The older form of a menu is a list."""
    kind = _is(slot, dict, f"{where}: an input or output").get("type")
    return "COMBO" if isinstance(kind, list) else "*" if kind is None else str(kind)


def _number(value: Any, where: str) -> str:
    """Numbers of nodes and links are whole numbers or texts."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise InputError(f"{where}: got {value!r:.80}; expected a number; {EXPORT}")
    return str(value)


def _text(content: Mapping[str, Any], key: str, where: str) -> str:
    if key not in content:
        raise InputError(f"{where} has no {key!r}; {EXPORT}")
    return _number(content[key], f"{where}: {key}")


def _take(content: Mapping[str, Any], key: str, kind: type, where: str, default: Any = None) -> Any:
    value = content.get(key)
    return default if value is None and default is not None else _is(value, kind, f"{where}: {key}")


def _is(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = {dict: "an object", list: "a list", int: "a whole number", str: "a text"}
        raise InputError(f"{where}: got {value!r:.80}; expected {names[kind]}; {EXPORT}")
    return value
