"""From a prepared dataset to what one GPU trains on: pictures in its memory, people who were never there, latents and features.

Shape legend: F frames of a clip, S picture side, V versions of a sound, L D wav2vec layers and width.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from tqdm import tqdm

from emo_core.audio.encoder import AudioEncoder
from emo_core.audio.features import at_frames
from emo_core.audio.sound import prepare_sound
from emo_core.config import EMOConfig
from emo_core.models.vae import VAE
from emo_core.trainer.autoencoder import Pictures
from emo_core.trainer.cache import random_alteration
from emo_core.trainer.resident import Resident, region_of
from emo_core.trainer.shards import Clip, Dataset, read_clips

from .people import Framing, Person, boxes_in, random_framing, random_person, seen, sources

PEOPLE = 20
"""Variants of each clip of a person of few clips, in two framings each."""
MAIN_SHARE, FRAMED_SHARE = 0.5, 0.1
"""How often the person of most clips is drawn, as filmed and as a variant; the others share the rest."""
OWN = 3
"""Of four references, so many are framed as the target; the fourth may be framed in another way."""
BATCH = 75
"""Pictures that are encoded together."""
VOICES = 2
"""Altered copies of each sound."""


@dataclass(frozen=True, slots=True)
class Filmed:
    """One clip of the dataset."""

    clip: Clip
    pictures: Tensor
    """(F, S, S, 3) uint8 on the device"""
    sounds: tuple[np.ndarray, ...]
    """V versions at unit speech level."""
    main: bool
    """Whether it shows the person of most clips."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One clip to train on."""

    source: int
    """Number of the filmed clip."""
    person: Person
    framing: Framing
    group: int
    """Variants that show one person, framed differently."""
    share: float


@dataclass(frozen=True, slots=True)
class Encoded:
    """A variant as the network sees it."""

    latents: Tensor
    """(F, C, h, w) float16"""
    region: Tensor
    """(4,) union of its faces."""
    mouths: Tensor
    """(F, 4)"""


def film(dataset: Dataset, split: str, device: torch.device, limit: int | None = None) -> list[Filmed]:
    """Decode a split, and alter its sounds."""

    def one(clip: Clip) -> Filmed:
        rng, sound = np.random.default_rng([*clip.key.encode()]), clip.sound()
        altered = [random_alteration(rng)(sound, seed=int(rng.integers(2**31))) for _ in range(VOICES)]
        heard = tuple(prepare_sound(version, clip.key).waveform for version in (sound, *altered))
        # GRID's other speakers come with an underscore in their files' names.
        return Filmed(clip, torch.from_numpy(clip.pictures()).to(device), heard, "_" not in clip.about["file"])

    clips = list(read_clips(dataset, split))[:limit]
    with ThreadPoolExecutor() as pool:
        return list(tqdm(pool.map(one, clips), total=len(clips), desc=f"decode {split}", disable=None))


def variants(filmed: list[Filmed]) -> list[Variant]:
    """What is trained on."""
    rng, found = np.random.default_rng(0), []
    main = [number for number, clip in enumerate(filmed) if clip.main]
    others = [number for number, clip in enumerate(filmed) if not clip.main]
    group = 0
    for place, number in enumerate(main):
        found.append(Variant(number, Person(), Framing(), group, MAIN_SHARE / len(main)))
        if place % 4 == 0:
            found.append(Variant(number, Person(), random_framing(rng), group, FRAMED_SHARE / len(main) * 2))
        if place % 4 == 2:
            group += 1
            found.append(Variant(number, random_person(rng), Framing(), group, FRAMED_SHARE / len(main) * 2))
        group += 1
    each = (1 - MAIN_SHARE - FRAMED_SHARE) / max(1, len(others)) / PEOPLE / 2
    for number in others:
        for index in range(PEOPLE):
            person = random_person(rng) if index else Person()
            framings = (Framing(), random_framing(rng))
            found.extend(Variant(number, person, framing, group, each) for framing in framings)
            group += 1
    return found


