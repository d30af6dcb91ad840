"""Draw a portrait in motion: skin by one backward flow, then eyes and the inside of the mouth.

Shape legend: F frames, S side of the square picture in pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..face import mesh_points as mesh
from ..face.motion import FaceMotion
from ..face.rig import FaceRig
from .eyes import Eye
from .flow import backward_flow
from .layers import Window, sample
from .mesh import WarpMesh
from .mouth import MouthFrames, PortraitMouth
from .mouth_interior import MouthInterior
from .prepare import PreparedPortrait
from .shape import PortraitShape

FINER = 2
"""The still is enlarged by this, so that reading between its pixels does not blur it."""
LARGEST_TEXTURE = 2048
BLOCK = 25
"""Frames whose points are computed at a time."""


@dataclass(frozen=True, slots=True)
class PointFrames:
    """The points of F frames, in pixels."""

    face: np.ndarray
    """(F, 478, 3)"""
    skull: np.ndarray
    """(F, 478, 3) the neutral face with the head's motion."""
    vertices: np.ndarray
    """(F, V, 2) of the mesh."""
    gaze: np.ndarray
    """(F, 2, 2) shift of both irises in the still."""


class PortraitRenderer:
    """One portrait, ready to wear any face motion."""

    def __init__(
        self,
        portrait: PreparedPortrait,
        rig: FaceRig,
        mouth: MouthInterior | None,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare a portrait.

        Args:
            portrait: the square around the face.
            rig: that the motions are for.
            mouth: draws the inside of the mouth; on `device`. None for lips that stay as they are.
            device: that frames are drawn on.
        """
        self.size, self.rig, self.device = portrait.size, rig, torch.device(device)
        self.shape = PortraitShape.of(portrait.landmarks, rig)
        self.mesh = WarpMesh.around(self.shape, self.size, rig.triangles)
        self._eyes = Eye.both(self.shape.landmarks)
        finer = _enlarged(portrait.picture, portrait.size)
        self._texture = torch.from_numpy(finer).to(self.device).permute(2, 0, 1)[None].float().contiguous()
        scale = len(finer) / portrait.size
        still, skull = self.shape.landmarks * scale, self.shape.neutral_in_picture() * scale
        self._mouth = None if mouth is None else PortraitMouth(finer, still, skull, mouth)

    def frames(self, motion: FaceMotion) -> Iterator[np.ndarray]:
        """Draw the portrait in each frame of a motion: (S, S, 3) uint8, one after another."""
        for start in range(0, len(motion), BLOCK):
            part = motion[start : start + BLOCK]
            points = self.place(part)
            mouths = None if self._mouth is None else self._mouth.draw(points.face, points.skull)
            for number in range(len(part)):
                yield self._draw(points, mouths, number)

    def place(self, motion: FaceMotion) -> PointFrames:
        """Where all points are in each frame."""
        shape, still = self.shape, np.zeros((len(motion), 1, 1))
        aligned = shape.points(motion, self.rig)
        own = (shape.landmarks * [1, -1, -1] - shape.shift) @ shape.rotation / shape.scale
        posed = shape.posed(aligned, motion)
        vertices = self.mesh.target(
            posed, shape.posed(own[None] + still, motion), shape.posed(self.mesh.depth[None] + still, motion)
        )
        skull = shape.posed(shape.neutral[None] + still, motion)
        # The iris moves over the eyeball; lids that follow the gaze are part of the expression.
        offsets = self.rig.offsets(motion)[:, [mesh.RIGHT_IRIS[0], mesh.LEFT_IRIS[0]]]
        gaze = (offsets @ shape.rotation.T * shape.scale)[..., :2] * [1, -1]
        return PointFrames(posed, skull, vertices, gaze)

    @torch.no_grad()
    def _draw(self, points: PointFrames, mouths: MouthFrames | None, number: int) -> np.ndarray:
        face = points.face[number]
        order = np.argsort(-face[self.mesh.face, 2].mean(1), kind="stable")
        triangles = np.concatenate([self.mesh.rings, self.mesh.face[order]])
        flow = backward_flow(self.mesh.source, points.vertices[number], triangles, self.size, self.device)
        frame = sample(self._texture, flow, self.size)
        for eye in self._eyes:
            self._draw_eye(frame, eye, face, points.gaze[number, eye.number])
        if mouths is not None:
            self._mouth.lay(frame, mouths, number, face)
        return frame.permute(1, 2, 0).clamp(0, 255).round().byte().cpu().numpy()

    def _draw_eye(self, frame: Tensor, eye: Eye, face: np.ndarray, shift: np.ndarray) -> None:
        window = Window.of(face[list(eye.outline), :2], self.size)
        if window is not None:
            places = eye.places(window.pixels, face[:, :2], shift).to(self.device)
            window.lay(frame, sample(self._texture, places, self.size))


def _enlarged(picture: np.ndarray, size: int) -> np.ndarray:
    """(T, T, 3) uint8 with FINER times as many pixels as are drawn."""
    side = max(size, min(FINER * size, LARGEST_TEXTURE))
    return np.array(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS))
