"""One clip on the host's device: what EMOSampler runs once and MotionFrameChainer for every clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import comfy.model_management as mm
import torch
from torch import Tensor

from ...emo_core.audio.voice import Voice
from ...emo_core.emo.conditions.speed import SpeedCurve
from ...emo_core.emo.sampling.clips import Clip, MotionFrames, plan_clips
from ...emo_core.emo.sampling.generate import Settings, Subject, generate_clip
from ...emo_core.emo.sampling.guidance import Guidance
from ...emo_core.emo.sampling.schedule import check_steps
from ...emo_core.errors import InputError
from ...emo_core.face.region import fit_mask
from .model import EmoModel
from .portrait import FaceDetails, painted
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
        emo_face: FaceDetails | None = None,
        emo_speed: SpeedCurve | None = None,
        motion_frames: MotionFrames | None = None,
        film_frames: Mapping[str, Tensor] | None = None,
    ) -> Scene:
        """Read the inputs that EMOSampler and MotionFrameChainer share.

        Raises:
            InputError: for latents, sounds or motion frames of another model, or settings that cannot be.
        """
        config, device = model.config, model.network.load_device
        steps = check_steps(steps or config.diffusion.steps, scheduler)
        _check_voice(model, emo_audio)
        guidance = Guidance(
            reference=reference_scale or config.diffusion.reference_scale,
            audio=audio_scale or config.diffusion.audio_scale,
        )
        frames = emo_audio.features.frames
        face = emo_face or FaceDetails(None, (1.0, 1.0, 1.0), None)
        subject = Subject(
            reference=_latents(model, reference, "reference")[0].to(device),
            audio=emo_audio.features,
            mask=_face_region(mask, config.mask_size).to(device),
            speed=None if emo_speed is None else emo_speed.check(config.speed).at_frames(frames, emo_audio.fps),
            regions=face.maps,
            region_weights=face.weights,
            identity=face.identity,
        )
        settings = Settings(steps=steps, scheduler=scheduler, seed=seed % 2**64, guidance=guidance)
        start = _film(model, film_frames) if motion_frames is None else _motion(model, motion_frames)
        return cls(model, subject, settings, start)

    @property
    def scale(self) -> float:
        """The host's LATENT is unscaled; the network's latents are that times this."""
        return self.model.config.vae.scaling_factor

    @property
    def clips(self) -> list[Clip]:
        """All clips of the whole sound."""
        return plan_clips(self.subject.audio.frames, self.model.config.temporal.frames)

    def run_row(self, first: int, count: int) -> tuple[Tensor, MotionFrames]:
        """Generate `count` clips from index `first` on (-1: the one after the motion frames), as far as the sound goes.

        Returns:
            Their frames, unscaled, and the chain up to them.

        Raises:
            InputError: where the sound is over by `first`.
        """
        clips, index = self.clips, (self.start.next if self.start else 0) if first < 0 else first
        if index >= len(clips):
            raise InputError(
                f"clip index: got {index}; this sound has {len(clips)} clips, 0 .. {len(clips) - 1}; use a longer sound or "
                "fewer samplers"
            )
        # A chain that does not lead up to this clip begins anew here.
        follows = self.start is None or self.start.next == index
        motion = self.start if follows else MotionFrames(self.start.latents, index)
        steps = self.settings.steps
        report = StepProgress(self.model, len(clips) * steps, index * steps)
        row = clips[index : index + count]
        for clip in row:
            motion = self.run(clip, motion, report)
        return motion.frames_of_last(len(row)), motion

    def run(self, clip: Clip, before: MotionFrames | None, report: StepProgress) -> MotionFrames:
        """Generate a clip; what comes back ends with its frames, on the host's intermediate device."""
        config, device = self.model.config.temporal, self.subject.reference.device
        # Listening loads the encoder: it must be over before the network is, which nothing may push out then.
        self.subject.audio.windows(clip.start, clip.start + config.frames)
        passes = self.settings.guidance.passes(joint=self.model.config.diffusion.guidance == "joint")
        denoiser = self.model.denoiser(passes, report.models)
        motion = None if before is None else before.latents.to(device)
        latents = generate_clip(denoiser, self.subject, self.settings, clip, motion, callback=report)
        chain = before or MotionFrames(latents[:0], clip.index)
        return chain.follow(clip, latents.to(mm.intermediate_device()), config.motion_frames, self.scale)


def _check_voice(model: EmoModel, voice: Voice) -> None:
    heard, wanted = ((c.layers, c.width, c.window) for c in (voice.config, model.config.audio))
    if heard != wanted:
        raise InputError(
            f"emo audio: it was heard by another model than {model.name}; wire Load Audio Wav2Vec to this one"
        )


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


def _motion(model: EmoModel, motion: MotionFrames) -> MotionFrames:
    config = model.config
    expected = (config.temporal.motion_frames, config.vae.channels, config.latent_size, config.latent_size)
    if tuple(motion.latents.shape) != expected:
        raise InputError(f"motion frames: they are of another model than {model.name}; chain samplers of one model")
    return motion


def _film(model: EmoModel, latent: Mapping[str, Tensor] | None) -> MotionFrames | None:
    if latent is None:
        return None
    latents, count = _latents(model, latent, "film frames"), model.config.temporal.motion_frames
    if len(latents) < count:
        raise InputError(f"film frames: got {len(latents)}; {model.name} looks back at {count}; give at least as many")
    return MotionFrames(latents[-count:])


def _face_region(mask: Tensor | None, size: int) -> Tensor:
    """MASK (B, H, W) to (size, size); a batch is united, and none or a black one is white.

    Raises:
        InputError: for one that is neither uniform nor square: it was drawn on another picture than the model sees.
    """
    if mask is None or not painted(mask):
        return torch.ones(size, size)
    height, width = mask.shape[-2:]
    union = mask.reshape(-1, height, width).amax(0).cpu()
    if height != width and union.min() < union.max():
        raise InputError(
            f"mask: got {width} x {height}; the face region is drawn on the square that the model sees: wire the mask of Face "
            "Locator Mask (a mask painted on the photo goes into that node)"
        )
    return fit_mask(union, size)
