"""From a prepared dataset to tensors on one GPU: pictures, variants of people, latents and features.

Shape legend: F frames of a clip, S picture side, V versions of a sound, L D wav2vec layers and width.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from tqdm import tqdm

from emo_core.audio.encoder import AudioEncoder
from emo_core.audio.features import at_frames
from emo_core.dataset.emotion_labels import emotions_of
from emo_core.dataset.shards import Clip, Dataset, read_clips
from emo_core.emo.conditions.drawing import TrainingClips
from emo_core.emo.config import EMOConfig
from emo_core.emo.models.vae import VAE
from emo_core.emo.training.cache import random_alteration
from emo_core.emo.training.pictures import Pictures
from emo_core.emo.training.samples import union_box
from emo_core.face.pose import head_speed
from emo_core.media.sound import prepare_sound

from .augment_head_motion import lean, swayed, turned
from .augment_people import Framing, Person, among, boxes_in, random_framing, random_person, sources, transformed

PEOPLE = 20
"""Variants of each clip of a person of few clips, in two framings each."""
MAIN_SHARE, MADE_SHARE = 0.4, 0.36
"""Shares of the person of most clips as filmed, and as somebody else; the other people share the rest."""
HOSTED = 0.6
"""Share of the synthetic people who have another clip's surroundings."""
SWAYED, FARTHEST = 0.4, 9.0
"""Share of the people whose head leans with the mouth, and the largest angle in degrees."""
OWN = 2
"""References of a clip that are framed as the target; one more may be framed in another way."""
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

    @property
    def main(self) -> bool:
        """Whether it shows the person of most clips."""
        return not _is_other(self.clip)

    @property
    def person(self) -> str:
        """Name of the speaker; GRID's clips of other speakers are called `s26_bgbsza`, or name no speaker."""
        name = self.clip.about["file"]
        return name.split("_")[0] if name.startswith("s") else name


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
    host: int | None = None
    """Number of the clip whose surroundings are used."""
    sway: float = 0.0
    """Degrees that the head leans as the mouth opens."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A variant as latents and boxes."""

    latents: Tensor
    """(F, C, h, w) float16"""
    box: Tensor
    """(4,) union of its faces."""
    mouths: Tensor
    """(F, 4)"""


