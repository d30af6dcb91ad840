"""The nodes of face motion and of the portrait that wears it: one node per file. The list is the order of the menu."""

from comfy_api.latest import io

from .adjust import AdjustFaceMotion
from .animate import AnimatePortrait
from .emotion import EmotionCondition
from .every_emotion import EveryEmotion
from .export import ExportFaceMotion
from .film import FaceMotionFromVideo
from .grid import VideoGrid
from .load import LoadFaceMotion
from .preview import PreviewFaceMotion
from .save import SaveFaceMotion
from .speech import SpeechToFaceMotion
from .voice_emotion import EmotionFromVoice

NODES: list[type[io.ComfyNode]] = [
    SpeechToFaceMotion,
    FaceMotionFromVideo,
    EmotionCondition,
    EmotionFromVoice,
    EveryEmotion,
    AdjustFaceMotion,
    AnimatePortrait,
    VideoGrid,
    PreviewFaceMotion,
    SaveFaceMotion,
    LoadFaceMotion,
    ExportFaceMotion,
]
