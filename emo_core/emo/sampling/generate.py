"""The loop over clips: the conditions of a video in, latent frames out, clip by clip.

Shape legend: F frames, M motion frames, C latent channels, H W latent side.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from einops import repeat
from torch import Tensor

from ..conditions.clip import Conditions
from ..finite import check_finite
from ..models.guide_pictures import Guide
from .clips import Clip, clip_generator, clip_noise, plan_clips
from .denoiser import Denoiser
from .guidance import Guidance, GuidedContext
from .sampler import Step, sample
from .schedule import check_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to sample.

    Raises:
        InputError: for a scheduler that does not exist, or steps that it cannot take.
    """

    steps: int = 40
    scheduler: str = "ddim"
    seed: int = 0
    guidance: Guidance = field(default_factory=Guidance)

    def __post_init__(self) -> None:
        check_steps(self.steps, self.scheduler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The inputs of a whole video."""

    frames: int
    """Length of the video."""
    values: Mapping[str, Any]
    """By condition, as `Condition.prepare` gives them; a missing one leaves its layers out. `reference` must be there."""

    @property
    def reference(self) -> Tensor:
        """(C, H, W) latent of the portrait."""
        return self.values["reference"]

    def guide(self, clip: Clip) -> Guide | None:
        """The guide beside which the frames kept of a clip are decoded; None for a model without one.

        It is asked for after the clip was generated and before the next one is.
        """
        guide = self.values.get("guide")
        return None if guide is None else guide.of_clip(clip)


ClipCallback = Callable[[Clip, Step], None]


def generate(
    denoiser: Denoiser, subject: Subject, settings: Settings, *, callback: ClipCallback | None = None
) -> Iterator[Tensor]:
    """Generate a video of the sound's length, one clip after the other.

    Yields:
        (frames of the clip, C, H, W) float32 latents on the model's device; the frames of all clips together are
        exactly `subject.frames`.
    """
    motion: Tensor | None = None
    for clip in plan_clips(subject.frames, denoiser.emo.config.temporal.frames):
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
        callback: called after every step.

    Returns:
        (f, C, H, W) float32 latents, f as the model's config says.

    Raises:
        InputError: if the network gives numbers that are not finite.
    """
    config = denoiser.emo.config
    frames, latent = config.temporal.frames, subject.reference.shape
    context = denoiser.emo.context(clip_conditions(denoiser, subject, clip, motion))
    generator = clip_generator(settings.seed, clip.index)
    noise = clip_noise(generator, (frames, *latent), seed=settings.seed, shared=config.diffusion.shared_noise)
    latents = sample(
        denoiser,
        GuidedContext(context, settings.guidance),
        noise.to(subject.reference.device),
        scheduler=settings.scheduler,
        steps=settings.steps,
        generator=generator,
        callback=callback,
    )[0]
    return check_finite(latents, denoiser.dtype, "network")


def clip_conditions(denoiser: Denoiser, subject: Subject, clip: Clip, motion: Tensor | None) -> Conditions:
    """Gather the conditions of one clip, in the model's dtype and on its device."""
    # The reference's device is the network's: weights that stream in layer by layer wait elsewhere.
    config, device, dtype = denoiser.emo.config, subject.reference.device, denoiser.dtype
    known, count = motion is not None, config.temporal.motion_frames
    if motion is None and config.temporal.first_clip == "reference":
        known, motion = True, repeat(subject.reference, "c h w -> n c h w", n=count)
    if motion is None:
        motion = subject.reference.new_zeros(count, *subject.reference.shape)
    elif config.temporal.anchor:
        motion = torch.lerp(motion, subject.reference[None].to(motion), config.temporal.anchor)
    values = {
        condition.name: condition.at_clip(subject.values[condition.name], clip, config, device, dtype)
        for condition in denoiser.emo.conditions
        if subject.values.get(condition.name) is not None
    }
    return Conditions(values, motion=motion[None].to(device, dtype), motion_known=torch.tensor([known]))
