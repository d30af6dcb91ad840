"""Whole videos, drawn so that every answer is known, through the command's own path."""

import json

import numpy as np
import pytest

pytest.importorskip("cv2")

from emo_core.errors import InputError
from emo_core.evaluate.evaluate import evaluate_videos
from emo_core.evaluate.files import Files, find_files
from emo_core.evaluate.report import draw, write
from emo_core.metrics.observation import observe
from emo_core.metrics.video_metrics import against

from .drawn import Reader, curve, film, picture, voice

NAMES = ("a", "b", "c#1")


def talking(folder, openings, **how):
    return {
        name: film(folder / f"{name}.mp4", [picture(o, **how) for o in opening], voice(opening))
        for name, opening in zip(NAMES, openings, strict=True)
    }


@pytest.fixture
def files(tmp_path):
    openings = [curve(seed) for seed in range(3)]
    return Files(
        talking(tmp_path / "made", [0.5 * o for o in openings]),
        talking(tmp_path / "true", openings),
        talking(tmp_path / "other", [*openings[1:], openings[0]]),
    )


def test_a_mouth_in_time_is_told_from_one_that_another_sound_moves(files, tmp_path):
    judged = evaluate_videos(files, Reader(), clip_frames=12)
    for i, name in enumerate(NAMES):
        row = judged.rows[name]
        assert row["opening_correlation"] > 0.97
        assert row["opening_spread_ratio"] == pytest.approx(0.5, abs=0.1)
        assert row["opening_lag"] == 0
        assert row["envelope_correlation"] > row["envelope_correlation_other_sound"] + 0.3
        for end in ("", "_smoothed"):
            # Its own mouth against those of the two others, and against the one whose sound was given.
            others = [against(judged.true[k], judged.true[i])[f"opening_correlation{end}"] for k in range(3) if k != i]
            assert row[f"floor_true_against_true{end}"] == pytest.approx(np.median(others))
            given = against(judged.true[(i + 1) % 3], judged.true[i])[f"opening_correlation{end}"]
            assert row[f"opening_correlation{end}_other_sound"] == pytest.approx(given, abs=0.05)
        assert row["opening_spread_ratio_other_sound"] > 0.7
        assert judged.true_rows[name]["face_found"] == 1
    middle = judged.summary["Medians of 3 videos"]
    assert middle["mouths_not_scored"] == middle["lags_not_found"] == 0
    assert [note for note in judged.notes if "face_landmarker" not in note] == []
    (tmp_path / "out").mkdir()
    draw(tmp_path / "out", judged)
    write(tmp_path / "out", judged)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(report["true_videos"]) == set(report["videos"]) == set(NAMES)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "pictures/c%231.png" in page
    assert (tmp_path / "out" / "pictures" / "c#1.jpg").is_file()


def test_a_moving_head_is_no_flicker_and_a_pulsing_wall_is(tmp_path):
    still = observe(film(tmp_path / "s.mp4", [picture(0.2) for _ in range(30)]), Reader())
    moving = observe(film(tmp_path / "m.mp4", [picture(0.2, shift=i % 8) for i in range(30)]), Reader())
    pulsing = observe(
        film(tmp_path / "p.mp4", [picture(0.2, background=90 + 6 * (i % 2)) for i in range(30)]), Reader()
    )
    assert np.nanmean(still.flicker) < 0.1
    assert np.nanmean(moving.flicker) < 0.3 < np.nanmean(moving.change)
    assert np.nanmean(pulsing.flicker) == pytest.approx(6, abs=0.7)


def test_fine_detail_is_what_a_blur_takes(tmp_path):
    smooth = observe(film(tmp_path / "a.mp4", [picture(0.2)] * 5), Reader())
    grainy = observe(film(tmp_path / "b.mp4", [picture(0.2, noise=np.random.default_rng(0))] * 5), Reader())
    assert grainy.fine.mean() > 3 * smooth.fine.mean()


def test_what_is_missing_is_said(files, tmp_path):
    (tmp_path / "made" / "b.mp4").write_bytes(b"no video")
    film(tmp_path / "made" / "c#1.mp4", [picture(0.3)] * 20)
    film(tmp_path / "made" / "extra.mp4", [picture(0.3)] * 20)
    made = {path.stem: path for path in (tmp_path / "made").glob("*.mp4")}
    notes = "\n".join(
        evaluate_videos(Files(made, files.true, {"a": files.other["a"], "z": files.other["a"]}), Reader()).notes
    )
    for part in (
        "b: left out; ",
        "c#1: 20 frames against 50 true ones; of mouths the first 20 count",
        "extra: left out, it has no true video",
        "c#1: no control of its name",
        "z: a control without a generated video",
        "blendshape_frechet: not computed; give --face-model",
    ):
        assert part in notes
    (tmp_path / "other" / "a.mp4").write_bytes(b"no video")
    judged = evaluate_videos(Files({"a": made["a"]}, files.true, files.other), Reader())
    assert judged.rows["a"]["opening_correlation"] > 0.97 and "opening_correlation_other_sound" not in judged.rows["a"]
    assert any(note.startswith("a: without its control; ") for note in judged.notes)
    with pytest.raises(InputError, match="none of 1 videos can be judged; b: left out"):
        evaluate_videos(Files({"b": made["b"]}, {}, {}), Reader())


def test_nobody_in_the_picture_is_not_scored(tmp_path):
    wall = film(tmp_path / "wall.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 30, voice(curve(0, 30)))
    judged = evaluate_videos(Files({"wall": wall}, {}, {}), Reader())
    assert judged.rows["wall"]["face_found"] == 0
    assert judged.summary["Medians of 1 videos"]["mouths_not_scored"] == 1
    assert judged.rows["wall"]["flicker"] is None


def test_silence_says_nothing_and_a_missing_sound_is_the_true_one(files, tmp_path):
    opening = curve(0)
    silent = film(tmp_path / "silent.mp4", [picture(o) for o in opening], np.zeros(32000))
    assert evaluate_videos(Files({"silent": silent}, {}, {}), Reader()).rows["silent"]["envelope_correlation"] is None
    for frames in (40, 50):
        without = film(tmp_path / "without.mp4", [picture(o) for o in opening[:frames]])
        judged = evaluate_videos(find_files((without, files.true["a"], None)), Reader())
        assert judged.rows["without"]["envelope_correlation"] > 0.5
        draw(tmp_path, judged)
        assert (tmp_path / "pictures" / "without.png").is_file()


def test_pictures_of_two_sizes_are_not_compared_by_their_grain(files, tmp_path):
    small = film(tmp_path / "small" / "a.mp4", [np.ascontiguousarray(picture(o)[:, :126]) for o in curve(0)])
    judged = evaluate_videos(Files({"a": small}, {"a": files.true["a"]}, {}), Reader())
    assert judged.rows["a"]["sharpness_ratio"] is None and judged.rows["a"]["flicker_ratio"] is None
    assert any("126 x 128 pixels against 128 x 128" in note for note in judged.notes)


def test_two_files_are_a_pair_whatever_their_names(files, tmp_path):
    found = find_files((files.made["a"], files.true["b"], files.other["b"]))
    assert (found.made, found.true, found.other) == (
        {"a": files.made["a"]},
        {"a": files.true["b"]},
        {"a": files.other["b"]},
    )
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="true: no videos in"):
        find_files((tmp_path / "made", tmp_path / "empty", None))
    with pytest.raises(InputError, match="give them the same names"):
        find_files((files.made["a"].parent, film(tmp_path / "x.mp4", [picture(0)] * 5), None))
