"""The main job: one portrait and one voice in, one talking video out."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..audio.encoder import AudioEncoder, load_encoder
from ..audio.features import AudioFeatures
from ..device import choose_torch_device
from ..errors import CheckpointError, InputError
from ..face.crop import PasteBack
from ..face.detectors import make_detector
from ..face.framing import frame_portrait
from ..face.selection import RegionRequest
from ..face.upright import find_upright
from ..files import locked
from ..media.picture import load_picture
from ..media.sound import load_sound
from ..media.video_writer import VideoWriter, check_output
from ..memory import peak_memory_mb
from .conditions import table
from .conditions.condition import Scene
from .config import EMO_MINI, EMOConfig
from .models.vae import VAE, decode_frames, encode_picture, to_bytes
from .sampling.clips import Clip, plan_clips
from .sampling.denoiser import Denoiser
from .sampling.generate import ClipCallback, Settings, Subject, generate
from .sampling.guidance import Guidance
from .sampling.sampler import Step
from .sampling.schedule import check_steps
from .weights.checkpoint import DTYPES, Checkpoint, load_checkpoint, read_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The user's inputs and options; None is the checkpoint's own default."""

    portrait: Path
    audio: Path
    out: Path
    checkpoint: Path = EMO_MINI
    audio_encoder: Path | None = None
    """A local wav2vec2, for a checkpoint without one."""
    steps: int | None = None
    scheduler: str = "ddim"
    seed: int = 0
    scales: Mapping[str, float | None] = field(default_factory=dict)
    """Guidance by condition."""
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """Requests by condition, as `Condition.read_options` gives them."""
    face_model: Path | None = None
    """A face_landmarker.task for MediaPipe."""
    paste_back: bool = False
    """Put the generated square back into the whole portrait."""
    fps: float | None = None
    max_seconds: float | None = None
    device: str = "auto"
    dtype: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The video, and how it was made."""

    frames: int
    fps: float
    seconds: float
    """Length of the video."""
    seconds_per_frame: float
    """Time spent sampling and decoding, per frame."""
    clips: int
    peak_memory_mb: float
    """Largest resident memory of the process, or of the GPU."""
    seed: int
    checkpoint: str
    out: str


Progress = Callable[[Clip, int, Step], None]
"""Called after each step with the clip, the number of clips and the step. Raise in it to cancel."""


def animate(request: Request, *, progress: Progress | None = None) -> Result:
    """Make a talking video.

    Raises:
        InputError: for anything about the inputs that the user can mend.
        CheckpointError: for an unusable checkpoint.
    """
    with locked(request.out, "out"):
        return _animate(request, progress)


def _animate(request: Request, progress: Progress | None) -> Result:
    config = EMOConfig.from_json(read_metadata(request.checkpoint)["config"])
    settings = check_request(request, config)
    region = request.conditions.get("face_region", RegionRequest())
    image = load_picture(request.portrait)
    sound = load_sound(request.audio, max_seconds=request.max_seconds)
    found = find_upright(
        [image], region, make_detector(request.face_model, quiet=True) if region.kind == "auto" else None
    )
    (upright,), (face,) = found.images, found.faces
    crop = frame_portrait(upright, None if face is None else face.box, config.framing, config.image_size)
    device, dtype = choose_device(request.device, request.dtype)
    checkpoint = load_checkpoint(request.checkpoint, device=device, dtype=dtype)
    vae, encoder = _vae_and_encoder(checkpoint, request, device)
    fps = request.fps or config.fps
    scene = Scene(
        config=config,
        image=upright,
        face=face,
        crop=crop,
        features=AudioFeatures(sound, encoder, fps=fps, window=config.audio.window),
        fps=fps,
        encode=partial(encode_picture, vae, device=device),
    )
    subject = prepare_subject(scene, {**request.conditions, "face_region": region})
    writer = VideoWriter(
        request.out,
        fps=fps,
        size=image.shape[1::-1] if request.paste_back else (config.image_size, config.image_size),
        sound=request.audio,
        seconds=sound.seconds,
        settings=_marks(request, config, settings),
    )
    finish = PasteBack(found.of_given(crop), image) if request.paste_back else lambda frame: frame
    clips = len(plan_clips(subject.frames, config.temporal.frames))
    report = (lambda clip, step: progress(clip, clips, step)) if progress else None
    start = time.monotonic()
    with writer:
        for part in frames_of(Denoiser(checkpoint.emo), vae, subject, settings, callback=report):
            for frame in part:
                writer.write(finish(frame))
    spent = time.monotonic() - start
    return Result(
        frames=subject.frames,
        fps=fps,
        seconds=round(subject.frames / fps, 3),
        seconds_per_frame=round(spent / subject.frames, 4),
        clips=clips,
        peak_memory_mb=peak_memory_mb(device),
        seed=request.seed,
        checkpoint=str(request.checkpoint),
        out=str(request.out),
    )


def frames_of(
    denoiser: Denoiser, vae: VAE, subject: Subject, settings: Settings, *, callback: ClipCallback | None = None
) -> Iterator[np.ndarray]:
    """Generate and decode a video clip by clip: the frames kept of each, (F, S, S, 3) uint8."""
    clips = plan_clips(subject.frames, denoiser.emo.config.temporal.frames)
    generated = generate(denoiser, subject, settings, callback=callback)
    for clip, latents in zip(clips, generated, strict=True):
        yield to_bytes(decode_frames(vae, latents, guide=subject.guide(clip)))


def prepare_subject(scene: Scene, requests: Mapping[str, Any]) -> Subject:
    """Prepare every condition of a model for a whole video."""
    values = {
        condition.name: condition.prepare(requests.get(condition.name), scene)
        for condition in table.conditions_of(scene.config)
    }
    return Subject(frames=scene.features.frames, values=values)


def _marks(request: Request, config: EMOConfig, settings: Settings) -> dict[str, Any]:
    """The settings that the video's metadata keeps."""
    described = {c.name: c.describe(request.conditions.get(c.name)) for c in table.conditions_of(config)}
    return {
        "checkpoint": f"{config.name} ({request.checkpoint.name})",
        **{name: value for name, value in described.items() if value is not None},
        **asdict(settings),
    }


