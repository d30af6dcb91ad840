"""The host's VIDEO, or a folder of clips, to an avatar."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management as mm
import comfy.utils
import numpy as np
import torch
from PIL import Image

from ...emo_core.avatar.avatar_file import Avatar, avatar_path
from ...emo_core.avatar.train import TrainRequest, Watch, ensure_avatar
from ...emo_core.errors import InputError
from ..host.film import whole_file
from ..portrait.landmarks import landmark_detector
from .folders import new_avatars

STEPS = 1000
PREVIEW_SIDE = 512
PARTS = {"track": (0.0, 0.2), "speech": (0.2, 0.3), "masks": (0.3, 0.32), "renderer": (0.32, 1.0)}
"""Shares of the progress bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarSettings:
    """The settings of EMOAvatarTrainer."""

    folder: str
    name: str
    minutes: float
    size: str
    i_have_consent: bool


def train_or_load(video: Any, settings: AvatarSettings) -> Avatar:
    """Train until the avatar has learnt for the asked time; one that has is loaded.

    Raises:
        InputError: if there is no film, no consent, or the name belongs to other films.
    """
    with ExitStack() as stack:
        sources = [] if video is None else [stack.enter_context(whole_file(video))]
        if settings.folder.strip():
            sources.append(Path(settings.folder.strip().strip("\"'")).expanduser())
        if not sources:
            raise InputError(
                "video: nothing is wired; wire Load Video to `video`, or name a folder of clips in `folder`"
            )
        out = avatar_path(settings.name.strip(), new_avatars())
        request = TrainRequest(
            sources=tuple(sources),
            out=out,
            name=settings.name.strip(),
            minutes=settings.minutes,
            size=int(settings.size),
            consent=settings.i_have_consent,
            resume=True,
        )
        # ComfyUI runs nodes without gradients.
        with torch.inference_mode(False), torch.enable_grad():
            return ensure_avatar(request, landmark_detector, Watch(progress=_progress(), preview=_preview()))


def _progress() -> Callable[[str, float], None]:
    bar = comfy.utils.ProgressBar(STEPS)

    def report(part: str, share: float) -> None:
        mm.throw_exception_if_processing_interrupted()
        start, stop = PARTS.get(part, (0.0, 0.0))
        bar.update_absolute(round(STEPS * (start + (stop - start) * share)), STEPS)

    return report


def _preview() -> Callable[[np.ndarray], None]:
    bar = comfy.utils.ProgressBar(STEPS)

    def show(picture: np.ndarray) -> None:
        bar.update_absolute(bar.current, STEPS, ("JPEG", Image.fromarray(picture), PREVIEW_SIDE))

    return show
