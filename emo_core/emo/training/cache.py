"""Encode a dataset once: latents of every frame and wav2vec features at the frame rate, beside the clips.

Training then reads a hundredth of the numbers and runs neither autoencoder nor wav2vec.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ...audio.augment import Alteration
from ...audio.encoder import AudioEncoder
from ...audio.features import AudioFeatures
from ...dataset.shards import CACHE_MARK, INDEX, Clip, Dataset, Shard, read_members, write_clips
from ...errors import InputError
from ...files import file_digest, locked
from ...media.sound import prepare_sound
from ..config import EMOConfig
from ..models.vae import VAE
from .objective import Frozen

SOURCE = ".source"
"""Ends the name of the file that says which clips, before they were encoded, a shard holds."""
BATCH = 16
"""Pictures that are encoded together."""


@dataclass(frozen=True, slots=True)
class Encoders:
    """Who makes latents and features, and for which model."""

    config: EMOConfig
    frozen: Frozen
    device: torch.device
    half: bool = False
    """Encode pictures in bfloat16."""

    @property
    def fingerprint(self) -> str:
        """Tells one pair of encoders from another: a hash of their weights and of what scales latents."""
        audio = replace(self.config.audio, encoder="")  # Its weights count, not where its shape is written down.
        digest = hashlib.sha256(f"{self.config.vae} {audio} {self.config.fps}".encode())
        for module in (self.frozen.vae, self.frozen.audio_encoder):
            _digest(module, digest)
        return digest.hexdigest()[:16]


def _digest(module: nn.Module, digest: "hashlib._Hash") -> None:
    """In half precision, so that a stored and a freshly trained copy agree."""
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        if value.is_floating_point():
            digest.update(value.detach().half().cpu().contiguous().numpy().tobytes())


def cache(dataset: Dataset, encoders: Encoders, out: Path, *, voices: int = 0) -> Dataset:
    """Write a dataset whose clips carry latents and features; shards that are already there are kept, if they are of the same clips.

    Args:
        dataset: a prepared one.
        encoders: of the model that is going to train.
        out: a new folder.
        voices: altered copies of each sound (voice, noise) whose features are kept too; training draws one of all.

    Raises:
        InputError: where the dataset does not fit the model, or `out` was begun with other encoders.
    """
    config = encoders.config
    if (dataset.size, dataset.fps) != (config.image_size, config.fps):
        raise InputError(
            f"data: {dataset.folder} has {dataset.size} pixels at {dataset.fps:g} fps, the model {config.image_size} at "
            f"{config.fps:g}; prepare it with --size {config.image_size} --fps {config.fps:g}"
        )
    if out.resolve() == dataset.folder.resolve():
        raise InputError(f"out: {out} is the dataset itself; give another folder")
    fingerprint = encoders.fingerprint
    total = sum(shard.clips for shard in dataset.shards)
    with locked(out, "out"), tqdm(total=total, desc="cache", unit="clip", disable=None) as bar:
        _begin(out, f"{fingerprint} voices={voices} bf16={encoders.half}")
        for shard in dataset.shards:
            source, mark = file_digest(dataset.folder / shard.name), _mark(out / shard.name)
            if (out / shard.name).is_file() and mark.is_file() and mark.read_text() == source:
                bar.update(shard.clips)
                continue
            (out / INDEX).unlink(missing_ok=True)  # It would speak of clips that are being replaced.
            mark.unlink(missing_ok=True)
            _write(out / shard.name, _encoded(dataset, shard, encoders, voices, bar), source)
    cached = replace(dataset, folder=out, cache=fingerprint)
    cached.save()
    return cached


def _mark(shard: Path) -> Path:
    return shard.with_name(shard.name + SOURCE)


def _write(path: Path, clips: Iterator[Clip], source: str) -> None:
    try:
        write_clips(path, clips)
        _mark(path).write_text(source)
    except OSError as error:
        raise InputError(f"out: cannot write {path} ({error}); make room, and the same command goes on") from error


def check_cache(dataset: Dataset, encoders: Encoders) -> None:
    """Refuse latents of another autoencoder.

    Raises:
        InputError: saying what to do.
    """
    if dataset.cache and dataset.cache != encoders.fingerprint:
        raise InputError(
            f"data: {dataset.folder} was cached with other encoders ({dataset.cache}) than the model's "
            f"({encoders.fingerprint}); cache it again with this checkpoint"
        )


def _begin(out: Path, how: str) -> None:
    mark = out / CACHE_MARK
    if mark.is_file() and mark.read_text() != how:
        raise InputError(f"out: {out} was begun with other encoders or options; give another folder, or remove it")
    if (out / INDEX).is_file() and not mark.is_file():
        raise InputError(f"out: {out} holds another dataset; give another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        mark.write_text(how)
    except OSError as error:
        raise InputError(f"out: cannot write {out} ({error}); give a folder you may write to") from error


def _encoded(dataset: Dataset, shard: Shard, encoders: Encoders, voices: int, bar: tqdm) -> Iterator[Clip]:
    for members in read_members(dataset.folder / shard.name, shard.clips):
        yield encode_clip(Clip.of_members(members), encoders, voices)
        bar.update()


def encode_clip(clip: Clip, encoders: Encoders, voices: int = 0) -> Clip:
    """A clip with latents and features, the latter also of altered copies of its sound."""
    with torch.autocast(encoders.device.type, torch.bfloat16, enabled=encoders.half):
        latents = encode_pictures(encoders.frozen.vae, clip.pictures(), encoders.device).half().cpu().numpy()
    rng = np.random.default_rng([*clip.key.encode()])
    sounds = [clip.sound()]
    sounds += [random_alteration(rng)(sounds[0], seed=int(rng.integers(2**31))) for _ in range(voices)]
    versions = [sound_features(sound, clip, encoders.frozen.audio_encoder, encoders.config) for sound in sounds]
    features = torch.stack(versions).half().cpu().numpy()
    return replace(clip, latents=latents, features=features)


@torch.no_grad()
def encode_pictures(vae: VAE, pictures: np.ndarray, device: torch.device) -> Tensor:
    """(F, S, S, 3) uint8 to latents (F, C, h, w) float32."""
    dtype = next(vae.parameters()).dtype
    parts = []
    for part in torch.from_numpy(pictures).split(BATCH):
        images = part.permute(0, 3, 1, 2).to(device, dtype) / 127.5 - 1
        parts.append(vae.encode(images).float())
    return torch.cat(parts)


def random_alteration(rng: np.random.Generator) -> Alteration:
    """Another voice, in half of the cases noisy."""
    noise = float(rng.uniform(5, 25)) if rng.random() < 0.5 else None
    return Alteration(voice=float(rng.uniform(0.8, 1.4)), noise=noise)


def sound_features(sound: np.ndarray, clip: Clip, encoder: AudioEncoder, config: EMOConfig) -> Tensor:
    """(F, L, D) wav2vec features of a sound (S,) at the clip's frames."""
    features = AudioFeatures(prepare_sound(sound, clip.key), encoder, fps=config.fps, window=config.audio.window)
    frames = features.frame_features(0, min(features.frames, clip.frames))
    return torch.cat([frames, frames[-1:].expand(clip.frames - len(frames), -1, -1)])