def choose_device(device: str, dtype: str) -> tuple[torch.device, torch.dtype]:
    """Resolve `auto`: CUDA where there is one; bf16 on GPUs that have it, else fp16; fp32 on the CPU.

    Raises:
        InputError: where CUDA is asked for and there is none.
    """
    chosen = choose_torch_device(device)
    if dtype != "auto":
        return chosen, DTYPES[dtype]
    if chosen.type == "cpu":
        return chosen, torch.float32
    return chosen, torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def check_request(request: Request, config: EMOConfig) -> Settings:
    """Check all that can be checked before anything large is loaded, and settle the sampling settings.

    Raises:
        InputError: for a request that cannot succeed.
    """
    check_output(request.out)
    for path in (request.portrait, request.audio, request.checkpoint):
        if path.resolve() == request.out.resolve():
            raise InputError(f"out: {request.out} is also an input; give another name")
    if request.fps is not None and not 1 <= request.fps <= 120:
        raise InputError(f"fps: got {request.fps:g}; expected 1 .. 120 (the model's own is best)")
    region = request.conditions.get("face_region", RegionRequest())
    if request.face_model is not None and region.kind != "auto":
        raise InputError(
            f"face model: no face is detected with the face region {region.kind!r}; leave the face model out"
        )
    if request.max_seconds is not None and not 0 < request.max_seconds < float("inf"):
        raise InputError(f"max seconds: got {request.max_seconds:g}; expected more than 0")
    if not 0 <= request.seed < 2**64:
        raise InputError(f"seed: got {request.seed}; expected 0 .. 2^64 - 1")
    for condition in table.CONDITIONS:
        condition.check(request.conditions.get(condition.name), config)
    steps = check_steps(config.diffusion.steps if request.steps is None else request.steps, request.scheduler)
    guidance = Guidance.for_model(config, request.scales, request.guidance_interval)
    return Settings(steps=steps, scheduler=request.scheduler, seed=request.seed, guidance=guidance)


def _vae_and_encoder(checkpoint: Checkpoint, request: Request, device: torch.device) -> tuple[VAE, AudioEncoder]:
    if checkpoint.vae is None:
        raise CheckpointError(
            f"checkpoint: {checkpoint.path} has no VAE; build it again from a Stable Diffusion 1.5 folder with its vae/"
        )
    if request.audio_encoder is not None:
        return checkpoint.vae, load_encoder(request.audio_encoder, checkpoint.config.audio).to(device)
    if checkpoint.audio_encoder is None:
        audio = checkpoint.config.audio
        raise CheckpointError(
            f"checkpoint: {checkpoint.path} has no audio encoder; give a local wav2vec2 with {audio.layers} layers "
            f"of width {audio.width} (--audio-encoder)"
        )
    return checkpoint.vae, checkpoint.audio_encoder
