"""Convert a workflow of the browser (UI JSON) to a prompt of the server (API JSON), as the browser's own export does.

Widget values have positions in old UI JSON and names in API JSON. The server's `/object_info` gives the order of the names.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import InputError
from .graph import BYPASSED, EXPORT, MUTED, Node, Slot, read_workflow
from .links import Links, Output, Value
from .schema import WIDGETS, options_of, specs
from .subgraphs import NOTES, PRIMITIVE, REROUTE, Instance, Promotions, expand, primitive_value
from .texts import choose, fill
from .widgets import widget_values

__all__ = ["WIDGETS", "specs", "to_api"]

PREFIX = "filename_prefix"
HOSTS_OWN = ("nodes", "comfy_extras.")
"""Modules of the host's own nodes. Only in theirs the browser fills names of files."""


def to_api(content: Mapping[str, Any], object_info: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a workflow.

    Raises:
        InputError: if the workflow is damaged, the server does not have a node, or only the browser can convert it.
    """
    workflow = read_workflow(content)
    instances, promotions = expand(workflow), Promotions(workflow, object_info)
    converter = _Converter(instances, promotions, Links(instances, promotions, object_info), object_info)
    prompt = {key: converter.convert(item) for key, item in instances.items() if _runs(item)}
    return {key: {**node, "inputs": _linked(node["inputs"], prompt)} for key, node in prompt.items()}


def _runs(item: Instance) -> bool:
    node = item.node
    return item.inside is None and node.mode not in (MUTED, BYPASSED) and node.kind not in (*NOTES, REROUTE, PRIMITIVE)


@dataclass(frozen=True, slots=True)
class _Converter:
    instances: Mapping[str, Instance]
    promotions: Promotions
    links: Links
    object_info: Mapping[str, Any]

    def convert(self, item: Instance) -> dict[str, Any]:
        """One node of the prompt."""
        node = item.node
        if node.kind not in self.object_info:
            raise InputError(
                f"workflow: the server has no node {node.kind!r}; install its pack, or, if only the browser has it, "
                f"{EXPORT}"
            )
        info, slots = self.object_info[node.kind], self.links.slots(item)
        inputs = {name: _wrap(value, name, info) for name, value in self._own_values(item, slots).items()}
        for number, slot in enumerate(slots):
            source = self.links.source(item, number)
            if isinstance(source, Output):
                inputs[slot.name] = [source.key, source.slot]
            elif isinstance(source, Value):
                inputs[slot.name] = _wrap(source.value, slot.name, info)
        shown = self.promotions.of(item.host).widgets if item.host is not None else {}
        inputs |= {name: _wrap(value, name, info) for (key, name), value in shown.items() if key == node.key}
        return {"class_type": node.kind, "inputs": inputs, "_meta": {"title": self._title(node)}}

    def _own_values(self, item: Instance, slots: list[Slot]) -> dict[str, Any]:
        """Values of the widgets: saved ones, those of linked primitives, and texts as they are when a prompt is sent."""
        values, info = widget_values(item.node, self.object_info), self.object_info[item.node.kind]
        for slot in slots:
            link = item.graph.links.get(slot.link) if slot.link else None
            origin = item.graph.nodes.get(link.origin) if link else None
            if origin is not None and origin.kind == PRIMITIVE and slot.name in values:
                values[slot.name] = primitive_value(origin)
        for name, spec in specs(info):
            if options_of(spec).get("dynamicPrompts") is True and isinstance(values.get(name), str):
                values[name] = choose(values[name], random.Random())
        prefix, is_hosts = values.get(PREFIX), str(info.get("python_module")).startswith(HOSTS_OWN)
        if isinstance(prefix, str) and info.get("output_node") and is_hosts:
            values[PREFIX] = fill(prefix, datetime.now(), self._value)
        return values

    def _value(self, name: str, widget: str) -> Any:
        """The value of a widget of the first node with an alias or title; None for no such widget."""
        known = [item.node for item in self.instances.values() if item.node.kind in self.object_info]
        named = [node for node in known if node.alias == name] or [node for node in known if self._title(node) == name]
        return widget_values(named[0], self.object_info).get(widget) if named else None

    def _title(self, node: Node) -> str:
        return node.title or self.object_info[node.kind].get("display_name") or node.kind


def _wrap(value: Any, name: str, info: Mapping[str, Any]) -> Any:
    """A list as an object, because a plain list is a link."""
    if not isinstance(value, list):
        return value
    is_curve = any(info["input"].get(group, {}).get(name, [""])[0] == "CURVE" for group in ("required", "optional"))
    return {"__type__": "CURVE", "__value__": value} if is_curve else {"__value__": value}


def _linked(inputs: Mapping[str, Any], prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs without links to nodes that are left out."""
    return {name: value for name, value in inputs.items() if not isinstance(value, list) or value[0] in prompt}
