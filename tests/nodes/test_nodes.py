"""Each node by itself: its results, and its messages for bad input."""

import copy
import dataclasses
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch

from tests.conftest import CONFIG
from tests.nodes.conftest import audio, module
from tests.pack import node_classes

CHECKPOINT_NAMES = ["emo-mini (built in)", "emo-mini-few (built in)"]


def problem(call, match):
    """The core raises its own errors, which are the pack's copy of the class here. A node raises them as Python's own."""
    with pytest.raises((ValueError, RuntimeError, module(".emo_core.errors").EmoError), match=match) as caught:
        call()
    kinds = {kind.__name__ for kind in type(caught.value.__cause__ or caught.value).__mro__}
    assert kinds & {"InputError", "CheckpointError"}


def test_the_host_shows_a_nodes_error_without_a_path(nodes, model):
    """The host writes the module of an error's class before the message, except for Python's own."""
    for call in (
        lambda: nodes.SpeedCondition.execute(model, 9.0, ""),
        lambda: nodes.LoadAudioWav2Vec.execute(
            dataclasses.replace(model, encoder=None), 0.0, 0.0, 0.0, 0.0, audio=audio()
        ),
    ):
        with pytest.raises((ValueError, RuntimeError)) as caught:
            call()
        assert type(caught.value).__module__ == "builtins"
        assert str(caught.value) == str(caught.value.__cause__)


@pytest.mark.parametrize("name", node_classes())
def test_every_node_input_and_output_has_a_description(name):
    schema = node_classes()[name].GET_SCHEMA()
    assert schema.category in ("EMO", "EMO/face motion", "EMO/avatar")
    assert schema.display_name
    assert len(schema.description) > 40
    assert all(item.tooltip for item in schema.outputs)
    info = node_classes()[name].GET_NODE_INFO_V1()
    for group in ("required", "optional"):
        assert all(spec[1].get("tooltip") for spec in info["input"].get(group, {}).values())


def test_the_loader_returns_model_and_vae(nodes):
    model, vae = nodes.EMOModelLoader.execute(CHECKPOINT_NAMES[0]).args
    assert model.name == "emo-mini"
    assert vae is model.vae
    assert nodes.EMOModelLoader.validate_inputs(CHECKPOINT_NAMES[0]) is True
    assert nodes.EMOModelLoader.validate_inputs(None) is True
    assert "no checkpoint 'gone.safetensors'" in nodes.EMOModelLoader.validate_inputs("gone.safetensors")
    path, time = nodes.EMOModelLoader.fingerprint_inputs(CHECKPOINT_NAMES[0])
    assert path.endswith("emo-mini.safetensors")
    assert time > 0


def test_checkpoints_of_every_folder_are_listed(nodes, checkpoint, tmp_path):
    folders = module("folder_paths")
    (tmp_path / "mine.safetensors").write_bytes(checkpoint.read_bytes())
    (tmp_path / "README.md").write_text("no checkpoint")
    folders.add_model_folder_path("emo", str(tmp_path))
    try:
        module(".nodes.emo.folders").register_folders()  # As after a restart: the user's folders stay.
        options = nodes.EMOModelLoader.GET_NODE_INFO_V1()["input"]["required"]["checkpoint"][1]["options"]
        assert options == [*CHECKPOINT_NAMES, "mine.safetensors"]
        assert nodes.EMOModelLoader.execute("mine.safetensors")[0].name == "tiny"
    finally:
        folders.folder_names_and_paths["emo"][0].remove(str(tmp_path))


def test_a_checkpoint_without_vae_or_encoder_names_the_node_to_use(nodes, model, tmp_path):
    core = module(".emo_core.emo.weights.checkpoint")
    path = tmp_path / "bare.safetensors"
    core.save_checkpoint(path, model.config, {"emo": model.network.model.emo}, dtype=torch.float32)
    bare = module(".nodes.emo.model").load_model(path)
    blocker = module(".nodes.emo.model").missing_vae(bare)
    assert "use Load VAE" in blocker.message
    problem(lambda: nodes.LoadAudioWav2Vec.execute(bare, 0.0, 0.0, 0.0, 0.0, audio=audio()), "Audio Encoder Encode")


