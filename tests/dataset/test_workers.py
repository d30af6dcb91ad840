"""Workers that fail or die: the report says so, and the other videos are prepared."""

import json
import os

import numpy as np
import pytest

from emo_core.dataset.clip_cutting import Recipe
from emo_core.dataset.prepare import prepare
from emo_core.dataset.shards import HELD_OUT, TRAIN, Dataset
from emo_core.errors import InputError
from tests.dataset.test_prepare import (  # noqa: F401 -- fixtures
    SMALL,
    BundledDetector,
    portrait,
    speech,
    turned,
    write,
)


@pytest.fixture(scope="module")
def videos(portrait, speech, tmp_path_factory):  # noqa: F811
    """Two small videos that are kept."""
    folder = tmp_path_factory.mktemp("videos")
    for index in range(2):
        write(folder / f"video {index}.mp4", [turned(portrait, index + 0.2 * t) for t in range(40)], speech)
    return folder


class Deadly(Recipe):
    """Ends the process that reads it."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_worker_that_dies_is_reported(videos, tmp_path, capsys):
    with pytest.raises(InputError, match=r"none of 2 gave a usable clip \(2 failed\)"):
        prepare([videos / "video 0.mp4", videos / "video 1.mp4"], tmp_path / "data", Deadly(size=128), workers=2)
    reports = [json.loads(path.read_text()) for path in (tmp_path / "data" / "reports").glob("*.json")]
    assert [report["pieces"][0]["detail"] for report in reports] == ["the process died, perhaps out of memory"] * 2
    assert "a worker process died; the other videos are read one by one" in capsys.readouterr().err


class FaultyAt(BundledDetector):
    """Fails at pictures that are not square, or at all."""

    def __init__(self, always=False):
        super().__init__()
        self.always = always

    def detect(self, image):
        if self.always or image.shape[0] != image.shape[1]:
            raise RuntimeError("calculator\nfailed")
        return super().detect(image)


def test_a_library_that_fails_at_one_video_leaves_the_others(videos, portrait, speech, tmp_path, monkeypatch):  # noqa: F811
    write(tmp_path / "wide.mp4", [np.pad(portrait, ((0, 0), (40, 40), (0, 0)))] * 50, speech)
    monkeypatch.setattr("emo_core.dataset.prepare._detector", lambda face_model: FaultyAt())
    with pytest.raises(InputError, match="the program failed at 1; the dataset is complete without them"):
        prepare([tmp_path / "wide.mp4", videos / "video 0.mp4"], tmp_path / "data", SMALL)
    assert Dataset.open(tmp_path / "data").clips(TRAIN) + Dataset.open(tmp_path / "data").clips(HELD_OUT) == 1
    (report,) = [json.loads(path.read_text()) for path in (tmp_path / "data" / "reports").glob("wide*.json")]
    assert (report["pieces"][0]["reason"], report["pieces"][0]["detail"]) == (
        "failed",
        "RuntimeError: calculator failed",
    )


def test_a_video_at_which_the_program_failed_is_tried_again(videos, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("emo_core.dataset.prepare._detector", lambda face_model: FaultyAt(always=True))
        with pytest.raises(InputError, match=r"none of 1 gave a usable clip \(1 failed\)"):
            prepare([videos / "video 0.mp4"], tmp_path, SMALL)
    assert prepare([videos / "video 0.mp4"], tmp_path, SMALL).kept == 1


def test_files_that_a_killed_process_left_are_removed(videos, tmp_path):
    """Of its temporary names; they are no clips and no reports."""
    for name in ("pending/.x-0.01234567.part.tar", "reports/.x-0.01234567.part.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"begun")
    assert prepare([videos / "video 0.mp4"], tmp_path, SMALL).sources == 1
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]
