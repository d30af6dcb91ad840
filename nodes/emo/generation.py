"""Clips on the host's device, as EMOSampler and MotionFrameChainer generate them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import comfy.model_management as mm
import torch
from torch import Tensor

from ...emo_core.audio.voice import Voice
from ...emo_core.emo.conditions.audio_regions import AudioRegions, regions_of_mask
from ...emo_core.emo.conditions.speed_curve import SpeedCurve
from ...emo_core.emo.config import EMOConfig
from ...emo_core.emo.sampling.clips import Clip, MotionFrames, plan_clips
from ...emo_core.emo.sampling.generate import Settings, Subject, generate_clip
from ...emo_core.emo.sampling.guidance import Guidance
from ...emo_core.emo.sampling.schedule import check_steps
from ...emo_core.errors import InputError
from ...emo_core.face.region import fit_mask
from ..host.images import is_painted
from .clip_key import clip_key
from .face_locator import FaceDetails
from .guiding import NEEDED, Guide, VideoGuide
from .model import EmoModel
from .progress import StepProgress


@dataclass(frozen=True, slots=True)
class Scene:
    """The checked inputs of a node, converted for the core."""

    model: EmoModel
    subject: Subject
    settings: Settings
    start: MotionFrames | None
    """The first clip continues these; None at the start of a video."""

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
        emo_guide: Guide | None = None,
    ) -> Scene:
        """Convert the inputs that EMOSampler and MotionFrameChainer share.

        Raises:
            InputError: if latents, audio or motion frames belong to another model, or a setting is out of range.
        """
        config, device = model.config, model.network.load_device
        steps = check_steps(steps or config.diffusion.steps, scheduler)
        _check_voice(model, emo_audio)
        scales = {"reference": reference_scale or None, "audio": audio_scale or None}
        guidance = Guidance.for_model(config, scales)
        frames = emo_audio.features.frames
        face = emo_face or FaceDetails(None, (1.0, 1.0, 1.0), None)
        region = _face_region(mask, config.mask_size)
        maps = regions_of_mask(region) if face.maps is None else face.maps
        values = {
            "reference": _latents(model, reference, "reference")[0].to(device),
            "audio": emo_audio.features,
            "face_region": region,
            "audio_regions": AudioRegions((maps,), face.weights),
            "identity": face.identity,
            "guide": _guide(emo_guide, config, frames),
            "speed": None if emo_speed is None else emo_speed.check(config.speed).at_frames(frames, emo_audio.fps),
        }
        subject = Subject(frames=frames, values=values)
        settings = Settings(steps=steps, scheduler=scheduler, seed=seed % 2**64, guidance=guidance)
        start = _motion_of_video(model, film_frames) if motion_frames is None else _checked(model, motion_frames)
        return cls(model, subject, settings, start)

    @property
    def scale(self) -> float:
        """Factor from the host's unscaled LATENT to the network's latents."""
        return self.model.config.vae.scaling_factor

    @property
    def clips(self) -> list[Clip]:
        """All clips of the whole sound."""
        return plan_clips(self.subject.frames, self.model.config.temporal.frames)

    def run_row(self, first: int, count: int) -> tuple[Tensor, MotionFrames]:
        """Generate `count` clips from index `first` on, or fewer at the end of the sound.

        Args:
            first: -1 for the clip after the motion frames.
            count: number of clips.

        Returns:
            Their unscaled latents (frames, C, h, w), and the chain up to them.

        Raises:
            InputError: if the sound ends before clip `first`.
        """
        clips, index = self.clips, (self.start.next if self.start else 0) if first < 0 else first
        if index >= len(clips):
            raise InputError(
                f"clip index: got {index}; this sound has {len(clips)} clips, 0 .. {len(clips) - 1}; use a longer sound or "
                "fewer samplers"
            )
        # If the motion frames are not those of the previous clip, the chain starts here.
        follows = self.start is None or self.start.next == index
        motion = self.start if follows else MotionFrames(self.start.latents, index)
        steps = self.settings.steps
        report = StepProgress(self.model, len(clips) * steps, index * steps)
        row = clips[index : index + count]
        for clip in row:
            motion = self.run(clip, motion, report)
        return motion.frames_of_last(len(row)), motion

    def run(self, clip: Clip, before: MotionFrames | None, report: StepProgress) -> MotionFrames:
        """Generate a clip that continues `before`, unless the model has made it before.

        Returns:
            The chain, which ends with the clip's frames, on the host's intermediate device.
        """
        store, settings = self.model.clips, self.settings
        motion = None if before is None else before.latents.to(self.subject.reference.device)
        # This may load the audio encoder, so it must happen before the network is loaded, which must stay loaded.
        key = clip_key(store.identity, self.model.network.model, self.subject, settings, clip, motion)
        latents = store.get(key)
        if latents is None:
            denoiser = self.model.load_denoiser(settings.guidance.passes, report.models)
            latents = generate_clip(denoiser, self.subject, settings, clip, motion, callback=report)
            store.put(key, latents)
        else:
            report.skip(settings.steps)
        chain = before or MotionFrames(latents[:0], clip.index)
        frames = latents.to(mm.intermediate_device())
        return chain.follow(clip, frames, self.model.config.temporal.motion_frames, self.scale)


def _check_voice(model: EmoModel, voice: Voice) -> None:
    got, expected = ((c.layers, c.width, c.window) for c in (voice.config, model.config.audio))
    if got != expected:
        raise InputError(
            f"emo audio: got features of another encoder than {model.name}'s; wire this model to Load Audio Wav2Vec"
        )


def _latents(model: EmoModel, latent: Mapping[str, Tensor], name: str) -> Tensor:
    """The host's LATENT, scaled for the network: (B, C, h, w) float32."""
    config, samples = model.config, latent["samples"]
    expected = (config.vae.channels, config.latent_size, config.latent_size)
    if samples.ndim != 4 or tuple(samples.shape[1:]) != expected:
        got, shape = (" x ".join(map(str, sides)) for sides in (samples.shape[1:], expected))
        raise InputError(
            f"{name}: got latents of {got}; {model.name} expects {shape}; wire Face Locator Mask's crop to VAE Encode, with "
            "the checkpoint's VAE"
        )
    return samples.float() * config.vae.scaling_factor