def test_the_vae_has_the_interface_of_the_hosts(model):
    pictures = torch.rand(3, CONFIG.image_size + 3, CONFIG.image_size, 4)
    latents = model.vae.encode(pictures)
    assert latents.shape == (3, CONFIG.vae.channels, CONFIG.latent_size, CONFIG.latent_size)
    frames = model.vae.decode(latents)
    assert frames.shape == (3, CONFIG.image_size, CONFIG.image_size, 3)
    assert 0 <= float(frames.min()) <= float(frames.max()) <= 1
    assert torch.equal(
        model.vae.decode_tiled(latents, tile_x=8, tile_y=8, overlap=1, tile_t=None, overlap_t=None), frames
    )
    problem(lambda: model.vae.decode(latents[:, :1]), "got latents of 1 channels")
    assert model.vae.get_sd().keys() == model.vae.first_stage_model.state_dict().keys()


def test_the_vae_can_be_copied_to_another_device(model, checkpoint):
    """As Select VAE Device does: a shallow copy, another patcher, and `device` and `first_stage_model` set."""
    pictures = torch.rand(1, CONFIG.image_size, CONFIG.image_size, 3)
    other = copy.copy(model.vae)
    assert other.device == torch.device("cpu")
    other.patcher = module(".nodes.emo.model").reload_vae(checkpoint)
    other.first_stage_model = other.patcher.model
    assert other.patcher.model is not model.vae.patcher.model
    assert torch.equal(other.decode(other.encode(pictures)), model.vae.decode(model.vae.encode(pictures)))
    assert model.vae.patcher is not other.patcher


def test_the_model_shows_the_host_its_parts(model):
    """The host's cache asks for `patcher`; dynamic VRAM asks for `get_models()`."""
    assert model.patcher is model.network
    assert model.get_models() == [model.network, model.encoder, model.vae.patcher]


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (22050, 6)])
def test_any_rate_and_number_of_channels_is_encoded(nodes, model, rate, channels):
    sound = audio(1.0, channels, rate)
    voice, fps, excerpt, frames = nodes.LoadAudioWav2Vec.execute(model, 0.0, 0.0, 0.0, 0.0, audio=sound).args
    assert excerpt["sample_rate"] == rate
    assert excerpt["waveform"].shape == (1, min(channels, 2), rate)
    assert (fps, frames) == (25.0, 25)
    assert voice.features.windows(0, 25).shape == (25, 5, CONFIG.audio.layers, CONFIG.audio.width)
    assert voice.track.rate == rate


