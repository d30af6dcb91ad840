"""The recipe from end to end on a real clip; what it must reach takes an hour, see docs/training.md."""

import json

import av
import pytest

from emo_core.__main__ import main
from emo_core.emo.training.overfit import EACH, SHARES, Plan, stage_of


@pytest.mark.slow
def test_every_step_of_the_recipe(data, tmp_path, capsys):
    pytest.importorskip("mediapipe.python.solutions", reason="this mediapipe brings no models")
    clip = str(data / "grid_s1" / "bbaf2n.mp4")
    arguments = ["overfit", clip, "--out", str(tmp_path), "--minutes", "1", "--steps", "4"]
    assert main(arguments) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["psnr"] > 12
    for name in ("model.safetensors", "sheet.jpg", "curves.png", "nearness.json"):
        assert (tmp_path / name).stat().st_size > 0
    with av.open(str(tmp_path / "generated.mp4")) as made:
        assert made.streams.video[0].frames == 75 and made.streams.audio
    assert main(arguments) == 0  # Everything is there: only the video is made again.


def test_the_recipe_uses_all_its_time_and_every_stage(tmp_path):
    assert sum(SHARES.values()) == pytest.approx(1)
    plan = Plan(video=tmp_path / "a.mp4", out=tmp_path, init=tmp_path / "b.safetensors")
    stages = [stage_of(name, plan) for name in EACH]
    assert [stage.stage for stage in stages] == ["1", "2", "3"]
    assert "audio" not in stages[2].trains
