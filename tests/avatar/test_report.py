"""A report says what was found, and what to do better."""

from dataclasses import replace

import numpy as np
import pytest

from emo_core.avatar.light import in_other_light
from emo_core.avatar.people import group_people, look_of
from emo_core.avatar.report import LeftOut, Report
from emo_core.avatar.sync import Offset
from tests.avatar.films import pictures_of

GOOD = Report(
    films=1,
    seconds=200,
    usable=190.4,
    takes=2,
    face_height=310.2,
    square=640,
    size=512,
    outside=0,
    moving=0,
    brightness=0.5,
    clipped=0.001,
    detail=0.11,
    cuts=1,
    turned=0.02,
    missing=0.01,
    blinks=14.2,
    pauses=12.5,
    lights=0,
    offsets=(("film.mp4", Offset(0.0, 0.5, 0.5, 190.0)),),
    silent=(),
    left_out=(),
)


def test_a_good_film_needs_no_advice():
    assert GOOD.advice() == []
    assert GOOD.lines() == [
        "1 film: 3:20 minutes, of which 3:10 can be learnt from, in 2 takes; 1 cut",
        "Face: 310 pixels high; squares of 512 pixels show 640 pixels of the film",
        "Light: mean brightness of the face 50%, 0.1% of it is black or white",
        "Sharpness: 11.0% of the face's contrast is fine detail",
        "Head: turned by more than 30 degrees in 2% of the frames",
        "Blinks: 14 a minute",
        "Pauses with closed lips: 12.5 seconds",
        "Sound: in time; the lips follow it with a correlation of 0.50",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"usable": 20.0}, "0:20 minutes are short"),
        ({"square": 300.0}, "choose squares of 288 pixels"),
        ({"outside": 0.1}, "leave room"),
        ({"brightness": 0.1}, "more light"),
        ({"clipped": 0.2}, "soft light"),
        ({"detail": 0.02}, "focus on the eyes"),
        ({"turned": 0.5}, "look towards the camera"),
        ({"moving": 0.9}, "stand"),
        ({"missing": 0.2}, "hidden or lost"),
        ({"blinks": 0.0}, "blink as usual"),
        ({"pauses": 0.5}, "silent for some seconds"),
        ({"lights": 0.4}, "40% of the film has another light"),
        ({"offsets": (("a", Offset(0.0, 0.05, 0.01, 60.0)),)}, "do not follow the sound"),
    ],
)
def test_each_fault_has_its_advice(change, words):
    (line,) = replace(GOOD, **change).advice()
    assert line.startswith("Advice: ") and words in line


def test_offsets_and_what_is_left_out_are_named():
    left_out = tuple(LeftOut(f"{number}.mp4", 61.0, 2.0, "another person") for number in range(9))
    report = replace(
        GOOD,
        offsets=(("a.mp4", Offset(0.12, 0.5, 0.2, 60.0)), ("b.mp4", Offset(-0.08, 0.4, 0.3, 60.0))),
        silent=(("c.mp4", "it has no sound track"),),
        left_out=(*left_out, LeftOut("d.mp4", 0.0, 0.0, "it cannot be opened")),
    )
    assert report.facts()[7:] == [
        "Sound of a.mp4: 120 ms late, corrected; the lips follow it with a correlation of 0.50, before 0.20",
        "Sound of b.mp4: 80 ms early, corrected; the lips follow it with a correlation of 0.40, before 0.30",
        "Without sound: c.mp4 (it has no sound track)",
        "Left out, another person: 0.mp4 at 1:01, 1.mp4 at 1:01, 2.mp4 at 1:01, 3.mp4 at 1:01, 4.mp4 at 1:01, 5.mp4 at 1:01 and 3 more; 18.0 seconds in all",
        "Left out, it cannot be opened: d.mp4",
    ]


def test_a_tint_is_another_light_and_brightness_is_not():
    skin = np.array([180.0, 130.0, 110.0])
    usual = skin * np.linspace(0.8, 1.2, 12)[:, None] * np.random.default_rng(0).uniform(0.97, 1.03, (12, 3))
    orange = skin * [1.1, 1.0, 0.6]
    colours = np.concatenate([usual, [orange, orange]])
    assert np.flatnonzero(in_other_light(colours, np.full(14, 75))).tolist() == [12, 13]
    assert not in_other_light(colours[:1], np.array([75])).any()


def test_clips_of_five_people_are_sorted(data, detector):
    """Two clips each."""
    folder, people, looks = data / "talk" / "grid_more", ("s2", "s3", "s4", "s5", "s32"), []
    for person in people:
        for clip in sorted(folder.glob(f"{person}_*.mp4"))[1:4:2]:
            frames = pictures_of(clip)[5:60:12]
            looks.append(np.mean([look_of(frame, detector.detect(frame)[0].landmarks) for frame in frames], axis=0))
    groups = group_people(np.stack(looks), np.full(len(looks), 75))
    assert groups.reshape(-1, 2).std(1).tolist() == [0] * 5
    assert len(np.unique(groups)) == 5
