"""The drawn frames that an EMO model with a guide repairs: the portrait, moved by the face motion of the same sound, or of a film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..emo.animate import Request
from ..emo.conditions.condition import Scene
from ..errors import InputError
from ..face.detect import FaceDetector
from ..face.rig import FaceRig, load_rig
from ..portrait.plausible import check_landmarks
from ..portrait.prepare import PreparedPortrait, detailed
from .portrait_talk import (
    TalkRequest,
    check_motion,
    motion_of,
    portrait_detector,
    portrait_renderer,
    settings_of_motion,
)

NOT_DRAWN = "guide: {name} repairs frames of the moving portrait, which cannot be drawn: {error}. Or use emo-mini, which needs none"


@dataclass(frozen=True, slots=True)
class DrawnGuide:
    """Draws the frames of a scene; see `emo.conditions.guide.FrameSource`."""

    request: TalkRequest
    """Its portrait, size and output are the scene's."""

    def __call__(self, scene: Scene) -> Iterator[np.ndarray]:
        """Frames (S, S, 3) uint8 in the model's square, as many as the sound has or more.

        Raises:
            InputError: if the face cannot be moved.
        """
        rig = load_rig()
        try:
            detector = portrait_detector(self.request.face_model)
            portrait = portrait_of(scene, detector, rig)
        except InputError as error:
            raise InputError(NOT_DRAWN.format(name=scene.config.name, error=error)) from error
        motion = motion_of(replace(self.request, fps=scene.fps), rig, detector)
        renderer = portrait_renderer(portrait, rig, self.request.device)
        return (frame for part in motion.parts for frame in renderer.frames(part))

    def describe(self) -> dict[str, Any]:
        """For the video's metadata."""
        return settings_of_motion(self.request)


def portrait_of(scene: Scene, detector: FaceDetector, rig: FaceRig) -> PreparedPortrait:
    """The model's own square as a portrait that can move.

    Raises:
        InputError: if no face is found, or one that cannot be moved.
    """
    crop = scene.crop
    picture = detailed(crop).cut(scene.image)
    faces = detector.detect(picture)
    if not faces or faces[0].landmarks is None:
        raise InputError("no face points were found")
    landmarks = np.asarray(faces[0].landmarks, np.float64)
    check_landmarks(landmarks, rig, picture.shape[1::-1])
    points = landmarks * (crop.size / len(picture))
    return PreparedPortrait(picture, points, crop.size, replace(crop, picture=scene.image.shape[1::-1]))


def with_drawn_guide(request: Request, talk: TalkRequest) -> Request:
    """The same request with drawn frames, for a model with a guide: head speed and emotion are those of the frames.

    Raises:
        InputError: for a face motion that cannot be made.
    """
    check_motion(talk)
    return replace(
        request, conditions={**request.conditions, "speed": None, "emotion": None, "guide": DrawnGuide(talk)}
    )
