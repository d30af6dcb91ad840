"""What one clip of the dataset becomes: frames, sound, masks, noise, timestep and drops, all drawn from one generator.

A batch carries all randomness of its step, so a step is a pure function of weights and batch: runs are equal whatever the
number of processes, and a resumed run repeats nothing and skips nothing.

Shape legend: B clips, F target frames, M motion frames, P = 1 + M + F pictures, C h w latent, S picture side, W = 2m + 1.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...dataset.shards import Clip
from ...errors import InputError
from ...face.box import Box
from ...face.region import region_mask
from ...media.sound import prepare_sound
from ..config import EMOConfig
from ..sampling.schedule import sampled_timesteps
from .stages import StageConfig

MOUTH_MARGIN = 0.5
"""The mouth region reaches this share of the mouth's width beyond the lips on every side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """B samples, stacked; None where the stage or the dataset has no such thing."""

    keys: tuple[str, ...]
    latents: Tensor | None
    """(B, P, C, h, w): reference, motion frames, target frames."""
    pictures: Tensor | None
    """(B, P, 3, S, S) uint8, where latents are not cached."""
    features: Tensor | None
    """(B, F, W, L, D) windows of wav2vec features."""
    sounds: tuple[Tensor, ...] | None
    """One (S,) waveform per sample, where features are not cached."""
    windows: Tensor | None
    """(B, F, W) numbers of the frames in each window."""
    mask: Tensor
    """(B, 1, mask side, mask side)"""
    speed: Tensor | None
    """(B, F + 2m)"""
    weight: Tensor
    """(B, F, 1, h, w)"""
    mouths: Tensor
    """(B, F, 4) boxes of the lips, as shares of the side."""
    openings: Tensor
    """(B, F) how far they are open, see `Labels.opening`."""
    noise: Tensor
    """(B, F, C, h, w)"""
    timesteps: Tensor
    """(B,)"""
    motion_known: Tensor
    """(B,) False for zero maps."""
    motion_noise: Tensor | None
    """(B, M, C, h, w)"""
    motion_level: Tensor
    """(B, 1, 1, 1, 1) share of that noise."""
    motion_keep: Tensor | None
    """(B, M, 1, h, w) 0 where a cell is dropped."""
    motion_anchor: Tensor
    """(B, 1, 1, 1, 1) share of the reference in the motion frames."""
    borrowed: Tensor
    """(B,) True where the reference is of another clip of the same person, framed in another way."""
    keep_reference: Tensor
    """(B,)"""
    keep_audio: Tensor
    """(B,)"""

    def to(self, device: torch.device) -> "Batch":
        """On another device."""
        return dataclasses.replace(
            self, **{f.name: _moved(getattr(self, f.name), device) for f in dataclasses.fields(self)}
        )


def _moved(value: object, device: torch.device) -> object:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, tuple):
        return tuple(_moved(item, device) for item in value)
    return value


