"""Cut the mouths out of films and photographs: `python -m recipes.mouth.gather --data ../shared/data --land LAND --out mouths.npz`.

Films are GRID's of the speakers that may train; photographs are the London Set's smiles, each with the same person's neutral
face, which show teeth sharply. Of every frame: the patch, the lips' descriptor, the film's and the person's number.

Shape legend: N patches, H x W a patch, S sources (films or photographs).
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from emo_core.face.mediapipe_detector import BundledDetector
from emo_core.files import atomic_path
from emo_core.portrait.mouth_colours import mouth_colours
from emo_core.portrait.mouth_geometry import cut_patches, lip_descriptor, patch_transform

from .poses import lip_gaps, neutral_face, skull_points

FOLDERS = {"grid_s4_hq": "talk/grid_s4_hq", "grid_more": "talk/grid_more", "grid_s1": "grid_s1"}
"""The films of `talk/grid` are left out: their mouths have the fewest pixels, and not all of their speakers are known."""
HIDDEN = ("s30", "s31", "s34")
SHARP = ("grid_s4_hq", "frl")
"""Sources with as many pixels as the patch; the others are compared at half its size."""
OPEN = 0.03
"""Smallest lip gap of an open mouth; of closed ones one frame in CLOSED_STEP is kept."""
CLOSED_STEP = 5
S1_CLIPS = 150
"""Films of the person with most of them."""


Keep = Callable[[np.ndarray], np.ndarray]
"""Lip gaps (F,) to which frames are kept (F,)."""


@dataclass(frozen=True, slots=True)
class Source:
    """The patches of one film or photograph."""

    name: str
    person: str
    sharp: bool
    patches: np.ndarray
    """(N, H, W, 3) uint8"""
    lips: np.ndarray
    """(N, DESCRIPTOR)"""
    colours: np.ndarray
    """(COLOURS,) of `mouth_colours`, median over the frames."""


def person_of(folder: str, clip: str) -> str | None:
    """Who speaks, or None where nobody may learn it."""
    person = clip.split("_")[0] if folder == "grid_more" else folder[5:7]
    return None if folder not in FOLDERS or person in HIDDEN else person


def film_source(
    video: Path, points: np.ndarray, person: str, fallback: np.ndarray | None, sharp: bool, keep: Keep
) -> Source:
    """Cut the frames of a film."""
    neutral = neutral_face(points)
    neutral = fallback if neutral is None else neutral
    skull = skull_points(neutral, points)
    frames = np.flatnonzero(keep(lip_gaps(points)))
    with av.open(str(video)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    pictures = torch.from_numpy(np.stack([pictures[frame] for frame in frames]))
    return cut_source(f"{video.parent.name}/{video.stem}", person, sharp, pictures, points[frames], skull[frames])


def cut_source(
    name: str, person: str, sharp: bool, pictures: torch.Tensor, points: np.ndarray, skull: np.ndarray
) -> Source:
    """Pictures (N, h, w, 3) uint8 with points and skull (N, 478, 3) to patches."""
    points, skull = torch.from_numpy(points).float(), torch.from_numpy(skull).float()
    patches = cut_patches(pictures.permute(0, 3, 1, 2).float(), patch_transform(skull))
    some = range(0, len(points), max(1, len(points) // 8))
    colours = torch.stack([mouth_colours(pictures[place].numpy(), points[place]) for place in some]).median(0).values
    return Source(
        name,
        person,
        sharp,
        patches.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy(),
        lip_descriptor(points, skull).numpy(),
        colours.numpy(),
    )


def all_frames(gaps: np.ndarray) -> np.ndarray:
    """Every frame."""
    return np.ones(len(gaps), bool)


def mostly_open(gaps: np.ndarray) -> np.ndarray:
    """Open mouths, and some of the closed ones."""
    return (gaps > OPEN) | (np.arange(len(gaps)) % CLOSED_STEP == 0)


def film_sources(
    data: Path, land: Path, wanted: Callable[[str, str], str | None], keep: Keep = mostly_open
) -> list[Source]:
    """The films of `FOLDERS` and others for which `wanted(folder, clip)` names a person."""
    named = []
    for file in sorted(land.glob("*.npz")):
        folder, clip = file.stem.split("__", 1)
        if (person := wanted(folder, clip)) is not None:
            named.append((folder, clip, person, np.load(file)["landmarks"].astype(np.float64)))
    neutrals = {}
    for _, _, person, points in named:
        if person not in neutrals and np.isfinite(points).all() and (face := neutral_face(points)) is not None:
            neutrals[person] = face
    sources = []
    for folder, clip, person, points in named:
        if np.isfinite(points).all() and person in neutrals:
            video = data / FOLDERS.get(folder, f"talk/{folder}") / f"{clip}.mp4"
            sources.append(film_source(video, points, person, neutrals[person], folder in SHARP, keep))
    return sources


def smile_sources(data: Path) -> list[Source]:
    """The London Set's smiles that show teeth."""
    detector, sources = BundledDetector(), []
    for file in sorted((data / "stills/frl/smiling_front").glob("*.jpg")):
        smile = np.asarray(Image.open(file).convert("RGB"))
        (neutral_file,) = (data / "stills/frl/neutral_front").glob(f"{file.stem.split('_')[0]}_*.jpg")
        found = [detector.detect(np.asarray(picture)) for picture in (smile, Image.open(neutral_file).convert("RGB"))]
        if not all(found):
            continue
        points, neutral = (faces[0].landmarks.astype(np.float64) for faces in found)
        if lip_gaps(points[None])[0] > OPEN:
            skull = skull_points(neutral, points[None])
            pictures = torch.from_numpy(smile.copy())[None]
            sources.append(cut_source(f"frl/{file.stem}", f"frl{file.stem[:3]}", True, pictures, points[None], skull))
    return sources


def write(sources: list[Source], path: Path) -> None:
    """One file: patches, lips, source (number) per patch; names, persons, sharp, colours per source."""
    numbers = np.repeat(np.arange(len(sources)), [len(source.lips) for source in sources])
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            patches=np.concatenate([source.patches for source in sources]),
            lips=np.concatenate([source.lips for source in sources]),
            source=numbers,
            names=np.array([source.name for source in sources]),
            persons=np.array([source.person for source in sources]),
            sharp=np.array([source.sharp for source in sources]),
            colours=np.stack([source.colours for source in sources]),
        )


def main() -> None:
    """Gather."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of films and pictures")
    parser.add_argument(
        "--land", type=Path, required=True, help="landmarks per film: FOLDER__CLIP.npz with `landmarks`"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--strangers", action="store_true", help="the people who are never trained on, all frames")
    args = parser.parse_args()
    if args.strangers:
        sources = film_sources(args.data, args.land, _stranger, all_frames)
    else:
        s1 = sorted(args.land.glob("grid_s1__*.npz"))
        chosen = {file.stem.split("__", 1)[1] for file in s1[:: max(1, len(s1) // S1_CLIPS)]}
        sources = film_sources(
            args.data,
            args.land,
            lambda folder, clip: None if folder == "grid_s1" and clip not in chosen else person_of(folder, clip),
        )
        sources += smile_sources(args.data)
    write(sources, args.out)


def _stranger(folder: str, clip: str) -> str | None:
    person = clip.split("_")[0]
    return person if folder in ("grid", "grid_strangers") and person in HIDDEN else None


if __name__ == "__main__":
    main()
