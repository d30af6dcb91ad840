"""Sounds, pictures and videos as people bring them: each must give the result that its folder's README names."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from emo_core.__main__ import main
from emo_core.dataset.clip_cutting import Recipe, prepare_video
from emo_core.face.box import Box
from emo_core.face.built_in_detector import BuiltInDetector
from emo_core.face.detectors import make_detector
from emo_core.face.selection import RegionRequest
from emo_core.face.upright import find_upright
from emo_core.media.picture import load_picture
from emo_core.media.sound import decode_sound
from emo_core.media.video_reader import frames_at, open_source
from tests.conftest import CASES, DATA, ROOT

PORTRAIT = ROOT / "assets" / "portrait.png"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs the shared folder beside the checkout")


@pytest.fixture(scope="module")
def detector():
    return make_detector(landmarks=True)


def animated(checkpoint, out, capsys, *options):
    """Exit code, stderr, and the video's frames and sound."""
    given = ["--checkpoint", str(checkpoint), "--steps", "1", "--out", str(out), *options]
    code = main(["animate", *given])
    error = capsys.readouterr().err
    if code:
        assert not out.exists()
        return code, error, 0, np.zeros(0)
    frames = sum(1 for _ in frames_at(open_source(out), 25))
    return code, error, frames, decode_sound(out)


