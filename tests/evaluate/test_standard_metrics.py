"""Standard metrics: the calls of other packages, and the notes without them. Stand-ins replace the packages, whose weights are not
part of the tests."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("cv2")

from emo_core.evaluate.evaluate import evaluate_videos
from emo_core.evaluate.files import VideoFiles
from emo_core.evaluate.standard_metrics import Extractors, standard_metrics

from .drawn import DrawnFaceDetector, curve, film, picture, voice


@pytest.fixture
def evaluation(tmp_path):
    opening = curve(0, 36)
    generated, true = (
        film(tmp_path / name / "a.mp4", [picture(share * o) for o in opening], voice(opening))
        for name, share in (("generated", 0.5), ("true", 1))
    )
    return evaluate_videos(VideoFiles({"a": generated}, {"a": true}), DrawnFaceDetector())


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


def test_without_weights_notes_name_the_files(evaluation, tmp_path):
    metrics, notes = standard_metrics(evaluation, Extractors(), tmp_path)
    assert metrics == {}
    text = "\n".join(notes)
    for part in ("E-FID: not computed", "give --inception", "give --i3d", "give --syncnet", "give --insightface"):
        assert part in text


def test_fid_reads_every_frame_of_both_sets(evaluation, extractors, tmp_path, monkeypatch):
    counts = []

    def calculate_metrics(input1, input2, feature_extractor_weights_path, **how):
        counts.extend(len(list(Path(folder).glob("*.png"))) for folder in (input1, input2))
        assert feature_extractor_weights_path == str(extractors.inception) and how["fid"]
        return {"frechet_inception_distance": 7.0}

    stand_in(monkeypatch, torch_fidelity={"calculate_metrics": calculate_metrics})
    metrics, notes = standard_metrics(evaluation, extractors, tmp_path)
    assert counts == [36, 36] and metrics["FID"] == 7
    assert any("FID: from 36 frames; from fewer than 2048" in note for note in notes)
    assert not list(tmp_path.glob("*/*.png")) and not list(tmp_path.glob("tmp*"))


def test_fvd_reads_windows_of_sixteen_frames(evaluation, extractors, tmp_path, monkeypatch):
    class Evaluator:
        def __init__(self, model, ckpt_path, n_fake, device):
            assert (model, ckpt_path, n_fake, device) == ("i3d", str(extractors.i3d), "full", "cpu")
            self.real, self.fake = [], []
            self.add_real_stats, self.add_fake_stats = self.real.append, self.fake.append

        def compute_fvd_from_stats(self):
            assert [w.shape for w in self.real] == [w.shape for w in self.fake] == [(1, 16, 128, 128, 3)] * 2
            return np.float64(3.0)

    stand_in(monkeypatch, cdfvd={}, cdfvd__fvd={"cdfvd": Evaluator})
    metrics, _ = standard_metrics(evaluation, extractors, tmp_path)
    assert metrics["FVD"] == 3


def test_syncnet_also_scores_single_videos(evaluation, extractors, tmp_path, monkeypatch):
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
    metrics, notes = standard_metrics(evaluation, extractors, tmp_path)
    scores = [metrics[f"SyncNet {name}"] for name in ("confidence", "distance", "offset")]
    assert scores == [6, 7, 1]
    assert any("a of the true videos: left out, SyncNet cannot read it (FFmpeg" in note for note in notes)
    far = film(tmp_path / "far.mp4", [picture(0.2)] * 20)
    alone = evaluate_videos(VideoFiles({"a": evaluation.generated[0].path, "far": far}), DrawnFaceDetector())
    metrics, notes = standard_metrics(alone, extractors, tmp_path)
    assert metrics["SyncNet offset"] == 1
    assert any("far: left out, no face is tracked" in note for note in notes)
    assert sum("give --true" in note for note in notes) == 3  # FID, FVD and F-SIM.


def test_face_similarity_loads_its_model_once_and_has_a_control(evaluation, extractors, tmp_path, monkeypatch):
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
    generated, true = (
        [video.sample_frames[i] for i in range(8)] for video in (evaluation.generated[0], evaluation.true[0])
    )
    for frame in generated:
        frame[5, 5] = 160
    generated[-1][5, 5] = 0
    for frame in true:
        frame[5, 5] = 100
    metrics, notes = standard_metrics(evaluation, extractors, tmp_path)
    assert metrics["F-SIM"] == pytest.approx(6 / 7 * np.cos(0.6))  # The last of seven has no face.
    assert metrics["F-SIM of the true videos"] == pytest.approx(1)
    assert len(opened) == 1
    true[0][5, 5] = 0
    metrics, notes = standard_metrics(evaluation, extractors, tmp_path)
    assert metrics["F-SIM"] is None
    assert "F-SIM: a: left out, no face is found in its first true frame" in notes


def test_a_package_that_fails_loses_only_its_own_metric(evaluation, extractors, tmp_path, monkeypatch):
    def broken(**how):
        raise RuntimeError("Error(s) in loading state_dict")

    stand_in(monkeypatch, torch_fidelity={"calculate_metrics": broken})
    before = set(tmp_path.iterdir())
    metrics, notes = standard_metrics(evaluation, extractors, tmp_path)
    assert set(tmp_path.iterdir()) == before
    assert "FID" not in metrics
    assert any(note.startswith("FID: not computed; it failed with RuntimeError: Error(s) in loading") for note in notes)


def test_weights_that_would_run_code_are_refused(evaluation, extractors, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "run",)

    torch.save({"weight": Trap()}, tmp_path / "inception")
    (tmp_path / "i3d").write_bytes(b"<html>not found</html>")
    metrics, notes = standard_metrics(evaluation, extractors, tmp_path)
    assert not (tmp_path / "run").exists() and metrics == {}
    for start in ("FID: not computed; ", "FVD: not computed; "):
        assert any(note.startswith(start) and "or damaged" in note for note in notes)
