"""The graph around a running node. `dynprompt` is the host's DynamicPrompt: the user's prompt and the expansions so far."""

from collections.abc import Iterator
from typing import Any

from comfy_execution.graph_utils import is_link

import nodes  # The host's registry.


def depends_on_list(dynprompt: Any, key: str) -> bool:
    """Whether any node upstream of node `key` outputs lists."""
    waiting, visited = [key], {key}
    while waiting:
        for source, _ in _links(dynprompt, waiting.pop()):
            if source in visited:
                continue
            visited.add(source)
            waiting.append(source)
            if any(getattr(_kind(dynprompt, source), "OUTPUT_IS_LIST", None) or ()):
                return True
    return False


def consumer_of(dynprompt: Any, key: str, slot: int) -> str | None:
    """The type of a node that reads output `slot` of node `key` and leads to an output node; None if there is none.

    The host does not run nodes that lead to no output node.
    """
    readers: dict[str, list[str]] = {}
    direct = []
    for reader in sorted(dynprompt.all_node_ids()):
        for source, output in _links(dynprompt, reader):
            readers.setdefault(source, []).append(reader)
            if (source, output) == (key, slot):
                direct.append(reader)
    needed = (reader for reader in direct if _leads_to_output(dynprompt, reader, readers))
    return next((dynprompt.get_node(reader)["class_type"] for reader in needed), None)


def _leads_to_output(dynprompt: Any, key: str, readers: dict[str, list[str]]) -> bool:
    waiting, visited = [key], {key}
    while waiting:
        node = waiting.pop()
        if getattr(_kind(dynprompt, node), "OUTPUT_NODE", False):
            return True
        new = [reader for reader in readers.get(node, ()) if reader not in visited]
        visited.update(new)
        waiting.extend(new)
    return False


def _links(dynprompt: Any, key: str) -> Iterator[tuple[str, int]]:
    return (tuple(value) for value in dynprompt.get_node(key)["inputs"].values() if is_link(value))


def _kind(dynprompt: Any, key: str) -> type | None:
    return nodes.NODE_CLASS_MAPPINGS.get(dynprompt.get_node(key)["class_type"])
