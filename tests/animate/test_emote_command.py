"""`emote` as a user meets it: a voice and emotions to videos and files, and bad input."""

import contextlib
import json
import socket

import av
import numpy as np
import pytest

from emo_core.__main__ import main
from emo_core.animate.emote_request import named_emotions, parse_address
from emo_core.emotion import EMOTIONS, EmotionCurve
from emo_core.errors import InputError
from emo_core.face.motion_file import load_motion
from emo_core.media.sheet import Sheet
from tests.conftest import ROOT
from tests.emote.conftest import save_feeling_model

PORTRAIT = ROOT / "assets" / "portrait.png"
SHORT = "0.4"
FRAMES = 10


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny model whose emotions show."""
    return save_feeling_model(tmp_path_factory.mktemp("model") / "emote.safetensors")


@pytest.fixture
def emote(model, voice, capsys):
    """Run the command: exit code, stdout and stderr."""

    def run(*options, voice=voice):
        short = [] if "--max-seconds" in options else ["--max-seconds", SHORT]
        code = main([str(part) for part in ("emote", voice, "--model", model, *short, *options)])
        return code, *capsys.readouterr()

    return run


def decoded(path):
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return frames, bool(container.streams.audio), json.loads(container.metadata["comment"])


def test_one_emotion_is_a_video_of_the_face_with_the_sound(emote, tmp_path):
    code, text, _ = emote("--emotion", "happy", "--strength", "0.8", "--size", "96", "--out", tmp_path / "a.mp4")
    frames, has_sound, mark = decoded(tmp_path / "a.mp4")
    assert code == 0 and "10 frames at 25 fps" in text
    assert len(frames) == FRAMES and frames[0].shape == (96, 96, 3) and has_sound
    assert mark["ai_generated"] and mark["emotions"] == {"happy": "0:happy@0.8"}


def test_all_emotions_stand_side_by_side_with_their_names(emote, tmp_path):
    assert emote("--emotions", "all", "--size", "64", "--out", tmp_path / "a.mp4")[0] == 0
    frames, _, mark = decoded(tmp_path / "a.mp4")
    assert frames[0].shape == (2 * (64 + 8), 4 * 64, 3)
    assert tuple(mark["emotions"]) == EMOTIONS
    faces = [
        frames[5][72 * row : 72 * row + 64, 64 * column : 64 * column + 64] for row in (0, 1) for column in range(4)
    ]
    neutral = faces[0].astype(int)
    assert all(np.abs(face - neutral).mean() > 0.2 for face in faces[1:])
    names = [frames[5][72 * row + 64 : 72 * (row + 1)] for row in (0, 1)]
    assert all(name.max() > 150 for name in names)


def test_a_folder_gets_a_file_for_each_emotion(emote, tmp_path):
    options = [
        "--emotions",
        "happy,sad@0.5",
        "--size",
        "64",
        "--out",
        tmp_path / "new",
        "--formats",
        "mp4,safetensors",
        "--json",
    ]
    code, text, _ = emote(*options)
    result = json.loads(text)
    assert code == 0 and result["emotions"] == {"happy": "0:happy@1", "sad@0.5": "0:sad@0.5"}
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == [f"voice-{name}.{end}" for name in ("happy", "sad@0.5") for end in ("mp4", "safetensors")]
    motions = [load_motion(tmp_path / "new" / f"voice-{name}.safetensors") for name in ("happy", "sad@0.5")]
    assert np.abs(motions[0].coefficients - motions[1].coefficients).max() > 0.01


def test_the_same_seed_gives_the_same_motion(emote, tmp_path):
    for name in ("a", "b"):
        emote("--emotion", "0:neutral,0.3:sad", "--seed", "7", "--out", tmp_path / f"{name}.safetensors")
    first, second = (load_motion(tmp_path / f"{name}.safetensors") for name in ("a", "b"))
    assert np.array_equal(first.coefficients, second.coefficients)


def test_a_portrait_speaks_with_emotion(emote, tmp_path):
    pytest.importorskip("mediapipe", reason="face points come from MediaPipe")
    options = ["--emotions", "neutral,anger", "--portrait", PORTRAIT, "--size", "128", "--device", "cpu"]
    assert emote(*options, "--out", tmp_path / "a.mp4")[0] == 0
    frames, *_ = decoded(tmp_path / "a.mp4")
    assert frames[0].shape == (128 + 16, 256, 3)
    assert np.abs(frames[5][:128, :128].astype(int) - frames[5][:128, 128:]).mean() > 0.05


def test_emotions_are_proposed_from_the_voice_for_the_user_to_edit(emote, tmp_path):
    code, text, _ = emote("--from-voice")
    assert (code, text) == (0, "emotion: 0:neutral\n")
    code, text, _ = emote("--from-voice", "--json", "--out", tmp_path / "a.safetensors")
    assert code == 0 and json.loads(text)["emotions"] == {"from voice": "0:neutral"}
    assert len(load_motion(tmp_path / "a.safetensors")) == FRAMES


@pytest.mark.parametrize(
    ("suffix", "start"), [("csv", b"Timecode"), ("glb", b"glTF"), ("json", b"{"), ("bvh", b"HIERARCHY")]
)
def test_exports(emote, tmp_path, suffix, start):
    options = ["--emotion", "happy", "--fps", "30", "--out", tmp_path / f"a.{suffix}"]
    options += [] if suffix == "bvh" else ["--timecode", "01:02:03:04"]
    code, text, _ = emote(*options)
    assert code == 0 and "12 frames at 30 fps" in text
    content = (tmp_path / f"a.{suffix}").read_bytes()
    assert content.lstrip().startswith(start)
    if suffix in ("csv", "json"):
        assert b"01:02:03:0" in content


def test_vmc_gets_every_frame(emote):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        code, text, _ = emote("--emotion", "happy", "--vmc", f"127.0.0.1:{receiver.getsockname()[1]}")
        packets = []
        receiver.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                packets.append(receiver.recv(65536))
    assert code == 0 and "10 frames" in text
    assert sum(packet.count(b"/VMC/Ext/Blend/Apply") for packet in packets) == FRAMES


def test_a_port_where_nobody_listens_leaves_no_file(emote, tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    code, text, error = emote("--emotion", "sad", "--vmc", f"127.0.0.1:{port}", "--out", tmp_path / "a.csv")
    assert (code, text) == (2, "")
    assert f"no program listens at 127.0.0.1:{port}" in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_addresses():
    assert parse_address("localhost:39539") == ("localhost", 39539)
    assert parse_address("[::1]:39540") == ("::1", 39540)


def test_names_of_emotions():
    assert tuple(named_emotions("ALL", 1.0)) == EMOTIONS
    assert tuple(named_emotions("joy, sad@0.5", 0.5)) == ("happy", "sad@0.5")
    assert named_emotions("joy", 0.5)["happy"] == EmotionCurve.constant("happy", 0.5)
    with pytest.raises(InputError, match="happy twice"):
        named_emotions("happy,joy", 1.0)
    with pytest.raises(InputError, match="without times"):
        named_emotions("0:happy", 1.0)
    with pytest.raises(InputError, match="got 0 in ','"):
        named_emotions(",", 1.0)


@pytest.mark.parametrize(("count", "shape"), [(1, (36, 32)), (3, (36, 96)), (5, (72, 128)), (8, (72, 128))])
def test_the_grid_has_a_place_for_each_face(count, shape):
    sheet = Sheet([f"a rather long name {k}" for k in range(count)], count, (32, 32))
    faces = tuple(np.full((32, 32, 3), 100 + k, np.uint8) for k in range(count))
    filled = sheet.filled(faces)
    assert filled.shape[:2] == shape
    assert all((filled == 100 + k).all(-1).sum() == 32 * 32 for k in range(count))


BAD = [
    (["--emotion", "hapy"], "did you mean happy?"),
    (["--emotions", "sad,angr"], "did you mean anger?"),
    (["--emotion", "2:happy,1:sad"], "must rise"),
    (["--emotion", "happy", "--strength", "-0.1"], "strength: got -0.1; expected 0 .. 1.5"),
    (["--emotion", "happy", "--strength", "nan"], "strength: got nan; expected 0 .. 1.5"),
    (["--from-voice", "--strength", "nan"], "strength: got nan; expected 0 .. 1.5"),
    (["--emotion", "happy@nan"], "got happy at strength nan"),
    (["--emotion", "happy", "--from-voice"], "got --emotion and --from-voice; give one of them"),
    (["--emotion-style", "-1"], "emotion style: got -1"),
    (["--fps", "0"], "fps: got 0"),
    (["--seed", "-1"], "seed: got -1"),
    (["--max-seconds", "nan"], "max seconds: got nan"),
    (["--size", "9"], "size: got 9"),
    (["--timecode", "01:00:00:00"], "timecode: only"),
    (["--out", "a.csv", "--timecode", "25:00:00:00"], "timecode: got '25:00:00:00'; HH is 25"),
    (["--out", "a.csv", "--timecode", "1 o'clock"], "expected HH:MM:SS:FF"),
    (["--vmc", "39539"], "VMC: got '39539'; expected HOST:PORT"),
    (["--vmc", "127.0.0.1:port"], "expected HOST:PORT"),
    (["--vmc", "127.0.0.1:99999"], "VMC: got port 99999; expected 1 .. 65535"),
    (["--vmc", "192.0.2.7:39539"], "VMC: '192.0.2.7' is not on this computer"),
    (["--vmc", "127.0.0.1:39539", "--emotions", "all"], "vmc: one emotion is sent at a time"),
    (["--formats", "csv"], "has a format by its name"),
    (["--portrait", "nothing.png"], "nothing.png"),
    (["--model", "nothing.safetensors"], "nothing.safetensors"),
    (["--out", "a.xyz"], "out: got '.xyz'; expected a folder, or a name ending in .mp4, .csv"),
    (["--out", "a.csv", "--emotions", "all"], "out: a .csv holds one emotion and 8 were asked for"),
    (["--out", "a.csv", "--portrait", "p.png"], "portrait: only an .mp4 shows it"),
    (["--out", "file.txt/a.mp4"], "out: cannot write"),
    (["--out", "file.txt/a.csv"], "out: cannot write"),
    (["--out", "file.txt/folder"], "out: cannot write"),
    (["--out", "folder", "--formats", "mp4,xyz"], "formats: got 'xyz'; expected some of mp4, csv"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_input_is_one_clear_line(emote, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("a file")
    code, text, error = emote("--out", "a.mp4", *options)
    assert (code, text) == (2, "")
    assert message in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_place_is_needed(emote):
    assert "give --out" in emote("--emotion", "happy")[2]


def test_the_voice_is_not_written_over(emote, voice, tmp_path):
    film = tmp_path / "a.mp4"
    film.write_bytes(voice.read_bytes())
    assert "is also an input" in emote("--out", film, voice=film)[2]
    assert "is also an input" in emote("--out", tmp_path, voice=film)[2]
    assert film.read_bytes() == voice.read_bytes()


def test_a_film_has_its_own_expression(tmp_path, capsys):
    command = [
        "animate",
        "--portrait",
        PORTRAIT,
        "--motion",
        "film.mp4",
        "--emotion",
        "sad",
        "--out",
        tmp_path / "a.mp4",
    ]
    assert main([str(part) for part in command]) == 2
    assert "emotion: a film has the expression that was filmed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--emotion", "angryy"], "did you mean anger?"), (["--strength", "2"], "strength: got 2; expected 0 .. 1.5")],
)
def test_emotions_of_a_portrait_are_checked(tmp_path, capsys, options, message):
    command = ["animate", "--portrait", PORTRAIT, "--audio", "a.wav", "--out", tmp_path / "a.mp4", *options]
    assert main([str(part) for part in command]) == 2
    assert message in capsys.readouterr().err
