"""Train the network that avatars start from: `python -m recipes.avatar_base.train --tracks TRACKS --out RUN --minutes 40 --weights FILE`."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from emo_core.avatar.render_data import MouthFilm
from emo_core.avatar.render_training import Hooks, RenderSettings, train_on
from emo_core.avatar.unet import FINEST, MouthNet, load_base, save_net
from emo_core.face.rig import load_rig
from emo_core.training.schedule import Limits

from .gather import load_people

MOUTHS = 300
"""Patches of each person's gallery."""
SETTINGS = RenderSettings(rate=1e-3, colours=0.08, validate_every=50)
CARD = {
    "licence": "CC BY 4.0",
    "attribution": "Learnt from the GRID corpus (Cooke et al. 2006, https://doi.org/10.5281/zenodo.3625687)",
}


def main() -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=Path, required=True, help="what gather wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and previews")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--steps", type=int, help="end after so many, whatever the minutes")
    parser.add_argument("--start", type=Path, help="weights to go on from, at half the learning rate")
    parser.add_argument("--weights", type=Path, required=True, help="the safetensors file to write")
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    rig = load_rig()
    films = []
    for person in load_people(args.tracks):
        films.append(MouthFilm(person.track, rig, person.codes, FINEST, mouths=MOUTHS))
        print(person.name, len(films[-1]), "frames", flush=True)
    args.out.mkdir(parents=True, exist_ok=True)

    def preview(sheet: np.ndarray) -> None:
        Image.fromarray(sheet).save(args.out / "preview.png")

    net, settings = MouthNet(), SETTINGS
    if args.start is not None:
        net, settings = load_base(args.start), replace(SETTINGS, rate=SETTINGS.rate / 2)
    limits = Limits(minutes=args.minutes, steps=args.steps)
    hooks = Hooks(preview=preview, report=lambda line: print(line, flush=True))
    train_on(net, films, settings, limits, args.out, resume=args.resume, hooks=hooks)
    save_net(net, args.weights, CARD)


if __name__ == "__main__":
    main()
