"""The same person or not: MobileFaceNet on faces aligned by five points. To measure with, never to train with."""

from pathlib import Path

import numpy as np
from PIL import Image

FIVE = ((33, 133), (362, 263), (4,), (61,), (291,))
"""Landmarks of both eyes, the nose's tip and the corners of the mouth, from left to right in the picture."""
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Their places in ArcFace's square of 112 pixels."""
SIDE = 112


class FaceJudge:
    """Embeddings of faces."""

    def __init__(self, model: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options)
        self._input = self._session.get_inputs()[0].name

    def embed(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB and landmarks (478, 2 or 3) in its pixels to a unit vector."""
        points = np.stack([landmarks[list(group), :2].mean(0) for group in FIVE])
        matrix = _similarity(PLACES, points)
        face = Image.fromarray(picture).transform(
            (SIDE, SIDE), Image.Transform.AFFINE, matrix.ravel().tolist(), Image.Resampling.BICUBIC
        )
        pixels = (np.asarray(face, np.float32) - 127.5) / 127.5
        vector = self._session.run(None, {self._input: pixels.transpose(2, 0, 1)[None]})[0][0]
        return vector / np.linalg.norm(vector)


def _similarity(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(2, 3) similarity from points (N, 2) to others, by least squares."""
    a, b = start @ [1, 1j], end @ [1, 1j]
    spread = a - a.mean()
    scale = (np.conj(spread) @ (b - b.mean())) / (np.conj(spread) @ spread).real
    shift = b.mean() - scale * a.mean()
    return np.array([[scale.real, -scale.imag, shift.real], [scale.imag, scale.real, shift.imag]])
