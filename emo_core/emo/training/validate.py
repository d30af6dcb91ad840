"""Validation of a stage on held-out clips: the loss at fixed noise, and a video with its numbers and contact sheet.

Shape legend: F frames, S picture side.
"""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...audio.features import AudioFeatures
from ...dataset.shards import HELD_OUT, TRAIN, Clip, Dataset, read_clips
from ...errors import InputError
from ...face.detect import FaceDetector
from ...face.detectors import make_detector
from ...media.contact_sheet import contact_sheet
from ...media.sound import SAMPLE_RATE, prepare_sound
from ...metrics.lip_sync import shuffle_sound
from ...metrics.similarity import compare_frames
from ...training.log import TrainingLog
from ..conditions.face_region import box_masks
from ..models.vae import decode_frames, encode_picture, to_bytes
from ..sampling.denoiser import Denoiser
from ..sampling.generate import Settings, Subject, generate
from ..sampling.guidance import Guidance
from .batch import collate
from .batches import draw_sample
from .objective import Frozen, in_precision, inputs, quick_attention
from .samples import Sampler, union_box
from .stages import StageConfig

LEVELS = 8
"""Noise levels at which every held-out clip is tried."""
MAX_CLIPS = 8
MAX_FRAMES = 75
"""The validation video's length: three seconds say enough."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Fixed clips and the means to evaluate them; called by the training loop."""

    clips: tuple[Clip, ...]
    """A video is generated for the first one."""
    other: Clip
    """Clip with the wrong sound for the first one; itself, with its sound shuffled, if there is one clip alone."""
    stage: StageConfig
    frozen: Frozen
    folder: Path
    detector: FaceDetector | None
    """None: no landmarks, so no numbers about mouth and head."""
    name: str = "validation"
    """Prefix of the reported numbers; see `fixed_clips`."""

    def __call__(self, step: int, denoiser: Denoiser, journal: TrainingLog) -> None:
        """Report to a journal."""
        journal.write(step, **{f"{self.name}_loss": self.loss(denoiser)})
        if self.stage.validation_steps:
            self._generate(step, denoiser, journal)

    @torch.no_grad()
    def loss(self, denoiser: Denoiser) -> float:
        """Mean squared error over the clips at evenly spread noise levels, with every condition, unweighted."""
        config = denoiser.emo.config
        sampler, total, losses = Sampler(config, self.stage), config.diffusion.train_timesteps, []
        for number, clip in enumerate(self.clips):
            samples = [draw_sample(sampler, clip, number * LEVELS + level) for level in range(LEVELS)]
            batch = collate(samples).to(denoiser.emo.backbone.conv_in.weight.device)
            clean, conditions = inputs(batch, config, self.frozen)
            levels = ((torch.arange(LEVELS) + 0.5) / LEVELS * total).long().to(clean.device)
            with quick_attention(clean.device), in_precision(self.stage.precision, clean.device):
                losses.append(denoiser.loss(clean, conditions, noise=batch.noise, timesteps=levels).mean())
        return float(torch.stack(losses).mean())

    def _generate(self, step: int, denoiser: Denoiser, journal: TrainingLog) -> None:
        clip, frames = self.clips[0], min(self.clips[0].frames, MAX_FRAMES)
        true = clip.pictures()[:frames]
        guidance = Guidance.for_model(denoiser.emo.config, {})
        settings = Settings(steps=self.stage.validation_steps, guidance=guidance)
        sound = cut_sound(clip, denoiser, frames)
        wrong = shuffle_sound(sound) if self.other is clip else cut_sound(self.other, denoiser, frames)
        try:
            how = {"precision": self.stage.precision}
            generated, shuffled = (
                generate_video(denoiser, self.frozen, clip, audio, settings, **how) for audio in (sound, wrong)
            )
        except InputError as error:  # A silent clip is no reason to end a run.
            tqdm.write(f"no validation video: {error}", file=sys.stderr)
            return
        sheet = contact_sheet(true, generated)
        self.folder.mkdir(parents=True, exist_ok=True)
        sheet.save(self.folder / f"step-{step:08d}.jpg", quality=90)
        journal.picture(step, self.name, np.asarray(sheet))
        if self.detector is not None:
            numbers = asdict(compare_frames(generated, shuffled, true, self.detector))
            journal.write(step, **{f"{self.name}_{name}": round(value, 4) for name, value in numbers.items()})


def fixed_clips(dataset: Dataset) -> tuple[list[Clip], Clip, str]:
    """Up to `MAX_CLIPS` held-out clips, or training clips where none are held out.

    Returns:
        the clips, one with another sound, and the prefix of their numbers: `validation`, or `trained`.
    """
    split, name = (HELD_OUT, "validation") if dataset.clips(HELD_OUT) else (TRAIN, "trained")
    clips = list(islice(read_clips(dataset, split), MAX_CLIPS))
    return clips, clips[-1], name


def landmarks_detector(face_model: Path | None = None) -> FaceDetector | None:
    """MediaPipe, or None where it is not at hand: the built-in face detector gives no landmarks."""
    try:
        return make_detector(face_model, landmarks=True, quiet=True)
    except InputError:
        return None


def cut_sound(clip: Clip, denoiser: Denoiser, frames: int) -> np.ndarray:
    """The sound (S,) of a clip's first frames, padded with silence where it is shorter."""
    length = round(frames / denoiser.emo.config.fps * SAMPLE_RATE)
    sound = clip.sound()[:length]
    return np.pad(sound, (0, length - len(sound)))


def generate_video(
    denoiser: Denoiser,
    frozen: Frozen,
    clip: Clip,
    sound: np.ndarray,
    settings: Settings,
    *,
    values: Mapping[str, Tensor] | None = None,
    precision: str = "no",
) -> np.ndarray:
    """A video (F, S, S, 3) uint8 from a clip's first frame, its face region and a sound.

    Args:
        denoiser: the model.
        frozen: its encoders.
        clip: the true clip.
        sound: (S,) at 16 kHz.
        settings: how to sample.
        values: by condition, for a whole video; they replace the clip's own.
        precision: of network and audio encoder, as in a stage; the autoencoder computes in its own.
    """
    subject = subject_of(denoiser, frozen, clip, sound)
    subject = replace(subject, values={**subject.values, **(values or {})})
    with in_precision(precision, subject.reference.device):
        latents = torch.cat(list(generate(denoiser, subject, settings)))
    return to_bytes(decode_frames(frozen.vae, latents))


def subject_of(denoiser: Denoiser, frozen: Frozen, clip: Clip, sound: np.ndarray) -> Subject:
    """Inputs as the sampler takes them."""
    config, device = denoiser.emo.config, denoiser.emo.backbone.conv_in.weight.device
    features = AudioFeatures(
        prepare_sound(sound, clip.key), frozen.audio_encoder, fps=config.fps, window=config.audio.window
    )
    values = {
        "reference": encode_picture(frozen.vae, clip.pictures()[0], device),
        "audio": features,
        "face_region": box_masks(union_box(clip.labels.boxes)[None], config.mask_size)[0],
    }
    return Subject(frames=features.frames, values=values)
