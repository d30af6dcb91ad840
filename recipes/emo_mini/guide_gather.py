"""Gather what the guided network learns: `python -m recipes.emo_mini.guide_gather --data DATA --init emo-mini-few.safetensors --out clips.safetensors`.

Latents of truth and guide, features of the sound, and for the decoder every few frames as pictures. Real and drawn clips alternate,
so that `--minutes` may end it anywhere.

Shape legend: N clips, T frames of all clips, S picture side, L D wav2vec layers and width.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from emo_core.emo.models.vae import VAE
from emo_core.emo.training.samples import union_box
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.emote.weights import load_emote
from emo_core.errors import InputError
from emo_core.face.detectors import make_detector
from emo_core.files import atomic_path
from emo_core.media.picture import load_picture
from emo_core.portrait.mouth import load_network

from .guide_clips import GuidedClip, Studio, films_by_turns
from .guide_motion import Listener, TalkingFilm
from .guide_people import films, stills

REAL_FRAMES, DRAWN_FRAMES = 36, 24
"""Frames of a clip."""
REAL_EVERY = 3
"""One clip of so many is real; they are longer."""
PICTURE_EVERY = 3
"""Every n-th frame is kept as a picture, too."""
BATCH = 12


@dataclass(frozen=True, slots=True)
class Gathered:
    """All clips, end to end; the clip of one frame behind each is its portrait's."""

    arrays: dict[str, Tensor]
    """latents and guides (T, C, h, w) float16, portraits (N, C, h, w) float16, features (T, L, D) float16, lengths (N,), boxes (N, 4), mouths,
    eyes (T, 4), openings, speed (T,); pictures of some frames: truth, guide (P, S, S, 3) uint8, clip (P,), picture_mouths (P, 4), and
    portrait_pictures (N, S, S, 3)."""
    names: tuple[str, ...]
    """(N,)"""

    @classmethod
    def open(cls, path: Path) -> "Gathered":
        """What this script wrote."""
        with safe_open(path, "pt") as file:
            names = json.loads(file.metadata()["names"])
            return cls({key: file.get_tensor(key) for key in file.keys()}, tuple(names))


@torch.no_grad()
def encoded(vae: VAE, pictures: np.ndarray) -> Tensor:
    """(F, S, S, 3) uint8 to (F, C, h, w) float16."""
    images = rearrange(torch.tensor(pictures), "f h w c -> f c h w").float() / 127.5 - 1
    with torch.autocast("cpu", torch.bfloat16):
        parts = [vae.encode(part) for part in images.split(BATCH)]
    return torch.cat(parts).half()


def rows_of(clip: GuidedClip, vae: VAE, number: int) -> dict[str, Tensor]:
    """The arrays of one clip."""
    guide, chosen = encoded(vae, clip.guide), slice(number % PICTURE_EVERY, None, PICTURE_EVERY)
    floats = {name: torch.from_numpy(getattr(clip, name)).float() for name in ("mouths", "eyes", "openings", "speed")}
    return {
        "latents": encoded(vae, clip.truth),
        "guides": guide,
        "portraits": encoded(vae, clip.portrait[None]),
        "features": clip.features,
        "lengths": torch.tensor([len(clip.truth)]),
        "boxes": union_box(clip.faces)[None],
        **floats,
        "truth": torch.from_numpy(clip.truth[chosen].copy()),
        "guide": torch.from_numpy(clip.guide[chosen].copy()),
        "clip": torch.full((len(clip.truth[chosen]),), number),
        "picture_mouths": floats["mouths"][chosen],
        "portrait_pictures": torch.from_numpy(clip.portrait[None].copy()),
    }


def clips(studio: Studio, people: dict[str, list[TalkingFilm]], faces: tuple[Path, ...]) -> Iterator[GuidedClip]:
    """Real and drawn clips by turns, until every still was shown once."""
    rng = np.random.default_rng(0)
    real, worn = films_by_turns(people, rng), films_by_turns(people, rng)
    order = iter([faces[number] for number in rng.permutation(len(faces))])
    for number in itertools.count():
        if number % REAL_EVERY == 0:
            yield studio.real(next(real), REAL_FRAMES, rng)
            continue
        path = next(order, None)
        if path is None:
            return
        try:
            clip = studio.drawn(load_picture(path), path.stem, next(worn), DRAWN_FRAMES, rng)
        except InputError as error:
            print(f"left out {path.name}: {error}", flush=True)
            continue
        if clip is not None:
            yield clip


def main() -> None:
    """Gather and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--init", type=Path, required=True, help="emo-mini-few.safetensors")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15.0, help="the drawing ends after so long (default: 15)")
    parser.add_argument("--films", type=int, default=18, help="films of one speaker, at most (default: 18)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint, emote = load_checkpoint(args.init), load_emote()
    config, detector = checkpoint.config, make_detector(landmarks=True, quiet=True)
    listener = Listener(detector, emote.rig, emote, checkpoint.audio_encoder, config.audio.window)
    people: dict[str, list[TalkingFilm]] = {}
    for film in listener.films(films(args.data, args.films)):
        people.setdefault(film.person, []).append(film)
    print({person: len(own) for person, own in people.items()}, flush=True)
    studio = Studio(config, detector, emote.rig, load_network(torch.device("cpu")))
    rows, names, start = [], [], time.monotonic()
    for clip in clips(studio, people, stills(args.data).teach):
        rows.append(rows_of(clip, checkpoint.vae, len(rows)))
        names.append(clip.name)
        if len(rows) % 20 == 0:
            print(f"{len(rows)} clips, {time.monotonic() - start:.0f} s", flush=True)
        if time.monotonic() - start > 60 * args.minutes:
            break
    arrays = {name: torch.cat([row[name] for row in rows]).contiguous() for name in rows[0]}
    with atomic_path(args.out) as temporary:
        save_file(arrays, temporary, {"names": json.dumps(names)})
    print(f"{len(rows)} clips, {len(arrays['latents'])} frames, {len(arrays['truth'])} pictures", flush=True)


if __name__ == "__main__":
    main()
