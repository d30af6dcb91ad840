"""The loop over clips: a portrait's latent, a voice, a face region and a speed in; latent frames out, clip by clip.

Shape legend: F frames, M motion frames, C latent channels, H W latent side, S side of the mask.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from einops import repeat
from torch import Tensor

from ...audio.features import FrameFeatures
from ..conditions.audio_regions import at_levels, regions_of_mask
from ..conditions.clip import Conditions
from ..config import EMOConfig
from .clips import Clip, clip_generator, clip_noise, plan_clips
from .denoiser import Denoiser
from .guidance import Guidance, GuidedContext
from .sampler import Step, sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to sample."""

    steps: int = 40
    scheduler: str = "ddim"
    seed: int = 0
    guidance: Guidance = field(default_factory=Guidance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who speaks, what, and how: the inputs of a whole video."""

    reference: Tensor
    """(C, H, W) latent of the portrait."""
    audio: FrameFeatures
    mask: Tensor | None
    """(S, S) face region in [0, 1]; None: no face region."""
    speed: Tensor | None
    """(frames,) head speed for every frame of the video; None leaves the speed layers out."""
    identity: Tensor | None = None
    """(E,) face embedding, for models that read one; None is an unknown face."""
    regions: Tensor | None = None
    """(3, 64, 64) where the voice acts (`face.regions`), for models that read it; None is what the mask tells."""
    region_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of pose, face and lips."""


ClipCallback = Callable[[Clip, Step], None]


def generate(
    denoiser: Denoiser, subject: Subject, settings: Settings, *, callback: ClipCallback | None = None
) -> Iterator[Tensor]:
    """Generate a video of the sound's length, one clip after the other.

    Yields:
        (frames of the clip, C, H, W) float32 latents on the model's device; the frames of all clips together are
        exactly `subject.audio.frames`.
    """
    motion: Tensor | None = None
    for clip in plan_clips(subject.audio.frames, denoiser.emo.config.temporal.frames):
        step = (lambda done, clip=clip: callback(clip, done)) if callback else None
        latents = generate_clip(denoiser, subject, settings, clip, motion, callback=step)
        motion = latents[-denoiser.emo.config.temporal.motion_frames :]
        yield latents[: clip.stop - clip.start]


@torch.no_grad()
def generate_clip(
    denoiser: Denoiser,
    subject: Subject,
    settings: Settings,
    clip: Clip,
    motion: Tensor | None,
    *,
    callback: Callable[[Step], None] | None = None,
) -> Tensor:
    """Generate one clip.

    Args:
        denoiser: model and parametrisation.
        subject: the video's inputs.
        settings: how to sample.
        clip: which part of the video.
        motion: (M, C, H, W) last latents of the previous clip; None for the first clip (zero maps).
        callback: told of every step.

    Returns:
        (f, C, H, W) float32 latents, f as the model's config says.
    """
    config = denoiser.emo.config
    frames, latent = config.temporal.frames, subject.reference.shape
    context = denoiser.emo.context(clip_conditions(denoiser, subject, clip, motion))
    generator = clip_generator(settings.seed, clip.index)
    noise = clip_noise(generator, (frames, *latent), seed=settings.seed, shared=config.diffusion.shared_noise)
    return sample(
        denoiser,
        GuidedContext(context, settings.guidance),
        noise.to(subject.reference.device),
        scheduler=settings.scheduler,
        steps=settings.steps,
        generator=generator,
        callback=callback,
    )[0]


def clip_conditions(denoiser: Denoiser, subject: Subject, clip: Clip, motion: Tensor | None) -> Conditions:
    """Gather what one clip is generated from, in the model's dtype and on its device."""
    # The reference says where to compute: with weights that stream in layer by layer, theirs would not.
    config, device, dtype = denoiser.emo.config, subject.reference.device, denoiser.dtype
    stop = clip.start + config.temporal.frames
    known, count = motion is not None, config.temporal.motion_frames
    if motion is None and config.temporal.first_clip == "reference":
        known, motion = True, repeat(subject.reference, "c h w -> n c h w", n=count)
    if motion is None:
        motion = subject.reference.new_zeros(count, *subject.reference.shape)
    elif config.temporal.anchor:
        motion = torch.lerp(motion, subject.reference[None].to(motion), config.temporal.anchor)
    speed = None
    if subject.speed is not None:
        m = config.speed.window
        index = torch.arange(clip.start - m, stop + m).clamp(0, len(subject.speed) - 1)
        speed = subject.speed[index][None].to(device)
    return Conditions(
        reference=subject.reference[None].to(device, dtype),
        motion=motion[None].to(device, dtype),
        motion_known=torch.tensor([known]),
        audio=subject.audio.windows(clip.start, stop)[None].to(device, dtype),
        mask=None if subject.mask is None else subject.mask[None, None].to(device, dtype),
        speed=speed,
        identity=None if subject.identity is None else subject.identity[None].to(device, dtype),
        regions=_regions(config, subject, device, dtype),
        region_weights=subject.region_weights,
    )


def _regions(
    config: EMOConfig, subject: Subject, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, ...] | None:
    if config.block.audio != "regions":
        return None
    regions = subject.regions
    if regions is None:
        mask = torch.ones(config.mask_size, config.mask_size) if subject.mask is None else subject.mask
        regions = regions_of_mask(mask.cpu())
    levels = at_levels(regions.cpu(), config.latent_size, len(config.unet.widths))
    return tuple(repeat(m.to(device, dtype), "r h w -> 1 f r h w", f=config.temporal.frames) for m in levels)
