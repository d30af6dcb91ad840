"""The videos that are compared: the guided network, its controls, and an earlier file.

Shape legend: F frames, S picture side.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from einops import rearrange

from emo_core.audio.features import AudioFeatures
from emo_core.emo.animate import frames_of, prepare_subject
from emo_core.emo.conditions.condition import Scene
from emo_core.emo.models.guide_pictures import Guide
from emo_core.emo.models.vae import decode_frames, encode_picture, to_bytes
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings
from emo_core.emo.training.objective import quick_attention
from emo_core.emo.weights.checkpoint import Checkpoint, load_checkpoint
from emo_core.emote.speak import SpeakRequest, speak
from emo_core.emote.weights import EmoteModel, load_emote
from emo_core.errors import InputError
from emo_core.face.crop import Crop
from emo_core.face.detect import Face
from emo_core.face.detectors import make_detector
from emo_core.face.selection import RegionRequest
from emo_core.face.upright import find_upright
from emo_core.media.sound import Sound
from emo_core.portrait.mouth import load_network
from emo_core.portrait.plausible import check_landmarks

from .guide_clips import Studio

FPS = 25.0
BATCH = 12


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture to animate."""

    image: np.ndarray
    face: Face
    crop: Crop
    square: np.ndarray
    """(S, S, 3) uint8"""
    points: np.ndarray
    """(478, 3) landmarks in its pixels."""


@dataclass(frozen=True, slots=True)
class Systems:
    """Everything that makes a video of a portrait and a sound."""

    guided: Checkpoint
    earlier: Checkpoint | None
    emote: EmoteModel
    studio: Studio

    @classmethod
    def open(cls, checkpoint: Path, earlier: Path | None) -> "Systems":
        """Load all."""
        guided, emote = load_checkpoint(checkpoint), load_emote()
        detector = make_detector(landmarks=True, quiet=True)
        studio = Studio(guided.config, detector, emote.rig, load_network(torch.device("cpu")))
        return cls(guided, None if earlier is None else load_checkpoint(earlier), emote, studio)

    @property
    def clip_frames(self) -> int:
        """Frames of a clip."""
        return self.guided.config.temporal.frames

    def portrait(self, image: np.ndarray) -> Portrait:
        """Find the face.

        Raises:
            InputError: if there is none, or one that cannot be moved.
        """
        found = find_upright([image], RegionRequest(face_index=0), self.studio.detector)
        (upright,), (face,) = found.images, found.faces
        if face is None or face.landmarks is None:
            raise InputError("portrait: no face points")
        check_landmarks(face.landmarks, self.studio.rig, upright.shape[1::-1])
        crop = self.studio.crop(face.landmarks, upright)
        points = (np.asarray(face.landmarks, np.float64) - [crop.left, crop.top, 0]) * (crop.size / crop.side)
        return Portrait(upright, face, crop, crop.cut(upright), points)

    def speaking(self, portrait: Portrait, sound: Sound, frames: int) -> dict[str, np.ndarray]:
        """Videos (F, S, S, 3) uint8 of what listens, by name."""
        drawn = self.drawn(portrait, sound, frames)
        made = {"drawn": drawn, "guided": self.generated(self.guided, portrait, sound, len(drawn), drawn)}
        if self.earlier is not None:
            made["earlier"] = self.generated(self.earlier, portrait, sound, len(drawn), None)
        return made

    def all(self, portrait: Portrait, sound: Sound, frames: int) -> dict[str, np.ndarray]:
        """The same, and the other controls."""
        made = self.speaking(portrait, sound, frames)
        drawn = made["drawn"]
        return made | {
            "autoencoder": self.decoded(drawn, beside=True),
            "autoencoder_bare": self.decoded(drawn, beside=False),
            "frozen": np.repeat(portrait.square[None], len(drawn), axis=0),
        }

    def drawn(self, portrait: Portrait, sound: Sound, frames: int) -> np.ndarray:
        """What the portrait renderer draws for a sound."""
        motion = speak(sound, self.emote, SpeakRequest())
        renderer = self.studio.renderer(self.studio.portrait(portrait.image, portrait.face.landmarks, portrait.crop))
        return np.stack(list(renderer.frames(motion[: min(frames, len(motion))])))

    @torch.no_grad()
    def generated(
        self, model: Checkpoint, portrait: Portrait, sound: Sound, frames: int, drawn: np.ndarray | None
    ) -> np.ndarray:
        """A network's video, beside drawn frames or without them."""
        config = model.config
        features = AudioFeatures(sound, model.audio_encoder, fps=FPS, window=config.audio.window)
        scene = Scene(
            config=config,
            image=portrait.image,
            face=portrait.face,
            crop=portrait.crop,
            features=features,
            fps=FPS,
            encode=partial(encode_picture, model.vae, device=torch.device("cpu")),
        )
        requests = {"face_region": RegionRequest(), "guide": drawn if config.guide.layers else None}
        with quick_attention(torch.device("cpu")), torch.autocast("cpu", torch.bfloat16):
            subject = replace(prepare_subject(scene, requests), frames=frames)
            return np.concatenate(
                list(frames_of(Denoiser(model.emo), model.vae, subject, Settings(steps=config.diffusion.steps)))
            )

    @torch.no_grad()
    def decoded(self, pictures: np.ndarray, *, beside: bool) -> np.ndarray:
        """The autoencoder alone, with the pictures themselves as their guide or without."""
        images = rearrange(torch.tensor(pictures), "f h w c -> f c h w").float() / 127.5 - 1
        with torch.autocast("cpu", torch.bfloat16):
            latents = torch.cat([self.guided.vae.encode(part) for part in images.split(BATCH)])
            guide = Guide(pictures, latents) if beside else None
            return to_bytes(decode_frames(self.guided.vae, latents.float(), guide=guide))
