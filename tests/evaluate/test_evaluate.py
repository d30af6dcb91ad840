"""Evaluation of drawn videos with known results."""

import json

import numpy as np
import pytest

pytest.importorskip("cv2")

from emo_core.errors import InputError
from emo_core.evaluate.evaluate import evaluate_videos
from emo_core.evaluate.files import VideoFiles, find_files
from emo_core.evaluate.report import draw_pictures, write_report
from emo_core.metrics.observation import observe
from emo_core.metrics.similarity import compare_videos

from .drawn import DrawnFaceDetector, curve, film, picture, voice

NAMES = ("a", "b", "c#1")


def talking(folder, openings, **how):
    return {
        name: film(folder / f"{name}.mp4", [picture(o, **how) for o in opening], voice(opening))
        for name, opening in zip(NAMES, openings, strict=True)
    }


@pytest.fixture
def files(tmp_path):
    openings = [curve(seed) for seed in range(3)]
    return VideoFiles(
        talking(tmp_path / "generated", [0.5 * o for o in openings]),
        talking(tmp_path / "true", openings),
        talking(tmp_path / "other", [*openings[1:], openings[0]]),
    )


def test_metrics_separate_a_synchronous_mouth_from_the_control(files, tmp_path):
    evaluation = evaluate_videos(files, DrawnFaceDetector(), clip_frames=12)
    for i, name in enumerate(NAMES):
        row = evaluation.metrics[name]
        assert row["opening_correlation"] > 0.97
        assert row["opening_spread_ratio"] == pytest.approx(0.5, abs=0.1)
        assert row["opening_lag"] == 0
        assert row["envelope_correlation"] > row["envelope_correlation_other_sound"] + 0.3
        for end in ("", "_smoothed"):
            # The floor: the two other true mouths. The control: the mouth of the next video.
            others = [
                compare_videos(evaluation.true[k], evaluation.true[i])[f"opening_correlation{end}"]
                for k in range(3)
                if k != i
            ]
            assert row[f"floor_true_against_true{end}"] == pytest.approx(np.median(others))
            control = compare_videos(evaluation.true[(i + 1) % 3], evaluation.true[i])[f"opening_correlation{end}"]
            assert row[f"opening_correlation{end}_other_sound"] == pytest.approx(control, abs=0.05)
        assert row["opening_spread_ratio_other_sound"] > 0.7
        assert evaluation.true_metrics[name]["face_found"] == 1
    middle = evaluation.summary["Medians of 3 videos"]
    assert middle["mouths_not_scored"] == middle["lags_not_found"] == 0
    assert [note for note in evaluation.notes if "face_landmarker" not in note] == []
    (tmp_path / "out").mkdir()
    draw_pictures(tmp_path / "out", evaluation)
    write_report(tmp_path / "out", evaluation)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(report["true_videos"]) == set(report["videos"]) == set(NAMES)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "pictures/c%231.png" in page
    assert (tmp_path / "out" / "pictures" / "c#1.jpg").is_file()


def test_flicker_is_change_of_the_background_not_of_the_head(tmp_path):
    still = observe(film(tmp_path / "s.mp4", [picture(0.2) for _ in range(30)]), DrawnFaceDetector())
    moving = observe(film(tmp_path / "m.mp4", [picture(0.2, shift=i % 8) for i in range(30)]), DrawnFaceDetector())
    pulsing = observe(
        film(tmp_path / "p.mp4", [picture(0.2, background=90 + 6 * (i % 2)) for i in range(30)]), DrawnFaceDetector()
    )
    assert np.nanmean(still.flicker) < 0.1
    assert np.nanmean(moving.flicker) < 0.3 < np.nanmean(moving.frame_change)
    assert np.nanmean(pulsing.flicker) == pytest.approx(6, abs=0.7)


def test_fine_detail_grows_with_grain(tmp_path):
    smooth = observe(film(tmp_path / "a.mp4", [picture(0.2)] * 5), DrawnFaceDetector())
    grainy = observe(film(tmp_path / "b.mp4", [picture(0.2, noise=np.random.default_rng(0))] * 5), DrawnFaceDetector())
    assert grainy.fine_detail.mean() > 3 * smooth.fine_detail.mean()


