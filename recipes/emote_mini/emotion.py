"""Films and voices from which emote-mini's emotions are made: `python -m recipes.emote_mini.emotion --films films.npz voices.npz --out FOLDER`.

Then `python -m emo_core emote train --stage prior`, and `--stage emotion`, read FOLDER. Nobody in these films shows an emotion: all emotional
motion is constructed. Silence and noise are added as muted shots.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from emo_core.emote.training.heard import hear, save_film
from emo_core.emote.weights import load_emote
from emo_core.media.sound import SAMPLE_RATE, Sound

from .gather import load

S1 = 6
"""Every n-th film of s1, of whom there are most."""
MUTED = 12
SECONDS = 5


def main() -> None:
    """Listen and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=Path, nargs="+", required=True, help="of `gather`, and of `voices`")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = load_emote()
    args.out.mkdir(parents=True, exist_ok=True)
    films = [film for path in args.films for film in load(path) if film.use in ("train", "strangers", "voice")]
    s1 = [film for film in films if film.person == "s1"]
    films = [film for film in films if film.person != "s1"] + s1[::S1]
    for film in tqdm(films, disable=None):
        heard = hear(Sound(film.sound), model, name=film.name, person=film.person)
        save_film(heard, args.out / f"{film.name.replace('/', '__')}.safetensors")
    rng = np.random.default_rng(0)
    for number in range(MUTED):
        level = 10 ** rng.uniform(-3, -1.5) if number % 2 else 0.0
        sound = Sound((level * rng.normal(size=SECONDS * SAMPLE_RATE)).astype(np.float32))
        save_film(hear(sound, model, name=f"muted {number}", person="nobody"), args.out / f"muted-{number}.safetensors")
    print(f"{args.out}: {len(films) + MUTED} films")


if __name__ == "__main__":
    main()
