"""A portrait and a face motion to a video in the host's temporary folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management as mm
import numpy as np
import torch
from torch import Tensor

from ...emo_core.face.motion import FaceMotion
from ...emo_core.face.rig import load_rig
from ...emo_core.media.sound_track import WaveTrack
from ...emo_core.portrait.animate import MotionStream, Output, animate_portrait
from ...emo_core.portrait.mouth import load_network
from ...emo_core.portrait.prepare import PreparedPortrait
from ...emo_core.portrait.render import PortraitRenderer
from ..host.audio import to_track
from ..host.images import to_image
from ..host.memory import check_room
from ..host.progress import frame_progress
from ..host.video import new_video_path
from .landmarks import prepare

MODEL = "portrait"
"""Name of the renderer in the video's metadata, as on the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitSettings:
    """The settings of AnimatePortrait."""

    face_index: int
    size: int
    paste_back: bool


@dataclass(frozen=True, slots=True)
class Animation:
    """The checked inputs of AnimatePortrait, converted for the core."""

    portrait: PreparedPortrait
    renderer: PortraitRenderer
    motion: FaceMotion
    track: WaveTrack | None
    whole: np.ndarray | None
    """(H, W, 3) uint8 picture that the square is pasted into; None for the square alone."""

    @classmethod
    def of(
        cls,
        image: Tensor,
        motion: FaceMotion,
        audio: Mapping[str, Any] | None,
        landmarks: Any,
        settings: PortraitSettings,
    ) -> Animation:
        """Find the face and prepare it.

        Raises:
            InputError: if there is no face that can be moved, or no detector that gives its points.
        """
        rig = load_rig()
        whole, portrait = prepare(image, landmarks, rig, settings.size, settings.face_index)
        device = _device()
        renderer = PortraitRenderer(portrait, rig, load_network(device), device=device)
        track = None if audio is None else to_track(audio)
        return cls(portrait, renderer, motion, track, whole if settings.paste_back else None)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames."""
        return (self.renderer.size,) * 2 if self.whole is None else self.whole.shape[1::-1]

    def write(self, *, keep_frames: bool) -> tuple[Path, Tensor | None]:
        """Draw every frame and write it to an mp4. A cancelled run leaves no file.

        Returns:
            The file, and the frames (F, H, W, 3) if `keep_frames`.

        Raises:
            InputError: if the frames shall be kept and do not fit into memory.
        """
        count, (width, height) = len(self.motion), self.size
        if keep_frames:
            check_room(count, self.size, lambda share: _advice(share, self.motion.seconds))
        kept = torch.empty(count, height, width, 3) if keep_frames else None
        path, report = new_video_path("portrait"), frame_progress(count)

        def shown(number: int, frame: np.ndarray) -> None:
            if kept is not None:
                kept[number - 1] = to_image(frame)
            report(number, frame)

        settings = {"model": MODEL, "size": self.renderer.size}
        output = Output(out=path, sound=self.track, paste_back=self.whole, settings=settings)
        animate_portrait(self.portrait, self.renderer, MotionStream.whole(self.motion), output, shown=shown)
        return path, kept


def _device() -> torch.device:
    """The host's device, if it is one that the renderer is tested on."""
    device = mm.get_torch_device()
    return device if device.type == "cuda" else torch.device("cpu")


def _advice(share: float, seconds: float) -> str:
    return f"turn return_frames off, or give a motion of {seconds * share:.1f} s at most"