def test_notes_name_missing_videos_and_results(files, tmp_path):
    (tmp_path / "generated" / "b.mp4").write_bytes(b"no video")
    film(tmp_path / "generated" / "c#1.mp4", [picture(0.3)] * 20)
    film(tmp_path / "generated" / "extra.mp4", [picture(0.3)] * 20)
    generated = {path.stem: path for path in (tmp_path / "generated").glob("*.mp4")}
    notes = "\n".join(
        evaluate_videos(
            VideoFiles(generated, files.true, {"a": files.control["a"], "z": files.control["a"]}), DrawnFaceDetector()
        ).notes
    )
    for part in (
        "b: left out; ",
        "c#1: 20 frames against 50 true ones; mouths are compared in the first 20",
        "extra: left out, no true video has this name",
        "c#1: no control has this name",
        "z: a control without a generated video",
        "blendshape_frechet: not computed; give --face-model",
    ):
        assert part in notes
    (tmp_path / "other" / "a.mp4").write_bytes(b"no video")
    evaluation = evaluate_videos(VideoFiles({"a": generated["a"]}, files.true, files.control), DrawnFaceDetector())
    assert (
        evaluation.metrics["a"]["opening_correlation"] > 0.97
        and "opening_correlation_other_sound" not in evaluation.metrics["a"]
    )
    assert any(note.startswith("a: without its control; ") for note in evaluation.notes)
    with pytest.raises(InputError, match="none of 1 videos can be evaluated; b: left out"):
        evaluate_videos(VideoFiles({"b": generated["b"]}), DrawnFaceDetector())


def test_a_video_without_a_face_has_no_mouth_score(tmp_path):
    wall = film(tmp_path / "wall.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 30, voice(curve(0, 30)))
    evaluation = evaluate_videos(VideoFiles({"wall": wall}), DrawnFaceDetector())
    assert evaluation.metrics["wall"]["face_found"] == 0
    assert evaluation.summary["Medians of 1 videos"]["mouths_not_scored"] == 1
    assert evaluation.metrics["wall"]["flicker"] is None


def test_silence_has_no_correlation_and_the_true_sound_replaces_a_missing_one(files, tmp_path):
    opening = curve(0)
    silent = film(tmp_path / "silent.mp4", [picture(o) for o in opening], np.zeros(32000))
    assert (
        evaluate_videos(VideoFiles({"silent": silent}), DrawnFaceDetector()).metrics["silent"]["envelope_correlation"]
        is None
    )
    for frames in (40, 50):
        without = film(tmp_path / "without.mp4", [picture(o) for o in opening[:frames]])
        evaluation = evaluate_videos(find_files((without, files.true["a"], None)), DrawnFaceDetector())
        assert evaluation.metrics["without"]["envelope_correlation"] > 0.5
        draw_pictures(tmp_path, evaluation)
        assert (tmp_path / "pictures" / "without.png").is_file()


def test_sharpness_and_flicker_are_not_compared_between_two_sizes(files, tmp_path):
    small = film(tmp_path / "small" / "a.mp4", [np.ascontiguousarray(picture(o)[:, :126]) for o in curve(0)])
    evaluation = evaluate_videos(VideoFiles({"a": small}, {"a": files.true["a"]}, {}), DrawnFaceDetector())
    assert evaluation.metrics["a"]["sharpness_ratio"] is None and evaluation.metrics["a"]["flicker_ratio"] is None
    assert any("126 x 128 pixels against 128 x 128" in note for note in evaluation.notes)


def test_two_files_are_a_pair_of_any_names(files, tmp_path):
    pair = find_files((files.generated["a"], files.true["b"], files.control["b"]))
    assert (pair.generated, pair.true, pair.control) == (
        {"a": files.generated["a"]},
        {"a": files.true["b"]},
        {"a": files.control["b"]},
    )
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="true: no videos in"):
        find_files((tmp_path / "generated", tmp_path / "empty", None))
    with pytest.raises(InputError, match="give them the same names"):
        find_files((files.generated["a"].parent, film(tmp_path / "x.mp4", [picture(0)] * 5), None))
