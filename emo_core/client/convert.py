"""A workflow as the browser saves it (UI JSON, version 0.4) -> the prompt that the server runs (API JSON).

Widget values are positional in the one and named in the other; which is which, only the server's `/object_info` knows.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InputError

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
"""Input types that are widgets in the browser; a list instead of a name is an older menu."""
NOTES = ("Note", "MarkdownNote")
MUTED, BYPASSED = 2, 4
"""Values of `mode` for nodes that do not run."""
SEED_CONTROLS = ("fixed", "increment", "decrement", "randomize")
"""What the browser's extra widget behind a seed holds."""


def is_ui(workflow: Any) -> bool:
    """Whether it is a UI workflow."""
    return isinstance(workflow, dict) and isinstance(workflow.get("nodes"), list)


def to_api(workflow: Mapping[str, Any], object_info: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a workflow.

    Raises:
        InputError: for nodes that the server does not know, bypassed ones, and widgets that do not fit its schemas.
    """
    nodes = {
        str(node["id"]): node for node in workflow["nodes"] if node["type"] not in NOTES and node.get("mode") != MUTED
    }
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    return {key: _node(node, links, nodes, object_info) for key, node in nodes.items()}


def _node(
    node: Mapping[str, Any],
    links: Mapping[int, list],
    nodes: Mapping[str, Any],
    object_info: Mapping[str, Any],
) -> dict[str, Any]:
    kind, title = node["type"], node.get("title")
    if kind not in object_info:
        raise InputError(
            f"workflow: the server has no node {kind!r}; install the pack that brings it, or remove the node"
        )
    if node.get("mode") == BYPASSED:
        raise InputError(f"workflow: node {title or kind!r} is bypassed; export it as API JSON in the browser instead")
    inputs = dict(_widgets(node, object_info[kind]))
    for socket in node.get("inputs") or []:
        source = links.get(socket.get("link"))
        if source is not None and source[0] in nodes:
            inputs[socket["name"]] = source
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title or object_info[kind]["display_name"]}}


def _widgets(node: Mapping[str, Any], info: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values of a node's widgets."""
    values = iter(node.get("widgets_values") or [])
    for name, spec in specs(info):
        kind, options = spec[0], spec[1] if len(spec) > 1 else {}
        if not (isinstance(kind, list) or kind in WIDGETS) or options.get("forceInput"):
            continue
        value = next(values, None)
        if value is None:
            raise InputError(
                f"workflow: node {node['type']} has fewer values than widgets; open and save it in the browser"
            )
        yield name, value
        if options.get("control_after_generate"):
            control = next(values, None)
            if control not in SEED_CONTROLS:
                raise InputError(
                    f"workflow: node {node['type']}: behind {name} came {control!r}, not what happens to the seed"
                )


def specs(info: Mapping[str, Any]) -> Iterator[tuple[str, list]]:
    """Inputs of a node in `/object_info`, required ones first: name and [type, options]."""
    for group in ("required", "optional"):
        yield from info["input"].get(group, {}).items()
