"""One clip on the host's device: what EMOSampler runs once and MotionFrameChainer for every clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import comfy.model_management as mm
import torch
from torch import Tensor

from ..emo_core.audio.voice import Voice
from ..emo_core.errors import InputError
from ..emo_core.face.region import fit_mask
from ..emo_core.sampling.clips import Clip, MotionFrames, plan_clips
from ..emo_core.sampling.generate import Settings, Subject, generate_clip
from ..emo_core.sampling.guidance import Guidance
from ..emo_core.sampling.sampler import Step
from ..emo_core.sampling.schedule import check_steps
from ..emo_core.sampling.speed import SpeedCurve
from .model import EmoModel
from .progress import StepProgress


@dataclass(frozen=True, slots=True)
class Scene:
    """A node's inputs, checked and in the core's terms."""

    model: EmoModel
    subject: Subject
    settings: Settings
    start: MotionFrames | None
    """What the first clip goes on from."""

    @classmethod
    def from_inputs(
        cls,
        *,
        model: EmoModel,
        reference: Mapping[str, Tensor],
        emo_audio: Voice,
        seed: int,
        steps: int,
        scheduler: str,
        reference_scale: float,
        audio_scale: float,
        mask: Tensor | None = None,
        emo_speed: SpeedCurve | None = None,
        motion_frames: MotionFrames | Mapping[str, Tensor] | None = None,
    ) -> Scene:
        """Read the inputs that EMOSampler and MotionFrameChainer share.

        Raises:
            InputError: for latents of another model, or settings that cannot be.
        """
        config, device = model.config, model.network.load_device
        check_steps(steps, scheduler)
        guidance = Guidance(
            reference=reference_scale or config.diffusion.reference_scale,
            audio=audio_scale or config.diffusion.audio_scale,
        )
        frames = emo_audio.features.frames
        subject = Subject(
            reference=_latents(model, reference, "reference")[0].to(device),
            audio=emo_audio.features,
            mask=_face_region(mask, config.mask_size).to(device),
            speed=None if emo_speed is None else emo_speed.check(config.speed).at_frames(frames, emo_audio.fps),
        )
        settings = Settings(steps=steps, scheduler=scheduler, seed=seed, guidance=guidance)
        return cls(model, subject, settings, _motion(model, motion_frames))

    @property
    def scale(self) -> float:
        """The host's LATENT is unscaled; the network's latents are that times this."""
        return self.model.config.vae.scaling_factor

    @property
    def passes(self) -> int:
        """Backbone passes in a guided step."""
        guidance = self.settings.guidance
        return 1 + (guidance.reference != 1) + (guidance.audio != 1)

    @property
    def clips(self) -> list[Clip]:
        """All clips of the whole sound."""
        return plan_clips(self.subject.audio.frames, self.model.config.temporal.frames)

    def clip(self, index: int) -> Clip:
        """The clip of that index; -1 is the one after the motion frames.

        Raises:
            InputError: where the sound is over by then.
        """
        clips, index = self.clips, (self.start.next if self.start else 0) if index < 0 else index
        if index >= len(clips):
            raise InputError(
                f"clip index: got {index}; this sound has {len(clips)} clips, 0 .. {len(clips) - 1}; use a longer sound or "
                "fewer samplers"
            )
        return clips[index]

    def before(self, clip: Clip) -> MotionFrames | None:
        """The motion frames for a clip; a chain that does not lead up to it begins anew there."""
        if self.start is None or self.start.next == clip.index:
            return self.start
        return MotionFrames(self.start.latents, clip.index)

    def progress(self, clips: int) -> StepProgress:
        """A bar over so many clips."""
        return StepProgress(self.model, clips * self.settings.steps)

    def run(self, clip: Clip, before: MotionFrames | None, report: Callable[[Step], None]) -> MotionFrames:
        """Generate a clip; what comes back ends with its frames, on the host's intermediate device."""
        motion = before and before.latents.to(self.subject.reference.device)
        denoiser = self.model.denoiser(self.passes)
        latents = generate_clip(denoiser, self.subject, self.settings, clip, motion, callback=report)
        chain = before or MotionFrames(latents[:0], clip.index)
        return chain.follow(clip, latents.to(mm.intermediate_device()), self.model.config.temporal.motion_frames)


def _latents(model: EmoModel, latent: Mapping[str, Tensor], name: str) -> Tensor:
    """The host's LATENT, scaled for the network: (B, C, h, w) float32."""
    config, samples = model.config, latent["samples"]
    expected = (config.vae.channels, config.latent_size, config.latent_size)
    if samples.ndim != 4 or tuple(samples.shape[1:]) != expected:
        got, want = (" x ".join(map(str, shape)) for shape in (samples.shape[1:], expected))
        raise InputError(
            f"{name}: got latents of {got}; {model.name} takes {want}: wire Face Locator Mask's crop to VAE Encode, with "
            "the VAE that comes with the checkpoint"
        )
    return samples.float() * config.vae.scaling_factor


def _motion(model: EmoModel, given: MotionFrames | Mapping[str, Tensor] | None) -> MotionFrames | None:
    if given is None or isinstance(given, MotionFrames):
        return given
    latents, count = _latents(model, given, "motion frames"), model.config.temporal.motion_frames
    if len(latents) < count:
        raise InputError(
            f"motion frames: got {len(latents)} frames; {model.name} looks back at {count}; give at least as many"
        )
    return MotionFrames(latents[-count:])


def _face_region(mask: Tensor | None, size: int) -> Tensor:
    """MASK (B, H, W) to (size, size); a batch is united, and none or an all-black one is white."""
    if mask is None or not mask.any():
        return torch.ones(size, size)
    return fit_mask(mask.reshape(-1, *mask.shape[-2:]).amax(0).cpu(), size)
