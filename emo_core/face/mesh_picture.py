"""Pictures of the rig's face as a lit, coloured surface.

Shape legend: V vertices, S side of the picture in pixels, N pixels that the face fills.
"""

import numpy as np
from einops import rearrange
from PIL import Image

from .mesh_view import BACKGROUND, FINER, MeshView
from .rasterise import rasterise
from .rig import FaceRig
from .surface import face_surface

LAMP_AT = np.array([-0.35, 0.45, 0.82]) / np.linalg.norm([-0.35, 0.45, 0.82])
"""Direction to the lamp: from the upper left, in front."""
AMBIENT, SKY, LAMP = 0.36, 0.08, 0.64
"""Brightness everywhere; more from above and less from below; from the lamp."""


class SurfacePicture:
    """Draws a rig's face, smoothly shaded."""

    def __init__(self, rig: FaceRig, view: MeshView) -> None:
        """Prepare the surface of a rig for pictures of one size."""
        self.surface, self._view = face_surface(rig), view
        # The corners of a triangle have one colour: surfaces of different colours share no vertices.
        self._colours = self.surface.colours[self.surface.triangles[:, 0]].astype(np.float32)

    def draw(self, vertices: np.ndarray) -> np.ndarray:
        """Vertices of the surface (V, 3), turned with the head, to (S, S, 3) uint8."""
        side, bright = self._view.side, self._brightness(vertices)
        seen = rasterise(self._view.places(vertices), vertices[:, 2], bright, self.surface.triangles, side)
        picture = np.full((side * side, 3), BACKGROUND, np.uint8)
        picture[seen.pixels] = np.minimum(seen.values[:, None] * self._colours[seen.triangles], 255)
        picture = rearrange(picture, "(h w) c -> h w c", h=side)
        return np.asarray(Image.fromarray(picture).reduce(FINER))

    def _brightness(self, vertices: np.ndarray) -> np.ndarray:
        """(V,) share of a colour that is seen."""
        normals = self.surface.normals(vertices)
        return AMBIENT + SKY * normals[:, 1] + LAMP * np.clip(normals @ LAMP_AT, 0, 1)
