"""The ComfyUI nodes: adapters between the host's sockets and `emo_core`, which does not know the host.

`host/` is shared by all nodes; every other folder holds the nodes of one model. The host reads the schemas when it starts
and runs nodes later, so modules that a schema does not need are imported inside `execute`.
"""

from comfy_api.latest import ComfyExtension, io

from . import avatar, emo, portrait
from .avatar.folders import register_avatars
from .emo.examples import serve_examples
from .emo.folders import register_folders
from .host.errors import with_plain_errors

NODES: list[type[io.ComfyNode]] = [with_plain_errors(node) for node in (*emo.NODES, *portrait.NODES, *avatar.NODES)]


class NodePack(ComfyExtension):
    """The extension that the pack's entry point hands to the host."""

    def __init__(self) -> None:
        register_folders()
        register_avatars()
        serve_examples()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The nodes, in the order of the menu."""
        return NODES
