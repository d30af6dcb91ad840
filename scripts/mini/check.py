"""Does the mouth follow the sound? `python -m scripts.mini.check --data WORK --checkpoint F [--clips 8] [--steps 20]`.

Held-out clips: their first frame and their sound give a video; its mouth opening is compared with the true video's, and,
as a control, with the true video of another clip (GRID sentences share their timing, so that is not zero).
"""

import argparse
from pathlib import Path

import mediapipe
import numpy as np
import torch

from emo_core.animate import encode_picture, to_bytes
from emo_core.audio.features import AudioFeatures
from emo_core.audio.sound import prepare_sound
from emo_core.face.box import Box
from emo_core.face.region import region_mask
from emo_core.models.vae import decode_frames
from emo_core.sampling.denoiser import Denoiser
from emo_core.sampling.generate import Settings, Subject, generate
from emo_core.sampling.guidance import Guidance
from emo_core.weights.checkpoint import Checkpoint, load_checkpoint

from .corpus import Corpus


def speak(model: Checkpoint, corpus: Corpus, clip: int, settings: Settings) -> np.ndarray:
    """Generate a held-out clip from its first frame and its sound: (T, 256, 256, 3) uint8."""
    points = corpus.landmarks[clip][..., :2]
    box = Box(*points.min((0, 1)), *points.max((0, 1)))
    subject = Subject(
        reference=encode_picture(model.vae, corpus.frames[clip, 0], torch.device("cpu")),
        audio=AudioFeatures(prepare_sound(corpus.audio[clip]), model.audio_encoder, fps=25, window=2),
        mask=region_mask(box, model.config.image_size, model.config.mask_size),
        speed=None,
    )
    latents = torch.cat(list(generate(Denoiser(model.emo), subject, settings)))
    return to_bytes(decode_frames(model.vae, latents))


def opening(frames: np.ndarray) -> np.ndarray:
    """(T,) distance of the inner lips over the height of the face; NaN where no face is found."""
    values = []
    with mediapipe.solutions.face_mesh.FaceMesh(refine_landmarks=True, max_num_faces=1) as mesh:
        for frame in frames:
            faces = mesh.process(frame).multi_face_landmarks
            points = np.array([(p.x, p.y) for p in faces[0].landmark]) if faces else np.full((478, 2), np.nan)
            lips, face = (np.linalg.norm(points[a] - points[b]) for a, b in ((13, 14), (10, 152)))
            values.append(lips / face)
    return np.array(values)


def smooth(values: np.ndarray) -> np.ndarray:
    """Mean over three frames."""
    return np.convolve(values, np.ones(3) / 3, "valid")


def main() -> None:
    """Print one row per clip and the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    model, corpus = load_checkpoint(args.checkpoint), Corpus.open(args.data)
    held_out = corpus.split()[1]
    chosen = held_out[:: max(1, len(held_out) // args.clips)][: args.clips]
    settings = Settings(steps=args.steps, guidance=Guidance(audio=model.config.diffusion.audio_scale))
    truth = [corpus.mouth_opening(clip) for clip in chosen]
    rows = []
    for k, clip in enumerate(chosen):
        made = opening(speak(model, corpus, clip, settings))
        found = np.isfinite(made)
        filled = np.interp(np.arange(len(made)), np.flatnonzero(found), made[found])
        other = truth[(k + 1) % len(truth)]
        rows.append(
            (
                found.mean(),
                np.corrcoef(filled, truth[k])[0, 1],
                np.corrcoef(smooth(filled), smooth(truth[k]))[0, 1],
                np.corrcoef(filled, other)[0, 1],
                filled.std() / truth[k].std(),
            )
        )
        print(
            corpus.names[clip],
            "found {:.2f} raw {:.2f} smoothed {:.2f} other clip {:.2f} spread {:.2f}".format(*rows[-1]),
            flush=True,
        )
    print(
        "median",
        "found {:.2f} raw {:.2f} smoothed {:.2f} other clip {:.2f} spread {:.2f}".format(*np.median(rows, axis=0)),
    )


if __name__ == "__main__":
    main()