def _checked(model: EmoModel, motion: MotionFrames) -> MotionFrames:
    config = model.config
    expected = (config.temporal.motion_frames, config.vae.channels, config.latent_size, config.latent_size)
    if tuple(motion.latents.shape) != expected:
        raise InputError(
            f"motion frames: got frames of another model than {model.name}; use the same model in all samplers"
        )
    return motion


def _guide(guide: Guide | None, config: EMOConfig, frames: int) -> VideoGuide | None:
    """The value of the condition; InputError if the model needs one and there is none, or it does not fit."""
    if guide is not None:
        return guide.check(config, frames).of_video(config.vae.scaling_factor)
    if config.guide.layers:
        raise InputError(NEEDED.format(name=config.name))
    return None


def _motion_of_video(model: EmoModel, latent: Mapping[str, Tensor] | None) -> MotionFrames | None:
    """The last frames of an existing video as motion frames."""
    if latent is None:
        return None
    latents, count = _latents(model, latent, "film frames"), model.config.temporal.motion_frames
    if len(latents) < count:
        raise InputError(f"film frames: got {len(latents)}; {model.name} needs {count}; wire at least {count} frames")
    return MotionFrames(latents[-count:])


def _face_region(mask: Tensor | None, size: int) -> Tensor:
    """The union of a MASK (B, H, W) as (size, size); all ones if it is None or black.

    Raises:
        InputError: if it is neither uniform nor square, so that it cannot belong to the crop.
    """
    if mask is None or not is_painted(mask):
        return torch.ones(size, size)
    height, width = mask.shape[-2:]
    union = mask.reshape(-1, height, width).amax(0).cpu()
    if height != width and union.min() < union.max():
        raise InputError(
            f"mask: got {width} x {height}; expected the square mask of the crop; wire the mask of Face Locator Mask (wire a "
            "mask that was painted on the photo to that node)"
        )
    return fit_mask(union, size)
