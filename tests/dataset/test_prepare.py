"""From video files to a dataset: rate, labels, and a reason for every rejected piece."""

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from emo_core.__main__ import main
from emo_core.dataset.clip_cutting import Recipe, prepare_video
from emo_core.dataset.filters import REASONS
from emo_core.dataset.prepare import find_videos, prepare, source_key
from emo_core.dataset.shards import HELD_OUT, TRAIN, Dataset, read_clips
from emo_core.errors import InputError
from emo_core.media.picture import load_picture
from emo_core.media.video_reader import frames_at, open_source
from emo_core.media.video_writer import VideoWriter
from tests.conftest import ROOT, tone

pytest.importorskip("mediapipe.python.solutions", reason="this mediapipe brings no models")
from emo_core.face.mediapipe_detector import BundledDetector

PORTRAIT = ROOT / "assets" / "portrait.png"
SMALL = Recipe(size=128)


@pytest.fixture(scope="module")
def detector():
    return BundledDetector()


@pytest.fixture(scope="module")
def portrait():
    return load_picture(PORTRAIT)


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    soundfile.write(path, tone(8.0), 16000)
    return path


def write(path, frames, sound=None, fps=25.0):
    frames = list(frames)
    with VideoWriter(path, fps=fps, size=frames[0].shape[1::-1], sound=sound, seconds=len(frames) / fps) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def turned(picture, degrees):
    return np.asarray(Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC))


def reasons(path, detector, recipe=SMALL):
    decisions = list(prepare_video(path, "key", recipe, detector))
    return [piece.reason for piece, _ in decisions], [clip for _, clip in decisions if clip is not None]


def test_a_still_picture_has_no_speed(portrait, speech, detector, tmp_path):
    kept, clips = reasons(write(tmp_path / "still.mp4", [portrait] * 50, speech), detector)
    assert kept == [""] and clips[0].frames == 50
    # Zero but for what the codec changes in the first frames; heads at rest in real clips are at 0.06.
    assert np.median(clips[0].labels.speed) < 0.003 and clips[0].labels.speed.max() < 0.05
    assert clips[0].labels.opening.std() < 2e-3


@pytest.mark.parametrize("speed", [0.3, 1.0])
def test_head_speed_is_the_rotation_of_the_picture(portrait, speech, detector, tmp_path, speed):
    frames = [turned(portrait, speed * (t - 20)) for t in range(40)]
    _, clips = reasons(write(tmp_path / "turning.mp4", frames, speech), detector)
    assert np.median(clips[0].labels.speed) == pytest.approx(speed, rel=0.05)


def test_a_video_of_any_rate_keeps_its_length(tmp_path):
    """Frames that show their own number, at 50 and at 10 per second, read at 25."""
    for fps, count in ((50, 100), (10, 20), (29.97, 60)):
        frames = [np.full((32, 32, 3), 2 * t, np.uint8) for t in range(count)]
        source = open_source(write(tmp_path / f"{fps}.mp4", frames, fps=fps))
        numbers = [round(float(picture.mean()) / 2) for _, picture in frames_at(source, 25.0)]
        expected = [int((k + 0.5) / 25 * fps) for k in range(len(numbers))]
        assert len(numbers) == pytest.approx(count / fps * 25, abs=1)
        assert np.abs(np.subtract(numbers, expected)).max() <= 1


