"""Timecodes: reading, counting, the end of the day, and bad ones."""

import math

import pytest

from emo_core.emote.export.timecode import RATES, Timecode, checked_rate
from emo_core.errors import InputError


@pytest.mark.parametrize("fps", RATES)
def test_a_day_has_all_its_frames_and_starts_again(fps):
    last = Timecode.parse(f"23:59:59:{fps - 1}", fps)
    assert last.frame == 24 * 3600 * fps - 1
    assert str(last.after(1)) == "00:00:00:00"
    assert last.live_link(1) == "00:00:00:00.000"


def test_frames_go_over_into_seconds_minutes_and_hours():
    start = Timecode.parse("00:59:59:23", 24)
    assert [str(start.after(n)) for n in (0, 1, 25)] == ["00:59:59:23", "01:00:00:00", "01:00:01:00"]


def test_broken_rates_count_to_the_next_whole_rate():
    start = Timecode.parse("00:00:00:29", 29.97)
    assert str(start.after(1)) == "00:00:01:00"
    with pytest.raises(InputError, match=r"FF is 30, expected 0 \.\. 29"):
        Timecode.parse("00:00:00:30", 29.97)


@pytest.mark.parametrize(
    ("fps", "rows"),
    [
        (60, ["10:00:00:00.000", "10:00:00:01.000", "10:00:00:02.000"]),
        (30, ["10:00:00:00.000", "10:00:00:02.000", "10:00:00:04.000"]),
        (25, ["10:00:00:00.000", "10:00:00:02.400", "10:00:00:04.800"]),
        (24, ["10:00:00:00.000", "10:00:00:02.500", "10:00:00:05.000"]),
    ],
)
def test_live_link_counts_sixtieths(fps, rows):
    assert [Timecode.parse("10:00:00:00", fps).live_link(n) for n in range(3)] == rows


def test_live_link_starts_at_the_frame_that_was_asked():
    assert Timecode.parse("00:00:01:12", 24).live_link(0) == "00:00:01:30.000"


def test_live_link_keeps_real_time_at_broken_rates():
    start = Timecode.parse("00:00:00:00", 30000 / 1001)
    assert start.live_link(30000) == "00:16:41:00.000"  # 1001 s.


@pytest.mark.parametrize("text", ["", "1", "00:00:00", "00:00:00;00", "a:b:c:d", "-1:00:00:00", "00:00:00:00:00", "०१:00:00:00", None])  # fmt: skip
def test_what_is_no_timecode_is_refused(text):
    with pytest.raises(InputError, match="expected HH:MM:SS:FF"):
        Timecode.parse(text, 25)


@pytest.mark.parametrize(("text", "part"), [("24:00:00:00", "HH"), ("00:60:00:00", "MM"), ("00:00:60:00", "SS"), ("00:00:00:25", "FF")])  # fmt: skip
def test_numbers_out_of_range_are_refused(text, part):
    with pytest.raises(InputError, match=f"{part} is"):
        Timecode.parse(text, 25)


@pytest.mark.parametrize("fps", [0, -1, 121, math.nan, math.inf, "25", None])
def test_rates_that_no_file_has_are_refused(fps):
    with pytest.raises(InputError, match=r"expected 1 .. 120, such as 24, 25, 30, 60"):
        checked_rate(fps)
