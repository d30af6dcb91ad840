"""Speech to Face Motion, with the shipped model."""

import numpy as np
import pytest
import torch

from emo_core.media.sound_track import FileTrack
from tests.conftest import ROOT
from tests.nodes.conftest import audio, module
from tests.nodes.test_nodes import problem

BUILT_IN = "emote-mini (built in)"


@pytest.fixture(scope="module")
def voice():
    """AUDIO of the example voice."""
    track = FileTrack(ROOT / "assets" / "voice.wav")
    waveform = np.concatenate([frame.to_ndarray() for frame in track.frames()], axis=1).astype(np.float32) / 2**15
    return {"waveform": torch.from_numpy(waveform)[None], "sample_rate": track.rate}


def speak(nodes, sound, **given):
    amounts = dict.fromkeys(("mouth", "head", "brows", "blinks", "gaze"), 1.0)
    settings = {"model": BUILT_IN, "style": "average", "seed": 3, "speed": "0.25", **amounts}
    settings |= {"fps": 25.0, "start": 0.0, "duration": 0.0, "loudness": 0.0}
    return nodes.SpeechToFaceMotion.execute(sound, **(settings | given)).args


def test_a_voice_moves_the_whole_face(nodes, voice):
    shares = []
    module("comfy.utils").set_progress_bar_global_hook(lambda value, total, *_, **__: shares.append(value / total))
    motion, sound = speak(nodes, voice)
    seconds = voice["waveform"].shape[2] / voice["sample_rate"]
    assert (len(motion), motion.fps) == (round(seconds * 25), 25)
    assert torch.equal(sound["waveform"], voice["waveform"])
    assert motion.curve("jawOpen").std() > 0.02
    assert np.ptp(motion.rotation, axis=0).max() > 1
    assert shares[-1] == 1
    again = speak(nodes, voice)[0]
    assert np.array_equal(again.coefficients, motion.coefficients)
    other = speak(nodes, voice, seed=4)[0]
    assert np.array_equal(other.curve("jawOpen"), motion.curve("jawOpen"))
    assert not np.array_equal(other.rotation, motion.rotation)


def test_settings_change_the_motion(nodes, voice):
    motion, sound = speak(nodes, voice, fps=30.0, start=0.5, duration=2.0, mouth=0.0, head=0.0, blinks=0.0)
    assert (len(motion), motion.fps) == (60, 30)
    assert sound["waveform"].shape[2] == 2 * voice["sample_rate"]
    assert not motion.curve("jawOpen").any()
    assert not motion.rotation.any()
    assert not motion.curve("eyeBlinkLeft").any()
    calm, lively = (speak(nodes, voice, speed=speed)[0] for speed in ("0", "0:0.2, 2:0.8"))
    assert np.abs(np.diff(calm.rotation, axis=0)).mean() < np.abs(np.diff(lively.rotation, axis=0)).mean()


def test_cancel_stops_speech(nodes, voice):
    management = module("comfy.model_management")
    management.interrupt_current_processing()
    with pytest.raises(management.InterruptProcessingException):
        speak(nodes, voice)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"speed": "fast"}, "speed: got 'fast'; expected calm, normal, active"),
        ({"speed": "9"}, "speed: got 9; expected 0"),
        ({"style": "sung"}, "style: got 'sung'; this model knows average"),
        ({"start": 99.0}, "start: got 99 s; the sound lasts"),
        ({"brows": 7.0}, "brows: got 7"),
        ({"fps": 0.0}, "fps: got 0"),
    ],
)
def test_bad_settings_are_refused(nodes, voice, given, message):
    problem(lambda: speak(nodes, voice, **given), message)


def test_bad_sounds_are_refused(nodes):
    problem(lambda: speak(nodes, {"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000}), "is silent")
    problem(lambda: speak(nodes, {"waveform": torch.zeros(2, 1, 16000), "sample_rate": 16000}), "a batch of 2 sounds")
    problem(lambda: speak(nodes, audio(0.05)), "give at least 0.1 s")


def test_only_files_that_speak_are_in_the_menu(nodes, tmp_path):
    """Beside EMO's checkpoints in the same folder. A wrong name is refused before anything runs."""
    folders, node = module("folder_paths"), nodes.SpeechToFaceMotion
    model = (ROOT / "models" / "emote-mini.safetensors").read_bytes()
    (tmp_path / "mine.safetensors").write_bytes(model)
    (tmp_path / "finder.safetensors").write_bytes((ROOT / "models" / "face-finder.safetensors").read_bytes())
    (tmp_path / "text.safetensors").write_text("no checkpoint")
    folders.add_model_folder_path("emo", str(tmp_path))
    try:
        options = node.GET_NODE_INFO_V1()["input"]["required"]["model"][1]["options"]
        assert options == [BUILT_IN, "mine.safetensors"]
        assert node.validate_inputs("mine.safetensors", "average") is True
        assert node.fingerprint_inputs("mine.safetensors") > 0
        assert len(speak(nodes, audio(0.5), model="mine.safetensors")[0]) == 12
        (tmp_path / "mine.safetensors").write_bytes(model[:-1000])
        problem(lambda: speak(nodes, audio(0.5), model="mine.safetensors"), "emote: .*mine.safetensors")
    finally:
        folders.folder_names_and_paths["emo"][0].remove(str(tmp_path))
    assert "model: unknown name 'gone.safetensors'" in node.validate_inputs("gone.safetensors", "average")
    assert "style: unknown name 'sung'" in node.validate_inputs(BUILT_IN, "sung")
    assert node.fingerprint_inputs(None) == 0
