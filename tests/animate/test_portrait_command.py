"""`animate --model portrait` as a user meets it: a voice, a film or a motion file, and bad input."""

import json

import av
import numpy as np
import pytest
from PIL import Image

from emo_core.__main__ import main
from emo_core.face.motion import FaceMotion
from emo_core.face.motion_file import load_motion, save_motion
from tests.conftest import DATA, ROOT

pytest.importorskip("mediapipe", reason="face points come from MediaPipe")
PORTRAIT = ROOT / "assets" / "portrait.png"
VOICE = ROOT / "assets" / "voice.wav"
FILM = DATA / "talk" / "grid" / "s31_lbwo3s.mp4"
needs_film = pytest.mark.skipif(not FILM.is_file(), reason="needs the films of the shared folder")


def animate(out, *more, portrait=PORTRAIT):
    command = ["animate", "--portrait", portrait, "--out", out, "--size", "128", "--device", "cpu", *more]
    return main([str(part) for part in command])


def decoded(path):
    with av.open(str(path)) as container:
        mark = json.loads(container.metadata["comment"])
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return frames, bool(container.streams.audio), mark


def test_a_voice_speaks(tmp_path, capsys):
    out = tmp_path / "talk.mp4"
    assert (
        animate(out, "--audio", VOICE, "--max-seconds", "1.6", "--json", "--save-motion", tmp_path / "m.safetensors")
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    frames, has_sound, mark = decoded(out)
    assert len(frames) == result["frames"] == 40 and has_sound
    assert mark["ai_generated"] and mark["model"] == "portrait"
    motion = load_motion(tmp_path / "m.safetensors")
    assert len(motion) == 40 and motion.curve("jawOpen").std() > 0.005
    assert np.abs(frames[0].astype(int) - frames[20]).mean() > 0.3


def test_the_same_seed_gives_the_same_video(tmp_path):
    for name in ("a", "b"):
        assert animate(tmp_path / f"{name}.mp4", "--audio", VOICE, "--max-seconds", "0.6", "--seed", "5") == 0
    (first, *_), (second, *_) = decoded(tmp_path / "a.mp4"), decoded(tmp_path / "b.mp4")
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_paste_back_keeps_the_whole_picture(tmp_path):
    picture = np.pad(np.asarray(Image.open(PORTRAIT).convert("RGB")), [(40, 60), (100, 80), (0, 0)], mode="edge")
    Image.fromarray(picture).save(tmp_path / "photo.png")
    out = tmp_path / "talk.mp4"
    assert animate(out, "--audio", VOICE, "--max-seconds", "0.4", "--paste-back", portrait=tmp_path / "photo.png") == 0
    frames, *_ = decoded(out)
    assert frames[0].shape == picture.shape
    assert np.abs(frames[5][:20].astype(int) - picture[:20]).mean() < 4


@needs_film
def test_a_film_drives_with_its_own_sound(tmp_path):
    assert animate(tmp_path / "a.mp4", "--motion", FILM, "--max-seconds", "1") == 0
    frames, has_sound, mark = decoded(tmp_path / "a.mp4")
    assert len(frames) == 25 and has_sound and mark["motion"] == FILM.name


def test_a_motion_file_of_another_rate_drives(tmp_path):
    motion = FaceMotion.still(30, 30).with_curves({"jawOpen": np.linspace(0, 0.6, 30)})
    save_motion(motion, tmp_path / "m.safetensors")
    assert animate(tmp_path / "a.mp4", "--motion", tmp_path / "m.safetensors") == 0
    assert animate(tmp_path / "b.mp4", "--motion", tmp_path / "m.safetensors", "--fps", "12", "--mouth", "0") == 0
    assert len(decoded(tmp_path / "a.mp4")[0]) == 30
    frames, has_sound, _ = decoded(tmp_path / "b.mp4")
    assert len(frames) == 12 and not has_sound
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() < 1  # The mouth was all that moved.


def test_an_animated_gif_is_a_portrait_by_its_first_frame(tmp_path):
    pictures = [Image.open(PORTRAIT).convert("P")] * 2
    pictures[0].save(tmp_path / "p.gif", save_all=True, append_images=pictures[1:])
    assert animate(tmp_path / "a.mp4", "--audio", VOICE, "--max-seconds", "0.2", portrait=tmp_path / "p.gif") == 0


def one_frame_film(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 256
        frame = av.VideoFrame.from_ndarray(np.asarray(Image.open(PORTRAIT).convert("RGB")), format="rgb24")
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --audio, or a film or face motion with --motion"),
        (["--motion", "m.safetensors", "--speed", "0.3"], "the head of a film moves as filmed"),
        (["--motion", "gone.mp4"], "gone.mp4"),
        (["--motion", "broken.safetensors"], "face motion: broken.safetensors cannot be read"),
        (["--motion", "one.mp4"], "face motion needs at least 3"),
        (["--audio", "VOICE", "--steps", "4"], "--steps: the model portrait has no such option"),
        (["--audio", "VOICE", "--head", "9"], "head: got 9; expected 0 .. 3"),
        (["--audio", "VOICE", "--head", "a:b"], "head: got 'a:b'; expected one number"),
        (["--audio", "VOICE", "--size", "4000"], "size: got 4000"),
        (["--audio", "VOICE", "--style", "nobody"], "style: "),
        (["--audio", "VOICE", "--fps", "500"], "fps: got 500"),
        (["--audio", "VOICE", "--model", "portrait", "--checkpoint", "x"], "give one of the two"),
        (["--motion", "m.safetensors", "--model", "emo-mini"], "--motion: the model emo-mini has no such option"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    save_motion(FaceMotion.still(5, 25), tmp_path / "m.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"broken")
    one_frame_film(tmp_path / "one.mp4")
    options = [str(VOICE) if part == "VOICE" else part for part in options]
    command = ["animate", "--portrait", str(PORTRAIT), "--out", "out.mp4", *options]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()