def place_of(part, whole):
    """Seconds at which a part (S,) lies in a whole sound, by the correlation of their envelopes."""
    envelopes = [np.abs(wave[: len(wave) // 80 * 80]).reshape(-1, 80).mean(1) for wave in (part, whole)]
    part, whole = (envelope - envelope.mean() for envelope in envelopes)
    return int(np.correlate(whole, part, "valid").argmax()) * 80 / 16000


@pytest.mark.parametrize(
    ("name", "seconds", "warning"),
    [
        ("hole.mp3", 2.0, "0.13 s at 1.02 s cannot be decoded, and become silence"),
        ("tail-text.mp3", 2.0, "no sound can be decoded after 2.04 s"),
        ("cut-front.m4a", 1.37, "no sound can be decoded after 1.37 s"),
        ("layout-changes.mp3", 2.1, ""),
        ("rate-changes.mp3", 2.1, ""),
        ("opposite-phase.flac", 2.0, ""),
        ("centre-only.flac", 2.0, ""),
        ("two-tracks.mka", 2.0, ""),
        ("streamed.wav", 1.0, ""),
        ("telephone.wav", 2.0, ""),
    ],
)
def test_sounds(checkpoint, tmp_path, capsys, caplog, name, seconds, warning):
    options = ("--portrait", str(PORTRAIT), "--audio", str(CASES / name), "--face-region", "none")
    code, error, frames, sound = animated(checkpoint, tmp_path / "a.mp4", capsys, *options)
    assert code == 0, error
    assert frames / 25 == pytest.approx(seconds, abs=0.1)
    assert len(sound) / 16000 == pytest.approx(seconds, abs=0.1)
    assert np.abs(sound).max() > 0.1
    assert warning in caplog.text and bool(warning) == bool(caplog.text)


@pytest.mark.parametrize(("name", "seconds"), [("layout-changes.mp3", 1.03), ("hole.mp3", 1.005)])
def test_the_first_part_of_a_damaged_sound(checkpoint, tmp_path, capsys, name, seconds):
    options = ("--portrait", str(PORTRAIT), "--audio", str(CASES / name), "--face-region", "none")
    more = ("--max-seconds", str(seconds))
    code, error, frames, _ = animated(checkpoint, tmp_path / "a.mp4", capsys, *options, *more)
    assert code == 0 and frames in (25, 26), error


@pytest.mark.parametrize(
    ("name", "start", "late"),
    [("hole.mp3", 1.3, 0.025), ("layout-changes.mp3", 1.2, 0.05), ("rate-changes.mp3", 1.2, 0.1)],
)
def test_the_second_half_is_in_time(name, start, late):
    """Beside the voice that the files were made from. An MP3 begins 25 ms late, and so does each one that is joined."""
    sound, voice = decode_sound(CASES / name), decode_sound(ROOT / "assets" / "voice.wav")
    part = sound[round(start * 16000) : round((start + 0.6) * 16000)]
    assert place_of(part, voice[:36000]) + late == pytest.approx(start, abs=0.04)


def test_opposite_phases_are_heard():
    with av.open(str(CASES / "opposite-phase.flac")) as container:
        left = np.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in container.decode(audio=0)])
    heard = decode_sound(CASES / "opposite-phase.flac")
    resampled = np.interp(np.arange(len(heard)) / 16000, np.arange(len(left)) / 22050, left)
    assert np.corrcoef(heard, resampled)[0, 1] > 0.95


@pytest.mark.parametrize("finder", ["mediapipe", "built-in"])
@pytest.mark.parametrize(("name", "turns"), [("far.jpg", 0), ("sideways.jpg", 3), ("upside-down.jpg", 2)])
def test_faces_are_found_and_turned(detector, finder, name, turns):
    finder = detector if finder == "mediapipe" else BuiltInDetector()
    found = find_upright([load_picture(CASES / name)], RegionRequest(), finder)
    assert found.turns == turns
    if turns:
        straight = find_upright([load_picture(PORTRAIT)], RegionRequest(), finder)
        assert found.faces[0].box.overlap(straight.faces[0].box) > 0.8
        difference = np.abs(found.images[0].astype(int) - load_picture(PORTRAIT))
        assert difference.mean() < 4  # It is a JPEG.
    else:
        assert found.faces[0].box.overlap(Box(693, 357, 693 + 109, 357 + 146)) > 0.6


@pytest.mark.parametrize("name", ["far.jpg", "sideways.jpg", "upside-down.jpg"])
def test_turned_portraits_are_pasted_back_as_they_lie(checkpoint, tmp_path, capsys, voice, name):
    """With a wide margin around the smaller ones, which the square does not reach."""
    picture = load_picture(CASES / name)
    margin = 0 if name == "far.jpg" else 128
    picture = np.pad(picture, [(margin, margin), (margin, margin), (0, 0)], mode="edge")
    Image.fromarray(picture).save(tmp_path / "p.png")
    options = ("--portrait", str(tmp_path / "p.png"), "--audio", str(voice), "--paste-back", "--max-seconds", "0.3")
    code, error, _, _ = animated(checkpoint, tmp_path / "a.mp4", capsys, *options)
    assert code == 0, error
    (_, frame), *_ = frames_at(open_source(tmp_path / "a.mp4"), 25)
    assert frame.shape == picture.shape
    assert np.abs(frame.astype(int) - picture)[:16].mean() < 6


@pytest.mark.parametrize(
    ("name", "limit"), [("big-profile.png", 0.0), ("big-text.png", 0.0), ("no-end.jpg", 2.0), ("display-p3.jpg", 2.0)]
)
def test_pictures(name, limit):
    difference = np.abs(load_picture(CASES / name).astype(int) - load_picture(PORTRAIT))
    assert difference.mean() <= limit


def prepared(name, detector):
    (piece, clip), *others = prepare_video(CASES / name, "key", Recipe(), detector)
    assert not others
    return piece, clip


@pytest.mark.parametrize(
    ("name", "frames"),
    [("two-tracks.mkv", 71), ("wide.mp4", 75), ("cut-tail.mp4", 48), ("phone.mov", 75), ("hlg.mov", 75)],
)
def test_videos_are_kept(detector, name, frames):
    piece, clip = prepared(name, detector)
    assert piece.reason == "", piece
    assert len(clip.labels) >= frames
    if name == "wide.mp4":
        assert clip.about["square"][2] >= 250
    if name == "hlg.mov":
        assert np.abs(clip.pictures().mean((0, 1, 2)) - [128, 135, 98]).max() < 15


def test_a_hole_in_the_sound_of_a_video_is_silence(detector):
    """Sound behind the hole is where it was."""
    _, clip = prepared("gap.mkv", detector)
    original = next(DATA.rglob("*lbax4n.mp4"), None)
    if original is None:
        pytest.skip("needs the original film")
    sound, whole = clip.sound(), decode_sound(original)
    assert place_of(sound[24000:40000], whole) == pytest.approx(1.5, abs=0.04)
    assert np.abs(sound[9600:17600]).max() < 0.01


def test_a_default_track_that_is_silent_is_named(checkpoint, tmp_path, capsys):
    """Made of the case's own tracks: the silent one is the default."""
    path = tmp_path / "silent-default.mka"
    with av.open(str(CASES / "two-tracks.mka")) as source, av.open(str(path), "w") as target:
        streams = [target.add_stream_from_template(stream) for stream in source.streams]
        streams[0].disposition, streams[1].disposition = 1, 0
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    options = ("--portrait", str(PORTRAIT), "--audio", str(path), "--face-region", "none")
    code, error, _, _ = animated(checkpoint, tmp_path / "a.mp4", capsys, *options)
    assert code == 2
    assert "its sound track 1 is used, but 2 can be heard" in error


def test_the_readme_names_no_other_file():
    """Every file of the folder is tested here or in `test_queue_cases`."""
    named = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    assert [path.name for path in CASES.iterdir() if path.stem not in named and path.name != "README.md"] == []
