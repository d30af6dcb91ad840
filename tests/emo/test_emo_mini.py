"""The shipped model: small, whole, and every condition acts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.audio.features import AudioFeatures
from emo_core.emo.config import EMO_MINI
from emo_core.emo.models.vae import decode_frames, encode_picture, to_bytes
from emo_core.emo.sampling.clips import Clip
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings, Subject, generate_clip
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.face.framing import frame_portrait
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
    crop = frame_portrait(image, face, model.config.framing, model.config.image_size)
    voice = AudioFeatures(load_sound(ROOT / "assets" / "voice.wav"), model.audio_encoder, fps=25, window=2)
    mask = region_mask(crop.inside(face).expand(1.1), model.config.image_size, model.config.mask_size)
    reference = encode_picture(model.vae, crop.cut(image), torch.device("cpu"))
    return Subject(frames=voice.frames, values={"reference": reference, "audio": voice, "face_region": mask})


def changed(subject: Subject, **values) -> Subject:
    return replace(subject, values={**subject.values, **values})


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
    changes = {
        "audio": other_voice,
        "speed": torch.full((speaker.frames,), model.config.speed.range[1]),
        "face_region": torch.roll(speaker.values["face_region"], 16, dims=1),
        "reference": speaker.reference.flip(-1),
    }
    differences = {
        name: relative(clip_of(model, changed(speaker, **{name: value})), plain) for name, value in changes.items()
    }
    # Sampling is deterministic, so a condition that is ignored changes nothing at all.
    assert min(differences.values()) > 0.003, differences


def test_faster_speed_is_not_slower_speed(model, speaker):
    slow, fast = (
        clip_of(model, changed(speaker, speed=torch.full((speaker.frames,), value)))
        for value in model.config.speed.range
    )
    assert relative(fast, slow) > 0.01


def test_a_face_is_found_in_what_it_makes(model, speaker):
    pytest.importorskip("mediapipe.python.solutions", reason="this mediapipe brings no models")
    from emo_core.face.mediapipe_detector import BundledDetector

    frames = to_bytes(decode_frames(model.vae, clip_of(model, speaker)))
    detector = BundledDetector()
    assert all(len(detector.detect(frame)) == 1 for frame in frames[::4])
