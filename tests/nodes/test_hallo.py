"""A small model of Hallo's architecture in the nodes: regional audio weights, joint guidance, no speed layers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.emo.config import HALLO, AudioConfig, IdentityConfig, TemporalConfig, UNetConfig
from tests.nodes.conftest import audio, module
from tests.nodes.test_nodes import problem

SMALL = replace(
    HALLO,
    image_size=128,
    unet=UNetConfig(widths=(32, 32, 32, 32), heads=4, groups=8),
    identity=IdentityConfig(embedding=8, tokens=2, width=8),
    audio=AudioConfig(layers=2, width=16, tokens=4, token_width=8, hidden=16),
    temporal=TemporalConfig(frames=4, motion_frames=2, everywhere=False, first_clip="reference"),
)


@pytest.fixture(scope="module")
def hallo(tmp_path_factory):
    """Random weights without VAE and audio encoder, which are the host's."""
    from emo_core.emo.models.emo import EMO
    from emo_core.emo.weights.checkpoint import save_checkpoint
    from tests.conftest import awake

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("hallo") / "hallo.safetensors"
    save_checkpoint(path, SMALL, {"emo": awake(EMO(SMALL))}, dtype=torch.float32)
    return module(".nodes.emo.model").load_model(path)


@pytest.fixture(scope="module")
def inputs(nodes, hallo):
    draw = torch.Generator().manual_seed(0)
    layers = torch.randn(1, 49, 3, 16, generator=draw)
    encoded = {"encoded_audio_all_layers": tuple(layers.unbind(2)), "audio_samples": 16000}
    emo_audio = nodes.LoadAudioWav2Vec.execute(hallo, 0.0, 0.0, 0.4, 0.0, audio=audio(1.0), encoded_audio=encoded)[0]
    picture = torch.rand(1, 160, 160, 3, generator=draw)
    mask = torch.zeros(1, 160, 160)
    mask[:, 40:120, 50:110] = 1
    located = nodes.FaceLocatorMask.execute(hallo, picture, 1.2, 0, "auto", "face", 1.0, 1.0, 1.0, mask=mask).args
    latent = torch.randn(1, 4, 16, 16, generator=draw)
    scene = {"model": hallo, "reference": {"samples": latent}, "emo_audio": emo_audio, "mask": located[0]}
    settings = {"seed": 1, "steps": 2, "scheduler": "ddim", "reference_scale": 0.0, "audio_scale": 0.0}
    return {**scene, **settings, "clip_index": -1, "clips": 1}, located[3]


def test_the_sampler_makes_all_clips_of_a_video(nodes, inputs):
    settings, face = inputs
    latent, motion = nodes.EMOSampler.execute(**{**settings, "clips": 9}, emo_face=face).args
    assert latent["samples"].shape == (10, 4, 16, 16)
    assert latent["samples"].isfinite().all()
    assert motion.next == 3


def test_regions_weights_and_guidance_change_the_frames(nodes, inputs):
    settings, face = inputs
    plain = nodes.EMOSampler.execute(**settings, emo_face=face)[0]["samples"]
    for changed in (replace(face, weights=(1.0, 1.0, 3.0)), replace(face, maps=face.maps.flip(-2))):
        assert not torch.equal(nodes.EMOSampler.execute(**settings, emo_face=changed)[0]["samples"], plain)
    for scale, same in (({"reference_scale": 4.0}, True), ({"audio_scale": 1.0}, False), ({"audio_scale": 3.5}, True)):
        frames = nodes.EMOSampler.execute(**{**settings, **scale}, emo_face=face)[0]["samples"]
        assert torch.equal(frames, plain) == same, scale


def test_missing_speed_layers_encoder_and_vae_are_reported(nodes, hallo, inputs):
    problem(lambda: nodes.SpeedCondition.execute(hallo, 0.2, ""), "this model has no speed layers")
    problem(lambda: nodes.LoadAudioWav2Vec.execute(hallo, 0.0, 0.0, 0.0, 0.0, audio=audio()), "Audio Encoder Encode")
    assert "use Load VAE" in module(".nodes.emo.model").missing_vae(hallo).message


def test_the_face_embedding_is_read_from_a_file_and_changes_the_frames(nodes, hallo, inputs, host_input):
    np.save(host_input / "me.npy", np.ones(8))
    settings, face = inputs
    picture, mask = torch.rand(1, 160, 160, 3), torch.ones(1, 160, 160)
    options = (hallo, picture, 1.2, 0, "none", "face", 1.0, 1.0, 1.0)
    named = nodes.FaceLocatorMask.execute(*options, mask=mask, face_embedding="me.npy")[3]
    assert named.identity.tolist() == [1.0] * 8
    assert nodes.FaceLocatorMask.execute(*options, mask=mask, face_embedding="none")[3].identity is None
    assert nodes.FaceLocatorMask.validate_inputs("auto", "face", "me.npy") is True
    assert nodes.FaceLocatorMask.fingerprint_inputs(face_embedding="me.npy", model=None) > 0
    assert nodes.FaceLocatorMask.fingerprint_inputs(face_embedding=None) == 0
    assert "unknown name 'you.npy'" in nodes.FaceLocatorMask.validate_inputs("auto", "face", "you.npy")
    with_identity, without = (
        nodes.EMOSampler.execute(**settings, emo_face=replace(face, identity=identity))[0]["samples"]
        for identity in (named.identity, None)
    )
    assert not torch.equal(with_identity, without)
