"""The nodes of emotion, of grids and of exports."""

import csv
import json
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from emo_core.emotion import EMOTIONS
from emo_core.media.video_reader import frames_at, open_source
from tests.nodes.conftest import audio, module
from tests.nodes.test_nodes import problem


def run(kind, **inputs):
    """Execute a node as the host does, with the defaults of its schema."""
    names = module("comfy_api.latest").io.Hidden
    hidden = {names.unique_id: "1"}
    clone = kind.PREPARE_CLASS_CLONE({**hidden, "hidden_inputs": hidden})
    defaults = {}
    for item in kind.define_schema().inputs:
        spec = item.as_dict()
        if not item.optional or "default" in spec:
            defaults[item.id] = spec["default"] if "default" in spec else None
    return clone.execute(**defaults | inputs).args


@pytest.fixture
def motion(nodes):
    return run(nodes.SpeechToFaceMotion, audio=audio(2.0))[0]


def felt(nodes, **inputs):
    return run(nodes.EmotionCondition, **inputs)


def test_one_emotion_a_blend_and_a_curve(nodes):
    assert felt(nodes, emotion="sad", strength=0.5)[1] == "0:sad@0.5"
    assert felt(nodes, emotion="happy", second="surprise", share=0.25)[1] == "0:happy@0.75+surprise@0.25"
    assert felt(nodes, emotion="sad", curve="0:neutral, 2:anger@0.5", strength=1.0)[1] == "0:neutral, 2:anger@0.5"


def test_an_emotion_changes_the_face_and_not_its_length(nodes, motion):
    emotion, _ = felt(nodes, emotion="surprise")
    made = run(nodes.SpeechToFaceMotion, audio=audio(2.0), emotion=emotion)[0]
    assert len(made) == len(motion)
    assert made.curve("browInnerUp").mean() > motion.curve("browInnerUp").mean() + 0.2
    other = run(nodes.SpeechToFaceMotion, audio=audio(2.0), emotion=emotion, emotion_style=3)[0]
    assert np.abs(other.coefficients - made.coefficients).max() > 0.05


@pytest.mark.parametrize(("curve", "said"), [("0:hapy", "did you mean happy"), ("2:sad, 1:sad", "must rise")])
def test_wrong_curves_are_told(nodes, curve, said):
    problem(lambda: felt(nodes, curve=curve), said)


def test_every_emotion_is_a_list(nodes):
    curves, names = run(nodes.EveryEmotion, strength=1.2)
    assert names == list(EMOTIONS)
    assert [curve.neutral for curve in curves] == [True] + [False] * 7


def test_a_calm_hum_proposes_no_emotion(nodes):
    curve, text = run(nodes.EmotionFromVoice, audio=audio(2.0))
    assert curve.neutral
    assert text == "0:neutral"


def grid_of(nodes, sizes, names):
    types = module("comfy_api.latest")
    videos = [
        types.InputImpl.VideoFromComponents(
            types.Types.VideoComponents(
                images=torch.full((5, *size, 3), 0.2 * number), frame_rate=Fraction(25), audio=audio(0.2)
            )
        )
        for number, size in enumerate(sizes)
    ]
    return run(nodes.EMOVideoGrid, videos=videos, names=names, columns=[2])[0]


def test_videos_stand_side_by_side(nodes):
    video = grid_of(nodes, [(64, 64)] * 3, ["a", "b", "c"])
    source = open_source(Path(video.get_stream_source()))
    frames = [frame for _, frame in frames_at(source, source.fps)]
    assert (len(frames), frames[0].shape) == (5, (2 * (64 + 8), 128, 3))
    assert frames[2][32, 96].mean() == pytest.approx(51, abs=8)
    assert frames[2][72 + 32, 32].mean() == pytest.approx(102, abs=8)


def test_unequal_videos_and_names_are_told(nodes):
    problem(lambda: grid_of(nodes, [(64, 64), (32, 64)], None), "same size")
    problem(lambda: grid_of(nodes, [(64, 64)] * 2, ["a"]), "got 1 for 2 videos")


def test_a_motion_is_exported(nodes, motion):
    path, model = run(nodes.ExportFaceMotion, motion=motion, format="GLB")
    data = Path(path).read_bytes()
    size, _ = struct.unpack("<II", data[12:20])
    scene = json.loads(data[20 : 20 + size])
    assert len(scene["meshes"][0]["extras"]["targetNames"]) == 51
    assert path.endswith(model)
    path, stopped = run(nodes.ExportFaceMotion, motion=motion, format="Live Link Face CSV", fps="60")
    rows = list(csv.DictReader(Path(path).read_text().splitlines()))
    assert len(rows) == 120
    assert "choose the format GLB" in stopped.message


def test_the_output_folder_may_be_a_link(nodes, motion, tmp_path, monkeypatch):
    """To another disk, as people with little room have it."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "output").symlink_to(tmp_path / "disk", target_is_directory=True)
    monkeypatch.setattr(module("folder_paths"), "get_output_directory", lambda: str(tmp_path / "output"))
    path, model = run(nodes.ExportFaceMotion, motion=motion, format="GLB")
    assert Path(path).is_file()
    assert model == "face_motion/export_00001_.glb"


def test_a_wrong_timecode_is_told(nodes, motion):
    problem(lambda: run(nodes.ExportFaceMotion, motion=motion, format="JSON", timecode="soon"), "HH:MM:SS:FF")
