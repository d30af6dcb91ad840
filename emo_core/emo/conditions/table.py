"""The conditions of EMO, in the order in which the network holds their encoders."""

from ..config import EMOConfig
from .audio import AudioCondition
from .audio_regions import AudioRegionsCondition
from .condition import Condition
from .emotion import EmotionCondition
from .face_region import FaceRegionCondition
from .guide import GuideCondition
from .identity import IdentityCondition
from .reference import ReferenceCondition
from .speed import SpeedCondition

CONDITIONS: tuple[Condition, ...] = (
    ReferenceCondition(),
    FaceRegionCondition(),
    AudioCondition(),
    AudioRegionsCondition(),
    IdentityCondition(),
    SpeedCondition(),
    EmotionCondition(),
    GuideCondition(),
)


def conditions_of(config: EMOConfig) -> tuple[Condition, ...]:
    """Those that a model has."""
    return tuple(condition for condition in CONDITIONS if condition.in_use(config))
