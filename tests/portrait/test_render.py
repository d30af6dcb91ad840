"""What a portrait does in motion, seen in its pixels and by a face detector."""

import numpy as np
import pytest
import torch

from emo_core.face.motion import FaceMotion, concatenated
from emo_core.face.mouth import mouth_opening
from emo_core.face.pose import head_poses, head_yaw
from emo_core.portrait.mouth import load_network
from emo_core.portrait.prepare import prepare_portrait
from emo_core.portrait.render import PortraitRenderer

from .conftest import drawn, motion_of, resized


def seen(detector, frame):
    return detector.detect(frame)[0].landmarks


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


def test_without_motion_it_is_the_portrait(renderer, prepared):
    assert psnr(drawn(renderer), resized(prepared.picture, 256, 256)) > 38


def test_the_jaw_opens_the_mouth_as_far_as_asked(renderer, detector):
    openings = [mouth_opening(seen(detector, drawn(renderer, jawOpen=jaw))[None])[0] for jaw in (0, 0.2, 0.4)]
    assert openings[0] < 0.012 and openings[0] + 0.015 < openings[1] < openings[2] - 0.01


def test_a_lid_covers_the_iris_and_the_other_eye_stays_open(renderer):
    still, winking = drawn(renderer), drawn(renderer, eyeBlinkRight=1)
    iris, other = (renderer.shape.landmarks[point, :2].round().astype(int) for point in (468, 473))

    def around(frame, place):
        return frame[place[1] - 1 : place[1] + 2, place[0] - 2 : place[0] + 3].mean()

    assert around(winking, iris) > around(still, iris) + 15  # Skin is brighter than the iris.
    assert abs(around(winking, other) - around(still, other)) < 3


@pytest.mark.parametrize("degrees", [-12, 12])
def test_the_head_turns(renderer, detector, degrees):
    yaws = [
        head_yaw(head_poses(seen(detector, drawn(renderer, rotation=(0, turn, 0)))[None], (256, 256)))[0]
        for turn in (0, degrees)
    ]
    assert 0.5 < (yaws[1] - yaws[0]) / degrees < 1.6


def test_turns_stay_within_what_the_portrait_shows(renderer):
    far = renderer.place(motion_of(rotation=(0, 80, 0))).face
    most = renderer.place(motion_of(rotation=(0, 200, 0))).face
    assert np.abs(far - most).max() < 1


def test_the_border_stands(renderer):
    still, moved = drawn(renderer), drawn(renderer, rotation=(5, 10, -5), jawOpen=0.5)
    edge = np.ones((256, 256), bool)
    edge[2:-2, 2:-2] = False
    assert np.abs(still.astype(int) - moved)[edge].max() <= 12
    assert np.abs(still.astype(int) - moved)[60:200, 60:200].mean() > 5


def test_gaze_moves_the_iris_and_not_the_lids(renderer):
    still, looking = drawn(renderer), drawn(renderer, eyeLookOutLeft=0.6, eyeLookInRight=0.6)
    changed = np.abs(still.astype(int) - looking).sum(-1) > 30
    eyes = renderer.shape.landmarks[[33, 133, 362, 263], :2]
    rows, _ = np.nonzero(changed)
    assert changed.any() and abs(np.median(rows) - eyes[:, 1].mean()) < 6
    assert changed.mean() < 0.02


def test_parts_are_drawn_as_the_whole(renderer):
    rng = np.random.default_rng(0)
    motion = FaceMotion(
        coefficients=rng.uniform(0, 0.3, (30, 51)).astype(np.float32),
        rotation=rng.normal(0, 3, (30, 3)).astype(np.float32),
        translation=rng.normal(0, 0.02, (30, 3)).astype(np.float32),
        fps=25,
    )
    whole = list(renderer.frames(motion))
    parts = [frame for part in (motion[:7], motion[7:]) for frame in renderer.frames(part)]
    assert len(whole) == 30
    assert all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(whole, parts, strict=True))
    assert np.array_equal(concatenated([motion[:7], motion[7:]]).coefficients, motion.coefficients)


@pytest.mark.parametrize(("width", "height", "size"), [(300, 520, 128), (520, 300, 256), (256, 256, 512)])
def test_any_aspect_and_size(picture, detector, rig, width, height, size):
    padded = np.pad(picture, [(0, max(0, height - 256)), (0, max(0, width - 256)), (0, 0)], mode="edge")[
        :height, :width
    ]
    portrait = prepare_portrait(padded, detector, rig, size=size)
    frame = drawn(PortraitRenderer(portrait, rig, load_network(torch.device("cpu"))), jawOpen=0.3)
    assert frame.shape == (size, size, 3)
    assert mouth_opening(seen(detector, frame)[None])[0] > 0.02


@pytest.mark.gpu
def test_cuda_draws_the_same(prepared, rig):
    cpu, cuda = (
        PortraitRenderer(prepared, rig, load_network(torch.device(name)), device=name) for name in ("cpu", "cuda")
    )
    for change in ({}, {"jawOpen": 0.4, "eyeBlinkLeft": 1}):
        assert psnr(drawn(cpu, **change), drawn(cuda, **change)) > 45
