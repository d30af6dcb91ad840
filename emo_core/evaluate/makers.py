"""Models under evaluation: from a clip's first frame and a sound to frames.

Shape legend: F frames, S picture side.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ..audio.features import AudioFeatures
from ..curve import Curve
from ..dataset.shards import Clip
from ..emo.animate import frames_of, prepare_subject
from ..emo.conditions.condition import Scene
from ..emo.conditions.face_region import box_masks
from ..emo.models.vae import encode_picture
from ..emo.sampling.denoiser import Denoiser
from ..emo.sampling.generate import Settings
from ..emo.training.objective import Frozen
from ..emo.training.setup import frozen_parts
from ..emo.training.validate import generate_video
from ..emo.weights.checkpoint import load_checkpoint
from ..emote.config import FPS
from ..emote.speak import SpeakRequest, speak
from ..emote.weights import EMOTE_MINI, load_emote
from ..errors import InputError
from ..face.crop import Crop
from ..face.detect import FaceDetector
from ..face.detectors import make_detector
from ..face.framing import Framing
from ..face.selection import RegionRequest
from ..media.sound import prepare_sound
from ..portrait.mouth import load_network
from ..portrait.prepare import LIFT, SHARE, PreparedPortrait
from ..portrait.render import PortraitRenderer

PORTRAIT_SIZE = 256
"""Side of the evaluated square: no film of the usual test data has a larger face."""


class Maker(Protocol):
    """Makes videos, and says how its pictures are framed."""

    fps: float
    size: int
    """S, in pixels."""
    framing: Framing

    def make(self, clip: Clip, sound: np.ndarray) -> np.ndarray:
        """Frames (F, S, S, 3) uint8 from the clip's first frame and a sound (samples,) at 16 kHz.

        Raises:
            InputError: if the sound or the face cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class EmoMaker:
    """A diffusion model."""

    denoiser: Denoiser
    frozen: Frozen
    settings: Settings
    speed: float | None = None
    region: tuple[float, float, float, float] | None = None
    """Face region as shares of the picture; None for the clip's own."""
    drawer: "PortraitMaker | None" = None
    """Draws the frames that a model with a guide repairs; None for a model without one."""

    @classmethod
    def load(
        cls,
        checkpoint: Path,
        settings: Settings,
        *,
        dtype: torch.dtype,
        audio_encoder: Path | None,
        speed: float | None,
        region: tuple[float, float, float, float] | None,
    ) -> "EmoMaker":
        """Load a checkpoint.

        Raises:
            InputError: for a face region and a checkpoint with a guide, whose face is where it was drawn.
        """
        model = load_checkpoint(checkpoint, dtype=dtype)
        if region is not None and model.config.guide.layers:
            raise InputError(
                f"region: {model.config.name} repairs drawn frames, and the face stays where they have it; leave it out"
            )
        drawer = None
        if model.config.guide.layers:
            detector = make_detector(landmarks=True, quiet=True)
            drawer = PortraitMaker(detector, settings.seed, speed, size=model.config.image_size)
        return cls(Denoiser(model.emo), frozen_parts(model, audio_encoder), settings, speed, region, drawer)

    @property
    def fps(self) -> float:
        """See `Maker`."""
        return self.denoiser.emo.config.fps

    @property
    def size(self) -> int:
        """See `Maker`."""
        return self.denoiser.emo.config.image_size

    @property
    def framing(self) -> Framing:
        """See `Maker`."""
        return self.denoiser.emo.config.framing

    def make(self, clip: Clip, sound: np.ndarray) -> np.ndarray:
        """See `Maker`."""
        if self.drawer is not None:
            return self._repaired(clip, sound, self.drawer)
        values = {}
        if self.speed is not None:
            values["speed"] = torch.full((clip.frames,), float(self.speed))
        if self.region is not None:
            values["face_region"] = box_masks(torch.tensor([self.region]), self.denoiser.emo.config.mask_size)[0]
        return generate_video(self.denoiser, self.frozen, clip, sound, self.settings, values=values)[: clip.frames]

    def _repaired(self, clip: Clip, sound: np.ndarray, drawer: "PortraitMaker") -> np.ndarray:
        """With a guide: the frames that the portrait model draws of the first frame, repaired."""
        config, picture = self.denoiser.emo.config, clip.pictures()[0]
        encoder, window = self.frozen.audio_encoder, config.audio.window
        device = self.denoiser.emo.backbone.conv_in.weight.device
        scene = Scene(
            config=config,
            image=picture,
            face=None,
            crop=Crop(0, 0, self.size, self.size),
            features=AudioFeatures(prepare_sound(sound, clip.key), encoder, fps=self.fps, window=window),
            fps=self.fps,
            encode=partial(encode_picture, self.frozen.vae, device=device),
        )
        drawn = drawer.frames(picture, sound, scene.features.frames)
        subject = prepare_subject(scene, {"face_region": RegionRequest(), "guide": drawn})
        parts = frames_of(self.denoiser, self.frozen.vae, subject, self.settings)
        return np.concatenate(list(parts))[: clip.frames]


class PortraitMaker:
    """Speech to face motion, worn by the clip's first frame."""

    fps = FPS
    framing = Framing(SHARE, (0.5, 0.5 + LIFT * SHARE))

    def __init__(
        self, detector: FaceDetector, seed: int = 0, speed: float | None = None, *, size: int = PORTRAIT_SIZE
    ) -> None:
        self.size = size
        self._detector, self._model, self._network = detector, load_emote(EMOTE_MINI), load_network(torch.device("cpu"))
        options = {} if speed is None else {"speed": Curve.constant(speed)}
        self._request = SpeakRequest(seed=seed, **options)

    def make(self, clip: Clip, sound: np.ndarray) -> np.ndarray:
        """See `Maker`."""
        return self.frames(clip.pictures()[0], sound, clip.frames)

    def frames(self, picture: np.ndarray, sound: np.ndarray, count: int) -> np.ndarray:
        """At most `count` frames (F, S, S, 3) uint8 of a picture (S, S, 3) that says a sound (samples,) at 16 kHz.

        Raises:
            InputError: if the picture shows no face.
        """
        faces = self._detector.detect(picture)
        if not faces:
            raise InputError("its first frame shows no face; give another video")
        whole = Crop(0, 0, self.size, self.size, (self.size, self.size))
        portrait = PreparedPortrait(picture, np.asarray(faces[0].landmarks, np.float64), self.size, whole)
        renderer = PortraitRenderer(portrait, self._model.rig, self._network)
        motion = speak(prepare_sound(sound), self._model, self._request)
        return np.stack(list(renderer.frames(motion[:count])))
