"""The core's errors as the host shows them."""

from typing import Any

from comfy_api.latest import io

from ...emo_core.errors import EmoError


def with_plain_errors(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """The node, with the core's errors as Python's own.

    The host writes an error's module before its message, and a pack's modules are named by their path on the disk. Only
    Python's own exceptions are shown without it.
    """

    @classmethod
    def execute(cls: type, *values: Any, **inputs: Any) -> io.NodeOutput:
        try:
            return node.execute.__func__(cls, *values, **inputs)
        except EmoError as error:
            plain = ValueError if isinstance(error, ValueError) else RuntimeError
            raise plain(str(error)) from error

    members = {"execute": execute, "__module__": node.__module__, "__doc__": node.__doc__}
    return type(node.__name__, (node,), members)
