"""Draw the samples of a stage: frames, conditions, noise, timesteps and drops, for all of a batch at once.

There is one way to draw, from clips on any device: `batches` reads a few clips from shards, `on_device` holds all of them.

Shape legend: B samples, F target frames, M motion frames, C h w latent, T frames of all clips.
"""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from ...dataset.emotion_labels import emotions_of
from ...dataset.shards import Clip
from ...media.sound import prepare_sound
from ..conditions.audio import window_frames
from ..conditions.drawing import Chance, Draw, TrainingClips
from ..conditions.table import conditions_of
from ..config import EMOConfig
from ..sampling.schedule import sampled_timesteps
from .batch import Batch
from .references import lenders
from .stages import StageConfig

MOUTH_MARGIN = 0.5
"""The mouth region reaches this share of the mouth's width beyond the lips on every side."""
HIGH_NOISE = 0.4
"""Share of the timesteps, from the cleanest on, that are left out of high-noise samples."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws batches of a stage for a model."""

    config: EMOConfig
    stage: StageConfig

    @property
    def frames(self) -> int:
        """F."""
        return self.stage.frames or self.config.temporal.frames

    def left_out(self, step: int) -> frozenset[str]:
        """Conditions whose layers a step leaves out. All processes agree, as it depends on seed and step alone."""
        rng = np.random.default_rng([self.stage.seed, step])
        droppable = [
            c.name for c in conditions_of(self.config) if c.layer_droppable and c.name in self.stage.conditions
        ]
        return frozenset(name for name in droppable if rng.random() < self.stage.drop.get(name, 0.0))

    def draw(
        self,
        clips: TrainingClips,
        clip: Tensor,
        chance: Chance,
        *,
        left_out: Set[str] = frozenset(),
        keys: tuple[str, ...] = (),
    ) -> Batch:
        """Draw one sample from each of the clips with numbers `clip` (B,)."""
        stage, count, n = self.stage, len(clip), self.config.temporal.motion_frames if self.stage.follow else 0
        targets = self._targets(clips, clip, chance)
        draw = Draw(clips=clips, clip=clip, targets=targets, chance=chance, config=self.config, stage=stage)
        lender, reference = self._reference(draw)
        motion = targets[:, :1] - n + torch.arange(n, device=clip.device)
        rows = torch.cat([reference[:, None], draw.starts[:, None] + torch.cat([motion.clamp(min=0), targets], 1)], 1)
        target_rows = draw.starts[:, None] + targets
        uses_audio = "audio" in stage.conditions and clips.features is None
        begins = (targets[:, 0] < n) | chance.happens(count, stage.start)
        latent = (self.config.vae.channels, self.config.latent_size, self.config.latent_size)
        return Batch(
            keys=keys,
            latents=None if clips.latents is None else clips.latents[rows].float(),
            pictures=None if clips.latents is not None else clips.pictures[rows],
            conditions=self._conditions(draw, left_out),
            keep=self._keep(draw),
            sounds=tuple(clips.sounds[number] for number in clip.tolist()) if uses_audio else None,
            windows=window_frames(draw) if uses_audio else None,
            weight=self._weight(clips.mouths[target_rows]),
            mouths=clips.mouths[target_rows],
            openings=clips.openings[target_rows],
            noise=self._noise((count, self.frames, *latent), chance),
            timesteps=self._timesteps(count, chance),
            motion_known=~begins & bool(n),
            motion_noise=chance.normal(count, n, *latent) if n else None,
            motion_level=_per_sample(chance.uniform(count) * stage.motion_noise),
            motion_keep=self._motion_keep((count, n, 1, *latent[1:]), chance) if n else None,
            motion_anchor=_per_sample(stage.motion_anchor * chance.uniform(count)),
            other_reference=lender != clip,
        )

    def _targets(self, clips: TrainingClips, clip: Tensor, chance: Chance) -> Tensor:
        """(B, F) numbers of target frames in their clip: in a row, or single frames in any order."""
        lengths, count = clips.lengths[clip], len(clip)
        if not self.stage.follow:
            return (chance.uniform(count, self.frames) * lengths[:, None]).long()
        first = (chance.uniform(count) * (lengths - self.frames + 1)).long()
        return first[:, None] + torch.arange(self.frames, device=clip.device)

    def _reference(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """(B,) clip that the reference is of, and (B,) its row.

        It is a frame at a distance from all targets, any of the farthest if none is far enough.
        """
        clips, device = draw.clips, draw.clip.device
        choices = clips.references[draw.clip]
        number = (draw.chance.uniform(len(draw.clip), 1) * choices.shape[1]).long()
        lender = choices.gather(1, number)[:, 0]
        frames = torch.arange(int(draw.lengths.max()), device=device)
        away = (frames[None, :, None] - draw.targets[:, None]).abs().amin(-1)  # (B, longest)
        away = away.masked_fill(frames[None] >= draw.lengths[:, None], -1)
        gap = round(self.stage.reference_gap * self.config.fps)
        far = away >= away.amax(1, keepdim=True).clamp(max=gap)
        frame = (draw.chance.uniform(*far.shape) * far).argmax(1)
        return lender, clips.starts[lender] + torch.minimum(frame, clips.lengths[lender] - 1)

    def _conditions(self, draw: Draw, left_out: Set[str]) -> dict[str, Tensor]:
        drawn = {
            condition.name: condition.draw(draw)
            for condition in conditions_of(self.config)
            if condition.name in self.stage.conditions and condition.name not in left_out
        }
        return {name: value for name, value in drawn.items() if value is not None}

    def _keep(self, draw: Draw) -> dict[str, Tensor]:
        """(B,) for every condition that is dropped clip by clip."""
        count = len(draw.clip)
        return {
            condition.name: (~draw.chance.happens(count, self.stage.drop.get(condition.name, 0.0))).float()
            for condition in conditions_of(self.config)
            if condition.droppable and condition.name in self.stage.conditions
        }

    def _weight(self, mouths: Tensor) -> Tensor:
        """Boxes (B, F, 4) to weights (B, F, 1, h, w), heavier around the mouth."""
        side = self.config.latent_size
        left, top, right, bottom = mouths.unbind(-1)
        margin = MOUTH_MARGIN * (right - left)
        middle = (torch.arange(side, device=mouths.device) + 0.5) / side
        x = (middle > (left - margin)[..., None]) & (middle < (right + margin)[..., None])
        y = (middle > (top - margin)[..., None]) & (middle < (bottom + margin)[..., None])
        mouth = rearrange(y, "b f h -> b f 1 h 1") & rearrange(x, "b f w -> b f 1 1 w")
        return 1 + (self.stage.mouth_weight - 1) * mouth.float()

    def _noise(self, shape: tuple[int, ...], chance: Chance) -> Tensor:
        """As the sampler draws it, with a share common to all frames, and an offset per channel."""
        shared, (count, _, *latent) = self.config.diffusion.shared_noise, shape
        offset = self.stage.noise_offset * chance.normal(count, 1, latent[0], 1, 1)
        return shared**0.5 * chance.normal(count, 1, *latent) + (1 - shared) ** 0.5 * chance.normal(*shape) + offset

    def _timesteps(self, count: int, chance: Chance) -> Tensor:
        total = self.config.diffusion.train_timesteps
        low = chance.happens(count, self.stage.high_noise) * round(HIGH_NOISE * total)
        drawn = (low + chance.uniform(count) * (total - low)).long()
        if not self.stage.sampler_timesteps:
            return drawn
        own = torch.tensor(sampled_timesteps(self.config.diffusion), device=drawn.device)
        chosen = own[(chance.uniform(count) * len(own)).long()]
        return torch.where(chance.happens(count, self.stage.sampler_timesteps), chosen, drawn)

    def _motion_keep(self, shape: tuple[int, ...], chance: Chance) -> Tensor:
        lost = _per_sample(chance.uniform(shape[0]) * self.stage.motion_patch_drop)
        return (chance.uniform(*shape) >= lost).float()


def _per_sample(values: Tensor) -> Tensor:
    return rearrange(values, "b -> b 1 1 1 1")


def training_clips(clips: list[Clip]) -> TrainingClips:
    """Put clips end to end, with latents and features if they are cached, else with pictures and sounds.

    Raises:
        ValueError: if clips have unequal numbers of sounds.
        InputError: if a clip's emotions are of another shape.
    """
    lengths = torch.tensor([clip.frames for clip in clips])
    starts, cached = lengths.cumsum(0) - lengths, clips[0].latents is not None
    with_features = clips[0].features is not None
    return TrainingClips(
        starts=starts,
        lengths=lengths,
        share=torch.ones(len(clips)),
        references=lenders(clips),
        boxes=torch.stack([union_box(clip.labels.boxes) for clip in clips]),
        mouths=_end_to_end([clip.labels.mouths for clip in clips]).float(),
        openings=_end_to_end([clip.labels.opening for clip in clips]).float(),
        speed=_end_to_end([clip.labels.speed for clip in clips]).float(),
        emotions=_end_to_end([emotions_of(clip.labels) for clip in clips]),
        latents=_end_to_end([clip.latents for clip in clips]) if cached else None,
        pictures=None if cached else rearrange(_end_to_end([clip.pictures() for clip in clips]), "f h w c -> f c h w"),
        features=_end_to_end([clip.features for clip in clips], 1) if with_features else None,
        feature_starts=starts if with_features else None,
        sounds=None
        if with_features
        else tuple(torch.from_numpy(prepare_sound(clip.sound(), clip.key).waveform) for clip in clips),
    )


def union_box(boxes: np.ndarray) -> Tensor:
    """(F, 4) face boxes to the (4,) that holds them all."""
    return torch.from_numpy(np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])).float()


def _end_to_end(arrays: list[np.ndarray], axis: int = 0) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.concatenate(arrays, axis)))
