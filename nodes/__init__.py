"""The ComfyUI nodes: adapters between the host's sockets and `emo_core`, which knows nothing of the host.

Schemas are read when the host starts, the model's code only when a node runs: what a menu does not need is imported inside
`execute`.
"""

from comfy_api.latest import ComfyExtension, io

from .emo.audio import LoadAudioWav2Vec
from .emo.chain import MotionFrameChainer
from .emo.face import FaceLocatorMask
from .emo.folders import register_folders
from .emo.loader import EMOModelLoader
from .emo.paste import EMOPasteBack
from .emo.sampler import EMOSampler
from .emo.speed import SpeedCondition

NODES: list[type[io.ComfyNode]] = [
    EMOModelLoader,
    LoadAudioWav2Vec,
    FaceLocatorMask,
    SpeedCondition,
    EMOSampler,
    MotionFrameChainer,
    EMOPasteBack,
]


class EmoExtension(ComfyExtension):
    """What the host asks for after importing the pack."""

    def __init__(self) -> None:
        register_folders()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The nodes, in the order of the menu."""
        return NODES
