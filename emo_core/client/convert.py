"""Convert a workflow of the browser (UI JSON) to a prompt of the server (API JSON), as the browser's own export does.

Widget values have positions in old UI JSON and names in API JSON. The server's `/object_info` gives the order of the names.
"""

import random
from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from .graph import BYPASSED, EXPORT, MUTED, Slot, read_workflow
from .links import Links, Output, Value
from .schema import WIDGETS, options_of, specs
from .subgraphs import NOTES, PRIMITIVE, REROUTE, Instance, Promotions, expand, primitive_value
from .texts import choose
from .widgets import widget_values

__all__ = ["WIDGETS", "specs", "to_api"]


def to_api(content: Mapping[str, Any], object_info: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a workflow.

    Raises:
        InputError: if the workflow is damaged, the server does not have a node, or only the browser can convert it.
    """
    workflow = read_workflow(content)
    instances = expand(workflow)
    promotions = Promotions(workflow, object_info)
    links = Links(instances, promotions, object_info)
    prompt = {
        key: _convert(item, links, promotions, object_info) for key, item in instances.items() if _runs(item)
    }  # fmt: skip
    return {key: {**node, "inputs": _linked(node["inputs"], prompt)} for key, node in prompt.items()}


def _runs(item: Instance) -> bool:
    node = item.node
    return item.inside is None and node.mode not in (MUTED, BYPASSED) and node.kind not in (*NOTES, REROUTE, PRIMITIVE)


def _convert(item: Instance, links: Links, promotions: Promotions, object_info: Mapping[str, Any]) -> dict[str, Any]:
    node = item.node
    if node.kind not in object_info:
        raise InputError(
            f"workflow: the server has no node {node.kind!r}; install its pack, or, if only the browser has it, {EXPORT}"
        )
    info, slots = object_info[node.kind], links.slots(item)
    values = _own_values(item, slots, object_info)
    inputs = {name: _wrap(value, name, info) for name, value in values.items()}
    for number, slot in enumerate(slots):
        source = links.source(item, number)
        if isinstance(source, Output):
            inputs[slot.name] = [source.key, source.slot]
        elif isinstance(source, Value):
            inputs[slot.name] = _wrap(source.value, slot.name, info)
    if item.host is not None:
        for (key, name), value in promotions.of(item.host).widgets.items():
            if key == node.key:
                inputs[name] = _wrap(value, name, info)
    return {
        "class_type": node.kind,
        "inputs": inputs,
        "_meta": {"title": node.title or info.get("display_name") or node.kind},
    }


def _own_values(item: Instance, slots: list[Slot], object_info: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the widgets: saved ones, those of linked primitives, and the choice in texts with alternatives."""
    values = widget_values(item.node, object_info)
    for slot in slots:
        link = item.graph.links.get(slot.link) if slot.link else None
        origin = item.graph.nodes.get(link.origin) if link else None
        if origin is not None and origin.kind == PRIMITIVE and slot.name in values:
            values[slot.name] = primitive_value(origin)
    for name, spec in specs(object_info[item.node.kind]):
        if options_of(spec).get("dynamicPrompts") is True and isinstance(values.get(name), str):
            values[name] = choose(values[name], random.Random())
    return values


def _wrap(value: Any, name: str, info: Mapping[str, Any]) -> Any:
    """A list as an object, because a plain list is a link."""
    if not isinstance(value, list):
        return value
    is_curve = any(info["input"].get(group, {}).get(name, [""])[0] == "CURVE" for group in ("required", "optional"))
    return {"__type__": "CURVE", "__value__": value} if is_curve else {"__value__": value}


def _linked(inputs: Mapping[str, Any], prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs without links to nodes that are left out."""
    return {name: value for name, value in inputs.items() if not isinstance(value, list) or value[0] in prompt}