def collate(samples: list[Batch]) -> Batch:
    """Join batches of one sample each."""
    joined = {}
    for field in dataclasses.fields(Batch):
        parts = [getattr(sample, field.name) for sample in samples]
        if parts[0] is None:
            joined[field.name] = None
        elif isinstance(parts[0], Tensor):
            joined[field.name] = torch.cat(parts)
        else:
            joined[field.name] = tuple(item for part in parts for item in part)
    return Batch(**joined)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws a sample of a stage from a clip."""

    model: EMOConfig
    stage: StageConfig

    @property
    def frames(self) -> int:
        """F."""
        return self.stage.frames or self.model.temporal.frames

    def draw(self, clip: Clip, rng: np.random.Generator, *, with_speed: bool = True) -> Batch:
        """A batch of one; without speed, its layers are left out."""
        targets = self._targets(clip.frames, rng)
        reference = self._reference(clip.frames, targets, rng)
        motion = self._motion(targets)
        chosen = np.concatenate([[reference], motion.clip(0), targets]).astype(int)
        windows = self._windows(clip.frames, targets, self.model.audio.window)
        latent = (self.model.vae.channels, self.model.latent_size, self.model.latent_size)
        stage = self.stage
        level = rng.random() * stage.motion_noise
        return Batch(
            keys=(clip.key,),
            latents=None if clip.latents is None else _tensor(clip.latents[chosen]).float()[None],
            pictures=_pictures(clip, chosen) if clip.latents is None else None,
            features=self._features(clip, windows, rng),
            sounds=(_tensor(prepare_sound(clip.sound()).waveform),) if stage.audio and clip.features is None else None,
            windows=_tensor(windows)[None] if stage.audio else None,
            mask=self._mask(clip, rng),
            speed=self._speed(clip, targets, rng) if with_speed else None,
            weight=self._weight(clip, targets),
            mouths=_tensor(clip.labels.mouths[targets]).float()[None],
            openings=_tensor(clip.labels.opening[targets]).float()[None],
            noise=self._noise(latent, rng),
            timesteps=self._timestep(rng),
            motion_known=torch.tensor([bool(len(motion)) and motion[0] >= 0 and rng.random() >= stage.start]),
            motion_noise=_normal((1, len(motion), *latent), rng) if len(motion) else None,
            motion_level=torch.full((1, 1, 1, 1, 1), level),
            motion_keep=self._motion_keep(len(motion), latent, rng),
            borrowed=torch.tensor([False]),
            keep_reference=_keep(stage.drop_reference, rng),
            keep_audio=_keep(stage.drop_audio, rng),
            motion_anchor=torch.full((1, 1, 1, 1, 1), stage.anchor_share(rng.random())),
        )

    def _targets(self, total: int, rng: np.random.Generator) -> np.ndarray:
        if self.stage.follow:
            return int(rng.integers(0, total - self.frames + 1)) + np.arange(self.frames)
        return rng.integers(0, total, self.frames)

    def _reference(self, total: int, targets: np.ndarray, rng: np.random.Generator) -> int:
        """Another frame of the clip, at a distance from all targets; the farthest where none is far enough."""
        away = np.abs(np.arange(total)[:, None] - targets).min(1)
        far = np.nonzero(away >= min(self.stage.reference_gap * self.model.fps, away.max()))[0]
        return int(rng.choice(far))

    def _motion(self, targets: np.ndarray) -> np.ndarray:
        """The n frames before; negative where the clip begins: they are then zero maps."""
        n = self.model.temporal.motion_frames
        return targets[0] - n + np.arange(n) if self.stage.follow else targets[:0]

    def _features(self, clip: Clip, windows: np.ndarray, rng: np.random.Generator) -> Tensor | None:
        """Of any version of the clip's sound."""
        if not self.stage.audio or clip.features is None:
            return None
        if clip.features.ndim != 4:
            raise InputError(
                f"data: the cached features of {clip.key} are of an earlier layout; cache the dataset again"
            )
        versions = len(clip.features) if self.stage.voices else 1
        heard = int(rng.integers(versions)) if versions > 1 else 0
        return _tensor(clip.features[heard][windows]).float()[None]

    @staticmethod
    def _windows(total: int, frames: np.ndarray, m: int) -> np.ndarray:
        return np.clip(frames[:, None] + np.arange(-m, m + 1), 0, total - 1)

    def _mask(self, clip: Clip, rng: np.random.Generator) -> Tensor:
        """The union of the clip's face boxes, sometimes larger, sometimes the whole picture."""
        boxes, size = clip.labels.boxes, self.model.image_size
        grow = rng.uniform(0, self.stage.mask_grow, 4) * (rng.random() < 0.5)
        white = rng.random() < self.stage.white_mask
        (left, top), (right, bottom) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
        x, y = right - left, bottom - top
        region = np.array([left - grow[0] * x, top - grow[1] * y, right + grow[2] * x, bottom + grow[3] * y]) * size
        return region_mask(None if white else Box(*region.tolist()), size, self.model.mask_size)[None, None]

    def _speed(self, clip: Clip, targets: np.ndarray, rng: np.random.Generator) -> Tensor | None:
        if not self.stage.speed:
            return None
        m = self.model.speed.window
        around = np.arange(targets[0] - m, targets[-1] + m + 1).clip(0, clip.frames - 1)
        speed = clip.labels.speed[around]
        if rng.random() < self.stage.constant_speed:
            speed = np.full_like(speed, speed.mean())
        return _tensor(speed)[None]

    def _weight(self, clip: Clip, targets: np.ndarray) -> Tensor:
        side = self.model.latent_size
        left, top, right, bottom = clip.labels.mouths[targets].T
        margin = MOUTH_MARGIN * (right - left)
        middle = (np.arange(side) + 0.5) / side
        x = (middle > (left - margin)[:, None]) & (middle < (right + margin)[:, None])
        y = (middle > (top - margin)[:, None]) & (middle < (bottom + margin)[:, None])
        mouth = y[:, :, None] & x[:, None, :]
        return 1 + (self.stage.mouth_weight - 1) * _tensor(mouth[None, :, None]).float()

    def _noise(self, latent: tuple[int, ...], rng: np.random.Generator) -> Tensor:
        """As the sampler draws it, a share common to all frames, and an offset per channel."""
        shared = self.model.diffusion.shared_noise
        own, common = _normal((1, self.frames, *latent), rng), _normal((1, 1, *latent), rng)
        offset = self.stage.noise_offset * _normal((1, 1, latent[0], 1, 1), rng)
        return shared**0.5 * common + (1 - shared) ** 0.5 * own + offset

    def _timestep(self, rng: np.random.Generator) -> Tensor:
        if self.stage.own_timesteps and rng.random() < self.stage.own_timesteps:
            return torch.tensor([int(rng.choice(sampled_timesteps(self.model.diffusion)))])
        total = self.model.diffusion.train_timesteps
        low = round(0.4 * total) if rng.random() < self.stage.high_noise else 0
        return torch.tensor([int(rng.integers(low, total))])

    def _motion_keep(self, count: int, latent: tuple[int, ...], rng: np.random.Generator) -> Tensor | None:
        if not count:
            return None
        lost = rng.random() * self.stage.motion_patch_drop
        return _tensor((rng.random((1, count, 1, *latent[1:])) >= lost).astype(np.float32))


def _pictures(clip: Clip, chosen: np.ndarray) -> Tensor:
    """(1, P, 3, S, S)."""
    return _tensor(clip.pictures()[chosen]).permute(0, 3, 1, 2)[None].contiguous()


def _keep(probability: float, rng: np.random.Generator) -> Tensor:
    return torch.tensor([float(rng.random() >= probability)])


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return _tensor(rng.standard_normal(shape, dtype=np.float32))


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
