"""EMO, composed: ReferenceNet, Backbone and the encoders of the conditions (the paper's overview figure).

Shape legend: B clips, F frames, C latent channels, H W latent side.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..conditions.clip import Conditions
from ..conditions.condition import Condition
from ..conditions.guide import guide_of
from ..conditions.table import conditions_of
from ..config import EMOConfig
from .attention import TORCH, Layers
from .backbone import Backbone, BackboneSite
from .context import ClipContext, SiteContext
from .policies import policy_of
from .reference_net import ReferenceNet


class EMO(nn.Module):
    """The whole network, without autoencoder and wav2vec."""

    def __init__(self, config: EMOConfig, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.config = config
        self.policy = policy_of(config)
        self.conditions = conditions_of(config)
        self.reference_net = ReferenceNet(config, self.policy, ops=ops)
        self.backbone = Backbone(config, self.policy, ops=ops)
        for condition in self.conditions:
            encoder = condition.build(config, ops)
            if encoder is not None:
                self.add_module(condition.module_name, encoder)

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Trade time for memory in training: recompute each site's activations in the backward pass."""
        self.reference_net.gradient_checkpointing = enabled
        self.backbone.gradient_checkpointing = enabled

    def context(self, conditions: Conditions) -> ClipContext:
        """Compute, once per clip, the inputs of all denoising steps."""
        features = {
            condition.name: condition.encode(self._encoder(condition), value)
            for condition in self.conditions
            if condition.name != "reference" and (value := self._value(condition, conditions)) is not None
        }
        without = {
            condition.name: condition.without(self._encoder(condition), features[condition.name])
            for condition in self.conditions
            if self.config.diffusion.guidance == "joint" and condition.name in features
        }
        references = self.policy.references(self.reference_net, conditions, features, without)
        context = self._clip_context(references.tokens, references.motion, features)
        context = replace(context, guide=guide_of(conditions, self.config))
        if not without:
            return context
        # The motion frames stay in the pass without conditions.
        no_reference = [None] * len(references.tokens)
        return context.with_unconditional(self._clip_context(no_reference, references.motion_without, without))

    def forward(self, noisy: Tensor, timesteps: Tensor, context: ClipContext) -> Tensor:
        """Predict epsilon, v or x_0 for noisy latents (B, F, C, H, W) at timesteps (B,)."""
        return self.backbone.denoise(noisy, timesteps, context)

    def _value(self, condition: Condition, conditions: Conditions) -> Any:
        value = conditions[condition.name]
        return condition.missing(conditions["reference"], self.config) if value is None else value

    def _encoder(self, condition: Condition) -> nn.Module | None:
        return getattr(self, condition.module_name) if condition.module_name else None

    def _clip_context(
        self, references: list[Tensor | None], motion: list[Tensor | None], features: Mapping[str, Any]
    ) -> ClipContext:
        present = [condition for condition in self.conditions if condition.name in features]

        def site_context(index: int, site: BackboneSite) -> SiteContext:
            reference = references[index]
            values = {} if reference is None else {"reference": site.spatial.block.reference_keys_values(reference)}
            values |= {condition.name: condition.at_site(site, features[condition.name]) for condition in present}
            return SiteContext(motion[index], {name: value for name, value in values.items() if value is not None})

        maps = {condition.name: condition.added_map(features[condition.name]) for condition in present}
        return ClipContext(
            self.backbone.contexts(site_context), {name: value for name, value in maps.items() if value is not None}
        )
