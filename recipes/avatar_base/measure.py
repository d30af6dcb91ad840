"""Learn one person's mouth and measure it on other clips: `python -m recipes.avatar_base.measure --learn TRACK --judge TRACK --minutes 15 --out FOLDER`.

The renderer gets each clip's own frames, with the lower face hidden, and the clip's own motion. Compared with the clip, beside
the same enhanced, the nearest real mouth, copied, and the clip's first frame, frozen. A second table draws the clip's mouths over frames of the
film that was learnt, as replay does.

Shape legend: F frames of a clip, P side of the patch.
"""

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from emo_core.avatar.avatar_file import load_avatar
from emo_core.avatar.motion import motion_of
from emo_core.avatar.patches import PatchPlace, spoken_region
from emo_core.avatar.render_data import SHIFT
from emo_core.avatar.render_losses import mouth_weights
from emo_core.avatar.render_training import train_renderer
from emo_core.avatar.renderer import MouthRenderer
from emo_core.avatar.retrieval import lip_distances, lip_shapes
from emo_core.avatar.sound_codes import sound_codes
from emo_core.avatar.track import Track, load_track
from emo_core.avatar.unet import BASE
from emo_core.emote.weights import load_emote
from emo_core.face.alignment import align
from emo_core.face.mesh_points import INNER_LIPS_LOWER, INNER_LIPS_UPPER
from emo_core.face.rig import FaceRig, load_rig
from emo_core.files import write_json

BLOCK = 25
"""Frames that are drawn with one call."""
OPEN = 0.04
"""Gap of an open mouth over the patch's side."""
COLUMNS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Clip:
    """A clip in patches, true and made."""

    truth: np.ndarray
    """(F, P, P, 3) float32"""
    points: np.ndarray
    """(F, 478, 2)"""
    made: dict[str, np.ndarray]
    """By its name, (F, P, P, 3) float32."""


def draw_take(
    renderer: MouthRenderer,
    judged: Track,
    codes: np.ndarray,
    rows: slice,
    base: Track,
    frames: np.ndarray,
    *,
    detail: float = 0.0,
) -> np.ndarray:
    """Squares (F, S, S, 3): the mouths of a take over frames (F,) of a base track; `detail` is of the enhancement."""
    renderer.restart()
    drawn = []
    for start in range(0, len(frames), BLOCK):
        some = frames[start : start + BLOCK]
        place = slice(rows.start + start, rows.start + start + len(some))
        squares = np.stack([base.pictures[int(frame)] for frame in some])
        motion = base.motion[some]
        drawn.append(
            renderer.draw(squares, base.landmarks[some], motion, judged.motion[place], codes[place], detail=detail)
        )
    return np.concatenate(drawn)


def own_clip(renderer: MouthRenderer, judged: Track, codes: np.ndarray, rows: slice) -> Clip:
    """A take over its own frames, with both controls."""
    frames = np.arange(rows.start, rows.stop)
    squares = draw_take(renderer, judged, codes, rows, judged, frames)
    enhanced = draw_take(renderer, judged, codes, rows, judged, frames, detail=1.0)
    places = PatchPlace.of(judged.landmarks[rows], renderer.neutral, renderer.size)
    points = places.inside(judged.landmarks[rows])
    truth = np.stack([places.cut(judged.pictures[int(frame)], n) for n, frame in enumerate(frames)])
    made, enhanced = (
        np.stack([places.cut(square, n) for n, square in enumerate(some)]) for some in (squares, enhanced)
    )
    nearest = lip_distances(lip_shapes(points, renderer.size), renderer.gallery.lips).argmin(1)
    copied = np.stack([renderer.gallery.patches[int(mouth)] for mouth in nearest])
    frozen = np.repeat(truth[:1], len(truth), axis=0)
    made = {"drawn": made, "enhanced": enhanced, "nearest": copied, "frozen": frozen}
    return Clip(truth.astype(np.float32), points, {name: each.astype(np.float32) for name, each in made.items()})


def replayed_clip(renderer: MouthRenderer, judged: Track, codes: np.ndarray, rows: slice, learnt: Track) -> Clip:
    """A take's mouths over the stretch of the learnt film whose head is held most alike."""
    count = rows.stop - rows.start
    looks = [np.concatenate([track.motion.rotation, SHIFT * track.motion.translation], 1) for track in (learnt, judged)]
    starts = [s for take in learnt.takes for s in range(take.first, take.stop - count + 1, 5)]
    first = min(starts, key=lambda start: np.abs(looks[0][start : start + count] - looks[1][rows]).sum())
    frames = np.arange(first, first + count)
    squares = draw_take(renderer, judged, codes, rows, learnt, frames)
    where = PatchPlace.of(learnt.landmarks[frames], renderer.neutral, renderer.size)
    places = PatchPlace.of(judged.landmarks[rows], renderer.neutral, renderer.size)
    truth = np.stack([places.cut(judged.pictures[rows.start + n], n) for n in range(count)])
    made = {"drawn": np.stack([where.cut(square, n) for n, square in enumerate(squares)]).astype(np.float32)}
    made["base"] = np.stack([where.cut(learnt.pictures[int(f)], n) for n, f in enumerate(frames)]).astype(np.float32)
    return Clip(truth.astype(np.float32), places.inside(judged.landmarks[rows]), made)