def film(dataset: Dataset, split: str, device: torch.device, limit: int | None = None) -> list[Filmed]:
    """Decode a split, and augment its sounds. A limit applies to the clips of the person of most clips."""

    def one(clip: Clip) -> Filmed:
        rng, sound = np.random.default_rng([*clip.key.encode()]), clip.sound()
        altered = [random_alteration(rng)(sound, seed=int(rng.integers(2**31))) for _ in range(VOICES)]
        sounds = tuple(prepare_sound(version, clip.key).waveform for version in (sound, *altered))
        return Filmed(clip, torch.from_numpy(clip.pictures()).to(device), sounds)

    clips = list(read_clips(dataset, split))
    if limit is not None:
        main = [clip for clip in clips if not _is_other(clip)]
        clips = main[:: max(1, len(main) // limit)][:limit] + [clip for clip in clips if _is_other(clip)]
    with ThreadPoolExecutor() as pool:
        return list(tqdm(pool.map(one, clips), total=len(clips), desc=f"decode {split}", disable=None))


def _is_other(clip: Clip) -> bool:
    """GRID's other speakers come with an underscore in their files' names."""
    return "_" in clip.about["file"]


def variants(filmed: list[Filmed], people: int = PEOPLE) -> list[Variant]:
    """The training clips: everybody as filmed, in other framings, as somebody else; `people` of each clip of a person of few clips."""
    rng, chosen, groups = np.random.default_rng(0), [], count()
    main = [number for number, clip in enumerate(filmed) if clip.main]
    others = [number for number, clip in enumerate(filmed) if not clip.main]
    # Of many clips of one person, each counts less.
    often = Counter(filmed[number].person for number in others)
    weight = {number: often[filmed[number].person] ** -0.5 for number in others}

    def add(source: int, person: Person, framings: tuple[Framing, ...], share: float, host: int | None = None) -> None:
        group, sway = next(groups), float(rng.uniform(0, FARTHEST)) if rng.random() < SWAYED else 0.0
        chosen.extend(
            Variant(source, person, framing, group, share / len(framings), host, sway) for framing in framings
        )

    def host(source: int) -> int | None:
        able = [number for number in others if filmed[number].person != filmed[source].person]
        if not able or rng.random() >= HOSTED:
            return None
        chances = np.array([weight[number] for number in able])
        return int(rng.choice(able, p=chances / chances.sum()))

    for place, number in enumerate(main):
        elsewhere, share = place % 2 == 0, MAIN_SHARE / len(main)
        add(number, Person(), (Framing(), random_framing(rng)) if elsewhere else (Framing(),), share)
        framings = (Framing(),) if elsewhere else (Framing(), random_framing(rng))
        add(number, random_person(rng), framings, MADE_SHARE / len(main), host(number))
    rest = 1 - MAIN_SHARE - MADE_SHARE
    for number in others:
        share = rest * weight[number] / sum(weight.values()) / people
        for index in range(people):
            person = random_person(rng) if index else Person()
            add(number, person, (Framing(), random_framing(rng)), share, host(number) if index else None)
    return chosen


def shown(filmed: list[Filmed], variant: Variant, frames: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (F, S, S, 3) uint8, and boxes of face and mouth (F, 4) as shares of the side."""
    source = filmed[variant.source]
    pictures, labels = source.pictures[frames], source.clip.labels
    boxes = [torch.from_numpy(part[frames]).float().to(pictures.device) for part in (labels.boxes, labels.mouths)]
    face = union_box(labels.boxes).to(pictures.device)
    if variant.host is not None:
        host = filmed[variant.host]
        place = torch.from_numpy(host.clip.labels.boxes[0]).float().to(pictures.device)
        pictures = among(pictures, face, host.pictures[0], place)
    if variant.person == Person() and variant.framing == Framing() and not variant.sway:
        return pictures, *boxes
    grid = sources(variant.person, variant.framing, pictures.shape[1], pictures.device)
    if variant.sway:
        angles = lean(labels.opening, -variant.sway if variant.person.mirrored else variant.sway)[frames]
        grid = swayed(grid, torch.from_numpy(angles).float().to(pictures.device), face)
    return transformed(pictures, grid, variant.person), *(boxes_in(part, grid) for part in boxes)


def speed_of(filmed: list[Filmed], variant: Variant) -> np.ndarray:
    """(F,) degrees per frame."""
    labels = filmed[variant.source].clip.labels
    return head_speed(turned(labels, lean(labels.opening, variant.sway))) if variant.sway else labels.speed


@torch.no_grad()
def encode(filmed: list[Filmed], chosen: list[Variant], vae: VAE, *, half: bool) -> list[Encoded]:
    """Encode every variant."""
    encoded = []
    for variant in tqdm(chosen, desc="encode", disable=None):
        pictures, faces, mouths = shown(filmed, variant)
        images = rearrange(pictures, "f h w c -> f c h w").float() / 127.5 - 1
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            latents = torch.cat([vae.encode(part) for part in images.split(BATCH)])
        encoded.append(Encoded(latents.half(), union_box(faces.cpu().numpy()), mouths))
    return encoded


def pictures_of(filmed: list[Filmed], chosen: list[Variant], each: int, seed: int = 0) -> Pictures:
    """Frames for the autoencoder, `each` of every clip."""
    rng, frames, mouths, names = np.random.default_rng(seed), [], [], []
    for variant in tqdm(chosen, desc="pictures", disable=None):
        step = max(1, filmed[variant.source].clip.frames // each)
        first = int(rng.integers(step))
        images, _, boxes = shown(filmed, variant, slice(first, None, step))
        names += [f"{filmed[variant.source].clip.key} frame {first + step * number}" for number in range(len(images))]
        frames.append(images)
        mouths.append(boxes * images.shape[1])
    return Pictures(torch.cat(frames), torch.cat(mouths), names=tuple(names))


@torch.no_grad()
def features_of(filmed: list[Filmed], encoder: AudioEncoder, config: EMOConfig) -> Iterator[Tensor]:
    """(V, F, L, D) float16 for each clip."""
    device = next(encoder.parameters()).device
    for clip in filmed:
        layers = encoder(torch.from_numpy(np.stack(clip.sounds)).to(device)).float()
        frames = clip.clip.frames
        yield torch.stack([at_frames(one, 0, frames, config.fps) for one in layers]).half()


def join_clips(
    filmed: list[Filmed], chosen: list[Variant], encoded: list[Encoded], features: list[Tensor]
) -> TrainingClips:
    """Join the clips; `encoded` belong to `chosen`, `features` to `filmed`."""
    lengths = torch.tensor([len(part.latents) for part in encoded])
    sounds = torch.tensor([part.shape[1] for part in features])
    begins = sounds.cumsum(0) - sounds
    groups: dict[int, list[int]] = {}
    for number, variant in enumerate(chosen):
        groups.setdefault(variant.group, []).append(number)
    references = [[number] * OWN + [_sibling(groups[variant.group], number)] for number, variant in enumerate(chosen)]
    return TrainingClips(
        starts=lengths.cumsum(0) - lengths,
        lengths=lengths,
        share=torch.tensor([variant.share for variant in chosen]),
        references=torch.tensor(references),
        latents=torch.cat([part.latents for part in encoded]),
        features=torch.cat(features, 1),
        feature_starts=begins[[variant.source for variant in chosen]],
        boxes=torch.stack([part.box for part in encoded]),
        mouths=torch.cat([part.mouths for part in encoded]),
        openings=torch.from_numpy(
            np.concatenate([filmed[variant.source].clip.labels.opening for variant in chosen])
        ).float(),
        speed=torch.from_numpy(np.concatenate([speed_of(filmed, variant) for variant in chosen])).float(),
        emotions=torch.from_numpy(
            np.concatenate([emotions_of(filmed[variant.source].clip.labels) for variant in chosen])
        ),
    ).to(encoded[0].latents.device)


def _sibling(group: list[int], number: int) -> int:
    others = [member for member in group if member != number]
    return others[0] if others else number
