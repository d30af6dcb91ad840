"""An EMO model with a guide: the command draws the frames that the network repairs."""

from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from emo_core.__main__ import main
from emo_core.animate.portrait_options import AMOUNTS
from tests.conftest import ROOT
from tests.guided import GUIDED, write_guided

WOMAN, VOICE = ROOT / "assets" / "woman.jpg", ROOT / "assets" / "voice.wav"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Large enough for face points."""
    return write_guided(tmp_path_factory.mktemp("weights") / "guided.safetensors", replace(GUIDED, image_size=128))


def frames_of(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def animate(checkpoint, out, portrait, *more):
    given = [
        "animate",
        "--checkpoint",
        str(checkpoint),
        "--portrait",
        str(portrait),
        "--audio",
        str(VOICE),
        "--out",
        str(out),
    ]
    return main([*given, "--max-seconds", "0.5", "--steps", "2", *more])


def test_the_frames_move_as_the_motion_model_says(checkpoint, tmp_path):
    pytest.importorskip("mediapipe", reason="landmarks need mediapipe")
    still, fast = tmp_path / "still.mp4", tmp_path / "fast.mp4"
    assert animate(checkpoint, still, WOMAN, "--speed", "0") == 0
    assert animate(checkpoint, fast, WOMAN, "--speed", "1", "--emotion", "happy") == 0
    moved = [np.abs(np.diff(frames_of(path)[:, :40].astype(int), axis=0)).mean() for path in (still, fast)]
    assert moved[1] > 1.5 * moved[0]


def test_a_picture_that_cannot_move_is_refused(checkpoint, tmp_path, capsys):
    blank = tmp_path / "blank.png"
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(blank)
    out = tmp_path / "blank.mp4"
    assert animate(checkpoint, out, blank, "--face-region", "none") == 2
    said = capsys.readouterr().err
    assert "cannot be drawn: no face points were found" in said and "use emo-mini" in said
    assert not out.exists()


def test_a_film_can_move_the_frames(checkpoint, tmp_path):
    pytest.importorskip("mediapipe", reason="landmarks need mediapipe")
    acted, still = tmp_path / "acted.mp4", tmp_path / "still.mp4"
    motion = ("--motion", str(ROOT / "assets" / "performance.mp4"))
    assert animate(checkpoint, acted, WOMAN, *motion, "--head", "2") == 0
    assert animate(checkpoint, still, WOMAN, *motion, *(part for name in AMOUNTS for part in (f"--{name}", "0"))) == 0
    moved = [np.abs(np.diff(frames_of(path).astype(int), axis=0)).mean() for path in (acted, still)]
    assert moved[0] > 3 * moved[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "300"), "has no such option"),
        (("--motion", "film.mp4", "--speed", "0.2"), "the head of a film moves as filmed"),
    ],
)
def test_options_that_cannot_act_are_refused(checkpoint, tmp_path, capsys, options, message):
    assert animate(checkpoint, tmp_path / "out.mp4", WOMAN, *options) == 2
    assert message in capsys.readouterr().err
