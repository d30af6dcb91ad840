"""A sound that is late is found by the mouth."""

import numpy as np
import pytest

from emo_core.avatar.films import sound_between
from emo_core.avatar.hearing import hear
from emo_core.avatar.stretches import Stretch
from emo_core.avatar.sync import measure_offset
from emo_core.avatar.watching import WatchedFilm
from emo_core.face.mouth import mouth_opening
from emo_core.media.sound import Sound
from emo_core.media.video_reader import open_source
from tests.avatar.films import film, pictures_of, waveform_of

RATE, FPS = 16_000, 25


def syllables(frames, seed=0):
    """A mouth that opens about four times a second."""
    noise = np.random.default_rng(seed).standard_normal(frames)
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(frames, 1 / FPS)
    curve = np.fft.irfft(spectrum * ((hertz > 2) & (hertz < 6)), frames)
    return 0.03 + 0.01 * curve / curve.std()


def voice(opening, late=0.0):
    """Noise that is loud where the mouth is open, late by some seconds."""
    samples = np.arange(len(opening) * RATE // FPS)
    envelope = np.interp((samples / RATE - late) * FPS - 0.5, np.arange(len(opening)), opening)
    return (envelope.clip(0) ** 2 * 100 * np.random.default_rng(9).standard_normal(len(samples))).astype(np.float32)


@pytest.mark.parametrize("late", [0.12, -0.12, 0.06, -0.25])
def test_an_offset_is_measured_to_a_hundredth(late):
    opening = syllables(300)
    found = measure_offset([(opening, voice(opening, late))])
    assert found.seconds == pytest.approx(late, abs=0.015)
    assert found.correlation > found.unshifted and found.heard == 12


def test_short_takes_of_one_camera_are_measured_together():
    openings = [syllables(75, seed) for seed in range(4)]
    found = measure_offset([(opening, voice(opening, 0.12)) for opening in openings])
    assert found.seconds == pytest.approx(0.12, abs=0.02)


def test_what_is_not_clear_is_left_as_it_is():
    opening, other = syllables(300), syllables(300, 1)
    for sound in (voice(opening), voice(opening, 0.03), voice(other, 0.12), np.zeros(300 * 640, np.float32)):
        assert measure_offset([(opening, sound)]).seconds == 0
    assert measure_offset([(opening[:100], voice(opening[:100], 0.12))]).seconds == 0
    assert measure_offset([]).seconds == 0


@pytest.mark.slow
def test_a_mouth_of_a_real_film_finds_its_sound_again(data, detector):
    """The sound of a clip, shifted by 120 ms, against the landmarks of the clip."""
    clips = sorted((data / "talk" / "grid_more").glob("s2_*.mp4"))[:4]
    openings = [
        mouth_opening(np.stack([detector.detect(one)[0].landmarks for one in pictures_of(clip)])) for clip in clips
    ]
    shifted = []
    for shift in (0, 1920):
        sounds = [
            np.pad(waveform_of(clip), (shift, 4000))[: len(one) * 640]
            for clip, one in zip(clips, openings, strict=True)
        ]
        shifted.append(measure_offset(list(zip(openings, sounds, strict=True))))
    assert shifted[1].seconds == pytest.approx(0.12 + shifted[0].seconds, abs=0.04)


def stretch(film_number, first, opening):
    """A stretch of film whose landmarks have an opening."""
    landmarks = np.zeros((len(opening), 478, 3), np.float32)
    landmarks[:, 152, 1] = 100
    landmarks[:, 14, 1] = 100 * opening
    angles = np.zeros(len(opening))
    return Stretch(film_number, first, landmarks, np.ones(len(opening), bool), angles, angles, np.full(3, 100.0), 0.0)


def test_takes_get_their_sound_with_the_offset_taken_out(tmp_path):
    opening = syllables(300)
    path = film(tmp_path / "late.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 300, voice(opening, 0.12))
    watched = WatchedFilm(open_source(path), (64, 64), 0, 300, np.zeros(300, np.float32), ())
    heard = hear([watched], [stretch(0, 0, opening[:200]), stretch(0, 210, opening[210:])])
    assert [take.offset for take in heard.takes] == [pytest.approx(0.12, abs=0.02)] * 2
    assert heard.takes[1].first == 200 and heard.takes[1].start == 8.4
    true = voice(opening)
    for take, first in zip(heard.takes, (0, 210), strict=True):
        want = np.abs(true[first * 640 : (first + take.frames) * 640]).reshape(-1, 640).mean(1)
        assert np.corrcoef(np.abs(take.sound.waveform).reshape(-1, 640).mean(1)[2:-4], want[2:-4])[0, 1] > 0.95


def test_sound_beyond_its_ends_is_silence():
    sound = Sound(np.arange(1, 1281, dtype=np.float32))
    assert sound_between(sound, 0, 3).waveform.tolist() == [*range(1, 1281), *[0] * 640]
    assert sound_between(sound, 0, 1, -0.02).waveform.tolist() == [*[0] * 320, *range(1, 321)]
    assert sound_between(sound, 5, 6).waveform.tolist() == [0] * 640
