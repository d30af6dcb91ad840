"""The field's metrics: what is handed to their libraries, and what is said without them. Stand-ins for the libraries, as their
weights cannot be had here."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("cv2")

from emo_core.evaluate.evaluate import evaluate_videos
from emo_core.evaluate.files import Files
from emo_core.evaluate.standard_metrics import Extractors, standard

from .drawn import Reader, curve, film, picture, voice


@pytest.fixture
def judged(tmp_path):
    opening = curve(0, 36)
    made, true = (
        film(tmp_path / name / "a.mp4", [picture(share * o) for o in opening], voice(opening))
        for name, share in (("made", 0.5), ("true", 1))
    )
    return evaluate_videos(Files({"a": made}, {"a": true}, {}), Reader())


@pytest.fixture
def extractors(tmp_path):
    for name in ("inception", "i3d", "syncnet", "s3fd"):
        torch.save({"weight": torch.zeros(1)}, tmp_path / name)
    (tmp_path / "models" / "antelopev2").mkdir(parents=True)
    (tmp_path / "models" / "antelopev2" / "glintr100.onnx").touch()
    return Extractors(**{n: tmp_path / n for n in ("inception", "i3d", "syncnet", "s3fd")}, insightface=tmp_path)


def stand_in(monkeypatch, **modules):
    for name, content in modules.items():
        monkeypatch.setitem(sys.modules, name.replace("__", "."), SimpleNamespace(**content))


def test_without_weights_each_says_what_to_get(judged, tmp_path):
    numbers, notes = standard(judged, Extractors(), tmp_path)
    assert numbers == {}
    told = "\n".join(notes)
    for part in ("E-FID: not computed", "give --inception", "give --i3d", "give --syncnet", "give --insightface"):
        assert part in told


def test_fid_sees_every_frame_of_both_sets(judged, extractors, tmp_path, monkeypatch):
    seen = []

    def calculate_metrics(input1, input2, feature_extractor_weights_path, **how):
        seen.extend(len(list(Path(folder).glob("*.png"))) for folder in (input1, input2))
        assert feature_extractor_weights_path == str(extractors.inception) and how["fid"]
        return {"frechet_inception_distance": 7.0}

    stand_in(monkeypatch, torch_fidelity={"calculate_metrics": calculate_metrics})
    numbers, notes = standard(judged, extractors, tmp_path)
    assert seen == [36, 36] and numbers["FID"] == 7
    assert any("FID: from 36 frames; from fewer than 2048" in note for note in notes)
    assert not list(tmp_path.glob("*/*.png")) and not list(tmp_path.glob("tmp*"))


def test_fvd_sees_windows_of_sixteen(judged, extractors, tmp_path, monkeypatch):
    class Evaluator:
        def __init__(self, model, ckpt_path, n_fake, device):
            assert (model, ckpt_path, n_fake, device) == ("i3d", str(extractors.i3d), "full", "cpu")
            self.real, self.fake = [], []
            self.add_real_stats, self.add_fake_stats = self.real.append, self.fake.append

        def compute_fvd_from_stats(self):
            assert [w.shape for w in self.real] == [w.shape for w in self.fake] == [(1, 16, 128, 128, 3)] * 2
            return np.float64(3.0)

    stand_in(monkeypatch, cdfvd={}, cdfvd__fvd={"cdfvd": Evaluator})
    numbers, _ = standard(judged, extractors, tmp_path)
    assert numbers["FVD"] == 3


def test_syncnet_judges_generated_videos_that_stand_alone_too(judged, extractors, tmp_path, monkeypatch):
    class SyncNetPipeline:
        def __init__(self, weights, device):
            assert weights == {"s3fd_weights": str(extractors.s3fd), "syncnet_weights": str(extractors.syncnet)}

        def inference(self, video_path):
            if "true" in video_path:
                raise RuntimeError("FFmpeg audio extraction failed")
            if "far" in video_path:
                return [], [], [], 0.0, 0.0, "", False
            return [3, 1], [2.0, 6.0], [9.0, 7.0], 6.0, 7.0, "", True

    stand_in(monkeypatch, syncnet_python={"SyncNetPipeline": SyncNetPipeline})
    numbers, notes = standard(judged, extractors, tmp_path)
    found = [numbers[f"SyncNet {name}"] for name in ("confidence", "distance", "offset")]
    assert found == [6, 7, 1]
    assert any("a of the true videos: left out, SyncNet cannot read it (FFmpeg" in note for note in notes)
    far = film(tmp_path / "far.mp4", [picture(0.2)] * 20)
    alone = evaluate_videos(Files({"a": judged.made[0].path, "far": far}, {}, {}), Reader())
    numbers, notes = standard(alone, extractors, tmp_path)
    assert numbers["SyncNet offset"] == 1
    assert any("far: no face is tracked" in note for note in notes)
    assert sum("give --true" in note for note in notes) == 3  # FID, FVD and F-SIM.


def test_likeness_opens_insightface_once_and_has_its_control(judged, extractors, tmp_path, monkeypatch):
    opened = []

    class FaceAnalysis:
        def __init__(self, **how):
            opened.append(how["root"])

        def prepare(self, ctx_id, det_size):
            pass

        def get(self, picture):
            """A direction by the red of a corner of the background (BGR); no face where it is dark."""
            turn = picture[5, 5, 2] / 100
            return (
                [SimpleNamespace(bbox=[0, 0, 9, 9], embedding=np.array([np.cos(turn), np.sin(turn)]))]
                if turn > 0.5
                else []
            )

    stand_in(monkeypatch, insightface={}, insightface__app={"FaceAnalysis": FaceAnalysis})
    made, true = ([video.sheet[i] for i in range(8)] for video in (judged.made[0], judged.true[0]))
    for frame in made:
        frame[5, 5] = 160
    made[-1][5, 5] = 0
    for frame in true:
        frame[5, 5] = 100
    numbers, notes = standard(judged, extractors, tmp_path)
    assert numbers["F-SIM"] == pytest.approx(6 / 7 * np.cos(0.6))  # The last of seven has no face.
    assert numbers["F-SIM of the true videos"] == pytest.approx(1)
    assert len(opened) == 1
    true[0][5, 5] = 0
    numbers, notes = standard(judged, extractors, tmp_path)
    assert numbers["F-SIM"] is None
    assert "F-SIM: a: left out, no face is found in its first true frame" in notes


def test_a_library_that_fails_costs_its_own_number_only(judged, extractors, tmp_path, monkeypatch):
    def broken(**how):
        raise RuntimeError("Error(s) in loading state_dict")

    stand_in(monkeypatch, torch_fidelity={"calculate_metrics": broken})
    before = set(tmp_path.iterdir())
    numbers, notes = standard(judged, extractors, tmp_path)
    assert set(tmp_path.iterdir()) == before
    assert "FID" not in numbers
    assert any(note.startswith("FID: not computed; it failed with RuntimeError: Error(s) in loading") for note in notes)


def test_files_that_would_run_code_are_refused(judged, extractors, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "run",)

    torch.save({"weight": Trap()}, tmp_path / "inception")
    (tmp_path / "i3d").write_bytes(b"<html>not found</html>")
    numbers, notes = standard(judged, extractors, tmp_path)
    assert not (tmp_path / "run").exists() and numbers == {}
    for start in ("FID: not computed; ", "FVD: not computed; "):
        assert any(note.startswith(start) and "or damaged" in note for note in notes)