def numbers(clip: Clip, name: str) -> dict[str, float]:
    """What one way of drawing reaches on a clip."""
    made, truth, points = clip.made[name], clip.truth, clip.points
    size = made.shape[1]
    mouth = (mouth_weights(points, size) > 0.25).astype(np.float32)
    region = np.stack([spoken_region((face,), size) for face in points])
    ring = ((region > 0.02) & (region < 0.98)).astype(np.float32)
    wide = (points[:, 14, 1] - points[:, 13, 1]) > OPEN * size
    steps = [np.abs(np.diff(part, axis=0)) for part in (truth,)]
    error = np.abs(np.diff(made, axis=0) - np.diff(truth, axis=0))
    inner = inner_mouths(points, size)
    result = {
        "mouth": psnr(made, truth, mouth),
        "region": psnr(made, truth, region),
        "sharp": mean(gradients(made), mouth) / mean(gradients(truth), mouth),
        "motion": mean(error.mean(-1), mouth[1:]) / mean(steps[0].mean(-1), mouth[1:]),
        "seam": mean(gradients(made), ring) / mean(gradients(truth), ring),
    }
    if wide.sum() >= 3:
        result["detail"] = mean(laplacians(made[wide]), inner[wide]) / mean(laplacians(truth[wide]), inner[wide])
    return result


def inner_mouths(points: np.ndarray, size: int) -> np.ndarray:
    """(F, P, P) 1 inside the open lips."""
    ring = [*INNER_LIPS_UPPER, *INNER_LIPS_LOWER[-2:0:-1]]
    masks = np.zeros((len(points), size, size), np.float32)
    for mask, face in zip(masks, points, strict=True):
        cv2.fillPoly(mask, [np.round(face[ring]).astype(np.int32)], 1.0)
    return masks


def mean(values: np.ndarray, weights: np.ndarray) -> float:
    """Of (F, P, P) where the weights are."""
    return float((values * weights).sum() / max(weights.sum(), 1e-6))


def psnr(made: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> float:
    """Mean over frames, in decibels."""
    error = (np.square(made - truth).mean(-1) * weights).sum((1, 2)) / weights.sum((1, 2))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(error, 1e-3))))


def gradients(pictures: np.ndarray) -> np.ndarray:
    """(F, P, P) size of the brightness' gradient."""
    grey = pictures.mean(-1)
    return np.hypot(np.gradient(grey, axis=1), np.gradient(grey, axis=2))


def laplacians(pictures: np.ndarray) -> np.ndarray:
    """(F, P, P) size of the brightness' Laplacian."""
    return np.stack([np.abs(cv2.Laplacian(picture.mean(-1), cv2.CV_32F)) for picture in pictures])


def sheet(clips: list[Clip]) -> np.ndarray:
    """Frames of all openings, the widest last: truth, then all that is made."""
    truth, points = np.concatenate([clip.truth for clip in clips]), np.concatenate([clip.points for clip in clips])
    order = np.argsort(points[:, 14, 1] - points[:, 13, 1])
    some = order[np.linspace(len(order) // 10, len(order) - 1, COLUMNS).round().astype(int)]
    rows = [truth[some], *(np.concatenate([clip.made[name] for clip in clips])[some] for name in clips[0].made)]
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows]).round().clip(0, 255).astype(np.uint8)


def as_learnt(judged: Track, learnt: Track, rig: FaceRig) -> Track:
    """The judged clips' motion against the neutral face that was learnt, as a motion in use is."""
    takes = [judged.landmarks[take.rows] for take in judged.takes]
    points = [align(part).points for part in takes]
    motion = motion_of(takes, points, judged.shown, learnt.neutral, rig, judged.size)
    return dataclasses.replace(judged, motion=motion, neutral=learnt.neutral)


def clips_of(judged: Track) -> Iterator[slice]:
    """Takes that are shown throughout."""
    for take in judged.takes:
        if judged.shown[take.rows].all():
            yield take.rows


def main() -> None:
    """Learn, judge, write numbers and sheets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learn", type=Path, required=True, help="a track to learn from")
    parser.add_argument("--judge", type=Path, required=True, help="a track of other clips of the same person")
    parser.add_argument("--avatar", type=Path, help="an avatar that was trained on it, in place of training")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--base", type=Path, default=BASE)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    learnt, encoder, rig = load_track(args.learn), load_emote().encoder, load_rig()
    judged = as_learnt(load_track(args.judge), learnt, rig)
    args.out.mkdir(parents=True, exist_ok=True)

    def preview(picture: np.ndarray) -> None:
        Image.fromarray(picture).save(args.out / "preview.png")

    if args.avatar is None:
        net, gallery = train_renderer(
            learnt,
            sound_codes(learnt, encoder),
            args.base,
            minutes=args.minutes,
            folder=args.out,
            resume=args.resume,
            preview=preview,
        )
    else:
        known = load_avatar(args.avatar).renderer
        net, gallery = known.net, known.gallery
    renderer, codes = MouthRenderer(net, gallery, rig, learnt.neutral), sound_codes(judged, encoder)
    results = {}
    for table in ("own", "replayed"):
        clips = []
        for rows in clips_of(judged):
            make = own_clip if table == "own" else replayed_clip
            clips.append(make(renderer, judged, codes, rows, *(() if table == "own" else (learnt,))))
        Image.fromarray(sheet(clips)).save(args.out / f"{table}.png")
        for name in clips[0].made:
            rows = [numbers(clip, name) for clip in clips]
            results[f"{table} {name}"] = {
                key: round(float(np.mean([row[key] for row in rows if key in row])), 3) for key in rows[0] | rows[-1]
            }
            print(f"{table:9}{name:9}", results[f"{table} {name}"], flush=True)
    write_json(args.out / "measured.json", results)


if __name__ == "__main__":
    main()
