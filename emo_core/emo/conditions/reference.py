"""Reference: the portrait (paper section 3.2, "ReferenceNet").

Value: (B, C, H, W) latent. `ReferencePolicy` runs ReferenceNet, as its motion frames go through it in the same pass.
"""

from typing import Any

from torch import Tensor

from ..config import EMOConfig
from .condition import Condition, Scene


class ReferenceCondition(Condition):
    """The portrait's latent."""

    name = "reference"
    guided = True
    droppable = True

    def prepare(self, request: Any, scene: Scene) -> Tensor:
        return scene.encode(scene.crop.cut(scene.image))

    def default_scale(self, config: EMOConfig) -> float:
        return config.diffusion.reference_scale
