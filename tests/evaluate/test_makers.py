"""The models under evaluation: a checkpoint with a guide repairs the frames that the portrait model draws of the clip."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.__main__ import main
from emo_core.emo.sampling.generate import Settings
from emo_core.errors import InputError
from emo_core.evaluate.makers import EmoMaker
from emo_core.media.sound import load_sound
from tests.conftest import ROOT
from tests.guided import GUIDED, write_guided

SIDE, FRAMES = 128, 10


class OneFace:
    """A clip of a still portrait, with the members that makers read."""

    key, frames = "woman", FRAMES

    def pictures(self):
        from PIL import Image

        square = Image.open(ROOT / "assets" / "woman.jpg").convert("RGB").resize((SIDE, SIDE))
        return np.repeat(np.asarray(square)[None], FRAMES, axis=0)


def test_a_checkpoint_with_a_guide_moves_as_the_portrait_model(tmp_path):
    pytest.importorskip("mediapipe", reason="landmarks need mediapipe")
    checkpoint = write_guided(tmp_path / "guided.safetensors", replace(GUIDED, image_size=SIDE))
    settings = Settings(steps=1)
    sound = load_sound(ROOT / "assets" / "voice.wav", max_seconds=FRAMES / 25).waveform
    with pytest.raises(InputError, match="the face stays where they have it"):
        region = (0.2, 0.2, 0.8, 0.8)
        EmoMaker.load(checkpoint, settings, dtype=torch.float32, audio_encoder=None, speed=None, region=region)
    made = {}
    for speed in (0.0, 1.0):
        maker = EmoMaker.load(checkpoint, settings, dtype=torch.float32, audio_encoder=None, speed=speed, region=None)
        made[speed] = maker.make(OneFace(), sound).astype(int)
    assert made[0.0].shape == (FRAMES, SIDE, SIDE, 3)
    still, fast = (np.abs(np.diff(video[:, : SIDE // 3], axis=0)).mean() for video in made.values())
    assert fast > 1.5 * still


def test_evaluate_gives_a_head_speed_to_the_drawn_frames(tmp_path):
    checkpoint = write_guided(tmp_path / "guided.safetensors", replace(GUIDED, image_size=SIDE))
    film, out = ROOT / "assets" / "performance.mp4", tmp_path / "report"
    options = ["--speed", "0.5", "--seconds", "0.5", "--no-other", "--steps", "1"]
    assert main(["evaluate", "--checkpoint", str(checkpoint), "--videos", str(film), "--out", str(out), *options]) == 0
    assert json.loads((out / "report.json").read_text())["videos"]
