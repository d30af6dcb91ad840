"""Overfit one short clip: train every stage on it, then generate it again from its first frame and its sound.

A network that cannot fit one clip cannot fit any dataset: this tests data, stages, losses and sampling together.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ...dataset.clip_cutting import Recipe
from ...dataset.prepare import prepare
from ...dataset.shards import TRAIN, Clip, Dataset, encode_sound, read_clips
from ...face.detect import FaceDetector
from ...files import write_json
from ...media.contact_sheet import contact_sheet
from ...media.video_writer import VideoWriter
from ...metrics.lip_sync import shuffle_sound
from ...metrics.similarity import Similarity, compare_frames
from ...training.schedule import Limits
from ..config import EMOConfig
from ..models.emo import EMO
from ..sampling.denoiser import Denoiser
from ..sampling.generate import Settings
from ..sampling.guidance import Guidance
from ..weights.checkpoint import load_checkpoint, save_checkpoint
from .autoencoder import AutoencoderSettings, train_autoencoder
from .cache import Encoders, cache, encode_pictures
from .export import export, write_run
from .objective import Frozen
from .pictures import read_splits
from .plot import plot_nearness
from .setup import frozen_parts, resized, setup_stage
from .stages import STAGES, StageConfig, options_of
from .train import train
from .validate import generate_video

SHARES = {"vae": 1 / 6, "1": 1 / 4, "2": 0.35, "3": 1 / 15, "decoder": 1 / 6}
"""Shares of the time. The decoder alone trains once more at the end, as the lips depend on it."""
AUDIO_SCALE = 1.5
"""A network that fits one clip needs little guidance."""
SMALL = {
    "learning_rate": 1e-3,
    "beta2": 0.99,
    "warm_up": 100,
    "decay_from": 0.5,
    "ema": 0.998,
    "workers": 0,
    "mouth_weight": 4.0,
    "high_noise": 0.5,
    "noise_offset": 0.0,
    "min_snr": 0.0,
    "validate_every": 0,
    "save_every": 1_000_000,
    "white_mask": 0.0,
}
"""A small network from random weights takes a learning rate a hundred times that of the paper's fine-tuning."""
EACH = {
    "1": {
        "trains": ("reference_net", "backbone", "face_locator", "audio"),
        "conditions": ("reference", "face_region", "audio"),
        "frames": 4,
        "batch": 6,
    },
    "2": {"trains": ("reference_net", "backbone", "face_locator", "audio", "temporal"), "start": 0.15},
    "3": {"learning_rate": 3e-4, "learning_rate_factors": {"speed": 3.0}, "start": 0.15},
}
"""Here stage 2 trains the parts that the paper freezes, too; single frames train lips at a ninth of a clip's cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A video to overfit, the pictures' size, the time."""

    video: Path
    out: Path
    init: Path
    """A checkpoint that gives the network's shape and the audio encoder; the network starts from random weights."""
    size: int = 128
    minutes: float = 60.0
    steps: int = 40
    """Denoising steps of the final video."""
    seed: int = 0
    face_model: Path | None = None
    """A face_landmarker.task, if MediaPipe has none."""


def overfit(plan: Plan, detector: FaceDetector, report: Callable[[str], None]) -> Similarity:
    """Run the recipe; `out` then holds model.safetensors, generated.mp4, true.mp4, sheet.jpg, curves.png, nearness.json.

    Args:
        plan: video, size and time.
        detector: one that gives landmarks.
        report: gets lines of progress.

    Raises:
        InputError: if the video gives no usable clip.
    """
    checkpoint = load_checkpoint(plan.init)
    config = resized(checkpoint.config, plan.size)
    frozen = frozen_parts(checkpoint, None)
    prepare(
        [plan.video.resolve()],
        plan.out / "data",
        Recipe(fps=config.fps, size=plan.size),
        held_out=0,
        face_model=plan.face_model,
    )
    dataset = Dataset.open(plan.out / "data")
    report(f"prepared {dataset.clips(TRAIN)} clip of {dataset.shortest} frames")
    first = plan.out / "first.safetensors"
    if not first.is_file():
        _first_model(plan, config, frozen, dataset, report)
    cached = _cached(first, dataset, plan.out / "cached")
    for name in EACH:
        _train_stage(name, plan, cached, report)
    _finetune_decoder(plan, dataset, report)
    return show(plan, cached, detector, report)