def test_each_defect_has_its_reason(portrait, speech, detector, tmp_path):
    still = [portrait] * 50
    noise = np.random.default_rng(0).integers(0, 255, (50, 96, 96, 3), dtype=np.uint8)
    pair = np.concatenate([portrait, portrait], axis=1)
    other = turned(portrait[:, ::-1] // 2 + 100, 180)
    soundfile.write(tmp_path / "hiss.wav", np.random.default_rng(0).standard_normal(48000) * 0.1, 16000)
    soundfile.write(tmp_path / "none.wav", np.zeros(48000), 16000)
    small = np.full((360, 360, 3), 90, np.uint8)
    small[100:228, 100:228] = np.asarray(Image.fromarray(portrait).resize((128, 128)))
    cases = {
        "no sound": write(tmp_path / "a.mp4", still),
        "no face": write(tmp_path / "b.mp4", noise, speech),
        "several faces": write(tmp_path / "c.mp4", [pair] * 50, speech),
        "too short": write(tmp_path / "d.mp4", still[:20], speech),
        "too dark": write(tmp_path / "e.mp4", [portrait // 8] * 50, speech),
        "no speech": write(tmp_path / "f.mp4", still, tmp_path / "hiss.wav"),
    }
    results = {reason: reasons(path, detector)[0] for reason, path in cases.items()}
    assert results == {reason: [reason] for reason in cases}
    tiny = write(tmp_path / "g.mp4", [small] * 50, speech)
    assert reasons(tiny, detector, Recipe(size=256))[0] == ["too small"]
    assert reasons(write(tmp_path / "h.mp4", still, tmp_path / "none.wav"), detector)[0] == ["no speech"]
    whole = write(tmp_path / "whole.mp4", still, speech).read_bytes()
    (tmp_path / "i.mp4").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "j.mp4").write_text("no video at all")
    assert reasons(tmp_path / "i.mp4", detector)[0] == ["unreadable"]
    assert reasons(tmp_path / "j.mp4", detector)[0] == ["unreadable"]
    cut = write(tmp_path / "k.mp4", ([portrait] * 20 + [other] * 20) * 2, speech)
    assert set(reasons(cut, detector)[0]) <= {"cuts", "no face"} and "cuts" in reasons(cut, detector)[0]
    assert set(results) <= set(REASONS)


def test_a_close_face_in_a_narrow_video_is_not_cut_off(portrait, speech, detector, tmp_path):
    """The face of the portrait is 138 pixels high: a square of 120 does not hold it, one of 170 does."""
    narrow, wide = (portrait[:, 127 - width // 2 : 127 + width // 2] for width in (120, 170))
    assert reasons(write(tmp_path / "narrow.mp4", [narrow] * 50, speech), detector)[0] == ["too close"]
    kept, (clip,) = reasons(write(tmp_path / "wide.mp4", [wide] * 50, speech), detector)
    assert kept == [""]
    assert clip.labels.landmarks[..., :2].min() > 0.02 and clip.labels.landmarks[..., :2].max() < 0.98


@pytest.fixture(scope="module")
def videos(portrait, speech, tmp_path_factory):
    """Six small videos that are kept."""
    folder = tmp_path_factory.mktemp("videos")
    for index in range(6):
        frames = [turned(portrait, index + 0.2 * t) for t in range(40)]
        write(folder / f"video {index}.mp4", frames, speech)
    return folder


def test_a_dataset_from_a_folder(videos, tmp_path):
    (videos / "notes.txt").write_text("not a video")
    summary = prepare(find_videos([videos]), tmp_path, SMALL, held_out=0.05)
    dataset = Dataset.open(tmp_path)
    assert (summary.sources, summary.kept, summary.rejected) == (6, 6, {})
    assert summary.held_out == dataset.clips(HELD_OUT) >= 1
    assert (dataset.clips(TRAIN), dataset.shortest) == (6 - summary.held_out, 40)
    assert dataset.speed_quantiles[10] == pytest.approx(0.2, rel=0.1)
    clip = next(read_clips(dataset, TRAIN))
    assert clip.pictures().shape == (40, 128, 128, 3)
    assert len(clip.sound()) == round(40 / 25 * 16000)
    mesh = clip.labels.landmarks
    assert mesh.shape == (40, 478, 3) and mesh.dtype == np.float16
    assert np.allclose(np.concatenate([mesh.min(1)[:, :2], mesh.max(1)[:, :2]], 1), clip.labels.boxes, atol=1e-3)
    left, top, right, bottom = clip.labels.boxes[0]
    assert 0 <= left < right <= 1 and bottom - top == pytest.approx(dataset.face_share, abs=0.08)


def test_blendshapes_are_kept_if_the_detector_gives_them(videos, data, tmp_path):
    bundle = data.parent / "models" / "face_landmarker.task"
    if not bundle.is_file():
        pytest.skip("no face_landmarker.task beside the real data")
    prepare(find_videos([videos])[:1], tmp_path, SMALL, held_out=0, face_model=bundle)
    (clip,) = read_clips(Dataset.open(tmp_path), TRAIN)
    assert clip.labels.blendshapes.shape == (40, 52) and clip.labels.blendshapes.dtype == np.float16
    assert 0 <= clip.labels.blendshapes.min() < clip.labels.blendshapes.max() <= 1


def test_a_stopped_run_is_continued(videos, tmp_path):
    """Finished sources are not prepared again, more videos make more shards, files of a killed run are removed."""
    files = find_videos([videos])
    prepare(files[:2], tmp_path, SMALL, held_out=0)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "reports").iterdir()}
    (tmp_path / "train-000009.tar").write_bytes(b"half written")
    prepare(files[:4], tmp_path, SMALL, held_out=0)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    dataset = Dataset.open(tmp_path)
    assert [shard.clips for shard in dataset.shards] == [2, 2]
    assert not (tmp_path / "train-000009.tar").exists()
    assert len({clip.key for clip in read_clips(dataset, TRAIN)}) == 4
    assert not list((tmp_path / "pending").iterdir())
    with pytest.raises(InputError, match="begun with another recipe"):
        prepare(files, tmp_path, Recipe(size=64))


def test_a_run_killed_after_packing_counts_no_clip_twice(videos, tmp_path):
    files = find_videos([videos])[:2]
    prepare(files, tmp_path, SMALL, held_out=0)
    key = source_key(files[0])
    (tmp_path / "pending" / f"{key}.tar").write_bytes((tmp_path / Dataset.open(tmp_path).shards[0].name).read_bytes())
    assert prepare(files, tmp_path, SMALL, held_out=0).kept == 2
    assert Dataset.open(tmp_path).clips(TRAIN) == 2


def test_whole_people_can_be_held_out(videos, tmp_path):
    prepare(find_videos([videos])[:3], tmp_path, SMALL, hold_out=("video 1*", "*2.mp4"))
    dataset = Dataset.open(tmp_path)
    assert {clip.about["file"] for clip in read_clips(dataset, HELD_OUT)} == {"video 1.mp4", "video 2.mp4"}
    assert dataset.clips(TRAIN) == 1


def test_worker_processes_make_the_same(videos, tmp_path):
    files = find_videos([videos])[:2]
    prepare(files, tmp_path / "one", SMALL, held_out=0)
    prepare(files, tmp_path / "two", SMALL, held_out=0, workers=2)
    one, two = ((tmp_path / name / "train-000000.tar").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_recipe_of_an_earlier_version_is_the_same(videos, tmp_path):
    """Rules that did not exist then have their defaults."""
    prepare([videos / "video 0.mp4"], tmp_path / "data", SMALL)
    file = tmp_path / "data" / "recipe.json"
    stored = json.loads(file.read_text())
    del stored["rules"]["roll"], stored["rules"]["tilted"]
    file.write_text(json.dumps(stored))
    prepare([videos / "video 0.mp4"], tmp_path / "data", SMALL)


def test_a_face_on_its_side_is_rejected(portrait, speech, detector, tmp_path):
    lying = np.ascontiguousarray(np.rot90(portrait))
    path = write(tmp_path / "lying.mp4", [lying] * 50, speech)
    assert reasons(path, detector)[0] == ["on its side"]


def test_the_command_line_prepares_and_explains_errors(videos, tmp_path, capsys, portrait):
    assert (
        main(["prepare", str(videos), "--out", str(tmp_path / "d"), "--size", "128", "--workers", "1", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["kept"] == 6
    (tmp_path / "empty").mkdir()
    silent = write(tmp_path / "silent.mp4", [portrait] * 40)
    for arguments, message in (
        ([str(tmp_path / "empty"), "--out", str(tmp_path / "e")], "none found in"),
        ([str(tmp_path / "missing"), "--out", str(tmp_path / "e")], "nothing at"),
        ([str(silent), "--out", str(tmp_path / "e"), "--workers", "1"], "none of 1 gave a usable clip (1 no sound)"),
        ([str(videos), "--out", str(tmp_path / "e"), "--size", "63"], "size: got 63"),
        ([str(videos), "--out", str(tmp_path / "e"), "--fps", "0"], "fps: got 0"),
    ):
        assert main(["prepare", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_head_turns_agree_with_mediapipes_own_pose(data):
    """Our pose from landmarks against the 4x4 matrix of MediaPipe's Face Landmarker, on a speaker who turns her head."""
    bundle = data.parent / "models" / "face_landmarker.task"
    if not bundle.is_file():
        pytest.skip("no face_landmarker.task beside the real data")
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=bundle.read_bytes()), output_facial_transformation_matrixes=True
    )
    theirs, ours = [], []
    from emo_core.face.pose import head_poses, head_yaw

    clip = next((data / "overfit").glob("*.mp4"))
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for number, picture in frames_at(open_source(clip), 25.0):
            if number % 3:
                continue
            result = landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture))
            matrix = result.facial_transformation_matrixes[0]
            theirs.append(np.rad2deg(np.arctan2(matrix[0, 2], matrix[2, 2])))
            points = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]]) * picture.shape[1]
            ours.append(head_yaw(head_poses(points[None], (picture.shape[1], picture.shape[0])))[0])
    assert np.ptp(theirs) > 15
    assert abs(np.corrcoef(ours, theirs)[0, 1]) > 0.97
    # Not the same number: theirs assumes a camera with a wider field of view and another head.
    assert np.ptp(ours) == pytest.approx(np.ptp(theirs), rel=0.35)
