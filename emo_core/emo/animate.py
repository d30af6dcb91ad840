"""The main job: one portrait and one voice in, one talking video out."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from ..audio.encoder import AudioEncoder, load_encoder
from ..audio.features import AudioFeatures
from ..errors import CheckpointError, InputError
from ..face.box import Box
from ..face.crop import Crop, PasteBack
from ..face.detectors import make_detector
from ..face.framing import Framing, frame_portrait
from ..face.region import fit_mask, region_mask
from ..face.selection import RegionRequest, find_face
from ..media.picture import load_picture
from ..media.sound import load_sound
from ..media.video_writer import VideoWriter, check_output
from ..memory import peak_memory_mb
from .conditions.audio_regions import face_regions
from .conditions.identity import find_identity
from .conditions.speed import SpeedCurve
from .config import EMO_MINI, EMOConfig
from .models.vae import VAE, decode_frames
from .sampling.clips import Clip, plan_clips
from .sampling.denoiser import Denoiser
from .sampling.generate import Settings, Subject, generate
from .sampling.guidance import Guidance
from .sampling.sampler import Step
from .sampling.schedule import check_steps, make_scheduler
from .weights.checkpoint import DTYPES, Checkpoint, load_checkpoint, read_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything that a user can ask for; None is the checkpoint's own default."""

    portrait: Path
    audio: Path
    out: Path
    checkpoint: Path = EMO_MINI
    audio_encoder: Path | None = None
    """A local wav2vec2, for checkpoints that bring none."""
    steps: int | None = None
    scheduler: str = "ddim"
    seed: int = 0
    reference_scale: float | None = None
    audio_scale: float | None = None
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    face_embedding: Path | None = None
    """An insightface embedding (.npy, 512 numbers), for models with identity tokens; None computes it where insightface is installed."""
    region_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of pose, face and lips, for models whose audio layers have regions."""
    speed: SpeedCurve | None = None
    """Head speed in the checkpoint's unit; None leaves it to the model."""
    region: RegionRequest = field(default_factory=RegionRequest)
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
    """What came out."""

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
"""Told after each step: the clip, how many there are, the step. Raise in it to cancel."""


def animate(request: Request, *, progress: Progress | None = None) -> Result:
    """Make a talking video.

    Raises:
        InputError: for anything about the inputs that the user can mend.
        CheckpointError: for an unusable checkpoint.
    """
    config = EMOConfig.from_json(read_metadata(request.checkpoint)["config"])
    settings = check_request(request, config)
    image = load_picture(request.portrait)
    sound = load_sound(request.audio, max_seconds=request.max_seconds)
    detector = make_detector(request.face_model) if request.region.kind == "auto" else None
    found = find_face(image, request.region, detector)
    face = None if found is None else found.box
    crop = frame_portrait(image, face, Framing(config.face_share, config.face_centre), config.image_size)
    device, dtype = choose_device(request.device, request.dtype)
    checkpoint = load_checkpoint(request.checkpoint, device=device, dtype=dtype)
    vae, encoder = _needed(checkpoint, request, device)
    fps = request.fps or config.fps
    features = AudioFeatures(sound, encoder, fps=fps, window=config.audio.window)
    subject = Subject(
        reference=encode_picture(vae, crop.cut(image), device),
        audio=features,
        mask=fit_mask(face_mask(face, crop, request.region, config), config.mask_size).to(device),
        speed=None if request.speed is None else request.speed.at_frames(features.frames, fps),
        identity=find_identity(request.face_embedding, image, face, config),
        regions=None if found is None or config.block.audio != "regions" else face_regions(found, crop),
        region_weights=request.region_weights,
    )
    clips = len(plan_clips(features.frames, config.temporal.frames))
    writer = VideoWriter(
        request.out,
        fps=fps,
        size=image.shape[1::-1] if request.paste_back else (config.image_size, config.image_size),
        sound=request.audio,
        seconds=sound.seconds,
        settings={
            "checkpoint": f"{config.name} ({request.checkpoint.name})",
            "speed": None if request.speed is None else asdict(request.speed),
            **asdict(settings),
        },
    )
    finish = PasteBack(crop, image) if request.paste_back else lambda frame: frame
    report = (lambda clip, step: progress(clip, clips, step)) if progress else None
    start = time.monotonic()
    with writer:
        for latents in generate(Denoiser(checkpoint.emo), subject, settings, callback=report):
            for frame in to_bytes(decode_frames(vae, latents)):
                writer.write(finish(frame))
    spent = time.monotonic() - start
    return Result(
        frames=features.frames,
        fps=fps,
        seconds=round(features.frames / fps, 3),
        seconds_per_frame=round(spent / features.frames, 4),
        clips=clips,
        peak_memory_mb=peak_memory_mb(device),
        seed=request.seed,
        checkpoint=str(request.checkpoint),
        out=str(request.out),
    )


