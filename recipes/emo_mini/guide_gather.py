"""Gather what the guided network learns: `python -m recipes.emo_mini.guide_gather --data DATA --init emo-mini-few.safetensors --out clips.safetensors`.

Latents of truth and guide, features of the sound, and for the decoder every few frames as pictures. Real and drawn clips alternate,
so that `--minutes` may end it anywhere. Each of the `--workers` has its own speakers and stills.

Shape legend: N clips, T frames of all clips, S picture side, L D wav2vec layers and width.
"""

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
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
from .guide_motion import Listener, TalkingFilm, as_used, wrong
from .guide_people import films, kept_out_films, stills

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
    """latents and guides (T, C, h, w) float16, portraits (N, C, h, w) float16, features (T, L, D) float16, lengths (N,), boxes (N, 4), mouths
    (T, 4), openings, speed (T,); pictures of some frames: truth, guide (P, S, S, 3) uint8, picture_mouths (P, 4), and the frame (P,) that
    each shows, 0 .. T."""
    names: tuple[str, ...]
    """(N,)"""

    @classmethod
    def open(cls, *paths: Path) -> "Gathered":
        """What this script wrote."""
        parts = []
        for path in paths:
            with safe_open(path, "pt") as file:
                names = json.loads(file.metadata()["names"])
                parts.append(cls({key: file.get_tensor(key) for key in file.keys()}, tuple(names)))
        return parts[0] if len(parts) == 1 else cls.joined(parts)

    @classmethod
    def joined(cls, parts: "list[Gathered]") -> "Gathered":
        """The clips of all parts, in their order."""
        rows, before = [], 0
        for part in parts:
            rows.append({**part.arrays, "frame": part.arrays["frame"] + before})
            before += len(part.arrays["latents"])
        names = tuple(name for part in parts for name in part.names)
        return cls({name: torch.cat([row[name] for row in rows]).contiguous() for name in rows[0]}, names)

    def save(self, path: Path) -> None:
        """Write all, or nothing."""
        with atomic_path(path) as temporary:
            save_file(self.arrays, temporary, {"names": json.dumps(self.names)})


@torch.no_grad()
def encoded(vae: VAE, pictures: np.ndarray) -> Tensor:
    """(F, S, S, 3) uint8 to (F, C, h, w) float16."""
    images = rearrange(torch.tensor(pictures), "f h w c -> f c h w").float() / 127.5 - 1
    with torch.autocast("cpu", torch.bfloat16):
        parts = [vae.encode(part) for part in images.split(BATCH)]
    return torch.cat(parts).half()


def rows_of(clip: GuidedClip, vae: VAE, number: int) -> dict[str, Tensor]:
    """The arrays of one clip, the `number`-th."""
    guide, chosen = encoded(vae, clip.guide), slice(number % PICTURE_EVERY, None, PICTURE_EVERY)
    floats = {name: torch.from_numpy(getattr(clip, name)).float() for name in ("mouths", "openings", "speed")}
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
        "frame": torch.arange(len(clip.truth))[chosen],
        "picture_mouths": floats["mouths"][chosen],
    }


def clips(
    studio: Studio, people: dict[str, list[TalkingFilm]], faces: tuple[Path, ...], rng: np.random.Generator
) -> Iterator[GuidedClip]:
    """Real and drawn clips by turns, until every still was shown once."""
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


@dataclass(frozen=True, slots=True)
class Request:
    """What to gather."""

    data: Path
    init: Path
    minutes: float
    films: int
    workers: int
    kept_out: bool
    seed: int

    def part(self, folder: Path, worker: int) -> Path:
        """Draw the clips of one worker's speakers and stills; the file that holds them."""
        torch.set_num_threads(1)
        checkpoint, emote = load_checkpoint(self.init), load_emote()
        config, detector = checkpoint.config, make_detector(landmarks=True, quiet=True)
        listener = Listener(detector, emote.rig, emote, checkpoint.audio_encoder, config.audio.window)
        speakers = kept_out_films(self.data) if self.kept_out else films(self.data, self.films)
        chosen = dict(list(speakers.items())[worker :: self.workers])
        people: dict[str, list[TalkingFilm]] = {}
        for film in listener.films(chosen):
            people.setdefault(film.person, []).append(film)
        print({person: len(own) for person, own in people.items()}, flush=True)
        mouth, alter = load_network(torch.device("cpu")), as_used if self.kept_out else wrong
        studio = Studio(config, detector, emote.rig, mouth, alter)
        pictures, rng = stills(self.data), np.random.default_rng((self.seed, worker))
        faces = (pictures.kept_out if self.kept_out else pictures.teach)[worker :: self.workers]
        parts: list[Gathered] = []
        start = time.monotonic()
        for clip in clips(studio, people, faces, rng):
            parts.append(Gathered(rows_of(clip, checkpoint.vae, len(parts)), (clip.name,)))
            if len(parts) % 20 == 0:
                print(f"{len(parts)} clips, {time.monotonic() - start:.0f} s", flush=True)
            if time.monotonic() - start > 60 * self.minutes:
                break
        path = folder / f"{worker}.safetensors"
        Gathered.joined(parts).save(path)
        return path


def main() -> None:
    """Gather and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--init", type=Path, required=True, help="emo-mini-few.safetensors")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15.0, help="the drawing ends after so long (default: 15)")
    parser.add_argument("--films", type=int, default=18, help="films of one speaker, at most (default: 18)")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw (default: 2)")
    parser.add_argument(
        "--kept-out", action="store_true", help="people who teach nothing, with guides as in use, to validate on"
    )
    parser.add_argument("--seed", type=int, default=0, help="another one draws other clips of the same people")
    args = parser.parse_args()
    request = Request(args.data, args.init, args.minutes, args.films, args.workers, args.kept_out, args.seed)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=args.out.parent) as folder,
        ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool,
    ):
        paths = pool.map(partial(request.part, Path(folder)), range(args.workers))
        gathered = Gathered.open(*paths)
        gathered.save(args.out)
    print(f"{len(gathered.names)} clips, {len(gathered.arrays['latents'])} frames", flush=True)


if __name__ == "__main__":
    main()
