"""Pairs of films: what is to be seen, and the guide that the portrait renderer draws for it with a wrong mouth.

*Real*: a film of GRID, and one of its own frames as the portrait that wears the film's head pose and gaze. *Drawn*: a still that wears
the motion of any film, as the truth, and the same with a wrong mouth.

Shape legend: F frames, S picture side.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from emo_core.emo.config import EMOConfig
from emo_core.face.coefficients import BLINK
from emo_core.face.crop import Crop
from emo_core.face.detect import Face, FaceDetector
from emo_core.face.framing import Framing, frame_face
from emo_core.face.mouth import mouth_boxes, mouth_opening
from emo_core.face.rig import FaceRig
from emo_core.media.video_reader import frames_at, open_source
from emo_core.portrait.mouth_interior import MouthInterior
from emo_core.portrait.plausible import check_landmarks
from emo_core.portrait.prepare import PreparedPortrait, detailed
from emo_core.portrait.render import PortraitRenderer

from .guide_motion import FPS, Alter, TalkingFilm, faster, wrong

RESTING = 0.4
"""A portrait is one of this share of a film's frames, those with the mouth least open."""
JITTER = 0.05
"""Standard deviation of the framing's size and place, as shares."""
HEAD = (0.4, 3.0)
"""Factor on the head motion of a drawn film."""
OTHER_BLINKS = 0.7
"""Share of the drawn films that blink as emote-mini does, not as the speaker."""


@dataclass(frozen=True, slots=True)
class GuidedClip:
    """One clip to learn from."""

    name: str
    truth: np.ndarray
    """(F, S, S, 3) uint8"""
    guide: np.ndarray
    """(F, S, S, 3) uint8"""
    portrait: np.ndarray
    """(S, S, 3) uint8"""
    points: np.ndarray
    """(F, 478, 2) of the truth, as shares of the side."""
    features: torch.Tensor
    """(F, L, D) float16 of the sound."""
    rotation: np.ndarray
    """(F, 3) degrees of the head."""

    @property
    def mouths(self) -> np.ndarray:
        """(F, 4) boxes of the lips."""
        return mouth_boxes(self.points)

    @property
    def faces(self) -> np.ndarray:
        """(F, 4) boxes of the face."""
        return np.concatenate([self.points.min(1), self.points.max(1)], axis=-1)

    @property
    def openings(self) -> np.ndarray:
        """(F,) of the mouth."""
        return mouth_opening(self.points)

    @property
    def speed(self) -> np.ndarray:
        """(F,) degrees per frame."""
        steps = np.linalg.norm(np.diff(self.rotation, axis=0), axis=-1)
        return np.concatenate([steps[:1], steps])


@dataclass(frozen=True, slots=True)
class Studio:
    """Draws guides in a network's framing."""

    config: EMOConfig
    detector: FaceDetector
    rig: FaceRig
    mouth: MouthInterior
    alter: Alter = wrong
    """Makes a guide's motion from the true one and the spoken one."""

    def portrait(self, image: np.ndarray, landmarks: np.ndarray, crop: Crop) -> PreparedPortrait:
        """A picture (H, W, 3) in the square that the network animates; landmarks (478, 3) in pixels of the picture."""
        points = (np.asarray(landmarks, np.float64) - [crop.left, crop.top, 0]) * (crop.size / crop.side)
        return PreparedPortrait(detailed(crop).cut(image), points, crop.size, crop)

    def renderer(self, portrait: PreparedPortrait) -> PortraitRenderer:
        """Of a portrait."""
        return PortraitRenderer(portrait, self.rig, self.mouth)

    def crop(self, landmarks: np.ndarray, image: np.ndarray, rng: np.random.Generator | None = None) -> Crop:
        """The network's square around a face; with a generator, a little beside it."""
        framing = self.config.framing
        if rng is not None:
            size, x, y = rng.normal(0, JITTER, 3)
            framing = Framing(framing.share * np.exp(size), (framing.centre[0] + x / 2, framing.centre[1] + y / 2))
        height, width = image.shape[:2]
        return frame_face(Face.of_mesh(landmarks).box, framing, self.config.image_size, (width, height))

    def real(self, film: TalkingFilm, count: int, rng: np.random.Generator) -> GuidedClip:
        """`count` frames of a film, and another frame of it as the portrait."""
        source = open_source(film.path)
        frames = [frame for (_, frame), _ in zip(frames_at(source, FPS), range(len(film.motion)), strict=False)]
        still, first = resting_frame(film, rng), int(rng.integers(len(frames) - count + 1))
        crop = self.crop(film.landmarks[still], frames[still], rng)
        renderer = self.renderer(self.portrait(frames[still], film.landmarks[still], crop))
        span = slice(first, first + count)
        motion = film.motion.from_frame(still)[span]
        points = (film.landmarks[span, :, :2] - [crop.left, crop.top]) / crop.side
        return GuidedClip(
            name=f"{film.path.stem} {first}",
            truth=np.stack([crop.cut(frame) for frame in frames[span]]),
            guide=np.stack(list(renderer.frames(self.alter(motion, film.spoken[span], rng)))),
            portrait=crop.cut(frames[still]),
            points=points,
            features=film.features[span],
            rotation=motion.rotation,
        )

    def drawn(
        self, image: np.ndarray, name: str, film: TalkingFilm, count: int, rng: np.random.Generator
    ) -> GuidedClip | None:
        """A still (H, W, 3) that wears `count` frames of a film; None if no face is found.

        Raises:
            InputError: if the face cannot be moved.
        """
        image = np.ascontiguousarray(image[:, ::-1]) if rng.random() < 0.5 else image
        faces = self.detector.detect(image)
        if not faces:
            return None
        landmarks = np.asarray(faces[0].landmarks, np.float64)
        check_landmarks(landmarks, self.rig, image.shape[1::-1])
        crop = self.crop(landmarks, image, rng)
        renderer = self.renderer(self.portrait(image, landmarks, crop))
        first = int(rng.integers(len(film.motion) - count + 1))
        span, spoken = slice(first, first + count), film.spoken
        motion = faster(film.motion.from_frame(resting_frame(film, rng)), float(rng.uniform(*HEAD)))[span]
        if rng.random() < OTHER_BLINKS:
            motion = motion.with_curves({curve: spoken[span].curve(curve) for curve in BLINK})
        guide = self.alter(motion, spoken[span], rng)
        return GuidedClip(
            name=name,
            truth=np.stack(list(renderer.frames(motion))),
            guide=np.stack(list(renderer.frames(guide))),
            portrait=crop.cut(image),
            points=renderer.place(motion).face[:, :, :2] / crop.size,
            features=film.features[span],
            rotation=motion.rotation,
        )


def resting_frame(film: TalkingFilm, rng: np.random.Generator) -> int:
    """A frame with the mouth nearly closed and the eyes open, as portraits mostly have."""
    blink = np.mean([film.motion.curve(name) for name in BLINK], axis=0)
    opening = mouth_opening(film.landmarks) + np.maximum(blink - np.median(blink) - 0.1, 0)
    resting = np.argsort(opening)[: max(1, round(RESTING * len(opening)))]
    return int(rng.choice(resting))


def films_by_turns(people: dict[str, list[TalkingFilm]], rng: np.random.Generator) -> Iterator[TalkingFilm]:
    """Endless films, each speaker as often as any other."""
    names = sorted(people)
    while True:
        for name in rng.permutation(names):
            yield people[name][int(rng.integers(len(people[name])))]
