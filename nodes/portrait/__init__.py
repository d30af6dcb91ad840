"""The nodes of face motion and of the portrait that wears it: one node per file. The list is the order of the menu."""

from comfy_api.latest import io

from .adjust import AdjustFaceMotion
from .animate import AnimatePortrait
from .film import FaceMotionFromVideo
from .load import LoadFaceMotion
from .preview import PreviewFaceMotion
from .save import SaveFaceMotion
from .speech import SpeechToFaceMotion

NODES: list[type[io.ComfyNode]] = [
    SpeechToFaceMotion,
    FaceMotionFromVideo,
    AdjustFaceMotion,
    AnimatePortrait,
    PreviewFaceMotion,
    SaveFaceMotion,
    LoadFaceMotion,
]