def shown(filmed: list[Filmed], variant: Variant, frames: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (F, S, S, 3) uint8, and boxes of face and mouth (F, 4) as shares of the side."""
    source = filmed[variant.source]
    pictures, labels = source.pictures[frames], source.clip.labels
    boxes = [torch.from_numpy(part[frames]).float().to(pictures.device) for part in (labels.boxes, labels.mouths)]
    if variant.person == Person() and variant.framing == Framing():
        return pictures, *boxes
    grid = sources(variant.person, variant.framing, pictures.shape[1], pictures.device)
    return seen(pictures, grid, variant.person), *(boxes_in(part, grid) for part in boxes)


@torch.no_grad()
def encode(filmed: list[Filmed], chosen: list[Variant], vae: VAE, *, half: bool) -> list[Encoded]:
    """Every variant through the autoencoder."""
    found = []
    for variant in tqdm(chosen, desc="encode", disable=None):
        pictures, faces, mouths = shown(filmed, variant)
        images = rearrange(pictures, "f h w c -> f c h w").float() / 127.5 - 1
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            latents = torch.cat([vae.encode(part) for part in images.split(BATCH)])
        found.append(Encoded(latents.half(), region_of(faces.cpu().numpy()), mouths))
    return found


def pictures_of(filmed: list[Filmed], chosen: list[Variant], each: int, seed: int = 0) -> Pictures:
    """Frames for the autoencoder, `each` of every clip."""
    rng, frames, mouths = np.random.default_rng(seed), [], []
    for variant in tqdm(chosen, desc="pictures", disable=None):
        step = max(1, filmed[variant.source].clip.frames // each)
        images, _, boxes = shown(filmed, variant, slice(int(rng.integers(step)), None, step))
        frames.append(images)
        mouths.append(boxes * images.shape[1])
    return Pictures(torch.cat(frames), torch.cat(mouths))


@torch.no_grad()
def features_of(filmed: list[Filmed], encoder: AudioEncoder, config: EMOConfig) -> Iterator[Tensor]:
    """(V, F, L, D) float16 for each clip."""
    device = next(encoder.parameters()).device
    for clip in filmed:
        found = encoder(torch.from_numpy(np.stack(clip.sounds)).to(device)).float()
        frames = clip.clip.frames
        yield torch.stack([at_frames(one, 0, frames, config.fps) for one in found]).half()


def resident_of(filmed: list[Filmed], chosen: list[Variant], encoded: list[Encoded], heard: list[Tensor]) -> Resident:
    """Everything together; `encoded` belongs to `chosen`, `heard` to `filmed`."""
    lengths = torch.tensor([len(part.latents) for part in encoded])
    sounds = torch.tensor([part.shape[1] for part in heard])
    begins = sounds.cumsum(0) - sounds
    groups: dict[int, list[int]] = {}
    for number, variant in enumerate(chosen):
        groups.setdefault(variant.group, []).append(number)
    references = [[number] * OWN + [_sibling(groups[variant.group], number)] for number, variant in enumerate(chosen)]
    return Resident(
        starts=lengths.cumsum(0) - lengths,
        lengths=lengths,
        share=torch.tensor([variant.share for variant in chosen]),
        references=torch.tensor(references),
        latents=torch.cat([part.latents for part in encoded]),
        features=torch.cat(heard, 1),
        heard=begins[[variant.source for variant in chosen]],
        regions=torch.stack([part.region for part in encoded]),
        mouths=torch.cat([part.mouths for part in encoded]),
        speed=torch.from_numpy(np.concatenate([filmed[v.source].clip.labels.speed for v in chosen])).float(),
    ).to(encoded[0].latents.device)


def _sibling(group: list[int], number: int) -> int:
    others = [member for member in group if member != number]
    return others[0] if others else number