def choose_device(device: str, dtype: str) -> tuple[torch.device, torch.dtype]:
    """Resolve `auto`: CUDA where there is one; bf16 on GPUs that have it, else fp16; fp32 on the CPU.

    Raises:
        InputError: where CUDA is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda was asked for, but torch finds no CUDA device; use --device cpu or auto")
    chosen = torch.device("cuda" if device in ("auto", "cuda") and torch.cuda.is_available() else "cpu")
    if dtype != "auto":
        return chosen, DTYPES[dtype]
    if chosen.type == "cpu":
        return chosen, torch.float32
    return chosen, torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def face_mask(face: Box | None, crop: Crop, request: RegionRequest, config: EMOConfig) -> Tensor:
    """The face region in the model's picture (image_size, image_size): the expanded face box, the given mask, or white."""
    if request.mask is not None:
        square = crop.cut(np.repeat(np.uint8(request.mask * 255)[..., None], 3, axis=-1))
        return torch.tensor(square)[..., 0] / 255
    region = None if face is None else crop.inside(face).expand(request.expand)
    return region_mask(region, config.image_size, config.image_size)


@torch.no_grad()
def encode_picture(vae: VAE, picture: np.ndarray, device: torch.device) -> Tensor:
    """(H, W, 3) uint8 to a latent (C, h, w) float32."""
    weight = next(vae.parameters())
    image = rearrange(torch.tensor(picture), "h w c -> 1 c h w").to(device, weight.dtype)
    return vae.encode(image / 255 * 2 - 1)[0].float()


def to_bytes(frames: Tensor) -> np.ndarray:
    """(F, 3, H, W) in [0, 1] to (F, H, W, 3) uint8."""
    return rearrange(frames * 255, "f c h w -> f h w c").round().to(torch.uint8).cpu().numpy()


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
    if request.max_seconds is not None and not 0 < request.max_seconds < float("inf"):
        raise InputError(f"max seconds: got {request.max_seconds:g}; expected more than 0")
    if not 0 <= request.seed < 2**64:
        raise InputError(f"seed: got {request.seed}; expected 0 .. 2^64 - 1")
    if request.speed is not None:
        request.speed.check(config.speed)
    steps = check_steps(config.diffusion.steps if request.steps is None else request.steps, request.scheduler)
    make_scheduler(request.scheduler, config.diffusion)
    reference, audio = request.reference_scale, request.audio_scale
    guidance = Guidance(
        reference=config.diffusion.reference_scale if reference is None else reference,
        audio=config.diffusion.audio_scale if audio is None else audio,
        start=request.guidance_interval[0],
        end=request.guidance_interval[1],
    )
    return Settings(steps=steps, scheduler=request.scheduler, seed=request.seed, guidance=guidance)


def _needed(checkpoint: Checkpoint, request: Request, device: torch.device) -> tuple[VAE, AudioEncoder]:
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
