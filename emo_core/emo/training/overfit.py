"""The forerunner's recipe as one call: every stage on one short clip; then its first frame and its sound give it back.

What cannot be learnt from one clip cannot be learnt at all: this shows that data, stages, losses and sampling fit together.
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
from ..config import EMOConfig
from ..models.emo import EMO
from ..sampling.denoiser import Denoiser
from ..sampling.generate import Settings
from ..sampling.guidance import Guidance
from ..weights.checkpoint import load_checkpoint, save_checkpoint
from .autoencoder import Learning, both_splits, train_autoencoder
from .cache import Encoders, cache, encode_pictures
from .export import export, write_run
from .objective import Frozen
from .plot import plot_nearness
from .setup import begin, frozen_parts, resized
from .stages import STAGES, StageConfig, options_of
from .train import Limits, train
from .validate import generate_video

SHARES = {"vae": 1 / 6, "1": 1 / 4, "2": 0.35, "3": 1 / 15, "decoder": 1 / 6}
"""Of the time. The decoder alone trains once more at the end: nothing else stands between latents and lips."""
AUDIO_SCALE = 1.5
"""Gentle guidance: a net that knows one clip needs little exaggeration."""
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
"""A small net from random weights learns a hundred times faster than the paper's fine-tuning."""
EACH = {
    "1": {"trains": ("reference_net", "backbone", "face_locator", "audio"), "audio": True, "frames": 4, "batch": 6},
    "2": {"trains": ("reference_net", "backbone", "face_locator", "audio", "temporal"), "start": 0.15},
    "3": {"learning_rate": 3e-4, "new_rate": 3.0, "start": 0.15},
}
"""One clip cannot spare what the paper freezes in stage 2; single frames learn lips at a ninth of a clip's cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to overfit, how large, how long."""

    video: Path
    out: Path
    init: Path
    """Whose shape of network and audio encoder are used; the weights start at random."""
    size: int = 128
    minutes: float = 60.0
    steps: int = 40
    """Denoising steps of the final video."""
    seed: int = 0
    face_model: Path | None = None
    """A face_landmarker.task, where MediaPipe brings none."""


def overfit(plan: Plan, detector: FaceDetector, report: Callable[[str], None]) -> Similarity:
    """Run the recipe; `out` then holds model.safetensors, generated.mp4, true.mp4, sheet.jpg, curves.png, nearness.json.

    Args:
        plan: what to do.
        detector: one that gives landmarks.
        report: told of every step.

    Raises:
        InputError: where the video gives no usable clip.
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
        _begin_model(plan, config, frozen, dataset, report)
    cached = _cached(first, dataset, plan.out / "cached")
    for name in EACH:
        _train_stage(name, plan, cached, report)
    _polish(plan, dataset, report)
    return show(plan, cached, detector, report)


def _begin_model(
    plan: Plan, config: EMOConfig, frozen: Frozen, dataset: Dataset, report: Callable[[str], None]
) -> None:
    """Train the autoencoder on the clip, then set its scale so that latents have unit variance."""
    limits = Limits(minutes=plan.minutes * SHARES["vae"])
    vae, found = train_autoencoder(frozen.vae, *both_splits(dataset), limits, report=report)
    report(f"vae: {found.whole:.1f} dB, mouth {found.mouth:.1f} dB")
    vae.config = replace(vae.config, scaling_factor=1.0)
    clip = next(read_clips(dataset, TRAIN))
    spread = float(encode_pictures(vae, clip.pictures(), torch.device("cpu")).std())
    # An anchor would hold the head still, which this clip may not do.
    temporal = replace(config.temporal, anchor=0.0)
    config = replace(config, name="overfit", vae=replace(config.vae, scaling_factor=1 / spread), temporal=temporal)
    torch.manual_seed(plan.seed)
    parts = {"emo": EMO(config), "vae": vae, "audio_encoder": frozen.audio_encoder}
    save_checkpoint(plan.out / "first.safetensors", config, parts, dtype=torch.float32)


def _cached(first: Path, dataset: Dataset, out: Path) -> Dataset:
    checkpoint = load_checkpoint(first)
    return cache(dataset, Encoders(checkpoint.config, frozen_parts(checkpoint, None), torch.device("cpu")), out)


def stage_of(name: str, plan: Plan) -> StageConfig:
    """A stage as one clip needs it."""
    return STAGES[name].with_options({**SMALL, **EACH[name], "seed": plan.seed})


def _train_stage(name: str, plan: Plan, dataset: Dataset, report: Callable[[str], None]) -> None:
    stage, run = stage_of(name, plan), plan.out / f"stage-{name}"
    done = run / "model.safetensors"
    if done.is_file():
        return
    before = [plan.out / f"stage-{earlier}" / "model.safetensors" for earlier in EACH if earlier < name]
    init = before[-1] if before else plan.out / "first.safetensors"
    shutil.rmtree(run, ignore_errors=True)
    write_run(run, init, None, options_of(stage), dataset.folder)
    end = train(begin(dataset, init, run, stage), stage, Limits(minutes=plan.minutes * SHARES[name]))
    export(run, done, dtype=torch.float32)
    shutil.rmtree(run / "checkpoints")
    report(f"stage {name}: {end.step} steps in {end.seconds / 60:.1f} minutes")


def _polish(plan: Plan, dataset: Dataset, report: Callable[[str], None]) -> None:
    """Train the decoder on, with the latents as they are."""
    out = plan.out / "model.safetensors"
    if out.is_file():
        return
    model = load_checkpoint(plan.out / "stage-3" / "model.safetensors")
    frozen = frozen_parts(model, None)
    limits = Limits(minutes=plan.minutes * SHARES["decoder"])
    vae, found = train_autoencoder(
        frozen.vae, *both_splits(dataset), limits, Learning(decoder_only=True), report=report
    )
    report(f"decoder: {found.whole:.1f} dB, mouth {found.mouth:.1f} dB")
    parts = {"emo": model.emo, "vae": vae, "audio_encoder": frozen.audio_encoder}
    save_checkpoint(out, model.config, parts)


def show(plan: Plan, dataset: Dataset, detector: FaceDetector, report: Callable[[str], None]) -> Similarity:
    """Generate from the first frame and the sound, compare, and write everything down."""
    model = load_checkpoint(plan.out / "model.safetensors")
    clip = next(read_clips(dataset, TRAIN))
    frozen, denoiser = frozen_parts(model, None), Denoiser(model.emo)
    settings = Settings(steps=plan.steps, seed=plan.seed, guidance=Guidance(audio=AUDIO_SCALE))
    speed = torch.full((clip.frames,), float(clip.labels.speed.mean()))
    sound = clip.sound()
    made, wrong = (
        generate_video(denoiser, frozen, clip, heard, settings, speed=speed) for heard in (sound, shuffle_sound(sound))
    )
    true = clip.pictures()
    found = compare_frames(made, wrong, true, detector)
    for name, frames in (("generated", made), ("true", true)):
        _write(plan.out / f"{name}.mp4", frames, clip, model.config)
    contact_sheet(true, made).save(plan.out / "sheet.jpg", quality=92)
    plot_nearness(plan.out, {"true": true, "generated": made, "shuffled sound": wrong}, detector, model.config.fps)
    write_json(plan.out / "nearness.json", {name: round(value, 4) for name, value in asdict(found).items()})
    report(json.dumps(asdict(found)))
    return found


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
