"""A cached dataset that lies whole in the device's memory, where batches are drawn from it.

For GPUs and small models: a step then takes less time than a processor needs to gather its batch. The samples are those of
`examples.Sampler`, drawn for all of a batch at once.

Shape legend: N clips, T frames of all clips, B samples, F target frames, M motion frames, W = 2m + 1, C h w latent, V versions
of a sound, L D wav2vec layers and width.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from ...dataset.shards import TRAIN, Dataset, read_clips
from ...errors import InputError
from ..config import EMOConfig
from ..sampling.schedule import sampled_timesteps
from .samples import MOUTH_MARGIN, Batch
from .stages import StageConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """Clips, end to end."""

    starts: Tensor
    """(N,) first frame of each clip."""
    lengths: Tensor
    """(N,) frames of each clip."""
    share: Tensor
    """(N,) how often a clip is drawn, relative to the others."""
    references: Tensor
    """(N, S) clips that may lend a clip its reference: itself, or the same person, framed in another way."""
    latents: Tensor
    """(T, C, h, w) float16"""
    features: Tensor
    """(V, T', L, D) float16"""
    heard: Tensor
    """(N,) first frame of each clip in `features`: clips may share a sound."""
    regions: Tensor
    """(N, 4) left, top, right, bottom of all faces of a clip, as shares of the picture's side."""
    mouths: Tensor
    """(T, 4)"""
    openings: Tensor
    """(T,) how far the mouth is open."""
    speed: Tensor
    """(T,) degrees per frame."""

    def to(self, device: torch.device) -> "Resident":
        """On another device."""
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @classmethod
    def load(cls, dataset: Dataset, device: torch.device) -> "Resident":
        """Read the training clips of a cached dataset.

        Raises:
            InputError: where it is not cached, or its clips have unequal numbers of sounds.
        """
        clips = list(read_clips(dataset, TRAIN))
        if any(clip.latents is None or clip.features is None for clip in clips):
            raise InputError(f"data: {dataset.folder} is not cached, and a resident run reads no pictures; cache it")
        if len({clip.features.shape[0] for clip in clips}) > 1:
            raise InputError(f"data: the clips of {dataset.folder} have unequal numbers of voices; cache them alike")
        lengths = torch.tensor([clip.frames for clip in clips])
        starts, count = lengths.cumsum(0) - lengths, len(clips)

        def joined(arrays: list[np.ndarray], axis: int = 0) -> Tensor:
            return torch.from_numpy(np.concatenate(arrays, axis))

        return cls(
            starts=starts,
            lengths=lengths,
            share=torch.ones(count),
            references=torch.arange(count)[:, None],
            latents=joined([clip.latents for clip in clips]),
            features=joined([clip.features for clip in clips], 1),
            heard=starts,
            regions=torch.stack([region_of(clip.labels.boxes) for clip in clips]),
            mouths=joined([clip.labels.mouths for clip in clips]).float(),
            openings=joined([clip.labels.opening for clip in clips]).float(),
            speed=joined([clip.labels.speed for clip in clips]).float(),
        ).to(device)


def region_of(boxes: np.ndarray) -> Tensor:
    """(F, 4) face boxes to the (4,) that holds them all."""
    return torch.from_numpy(np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])).float()


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws batches of a stage; equal steps of equal runs are equal."""

    resident: Resident
    model: EMOConfig
    stage: StageConfig
    rank: int = 0
    """Of this process: each draws its own."""

    def batches(self, consumed: int) -> Iterator[Batch]:
        """Endless batches, from the one after `consumed` on."""
        device, number = self.resident.latents.device, consumed
        while True:
            key = np.random.SeedSequence([self.stage.seed, self.rank, number]).generate_state(1, np.uint64)[0]
            generator = torch.Generator(device).manual_seed(int(key) % 2**63)
            # The same on all processes: a batch has speeds or has none.
            told = np.random.default_rng([self.stage.seed, number]).random() >= self.stage.drop_speed
            yield self.draw(generator, with_speed=told)
            number += 1

    def draw(self, generator: torch.Generator, *, with_speed: bool = True) -> Batch:
        """One batch."""
        stage, model, data, chance = self.stage, self.model, self.resident, _Chance(generator)
        count, frames = stage.batch, stage.frames or model.temporal.frames
        clip = torch.multinomial(data.share, count, replacement=True, generator=generator)
        length, start = data.lengths[clip], data.starts[clip]
        first = (chance.uniform(count) * (length - frames + 1)).long()
        own = torch.arange(frames, device=clip.device)
        targets = first[:, None] + own if stage.follow else (chance.uniform(count, frames) * length[:, None]).long()
        n = model.temporal.motion_frames if stage.follow else 0
        motion = first[:, None] - n + own[:n]
        latent = (model.vae.channels, model.latent_size, model.latent_size)
        lender, reference = self._reference(clip, targets, chance)
        places = torch.cat([reference, start[:, None] + motion.clamp(min=0), start[:, None] + targets], 1)  # fmt: skip
        begins = (first < n) | chance.says(count, stage.start)
        return Batch(
            keys=(),
            latents=data.latents[places].float(),
            pictures=None,
            features=self._features(clip, targets, chance) if stage.audio else None,
            sounds=None,
            windows=None,
            mask=self._mask(clip, chance),
            speed=self._speed(clip, targets, chance) if stage.speed and with_speed else None,
            weight=self._weight(start[:, None] + targets),
            mouths=data.mouths[start[:, None] + targets],
            openings=data.openings[start[:, None] + targets],
            noise=self._noise((count, frames, *latent), chance),
            timesteps=self._timesteps(count, chance),
            motion_known=~begins & bool(n),
            motion_noise=chance.normal(count, n, *latent) if n else None,
            motion_level=(chance.uniform(count) * stage.motion_noise)[:, None, None, None, None],
            motion_keep=self._motion_keep((count, n, 1, *latent[1:]), chance) if n else None,
            borrowed=lender != clip,
            keep_reference=(~chance.says(count, stage.drop_reference)).float(),
            keep_audio=(~chance.says(count, stage.drop_audio)).float(),
            motion_anchor=stage.anchor_share(chance.uniform(count))[:, None, None, None, None],
        )

    def _reference(self, clip: Tensor, targets: Tensor, chance: "_Chance") -> tuple[Tensor, Tensor]:
        """(B,) clip that lends, and (B, 1) a frame of it away from all targets; the farthest of some where none is far enough."""
        data, tries = self.resident, 8
        lender = data.references[clip]
        lender = lender.gather(1, (chance.uniform(len(clip), 1) * lender.shape[1]).long())[:, 0]
        tried = (chance.uniform(len(clip), tries) * data.lengths[clip][:, None]).long()
        away = (tried[..., None] - targets[:, None]).abs().amin(-1)
        enough = away.clamp(max=round(self.stage.reference_gap * self.model.fps))
        found = tried.gather(1, enough.argmax(1, keepdim=True))
        return lender, data.starts[lender][:, None] + torch.minimum(found, data.lengths[lender][:, None] - 1)

    def _features(self, clip: Tensor, targets: Tensor, chance: "_Chance") -> Tensor:
        data, m = self.resident, self.model.audio.window
        versions = len(data.features) if self.stage.voices else 1
        version = (chance.uniform(len(clip)) * versions).long()
        around = targets[..., None] + torch.arange(-m, m + 1, device=clip.device)
        around = torch.minimum(around.clamp(min=0), data.lengths[clip][:, None, None] - 1)
        return data.features[version[:, None, None], data.heard[clip][:, None, None] + around].float()

    def _mask(self, clip: Tensor, chance: "_Chance") -> Tensor:
        """The union of a clip's face boxes, sometimes larger, sometimes the whole picture: (B, 1, side, side)."""
        side, count = self.model.mask_size, len(clip)
        low, high = self.resident.regions[clip].split(2, dim=1)
        grow = chance.uniform(count, 4) * self.stage.mask_grow * chance.says(count, 0.5)[:, None]
        low, high = low - grow[:, :2] * (high - low), high + grow[:, 2:] * (high - low)
        white = chance.says(count, self.stage.white_mask)
        middle = (torch.arange(side, device=clip.device) + 0.5) / side
        x, y = ((middle > low[:, axis, None]) & (middle < high[:, axis, None]) for axis in (0, 1))
        return ((y[:, :, None] & x[:, None, :]) | white[:, None, None]).float()[:, None]

    def _speed(self, clip: Tensor, targets: Tensor, chance: "_Chance") -> Tensor:
        data, m = self.resident, self.model.speed.window
        around = torch.arange(-m, targets.shape[1] + m, device=clip.device) + targets[:, :1]
        around = torch.minimum(around.clamp(min=0), data.lengths[clip][:, None] - 1)
        speed = data.speed[data.starts[clip][:, None] + around]
        constant = chance.says(len(clip), self.stage.constant_speed)[:, None]
        return torch.where(constant, speed.mean(1, keepdim=True), speed)

    def _weight(self, places: Tensor) -> Tensor:
        """(B, F, 1, h, w) heavier around the mouth."""
        side = self.model.latent_size
        left, top, right, bottom = self.resident.mouths[places].unbind(-1)
        margin = MOUTH_MARGIN * (right - left)
        middle = (torch.arange(side, device=places.device) + 0.5) / side
        x = (middle > (left - margin)[..., None]) & (middle < (right + margin)[..., None])
        y = (middle > (top - margin)[..., None]) & (middle < (bottom + margin)[..., None])
        mouth = rearrange(y, "b f h -> b f 1 h 1") & rearrange(x, "b f w -> b f 1 1 w")
        return 1 + (self.stage.mouth_weight - 1) * mouth.float()

    def _noise(self, shape: tuple[int, ...], chance: "_Chance") -> Tensor:
        """As `examples.Sampler` has it."""
        shared, (count, _, *latent) = self.model.diffusion.shared_noise, shape
        offset = self.stage.noise_offset * chance.normal(count, 1, latent[0], 1, 1)
        return shared**0.5 * chance.normal(count, 1, *latent) + (1 - shared) ** 0.5 * chance.normal(*shape) + offset

    def _timesteps(self, count: int, chance: "_Chance") -> Tensor:
        total = self.model.diffusion.train_timesteps
        low = chance.says(count, self.stage.high_noise) * round(0.4 * total)
        drawn = (low + chance.uniform(count) * (total - low)).long()
        if not self.stage.own_timesteps:
            return drawn
        own = torch.tensor(sampled_timesteps(self.model.diffusion), device=drawn.device)
        chosen = own[(chance.uniform(count) * len(own)).long()]
        return torch.where(chance.says(count, self.stage.own_timesteps), chosen, drawn)

    def _motion_keep(self, shape: tuple[int, ...], chance: "_Chance") -> Tensor:
        lost = (chance.uniform(shape[0]) * self.stage.motion_patch_drop)[:, None, None, None, None]
        return (chance.uniform(*shape) >= lost).float()


@dataclass(frozen=True, slots=True)
class _Chance:
    """A generator with the three things that are drawn from it."""

    generator: torch.Generator

    def uniform(self, *shape: int) -> Tensor:
        """In [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.generator.device)

    def normal(self, *shape: int) -> Tensor:
        """Of mean 0, variance 1."""
        return torch.randn(shape, generator=self.generator, device=self.generator.device)

    def says(self, count: int, probability: float) -> Tensor:
        """(count,) yes with a probability."""
        return self.uniform(count) < probability
