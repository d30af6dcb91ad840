"""Which files are written, and what is refused."""

import os
from pathlib import Path

import pytest

from emo_core.emote.export import files
from emo_core.emote.export.files import export_motion
from emo_core.errors import InputError
from emo_core.face.motion import FaceMotion


@pytest.mark.parametrize("suffix", [".csv", ".glb", ".json", ".bvh", ".CSV"])
def test_a_file_is_written_whole(motion, rig, tmp_path, suffix):
    path = tmp_path / "new folder" / f"face{suffix}"
    export_motion(motion, path, rig=rig, fps=30)
    assert path.stat().st_size > 1000
    assert [other.name for other in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["face.fbx", "face", "face.csv.bak", ".csv"])
def test_other_kinds_are_refused_with_the_list(motion, rig, tmp_path, name):
    with pytest.raises(InputError, match=r"expected a name that ends with \.csv, \.glb, \.json, \.bvh"):
        export_motion(motion, tmp_path / name, rig=rig)
    assert list(tmp_path.iterdir()) == []


def test_bad_rates_and_timecodes_write_nothing(motion, rig, tmp_path):
    for wrong in ({"fps": 0}, {"fps": 500}, {"timecode": "1:2:3"}, {"timecode": "00:00:00:25"}):
        with pytest.raises(InputError):
            export_motion(motion, tmp_path / "face.csv", rig=rig, **wrong)
    with pytest.raises(InputError, match=r"fps: got 200.*give another"):
        export_motion(FaceMotion.still(4, 200), tmp_path / "face.csv", rig=rig)
    assert list(tmp_path.iterdir()) == []


def test_the_timecode_counts_at_the_rate_of_the_file(motion, rig, tmp_path):
    export_motion(motion, tmp_path / "face.csv", rig=rig, fps=60, timecode="00:00:00:59")
    with pytest.raises(InputError, match="FF is 59"):
        export_motion(motion, tmp_path / "face.csv", rig=rig, timecode="00:00:00:59")


def test_a_folder_is_no_file(motion, rig, tmp_path):
    (tmp_path / "face.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        export_motion(motion, tmp_path / "face.csv", rig=rig)


def test_a_file_is_no_folder(motion, rig, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        export_motion(motion, tmp_path / "taken" / "face.csv", rig=rig)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may write everywhere")
def test_a_read_only_place_is_refused(motion, rig, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="give a folder you may write to"):
        export_motion(motion, tmp_path / "face.csv", rig=rig)


def test_a_place_that_nobody_may_write_to_is_refused(motion, rig):
    if not Path("/proc/self").is_dir():
        pytest.skip("needs Linux's /proc")
    with pytest.raises(InputError, match="cannot write"):
        export_motion(motion, "/proc/self/face.csv", rig=rig)


def test_a_full_disk_leaves_the_old_file(motion, rig, tmp_path, monkeypatch):
    path = tmp_path / "face.csv"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(files.WRITERS, ".csv", full)
    with pytest.raises(InputError, match="No space left"):
        export_motion(motion, path, rig=rig)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