def _first_model(
    plan: Plan, config: EMOConfig, frozen: Frozen, dataset: Dataset, report: Callable[[str], None]
) -> None:
    """Train the autoencoder on the clip, then set its scale so that latents have unit variance."""
    limits = Limits(minutes=plan.minutes * SHARES["vae"])
    vae = frozen.vae
    psnr = train_autoencoder(vae, read_splits(dataset), limits, report=report)
    report(f"vae: {psnr}")
    vae = vae.cpu()
    vae.config = replace(vae.config, scaling_factor=1.0)
    clip = next(read_clips(dataset, TRAIN))
    spread = float(encode_pictures(vae, clip.pictures(), torch.device("cpu")).std())
    # An anchor would hold the head still, but the clip's head may move.
    temporal = replace(config.temporal, anchor=0.0)
    config = replace(config, name="overfit", vae=replace(config.vae, scaling_factor=1 / spread), temporal=temporal)
    torch.manual_seed(plan.seed)
    parts = {"emo": EMO(config), "vae": vae, "audio_encoder": frozen.audio_encoder}
    save_checkpoint(plan.out / "first.safetensors", config, parts, dtype=torch.float32)


def _cached(first: Path, dataset: Dataset, out: Path) -> Dataset:
    checkpoint = load_checkpoint(first)
    return cache(dataset, Encoders(checkpoint.config, frozen_parts(checkpoint, None), torch.device("cpu")), out)


def stage_of(name: str, plan: Plan) -> StageConfig:
    """A stage with the options for one clip."""
    return STAGES[name].with_options({**SMALL, **EACH[name], "seed": plan.seed})


def _train_stage(name: str, plan: Plan, dataset: Dataset, report: Callable[[str], None]) -> None:
    stage, folder = stage_of(name, plan), plan.out / f"stage-{name}"
    done = folder / "model.safetensors"
    if done.is_file():
        return
    before = [plan.out / f"stage-{earlier}" / "model.safetensors" for earlier in EACH if earlier < name]
    init = before[-1] if before else plan.out / "first.safetensors"
    shutil.rmtree(folder, ignore_errors=True)
    write_run(folder, init, None, options_of(stage), dataset.folder)
    run = setup_stage(dataset, init, folder, stage)
    end = train(run, stage, Limits(minutes=plan.minutes * SHARES[name]))
    export(folder, done, dtype=torch.float32)
    shutil.rmtree(folder / "checkpoints")
    report(f"stage {name}: {end.step} steps in {end.seconds / 60:.1f} minutes")


def _finetune_decoder(plan: Plan, dataset: Dataset, report: Callable[[str], None]) -> None:
    """Train the decoder further, with the encoder frozen."""
    out = plan.out / "model.safetensors"
    if out.is_file():
        return
    model = load_checkpoint(plan.out / "stage-3" / "model.safetensors")
    frozen = frozen_parts(model, None)
    limits = Limits(minutes=plan.minutes * SHARES["decoder"])
    settings = AutoencoderSettings(decoder_only=True)
    psnr = train_autoencoder(frozen.vae, read_splits(dataset), limits, settings, report=report)
    report(f"decoder: {psnr}")
    parts = {"emo": model.emo, "vae": frozen.vae.cpu(), "audio_encoder": frozen.audio_encoder}
    save_checkpoint(out, model.config, parts)


def show(plan: Plan, dataset: Dataset, detector: FaceDetector, report: Callable[[str], None]) -> Similarity:
    """Generate from the first frame and the sound, compare, and write videos, pictures and numbers."""
    model = load_checkpoint(plan.out / "model.safetensors")
    clip = next(read_clips(dataset, TRAIN))
    frozen, denoiser = frozen_parts(model, None), Denoiser(model.emo)
    settings = Settings(steps=plan.steps, seed=plan.seed, guidance=Guidance.of(audio=AUDIO_SCALE))
    values = {"speed": torch.full((clip.frames,), float(clip.labels.speed.mean()))}
    sound = clip.sound()
    generated, shuffled = (
        generate_video(denoiser, frozen, clip, audio, settings, values=values)
        for audio in (sound, shuffle_sound(sound))
    )
    true = clip.pictures()
    numbers = asdict(compare_frames(generated, shuffled, true, detector))
    for name, frames in (("generated", generated), ("true", true)):
        _write(plan.out / f"{name}.mp4", frames, clip, model.config)
    contact_sheet(true, generated).save(plan.out / "sheet.jpg", quality=92)
    videos = {"true": true, "generated": generated, "shuffled sound": shuffled}
    plot_nearness(plan.out, videos, detector, model.config.fps)
    write_json(plan.out / "nearness.json", {name: round(value, 4) for name, value in numbers.items()})
    report(json.dumps(numbers))
    return Similarity(**numbers)


def _write(path: Path, frames: np.ndarray, clip: Clip, config: EMOConfig) -> None:
    sound = path.with_suffix(".flac")
    sound.write_bytes(encode_sound(clip.sound()))
    try:
        size = (config.image_size, config.image_size)
        with VideoWriter(path, fps=config.fps, size=size, sound=sound) as writer:
            for frame in frames:
                writer.write(frame)
    finally:
        sound.unlink()
