"""Curves of a generated and a true video over time, as a picture."""

from pathlib import Path

import numpy as np

from ...face.detect import FaceDetector
from ...metrics.similarity import track_face


def plot_nearness(out: Path, videos: dict[str, np.ndarray], detector: FaceDetector, fps: float) -> None:
    """Write `curves.png`: mouth opening and head turn of several videos (F, S, S, 3) uint8."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    mouth, head = figure.subplots(2, 1, sharex=True)
    for name, frames in videos.items():
        motion = track_face(frames, detector)
        seconds = np.arange(len(frames)) / fps
        mouth.plot(seconds, motion.opening, label=name)
        head.plot(seconds, motion.yaw, label=name)
    mouth.set_ylabel("mouth opening, share of the face")
    head.set_ylabel("head turn, degrees")
    head.set_xlabel("seconds")
    mouth.legend(loc="upper right")
    figure.savefig(out / "curves.png", dpi=100)
