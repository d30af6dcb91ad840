"""Builder of subgraphs, and blockers."""

import itertools


def is_link(value):
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], (int, float))
    )


class ExecutionBlocker:
    def __init__(self, message):
        self.message = message


class Node:
    def __init__(self, id, class_type, inputs):
        self.id, self.class_type, self.inputs = id, class_type, inputs

    def out(self, index):
        return [self.id, index]


class GraphBuilder:
    numbers = itertools.count()

    def __init__(self):
        self.prefix = f"graph.{next(self.numbers)}."
        self.nodes = {}

    def node(self, class_type, **inputs):
        node = Node(f"{self.prefix}{len(self.nodes) + 1}", class_type, inputs)
        self.nodes[node.id] = node
        return node

    def finalize(self):
        return {key: {"class_type": node.class_type, "inputs": node.inputs} for key, node in self.nodes.items()}
