"""An avatar's performance to a video in the host's temporary folder, and to IMAGE and MASK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...emo_core.avatar.avatar_file import Avatar
from ...emo_core.avatar.background import Background
from ...emo_core.avatar.speak import Performance, SpeakOptions, marks_of, speak_motion, speak_sound
from ...emo_core.avatar.takes import FPS
from ...emo_core.emote.weights import load_emote
from ...emo_core.emotion import NEUTRAL
from ...emo_core.errors import InputError
from ...emo_core.media.sound_track import WaveTrack
from ...emo_core.media.video_writer import VideoWriter
from ..host.audio import heard, to_track
from ..host.images import to_image
from ..host.memory import check_room
from ..host.progress import frame_progress
from ..host.video import new_video_path

KEPT = 3
"""Pictures that are kept for each frame: the frame, its edges, and the mask as a third of one; rounded up."""


@dataclass(frozen=True, slots=True)
class SpeechInputs:
    """What the avatar shall say."""

    audio: Mapping[str, Any] | None
    motion: Any


@dataclass(frozen=True, slots=True)
class Made:
    """The video, and its frames if they were kept."""

    path: Path
    frames: Tensor | None
    """(F, S, S, 3)"""
    masks: Tensor | None
    """(F, S, S)"""
    edges: Tensor | None
    """(F, S, S, 3)"""


class _Kept:
    """Frames in memory, filled block by block."""

    def __init__(self, frames: int, size: int) -> None:
        self.frames = torch.empty(frames, size, size, 3)
        self.masks = torch.ones(frames, size, size)
        self.edges = torch.empty(frames, size, size, 3)
        self._done, self._drawn = 0, 0

    def add(self, block: np.ndarray) -> None:
        rows = slice(self._done, self._done + len(block))
        self.frames[rows] = to_image(block[..., :3])
        if block.shape[-1] == 4:
            self.masks[rows] = to_image(block[..., 3])
        self._done += len(block)

    def add_edges(self, block: np.ndarray) -> None:
        self.edges[self._drawn : self._drawn + len(block)] = to_image(block)
        self._drawn += len(block)


@dataclass(frozen=True, slots=True)
class AvatarSpeech:
    """The checked inputs of EMOAvatarSpeak, converted for the core."""

    avatar: Avatar
    inputs: SpeechInputs
    options: SpeakOptions
    track: WaveTrack | None
    """Sound of the video."""

    @classmethod
    def of(cls, avatar: Avatar, inputs: SpeechInputs, settings: Mapping[str, Any]) -> AvatarSpeech:
        """Check the settings.

        Raises:
            InputError: if nothing is wired to say, or a setting cannot be used.
        """
        if inputs.audio is None and inputs.motion is None:
            raise InputError("audio: nothing is wired; wire Load Audio to `audio`, or a face motion to `motion`")
        if inputs.motion is not None and settings.get("emotion") is not None:
            raise InputError("emotion: a face motion has its own; remove one of the two wires")
        background = settings["colour"] if settings["background"] == "colour" else settings["background"]
        options = SpeakOptions(
            head=settings["head"],
            background=Background.parse(background),
            seed=settings["seed"],
            mouth=settings["mouth"],
            amount=settings["head_amount"],
            brows=settings["brows"],
            blinks=settings["blinks"],
            enhance=settings["enhance"],
            emotion=settings.get("emotion") or NEUTRAL,
            emotion_style=settings.get("emotion_style", 0),
        )
        track = None
        if inputs.audio is not None:
            track = to_track(inputs.audio).part(settings["start"], settings["duration"] or None)
        return cls(avatar, inputs, options, track)

    def write(self, *, keep: bool) -> Made:
        """Draw and write every frame. A cancelled run leaves no file.

        Raises:
            InputError: if the frames shall be kept and do not fit into memory.
        """
        size, kept = self.avatar.about.size, None
        # Frames are drawn when they are read; then `kept` is there.
        performance = self._performance((lambda block: kept.add_edges(block)) if keep else None)
        if keep:
            check_room(performance.frames * KEPT, (size, size), lambda share: _advice(share, performance.frames / FPS))
            kept = _Kept(performance.frames, size)
        path, report, done = new_video_path("avatar"), frame_progress(performance.frames), 0
        settings = marks_of(self.avatar, self.options)
        seconds = performance.frames / FPS
        with VideoWriter(
            path, fps=FPS, size=(size, size), sound=self.track, seconds=seconds, settings=settings
        ) as writer:
            for block in performance.blocks:
                if kept is not None:
                    kept.add(block)
                for frame in _over_black(block):
                    writer.write(frame)
                    done += 1
                    report(done, frame)
        return Made(path, *(None,) * 3) if kept is None else Made(path, kept.frames, kept.masks, kept.edges)

    def _performance(self, edges: Callable[[np.ndarray], None] | None) -> Performance:
        emote = load_emote()
        if self.inputs.motion is not None:
            return speak_motion(self.avatar, self.inputs.motion, emote, self.options, edges=edges)
        return speak_sound(self.avatar, heard(self.track), emote, self.options, edges=edges)


def _over_black(block: np.ndarray) -> np.ndarray:
    """Frames (F, S, S, 3 or 4) uint8 for a video, which has no transparency."""
    if block.shape[-1] == 3:
        return block
    return (block[..., :3] * (block[..., 3:] / 255.0)).round().astype(np.uint8)


def _advice(share: float, seconds: float) -> str:
    return f"turn return_frames off, or set duration to {seconds * share:.1f} s"
