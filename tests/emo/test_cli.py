"""The command line as a user meets it: the main job, bad inputs, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from emo_core.__main__ import main
from tests.conftest import ROOT, tone


@pytest.fixture
def portrait(tmp_path) -> Path:
    path = tmp_path / "portrait.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)).save(path)
    return path


def arguments(portrait, voice, out, checkpoint, *more) -> list[str]:
    base = ["animate", "--portrait", portrait, "--audio", voice, "--out", out, "--checkpoint", checkpoint]
    return [str(part) for part in [*base, "--face-region", "20,10,60,70", "--steps", "2", "--device", "cpu", *more]]


def count_frames(path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def decode(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_main_job(portrait, voice, tmp_path, checkpoint, capsys):
    out = tmp_path / "deep" / "video.mp4"
    assert main(arguments(portrait, voice, out, checkpoint, "--json", "--speed", "0.5", "--seed", "3")) == 0
    line = capsys.readouterr().out.strip()
    result = json.loads(line)
    assert set(result) == {
        "frames",
        "fps",
        "seconds",
        "seconds_per_frame",
        "clips",
        "peak_memory_mb",
        "seed",
        "checkpoint",
        "out",
    }
    assert result["frames"] == round(1.23 * 25) == count_frames(out)
    assert result["clips"] == -(-result["frames"] // 4) and result["seed"] == 3


def test_same_seed_same_file(portrait, voice, tmp_path, checkpoint):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(arguments(portrait, voice, tmp_path / f"{name}.mp4", checkpoint, "--seed", seed)) == 0
    a, b, c = (decode(tmp_path / f"{name}.mp4") for name in "abc")
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_paste_back_keeps_the_portraits_size(portrait, voice, tmp_path, checkpoint):
    out = tmp_path / "v.mp4"
    assert main(arguments(portrait, voice, out, checkpoint, "--paste-back", "--max-seconds", "0.2")) == 0
    assert decode(out).shape == (5, 90, 120, 3)


def test_other_fps(portrait, voice, tmp_path, checkpoint):
    out = tmp_path / "v.mp4"
    assert main(arguments(portrait, voice, out, checkpoint, "--fps", "10")) == 0
    assert count_frames(out) == 12


BAD = {
    "missing portrait": (["--portrait", "nobody.png"], "no file at nobody.png"),
    "missing sound": (["--audio", "nothing.wav"], "no file at nothing.wav"),
    "missing checkpoint": (["--checkpoint", "none.safetensors"], "no file at none.safetensors"),
    "steps": (["--steps", "0"], "steps: got 0"),
    "region": (["--face-region", "1,2"], "expected auto, none, x,y,w,h"),
    "expand": (["--expand", "0"], "expand: got 0"),
    "speed": (["--speed", "-1"], "speed: got -1; this model was trained for 0 .. 1 degrees per frame"),
    "fps": (["--fps", "0"], "fps: got 0"),
    "length": (["--max-seconds", "0"], "max seconds: got 0"),
    "name": (["--out", "video.avi"], "expected a name ending in .mp4"),
    "interval": (["--guidance-interval", "0.9,0.1"], "guidance interval"),
    "seed": (["--seed", "-1"], "seed: got -1; expected 0"),
    "lcm steps": (["--scheduler", "lcm", "--steps", "51"], "steps: got 51; expected 1 .. 50 with lcm"),
    "endless": (["--max-seconds", "inf"], "max seconds: got inf"),
    "nan region": (["--face-region", "nan,1,20,20"], "expected four numbers"),
    "nan scale": (["--audio-scale", "nan"], "audio scale: got nan; expected 0 .. 100"),
    "not a number": (["--steps", "many"], "invalid int value: 'many'"),
    "unknown scheduler": (["--scheduler", "plms"], "invalid choice: 'plms'"),
    "folder": (["--portrait", "."], "a folder at ."),
    "long name": (["--portrait", "x" * 300 + ".png"], "cannot be opened (File name too long)"),
    "no mask": (["--face-region", "mask.png"], "face region: no file at mask.png"),
    "face index": (["--face-region", "none", "--face-index", "1"], "face index: got 1 with the face region 'none'"),
    "no detector": (["--face-region", "none", "--face-model", "m.task"], "face model: no face is detected"),
    "region weights": (["--region-weights", "1,1,2"], "has no audio regions; leave them out"),
    "nan weights": (["--region-weights", "nan,1,1"], "region weights: got (nan, 1.0, 1.0); expected three numbers"),
    "nan time": (["--speed", "0:0,nan:0.4"], "speed: got '0:0,nan:0.4'; expected numbers, not nan"),
    "nan speed": (["--speed", "nan"], "expected numbers, not nan"),
    "face model": (["--face-region", "auto", "--face-model", "README.md"], "README.md is no face_landmarker.task"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_input_is_one_line_and_exit_2(case, portrait, voice, tmp_path, checkpoint, capsys):
    more, message = BAD[case]
    assert main(arguments(portrait, voice, tmp_path / "v.mp4", checkpoint, *more)) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and error.startswith("error: ") and "\n" not in error
    assert not list(tmp_path.glob("*.mp4")) and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("side", [40, 8000])
def test_portraits_of_40_and_8000_pixels(side, voice, tmp_path, checkpoint, capsys):
    path = tmp_path / "p.png"
    Image.fromarray(np.tile(np.linspace(0, 255, side).astype(np.uint8), (side, 1))).save(path)
    box = f"{side // 4},{side // 4},{side // 2},{side // 2}"
    code = main(arguments(path, voice, tmp_path / "v.mp4", checkpoint, "--face-region", box, "--max-seconds", "0.1"))
    if side == 40:
        assert code == 2 and "40 x 40 pixels; give one of at least 64 x 64" in capsys.readouterr().err
    else:
        assert code == 0


def test_an_input_is_never_overwritten(portrait, voice, tmp_path, checkpoint, capsys):
    source = tmp_path / "talk.mp4"
    assert main(arguments(portrait, voice, source, checkpoint, "--max-seconds", "0.3")) == 0
    before = source.read_bytes()
    assert main(arguments(portrait, source, source, checkpoint)) == 2
    assert "is also an input" in capsys.readouterr().err and source.read_bytes() == before


def test_a_mask_picture_is_the_region(portrait, voice, tmp_path, checkpoint, capsys):
    mask = np.zeros((90, 120), np.uint8)
    mask[10:80, 20:80] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    out = tmp_path / "v.mp4"
    more = ("--max-seconds", "0.2", "--face-region", tmp_path / "mask.png")
    assert main(arguments(portrait, voice, out, checkpoint, *more)) == 0 and count_frames(out) == 5
    Image.fromarray(mask[:50]).save(tmp_path / "mask.png")
    assert main(arguments(portrait, voice, out, checkpoint, *more)) == 2
    assert "the mask is 120 x 50, the portrait 120 x 90" in capsys.readouterr().err


def test_unwritable_output(portrait, voice, tmp_path, checkpoint, capsys):
    (tmp_path / "file").write_text("")
    assert main(arguments(portrait, voice, tmp_path / "file" / "v.mp4", checkpoint)) == 2
    assert "cannot write" in capsys.readouterr().err


def test_ctrl_c_leaves_nothing(portrait, tmp_path, checkpoint):
    soundfile.write(tmp_path / "long.wav", tone(60.0), 16000)
    out = tmp_path / "out"
    command = arguments(portrait, tmp_path / "long.wav", out / "v.mp4", checkpoint, "--steps", "40")
    process = subprocess.Popen(
        [sys.executable, "-m", "emo_core", *command], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(out.glob(".v.*.part.mp4")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cancelled; nothing was written" in error
    assert list(out.iterdir()) == []


def test_errors_through_the_real_process_are_one_line(tmp_path):
    command = ["animate", "--portrait", "none.png", "--audio", "none.wav", "--out", "v.mp4"]
    done = subprocess.run([sys.executable, "-m", "emo_core", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: portrait: no file at none.png") and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_length(portrait, tmp_path, checkpoint):
    peaks = []
    for seconds in (6.0, 30.0):
        soundfile.write(tmp_path / "voice.wav", tone(seconds), 16000)
        command = arguments(portrait, tmp_path / "voice.wav", tmp_path / "v.mp4", checkpoint, "--json", "--steps", "1")
        done = subprocess.run(
            [sys.executable, "-m", "emo_core", *command], cwd=ROOT, capture_output=True, text=True, check=True
        )
        peaks.append(json.loads(done.stdout)["peak_memory_mb"])
    assert peaks[1] <= 1.05 * peaks[0], peaks


def test_weights_info(checkpoint, capsys):
    assert main(["weights", "info", str(checkpoint)]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["name"] == "tiny"
