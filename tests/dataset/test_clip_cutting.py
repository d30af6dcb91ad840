"""A video is cut into clips as a stream."""

import numpy as np

from emo_core.dataset.clip_cutting import Recipe, prepare_video
from emo_core.dataset.filters import Rules
from tests.evaluate.drawn import FPS, DrawnFaceDetector, curve, film, picture, voice

RULES = Rules(min_seconds=0.5, max_seconds=1, side=0, luma=0, speech=0, profiles=1, margin=float("-inf"))
RECIPE = Recipe(fps=FPS, size=64, rules=RULES)


class CountingDetector(DrawnFaceDetector):
    """Counts the frames that are read."""

    frames = 0

    def detect(self, image):
        self.frames += 1
        return super().detect(image)


def test_the_first_clip_comes_before_the_end_of_a_long_video(tmp_path):
    opening = curve(0, 320)
    video = film(tmp_path / "long.mp4", [picture(value) for value in opening], voice(opening))
    detector = CountingDetector()
    decisions = prepare_video(video, "key", RECIPE, detector)
    piece, clip = next(decisions)
    assert (piece.start, piece.stop, piece.reason) == (0.0, 1.0, "")
    assert detector.frames == 251
    clips = [clip, *(clip for _, clip in decisions)]
    assert detector.frames == 320
    assert [clip.key for clip in clips[::5]] == ["key-000", "key-005", "key-010"]
    assert sum(clip.frames for clip in clips) == 320
    assert np.corrcoef(np.concatenate([clip.labels.opening for clip in clips]), opening)[0, 1] > 0.98
    assert all(len(clip.pictures()) == clip.frames and clip.labels.landmarks is not None for clip in clips)


def test_every_clip_has_its_own_sound(tmp_path):
    """The sound is loud where the mouth is open."""
    opening = np.repeat([0.0, 1.0, 0.0, 1.0], 20)
    video = film(tmp_path / "steps.mp4", [picture(value) for value in opening], voice(opening))
    clips = [clip for _, clip in prepare_video(video, "key", RECIPE, DrawnFaceDetector())]
    assert [clip.frames for clip in clips] == [20] * 4
    loud = [float(np.abs(clip.sound()[1600:-1600]).mean()) for clip in clips]
    assert max(loud[0], loud[2]) < 0.01 < 0.2 < min(loud[1], loud[3])