def test_start_duration_fps_and_loudness_select_the_features(nodes, model):
    encode = nodes.LoadAudioWav2Vec.execute
    voice, _, excerpt, frames = encode(model, 10.0, 0.5, 0.4, 0.0, audio=audio()).args
    assert excerpt["waveform"].shape == (1, 1, 6400)
    assert frames == 4
    assert voice.track.waveform.shape == (1, 6400)
    assert np.allclose(voice.track.waveform, audio()["waveform"][0, :, 8000:14400])
    louder = encode(model, 10.0, 0.5, 0.4, 12.0, audio=audio())[0]
    assert not torch.equal(louder.features.windows(0, 4), voice.features.windows(0, 4))
    assert np.array_equal(louder.track.waveform, voice.track.waveform)
    problem(lambda: encode(model, 0.0, 9.0, 0.0, 0.0, audio=audio()), r"start: got 9 s; the sound lasts 1\.23 s")
    problem(lambda: encode(model, 0.0, 0.0, 0.0, 0.0), "nothing is wired")
    silent = {"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000}
    problem(lambda: encode(model, 0.0, 0.0, 0.0, 0.0, audio=silent), "is silent")
    two = {"waveform": torch.zeros(2, 1, 16000), "sample_rate": 16000}
    problem(lambda: encode(model, 0.0, 0.0, 0.0, 0.0, audio=two), "a batch of 2 sounds")


def test_the_hosts_encoder_gives_the_features_of_the_checkpoints(nodes, model):
    """AUDIO_ENCODER_OUTPUT of the same features gives the same windows; without sound the video is silent."""
    sound = audio(1.0)
    own = nodes.LoadAudioWav2Vec.execute(model, 0.0, 0.0, 0.0, 0.0, audio=sound)[0]
    samples = sound["waveform"][0] / module(".emo_core.media.sound").speech_level(sound["waveform"][0, 0].numpy())
    layers = model.encode_sound(samples)
    encoded = {
        "encoded_audio_all_layers": (layers[:, :, 0], *layers.unbind(2)),
        "audio_samples": samples.shape[1],
    }
    voice, _, excerpt, _ = nodes.LoadAudioWav2Vec.execute(model, 0.0, 0.0, 0.0, 0.0, encoded_audio=encoded).args
    assert "wire the sound to `audio` too" in excerpt.message
    assert voice.features.frames == own.features.frames
    assert torch.allclose(voice.features.windows(0, 25), own.features.windows(0, 25), atol=1e-5)
    assert voice.track is None
    wrong = {**encoded, "encoded_audio_all_layers": encoded["encoded_audio_all_layers"][:2]}
    problem(
        lambda: nodes.LoadAudioWav2Vec.execute(model, 0.0, 0.0, 0.0, 0.0, encoded_audio=wrong),
        "got 1 layers of width 16",
    )


def test_speed_is_a_value_or_a_curve(nodes, model):
    speed = nodes.SpeedCondition.execute
    assert speed(model, 0.5, "")[0].at_frames(3, 25).tolist() == [0.5] * 3
    curve = speed(model, 0.5, "0:0, 1:0.5\n3:0.1").args[0]
    assert curve.at_frames(3, 1).tolist() == pytest.approx([0.25, 0.4, 0.2])
    assert speed(model, 0.5, "")[1] == "0.5 .. 0.5; tiny was trained for 0 .. 1 degrees per frame"
    problem(lambda: speed(model, 9.0, ""), r"speed: got 9; this model was trained for 0 \.\. 1")
    assert speed(model, 0.5, "0:calm, 2:active").args[0].speeds == (0.1, 0.5)
    problem(lambda: speed(model, 0.5, "fast"), "seconds:speed pairs")
    problem(lambda: speed(model, 0.5, "1:0, 0:1"), "must rise")


def test_a_mask_sets_the_face_region_and_the_crop(nodes, model):
    picture = torch.rand(1, 120, 200, 3)
    mask = torch.zeros(1, 120, 200)
    mask[:, 40:80, 80:110] = 1
    locate = partial(nodes.FaceLocatorMask.execute, pose_weight=1.0, face_weight=1.0, lip_weight=1.2)
    region, crop, where, face = locate(model, picture, 1.1, 0, "auto", "face", mask=mask).args
    assert crop.shape == (1, 64, 64, 3)
    assert region.shape == (1, 64, 64)
    assert (where.left, where.side, where.size) == (58, 74, 64)
    assert face.weights == (1.0, 1.0, 1.2)
    assert face.maps.shape == (3, 64, 64)
    rows = torch.nonzero(region[0].amax(1) > 0.5)
    assert 0.5 < len(rows) / 64 < 0.6  # The mask's 40 of the crop's 74 rows, unexpanded.
    white = locate(model, picture, 1.1, 0, "none", "whole picture", mask=torch.zeros(1, 64, 64)).args
    assert white[0].min() == 1
    assert (white[2].left, white[2].side) == (40, 120)
    problem(lambda: locate(model, picture, 1.1, 0, "built-in", "face"), "no face found")
    assert "detector: unknown name 'dlib'" in nodes.FaceLocatorMask.validate_inputs("dlib", "face")
    problem(lambda: locate(model, picture, 1.1, 0, "dlib", "face"), "detector: unknown name 'dlib'")
    assert "region: unknown name 'left'" in nodes.FaceLocatorMask.validate_inputs("auto", "left")
    assert nodes.FaceLocatorMask.validate_inputs("auto", "whole picture") is True
    assert nodes.FaceLocatorMask.validate_inputs(None, None) is True  # Values from other nodes.
    assert nodes.FaceLocatorMask.validate_inputs() is True  # The host reports missing inputs itself.


def test_masks_are_united_normalised_and_scaled(nodes, model):
    """Also faint strokes, and masks of another size than the picture."""
    picture = torch.rand(1, 120, 200, 4)
    mask = torch.zeros(2, 60, 100)
    mask[0, 20:30, 40:55] = 0.3
    mask[1, 25:40, 40:55] = 0.3
    where = nodes.FaceLocatorMask.execute(model, picture, 1.1, 0, "auto", "face", 1.0, 1.0, 1.0, mask=mask)[2]
    assert where.side == pytest.approx(40 / CONFIG.face_share, abs=4)
    nearly_opaque = torch.full((1, 120, 200), 1 / 255)
    whole = nodes.FaceLocatorMask.execute(model, picture, 1.1, 0, "none", "face", 1.0, 1.0, 1.0, mask=nearly_opaque)[2]
    assert (whole.left, whole.side) == (40, 120)


def test_a_batch_without_a_face_is_refused(nodes, model):
    pictures = torch.zeros(2, 120, 200, 3)
    problem(
        lambda: nodes.FaceLocatorMask.execute(model, pictures, 1.1, 0, "built-in", "face", 1.0, 1.0, 1.0),
        "2 pictures: portrait: no face found in the 200 x 120 picture",
    )


def test_one_of_two_people_is_tracked_through_a_batch(nodes, model, monkeypatch):
    """The order by size changes from frame to frame."""
    core = module(".emo_core.face.detect")
    left, right = (core.Box(x, 40.0, x + 40.0, 90.0) for x in (20.0, 140.0))
    orders = iter([(left, right), (right, left), (), (left, right)])
    detector = SimpleNamespace(detect=lambda picture: [core.Face(box) for box in next(orders)])
    monkeypatch.setattr(module(".nodes.emo.face_locator"), "BuiltInDetector", lambda: detector)
    film = torch.rand(4, 120, 200, 3)
    _, pictures, crop, _ = nodes.FaceLocatorMask.execute(model, film, 1.1, 0, "built-in", "face", 1.0, 1.0, 1.0).args
    assert pictures.shape[0] == 4
    assert crop.side == pytest.approx(50 / CONFIG.face_share, abs=1)
    assert crop.left < 20 < crop.left + crop.side < 140


def test_without_a_working_mediapipe_auto_uses_the_built_in_detector(monkeypatch):
    """Its import may fail, for instance with another numpy."""
    detect = module(".emo_core.face.detectors")
    monkeypatch.setattr(
        detect, "_mediapipe", lambda *arguments: (_ for _ in ()).throw(ImportError("numpy.core.multiarray"))
    )
    assert type(detect.make_detector()).__name__ == "BuiltInDetector"
    problem(lambda: detect.make_detector(landmarks=True), "does not work here")


def test_paste_back_changes_nothing_outside(nodes, model):
    picture = torch.randint(0, 256, (1, 121, 200, 3)).float() / 255
    crop = nodes.FaceLocatorMask.execute(model, picture, 1.1, 0, "none", "face", 1.0, 1.0, 1.0)[2]
    frames = torch.rand(2, 64, 64, 3)
    pasted = nodes.EMOPasteBack.execute(frames, crop, picture, 0.1)[0]
    assert pasted.shape == (2, 122, 200, 3)  # Even, as video needs it.
    assert torch.equal(pasted[0, :121, : crop.left], picture[0, :, : crop.left])
    assert not torch.equal(pasted[0, 40:80, 80:120], picture[0, 40:80, 80:120])
    module("comfy.model_management").interrupt_current_processing()
    with pytest.raises(module("comfy.model_management").InterruptProcessingException):
        nodes.EMOPasteBack.execute(frames, crop, picture, 0.1)
    problem(lambda: nodes.EMOPasteBack.execute(frames, crop, picture.repeat(2, 1, 1, 1), 0.1), "got 2 pictures")
    other = picture.repeat(1, 2, 2, 1)
    problem(
        lambda: nodes.EMOPasteBack.execute(frames, crop, other, 0.1),
        "got 400 x 242 pixels; the square was cut from a picture of 200 x 121",
    )


def test_the_last_row_or_column_of_an_odd_side_is_repeated(nodes, model):
    """The repeated row is that of the pasted frame, which has no soft edge at the border of the picture."""
    picture = torch.zeros(1, 65, 65, 3)
    crop = nodes.FaceLocatorMask.execute(model, picture, 1.1, 0, "none", "face", 1.0, 1.0, 1.0)[2]
    pasted = nodes.EMOPasteBack.execute(torch.ones(1, 64, 64, 3), crop, picture, 0.1)[0]
    assert pasted.shape == (1, 66, 66, 3)
    assert pasted.min() == 1


def test_the_video_is_as_long_as_the_sound(nodes, scene, model):
    video, _ = nodes.MotionFrameChainer.execute(
        vae=model.vae, seconds=0.0, mode="loop", return_frames=True, **scene
    ).args
    with av.open(video.get_stream_source()) as container:
        assert container.streams.video[0].frames == 31
        assert container.streams.video[0].average_rate == Fraction(25)
        sound = container.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(1.23, abs=0.07)
