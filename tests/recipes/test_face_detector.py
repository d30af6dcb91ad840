"""The face detector's recipe on drawn people: the pictures and their boxes, the loss, a short run, the evaluation."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

pytest.importorskip("cv2", reason="the trainer's pictures need OpenCV, which comes with mediapipe")
pytest.importorskip("webdataset")

from emo_core.dataset.labels import Labels
from emo_core.dataset.shards import HELD_OUT, TRAIN, Clip, Dataset, Shard, encode_sound, encode_video, write_clips
from emo_core.errors import InputError
from emo_core.face.box import Box
from emo_core.face.built_in_detector import STRIDE, FaceDetectorConfig, FaceDetectorNet, load_face_detector
from emo_core.face.detect import Face
from emo_core.training.log import read_log
from emo_core.training.loop import Settings
from emo_core.training.schedule import Limits
from recipes.face_detector import pictures, train
from recipes.face_detector.pictures import Example, Studio
from recipes.face_detector.subjects import EVERY, Sitter, draw_sitters, sitters_of
from recipes.face_detector.train import detector_loss, evaluate_detector, to_batch, train_detector
from recipes.face_detector.warp import Placement, render

FRAMES = 9


def drawn_clip(key: str, sitter: Sitter) -> Clip:
    side = sitter.picture.shape[0]
    box = np.array([sitter.box.left, sitter.box.top, sitter.box.right, sitter.box.bottom]) / side
    still = {"poses": np.tile(np.eye(4), (FRAMES, 1, 1)), "speed": np.zeros(FRAMES), "opening": np.zeros(FRAMES)}
    boxes = np.tile(box, (FRAMES, 1))
    return Clip(
        key=key,
        labels=Labels(boxes=boxes, mouths=boxes, **still),
        about={"source": key},
        video=encode_video(np.tile(sitter.picture[..., :3], (FRAMES, 1, 1, 1)), 25),
        flac=encode_sound(np.zeros(1600, np.float32)),
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder, shards = tmp_path_factory.mktemp("drawn"), []
    for split, seed in ((TRAIN, 0), (HELD_OUT, 1)):
        people = draw_sitters(3, np.random.default_rng(seed))
        clips = [drawn_clip(f"{split}-{index}", sitter) for index, sitter in enumerate(people)]
        write_clips(folder / f"{split}.tar", clips)
        sources = tuple(clip.speaker for clip in clips)
        shards.append(Shard(f"{split}.tar", split, len(clips), FRAMES * len(clips), sources))
    return Dataset(folder=folder, fps=25, size=256, expand=3.0, shards=tuple(shards))


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(pictures, "DRAWN", 4)
    monkeypatch.setattr(pictures, "SCENES", 4)


def edges_of(mask: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def as_list(box: Box) -> list[float]:
    return [box.left, box.top, box.right, box.bottom]


@pytest.mark.parametrize("seed", range(6))
def test_a_box_stays_around_what_was_in_it(seed):
    """A white rectangle that is the face, of any build; an ellipse where the head is tilted."""
    rng = np.random.default_rng(seed)
    picture, box = np.zeros((200, 200, 4), np.uint8), Box(60, 50, 130, 140)
    y, x = np.mgrid[0:200, 0:200] + 0.5
    tilted = seed % 2
    inside = np.hypot((x - 95) / 35, (y - 95) / 45) < 1 if tilted else (abs(x - 95) < 35) & (abs(y - 95) < 45)
    picture[inside] = 255
    place = Placement.random(rng, 60.0, (64.0 + seed, 60.0), 0.8)
    changes = {} if tilted else {"tilt": 0.0}
    if tilted:  # What is inside moves on purpose; a tilted outline does not.
        changes = {"turn": (0.0, 0.0), "eyes": 0.0, "waves": (0.0,) * 4}
    place = Placement(**{name: getattr(place, name) for name in Placement.__slots__} | changes)
    seen = render(Sitter(picture, box), place, 128)[..., 3] > 127
    assert edges_of(seen) == pytest.approx(as_list(place.box), abs=1.6)


def test_small_faces_are_not_sampled_with_gaps():
    stripes = np.zeros((256, 256, 4), np.uint8)
    stripes[:, ::2] = 255
    small = render(Sitter(stripes, Box(28, 28, 228, 228)), Placement(x=32, y=32, width=20, height=20), 64)
    assert small[24:40, 24:40].std() < 12


def test_pictures_have_their_boxes_inside(few):
    people = {"a": list(draw_sitters(3, np.random.default_rng(0)))}
    rng = np.random.default_rng(1)
    studio = Studio(people, 96, rng)
    examples = [studio.example(rng) for _ in range(60)]
    assert {len(example.boxes) for example in examples} >= {0, 1, 2}
    for example in examples:
        assert example.picture.shape == (96, 96, 3) and example.picture.dtype == np.uint8
        for box in example.boxes:
            assert 0 < box.centre[0] < 96 and 0 < box.centre[1] < 96
        for one in example.boxes:
            assert sum(one.overlap(other) > 0.2 for other in example.boxes) == 1


def test_the_same_seed_gives_the_same_pictures(few):
    people = {"a": list(draw_sitters(2, np.random.default_rng(0)))}
    first, second = (Studio(people, 64, np.random.default_rng(3)).example(np.random.default_rng(4)) for _ in range(2))
    assert (first.picture == second.picture).all() and first.boxes == second.boxes


def test_targets_are_certain_at_each_face():
    boxes = (Box(10, 10, 30, 34), Box(60, 50, 110, 120))
    batch = to_batch([Example(np.zeros((128, 128, 3), np.uint8), boxes)])
    assert batch.pictures.shape == (1, 3, 128, 128) and batch.heat.shape == (1, 16, 16)
    places = {(int(row), int(column)) for row, column in torch.nonzero(batch.heat[0] > 0.99).tolist()}
    for box in boxes:
        column, row = (int(middle // STRIDE) for middle in box.centre)
        assert (row, column) in places
        assert batch.boxes[0, row, column].tolist() == as_list(box)


def test_sitters_are_every_few_frames_with_their_boxes(dataset):
    people = sitters_of(dataset, TRAIN)
    assert list(people) == ["train-0", "train-1", "train-2"]
    assert [len(pictures) for pictures in people.values()] == [len(range(0, FRAMES, EVERY))] * 3
    drawn = next(draw_sitters(1, np.random.default_rng(0)))
    assert as_list(people["train-0"][0].box) == pytest.approx(as_list(drawn.box), abs=1e-3)


def test_a_fixed_batch_is_learnt(few):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    studio = Studio({"a": list(draw_sitters(3, np.random.default_rng(0)))}, 64, rng)
    batch = to_batch([studio.example(rng) for _ in range(6)])
    net = FaceDetectorNet(FaceDetectorConfig(64, (8, 12, 16, 24)))
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        heat, place = detector_loss(net, batch)
        optimiser.zero_grad()
        (heat + place).backward()
        optimiser.step()
        losses.append((heat + place).item())
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.5 * losses[0]


def test_a_short_run_writes_weights_score_and_log(few, dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "LOG_EVERY", 2)
    out = tmp_path / "run"
    arguments = ["train", "--data", str(dataset.folder), "--out", str(out), "--steps", "3", "--batch", "4"]
    monkeypatch.setattr(sys, "argv", arguments)
    train.main()
    lines = capsys.readouterr().out.splitlines()
    assert load_face_detector(out / "face-finder.safetensors").config == FaceDetectorConfig()
    assert [line["step"] for line in read_log(out)] == [2, 3]
    assert json.loads((out / "score.json").read_text())["frames"] == 6
    assert lines[0] == "6 pictures of 3 sources" and "held out: IoU" in lines[-1]


def test_a_resumed_run_equals_an_unbroken_one(few, dataset, tmp_path):
    files = []
    for folder in ("unbroken", "broken"):
        files.append(train_detector(dataset, tmp_path / folder, Limits(steps=4), batch=2, report=print))
    weights = [file.read_bytes() for file in files]
    checkpoint = tmp_path / "broken" / "checkpoints"
    assert weights[0] == weights[1]
    shutil.rmtree(checkpoint)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "Settings", lambda **options: Settings(**options, save_every=2))
        train_detector(dataset, tmp_path / "broken", Limits(steps=4), batch=2, report=print)
        shutil.rmtree(checkpoint / "step-00000004")
        file = train_detector(dataset, tmp_path / "broken", Limits(steps=4), batch=2, resume=True, report=print)
    assert file.read_bytes() == weights[0]


def test_clips_are_needed(tmp_path):
    empty = Dataset(folder=tmp_path, fps=25, size=64, expand=3.0)
    with pytest.raises(InputError, match="no clips to train on"):
        train_detector(empty, tmp_path, Limits(steps=1), report=print)
    with pytest.raises(InputError, match="no held-out clips to evaluate on"):
        evaluate_detector(None, empty, HELD_OUT)


class Scripted:
    """Gives prepared boxes, picture by picture."""

    def __init__(self, answers):
        self._answers = iter(answers)

    def detect(self, image):
        return [Face(box) for box in next(self._answers)]


def test_evaluating_a_detector(dataset):
    truth = [pictures[0].box for pictures in sitters_of(dataset, HELD_OUT).values() for _ in range(2)]
    right = evaluate_detector(Scripted([[box] for box in truth]), dataset, HELD_OUT)
    assert (right.frames, right.good, right.detected) == (6, 1, 1)
    assert right.iou == pytest.approx(1, abs=1e-3)
    half = evaluate_detector(
        Scripted([[box] if index < 3 else [] for index, box in enumerate(truth)]), dataset, HELD_OUT
    )
    assert (half.good, half.detected) == (0.5, 0.5)
    assert half.iou == pytest.approx(0.5, abs=1e-3)
    wide = evaluate_detector(Scripted([[box.expand(1.5)] for box in truth]), dataset, HELD_OUT)
    assert (wide.good, wide.detected) == (0, 1)
