"""The nodes of EMO: one node per file. The list is the order of the menu."""

from comfy_api.latest import io

from .audio import LoadAudioWav2Vec
from .chain import MotionFrameChainer
from .face import FaceLocatorMask
from .guide import EMOGuide
from .loader import EMOModelLoader
from .paste import EMOPasteBack
from .sampler import EMOSampler
from .speed import SpeedCondition

NODES: list[type[io.ComfyNode]] = [
    EMOModelLoader,
    LoadAudioWav2Vec,
    FaceLocatorMask,
    SpeedCondition,
    EMOGuide,
    EMOSampler,
    MotionFrameChainer,
    EMOPasteBack,
]
