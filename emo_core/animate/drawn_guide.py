"""The drawn frames that an EMO model with a guide repairs: the portrait, moved by the face motion of the same sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..curve import Curve
from ..emo.animate import Request
from ..emo.conditions.condition import Scene
from ..emote.speak import SPEED, SpeakRequest, speak_blocks
from ..emote.weights import load_emote
from ..emotion import NEUTRAL, EmotionCurve
from ..errors import InputError
from ..face.detectors import make_detector
from ..face.rig import FaceRig
from ..media.sound import load_sound
from ..portrait.mouth import load_network
from ..portrait.plausible import check_landmarks
from ..portrait.prepare import PreparedPortrait
from ..portrait.render import PortraitRenderer

NOT_DRAWN = "guide: {name} repairs frames of the moving portrait, which cannot be drawn: {error}. Or use emo-mini, which needs none"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnGuide:
    """Draws the frames of a scene; see `emo.conditions.guide.FrameSource`."""

    audio: Path
    max_seconds: float | None
    seed: int
    speed: Curve = SPEED
    """Mean head speed in degrees per frame of 1/25 s."""
    emotion: EmotionCurve = NEUTRAL
    face_model: Path | None = None

    def __call__(self, scene: Scene) -> Iterator[np.ndarray]:
        """Frames (S, S, 3) uint8 in the model's square, as many as the sound has or more.

        Raises:
            InputError: if the face cannot be moved.
        """
        emote = load_emote()
        try:
            renderer = PortraitRenderer(self._portrait(scene, emote.rig), emote.rig, load_network(torch.device("cpu")))
        except InputError as error:
            raise InputError(NOT_DRAWN.format(name=scene.config.name, error=error)) from error
        sound = load_sound(self.audio, max_seconds=self.max_seconds)
        request = SpeakRequest(fps=scene.fps, seed=self.seed, speed=self.speed, emotion=self.emotion)
        return (frame for part in speak_blocks(sound, emote, request) for frame in renderer.frames(part))

    def describe(self) -> dict[str, Any]:
        """For the video's metadata."""
        return {"speed": self.speed.values, "emotion": str(self.emotion)}

    def _portrait(self, scene: Scene, rig: FaceRig) -> PreparedPortrait:
        """The model's own square as a portrait that can move."""
        size, square = scene.config.image_size, scene.crop.cut(scene.image)
        faces = make_detector(self.face_model, landmarks=True, quiet=True).detect(square)
        if not faces or faces[0].landmarks is None:
            raise InputError("no face points were found")
        landmarks = np.asarray(faces[0].landmarks, np.float64)
        check_landmarks(landmarks, rig, (size, size))
        return PreparedPortrait(square, landmarks, size, replace(scene.crop, picture=scene.image.shape[1::-1]))


def with_drawn_guide(request: Request, speed: Curve | None) -> Request:
    """The same request with drawn frames, for a model with a guide: head speed and emotion are those of the frames.

    Args:
        request: as the options say.
        speed: of the head; None for the motion model's own.
    """
    guide = DrawnGuide(
        audio=request.audio,
        max_seconds=request.max_seconds,
        seed=request.seed,
        speed=SPEED if speed is None else speed,
        emotion=request.conditions.get("emotion") or NEUTRAL,
        face_model=request.face_model,
    )
    return replace(request, conditions={**request.conditions, "speed": None, "emotion": None, "guide": guide})
