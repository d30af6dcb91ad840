"""Films as people bring them become one person's track."""

import numpy as np
import pytest

from emo_core.avatar.track import load_track, save_track
from emo_core.avatar.tracking import track_person
from emo_core.errors import Cancelled, InputError
from emo_core.face.mouth import mouth_opening
from tests.avatar.films import film, fitted, pictures_of, waveform_of
from tests.conftest import CASES
from tests.media.test_video_reader import held_sideways

SAMPLES = 640


def follow(sources, detector, rig, **options):
    return track_person(sources, detector, rig, size=128, **options)


def openings(detector, pictures):
    return mouth_opening(np.stack([detector.detect(picture)[0].landmarks for picture in pictures]))


def agreement(a, b):
    return float(np.corrcoef(a, b)[0, 1])


@pytest.fixture(scope="module")
def mans(man):
    """Frames and sound of a clip."""
    return pictures_of(man[1]), waveform_of(man[1])


@pytest.fixture(scope="module")
def opened(mans, detector):
    """Opening of the mouth in its frames."""
    return openings(detector, mans[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, man, woman, detector, rig):
    """Three clips of a man, one of him in orange, and one of somebody else."""
    folder = tmp_path_factory.mktemp("films")
    for number, clip in enumerate([man[1], woman[2], man[2], man[0], man[3]]):
        film(folder / f"{number}.mp4", pictures_of(clip)[10:40], waveform_of(clip)[10 * SAMPLES : 40 * SAMPLES])
    (folder / "notes.txt").write_text("no film")
    (folder / "9.mp4").write_bytes(b"no film either")
    steps = []
    track, report = follow([folder], detector, rig, progress=lambda done, total: steps.append((done, total)))
    return track, report, steps


def test_a_folder_becomes_takes_of_one_person_in_one_light(folder):
    track, report, _ = folder
    assert [(take.name, take.frames) for take in track.takes] == [("0.mp4", 30), ("2.mp4", 30), ("4.mp4", 30)]
    assert {(one.name, one.reason) for one in report.left_out if one.seconds} == {
        ("1.mp4", "another person"),
        ("3.mp4", "another light or white balance"),
    }
    assert [one.name for one in report.left_out if not one.seconds] == ["9.mp4"]


def test_a_track_is_whole(folder):
    track, _, _ = folder
    assert len(track) == len(track.motion) == 90 and track.pictures[89].shape == (128, 128, 3)
    assert track.shown.all() and np.isfinite(track.landmarks).all()
    assert all(len(take.sound.waveform) == take.frames * SAMPLES for take in track.takes)
    assert track.take_of(30) is track.takes[1] and track.take_of(-1) is track.takes[2]
    assert track.take_numbers.tolist() == [0] * 30 + [1] * 30 + [2] * 30
    # All faces have one size and place.
    heights, middles = np.ptp(track.landmarks[..., 1], axis=1), track.landmarks[..., :2].mean(1)
    assert 128 / 2.4 < np.median(heights) < 128 / 1.6 and np.ptp(heights) < 0.15 * np.median(heights)
    assert np.abs(middles - [64, 64]).max() < 16


def test_landmarks_lie_on_the_face_in_the_squares(folder, detector):
    track, _, _ = folder
    for number in (20, 80):
        found = detector.detect(np.kron(track.pictures[number], np.ones((2, 2, 1), np.uint8)))[0].landmarks / 2
        assert np.linalg.norm(found[:, :2] - track.landmarks[number, :, :2], axis=1).mean() < 1.2


def test_progress_counts_to_its_end(folder):
    done, total = zip(*folder[2], strict=True)
    assert list(done) == list(range(1, len(done) + 1))
    assert done[-1] == total[-1] and all(a <= b for a, b in folder[2])


def test_a_saved_track_is_the_same(folder, tmp_path):
    track, _, _ = folder
    save_track(track, tmp_path / "track.safetensors")
    again = load_track(tmp_path / "track.safetensors")
    assert np.array_equal(again.landmarks, track.landmarks) and np.array_equal(again.shown, track.shown)
    assert np.array_equal(again.neutral, track.neutral) and again.size == track.size
    assert np.array_equal(again.motion.coefficients, track.motion.coefficients) and again.motion.fps == 25
    assert np.array_equal(again.pictures[7], track.pictures[7])
    for a, b in zip(again.takes, track.takes, strict=True):
        assert (a.name, a.first, a.frames, a.offset, a.start) == (b.name, b.first, b.frames, b.offset, b.start)
        assert np.array_equal(a.sound.waveform, b.sound.waveform)
    content = (tmp_path / "track.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[:-100])
    (tmp_path / "other.safetensors").write_bytes(content.replace(b"avatar-track-1", b"avatar-track-9"))
    (tmp_path / "wrong.safetensors").write_bytes(content.replace(b'frames\\": 30', b'frames\\": 31', 1))
    for name in ("cut", "other", "wrong", "missing"):
        with pytest.raises(InputError, match="track"):
            load_track(tmp_path / f"{name}.safetensors")


def test_frames_after_three_seconds_without_a_face_keep_their_place(mans, opened, tmp_path, detector, rig):
    pictures, sound = mans
    wall = np.full_like(pictures[0], 120)
    long = np.concatenate([sound[: 75 * SAMPLES]] * 3)
    path = film(tmp_path / "gone.mp4", pictures[:40] + [wall] * 75 + pictures[40:75], long[: 150 * SAMPLES])
    track, report = follow([path], detector.detector, rig)
    first, second = track.takes
    assert (first.start, first.frames) == (0, 40)
    assert 115 / 25 <= second.start <= 120 / 25 and second.start * 25 + second.frames == 150
    assert report.cuts == 2 and not track.shown[first.stop - 1] and not track.shown[second.first]
    true = opened[75 - second.frames :]
    assert agreement(mouth_opening(track.landmarks[second.rows]), true) > 0.97
    assert agreement(mouth_opening(track.landmarks[second.rows])[:-2], true[2:]) < 0.95
    start = round(second.start * 25) * SAMPLES
    assert agreement(second.sound.waveform, long[start : start + second.frames * SAMPLES]) > 0.9


@pytest.mark.parametrize("fps", [30, 24000 / 1001])
def test_any_rate_becomes_25(mans, opened, tmp_path, detector, rig, fps):
    pictures, sound = mans
    path = film(tmp_path / "rate.mp4", pictures[:62], sound[: int(62 / fps * 16000)], fps=fps)
    track, _ = follow([path], detector, rig)
    assert len(track) == pytest.approx(62 / fps * 25, abs=1)
    shown = (((np.arange(len(track)) + 0.5) / 25) * fps).astype(int).clip(max=61)
    assert agreement(mouth_opening(track.landmarks), opened[shown]) > 0.95


def test_a_variable_rate_keeps_its_times(data, detector, rig):
    if not CASES.is_dir():
        pytest.skip(f"no cases at {CASES}")
    track, _ = follow([CASES / "phone.mov"], detector, rig, max_seconds=2.2)
    true = openings(detector, pictures_of(data / "talk" / "grid" / "grid_lbax4n.mp4")[:55])
    assert len(track) == 55 and agreement(mouth_opening(track.landmarks), true) > 0.9


def test_a_portrait_film_that_is_stored_sideways(mans, opened, tmp_path, detector, rig):
    pictures, sound = mans
    upright = fitted(pictures[:55], (216, 288))
    stored = [np.ascontiguousarray(np.rot90(picture)) for picture in upright]
    path = film(tmp_path / "phone.mp4", stored, sound[: 55 * SAMPLES])
    with pytest.raises(InputError, match="lies on the side"):
        follow([path], detector, rig)
    track, _ = follow([held_sideways(path)], detector, rig)
    assert len(track) == 55
    assert agreement(mouth_opening(track.landmarks), opened[:55]) > 0.95


def test_of_two_people_in_the_picture_the_nearer_one_is_followed(mans, opened, woman, tmp_path, detector, rig):
    pictures, sound = mans
    distant = [picture[::2, ::2] for picture in pictures_of(woman[2])]
    both = [
        np.concatenate([np.pad(small, ((72, 72), (0, 0), (0, 0)), mode="edge"), picture], axis=1)
        for small, picture in zip(distant[:55], pictures, strict=False)
    ]
    track, report = follow([film(tmp_path / "both.mp4", both, sound[: 55 * SAMPLES])], detector, rig)
    assert len(track.takes) == 1 and len(track) == 55
    assert agreement(mouth_opening(track.landmarks), opened[:55]) > 0.95
    assert "another person" in {one.reason for one in report.left_out}


def test_cuts_to_somebody_else_and_back(mans, woman, tmp_path, detector, rig):
    pictures, sound = mans
    shots = [*pictures[:40], *pictures_of(woman[2])[:30], *pictures[40:75]]
    track, report = follow([film(tmp_path / "talk.mp4", shots, np.tile(sound, 2)[: 105 * SAMPLES])], detector, rig)
    assert [(take.start, take.frames) for take in track.takes] == [(0, 40), (2.8, 35)]
    assert report.cuts == 2
    assert np.flatnonzero(~track.shown).tolist() == [39, 40]
    (other,) = report.left_out
    assert (other.reason, other.start, other.seconds) == ("another person", 1.6, 1.2)


def test_films_that_nothing_can_be_learnt_from(mans, tmp_path, detector, rig):
    pictures, sound = mans
    wall = np.full_like(pictures[0], 120)
    mute = film(tmp_path / "mute.mp4", pictures[:55])
    with pytest.raises(InputError, match=r"mute.mp4: it has no sound track.*give films with sound"):
        follow([mute], detector, rig)
    with pytest.raises(InputError, match="no face is found in 20 frames"):
        follow([film(tmp_path / "wall.mp4", [wall[:64, :64]] * 20, sound)], detector.detector, rig)
    with pytest.raises(InputError, match=r"seen for 1.2 s"):
        follow([film(tmp_path / "short.mp4", pictures[:30], sound)], detector, rig)
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(InputError, match="give a film"):
            follow([nothing], detector, rig)
    with pytest.raises(InputError, match="cannot be opened"):
        (tmp_path / "text.mp4").write_text("text")
        follow([tmp_path / "text.mp4"], detector, rig)


def test_a_part_of_a_film_and_a_film_without_sound_beside_one_with(mans, tmp_path, detector, rig):
    pictures, sound = mans
    film(tmp_path / "a.mp4", pictures, sound)
    film(tmp_path / "b.mp4", pictures)
    track, report = follow([tmp_path], detector, rig, start=0.8, max_seconds=3.4)
    assert [(take.start, take.frames) for take in track.takes] == [(0.8, 55), (0.8, 30)]
    assert track.takes[0].sound is not None and track.takes[1].sound is None
    assert report.silent == (("b.mp4", "it has no sound track"),)


def test_cancelling_passes_through(mans, tmp_path, detector, rig):
    def stop(done, total):
        if done == 5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        follow([film(tmp_path / "film.mp4", mans[0][:60], mans[1])], detector, rig, progress=stop)
