"""The shipped model: small, whole, and every condition acts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.audio.features import AudioFeatures
from emo_core.emo.animate import encode_picture, to_bytes
from emo_core.emo.config import EMO_MINI
from emo_core.emo.models.vae import decode_frames
from emo_core.emo.sampling.clips import Clip
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings, Subject, generate_clip
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.face.framing import Framing, frame_portrait
from emo_core.face.region import region_mask
from emo_core.face.selection import RegionRequest, find_face
from emo_core.media.picture import load_picture
from emo_core.media.sound import load_sound, prepare_sound
from tests.conftest import ROOT

FAST = Settings(steps=4)


@pytest.fixture(scope="module")
def model():
    return load_checkpoint(EMO_MINI)


@pytest.fixture(scope="module")
def speaker(model) -> Subject:
    image = load_picture(ROOT / "assets" / "portrait.png")
    face = find_face(image, RegionRequest.parse("72,75,110,138"), None).box
    framing = Framing(model.config.face_share, model.config.face_centre)
    crop = frame_portrait(image, face, framing, model.config.image_size)
    voice = AudioFeatures(load_sound(ROOT / "assets" / "voice.wav"), model.audio_encoder, fps=25, window=2)
    mask = region_mask(crop.inside(face).expand(1.1), model.config.image_size, model.config.mask_size)
    return Subject(
        reference=encode_picture(model.vae, crop.cut(image), torch.device("cpu")), audio=voice, mask=mask, speed=None
    )


def clip_of(model, subject: Subject, start: int = 12) -> torch.Tensor:
    f = model.config.temporal.frames
    return generate_clip(Denoiser(model.emo), subject, FAST, Clip(1, start, start + f), None)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


def test_size_and_parts(model):
    assert EMO_MINI.stat().st_size < 60e6
    assert model.vae is not None and model.audio_encoder is not None


def test_autoencoder_keeps_the_portrait(model):
    picture = load_picture(ROOT / "assets" / "portrait.png")
    latent = encode_picture(model.vae, picture, torch.device("cpu"))
    back = to_bytes(decode_frames(model.vae, latent[None]))[0]
    error = np.mean((back.astype(float) - picture) ** 2)
    assert 10 * np.log10(255**2 / error) > 30
    assert 0.5 < latent.std() < 2


def test_voice_speed_region_and_portrait_all_act(model, speaker):
    plain = clip_of(model, speaker)
    noise = prepare_sound(np.random.default_rng(0).standard_normal(64000).astype(np.float32))
    other_voice = AudioFeatures(noise, model.audio_encoder, fps=25, window=2)
    fast = torch.full((speaker.audio.frames,), model.config.speed.range[1])
    moved = torch.roll(speaker.mask, 16, dims=1)
    changes = {
        "audio": replace(speaker, audio=other_voice),
        "speed": replace(speaker, speed=fast),
        "mask": replace(speaker, mask=moved),
        "reference": replace(speaker, reference=speaker.reference.flip(-1)),
    }
    differences = {name: relative(clip_of(model, changed), plain) for name, changed in changes.items()}
    # Sampling is deterministic, so a condition that is ignored changes nothing at all.
    assert min(differences.values()) > 0.003, differences


def test_faster_speed_is_not_slower_speed(model, speaker):
    slow, fast = (
        clip_of(model, replace(speaker, speed=torch.full((speaker.audio.frames,), value)))
        for value in model.config.speed.range
    )
    assert relative(fast, slow) > 0.01


def test_a_face_is_found_in_what_it_makes(model, speaker):
    pytest.importorskip("mediapipe.python.solutions", reason="this mediapipe brings no models")
    from emo_core.face.mediapipe_detector import BundledDetector

    frames = to_bytes(decode_frames(model.vae, clip_of(model, speaker)))
    detector = BundledDetector()
    assert all(len(detector.detect(frame)) == 1 for frame in frames[::4])
