"""Animate Portrait: a portrait wears a face motion."""

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from tests.nodes.conftest import audio, module
from tests.nodes.faces import animate, needs_points, picture, watch, waves, wired
from tests.nodes.test_nodes import problem


@pytest.fixture(scope="session")
def portrait_landmarks():
    return wired(picture())


@needs_points
def test_a_portrait_wears_a_motion(nodes):
    """Video with sound, frames, progress with pictures; the portrait moves, its surroundings stand."""
    shown = []
    module("comfy.utils").set_progress_bar_global_hook(
        lambda value, total, preview, **_: shown.append((value, total, preview))
    )
    film, frames = animate(picture(), waves(), audio=audio())
    assert frames.shape == (6, 128, 128, 3)
    assert float((frames[0] - frames[5]).abs().max()) > 0.2
    assert float((frames[0] - frames[5])[:4, :4].abs().max()) < 0.05
    with av.open(film.get_stream_source()) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate, stream.width) == (6, Fraction(25), 128)
        assert float(container.streams.audio[0].duration * container.streams.audio[0].time_base) < 0.4
        assert '"ai_generated": true' in container.metadata["comment"]
    assert [value for value, _, _ in shown] == [1, 2, 3, 4, 5, 6]
    assert shown[0][2][1].size == (128, 128)


@needs_points
def test_the_square_is_pasted_into_the_whole_picture(nodes):
    """Also with an odd side and an alpha channel; of a batch the first picture is used, as of an animated GIF."""
    whole = torch.zeros(2, 601, 700, 4)
    whole[0, 50:562, 100:612, :3] = picture()[0]
    whole[0, :, :, 3] = 1
    film, frames = animate(whole, waves(), paste_back=True)
    assert frames.shape == (6, 601, 700, 3)
    assert torch.equal(frames[5, :6], whole[0, :6, :, :3])
    assert float((frames[5] - whole[0, ..., :3]).abs().max()) > 0.2
    with av.open(film.get_stream_source()) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (700, 602)
        assert not container.streams.audio


@needs_points
def test_the_hosts_landmarks_take_the_place_of_a_detector(nodes, portrait_landmarks, no_detector):
    portrait, landmarks = picture(), portrait_landmarks
    _, frames = animate(portrait, waves(3), face_landmarks=landmarks)
    assert frames.shape == (3, 128, 128, 3)
    lying = torch.rot90(portrait, 1, (1, 2))
    turned = [
        {key: np.column_stack([m[:, 1], 512 - m[:, 0], m[:, 2:]]) for key, m in face.items()}
        for face in landmarks["frames"][0]
    ]
    _, upright = animate(lying, waves(3), face_landmarks={**landmarks, "frames": [turned]})
    assert float((upright - frames).abs().mean()) < 0.01
    flat = [[{"landmarks_xy": face["landmarks_xy"]} for face in row] for row in landmarks["frames"]]
    problem(lambda: animate(portrait, waves(3), face_landmarks={**landmarks, "frames": flat}), "without depth")
    problem(lambda: animate(portrait, waves(3), face_landmarks=landmarks, face_index=1), "face index: got 1")


def test_without_points_the_ways_out_are_named(nodes, no_detector):
    """Installing MediaPipe into the host is none of them: its wheel takes the host's numpy from 2 to 1."""
    for call in (
        lambda: animate(picture(), waves()),
        lambda: watch(nodes, images=torch.rand(4, 64, 64, 3)),
    ):
        with pytest.raises(
            Exception, match=r"478 points.*Detect Face Landmarks.*animate --model portrait.*workflow talk"
        ) as caught:
            call()
        assert "pip install" not in str(caught.value)


@needs_points
def test_cancel_stops_at_a_frame_and_leaves_no_file(nodes):
    management, folder = module("comfy.model_management"), module(".nodes.host.folders").temporary_folder()
    before = set(folder.glob("*"))
    module("comfy.utils").set_progress_bar_global_hook(
        lambda value, *_, **__: management.interrupt_current_processing() if value == 2 else None
    )
    with pytest.raises(management.InterruptProcessingException):
        animate(picture(), waves(20))
    assert set(folder.glob("*")) <= before


@needs_points
def test_frames_that_do_not_fit_are_refused_before_the_first(nodes, free_memory):
    free_memory(6 * 128 * 128 * 12 - 1)
    problem(lambda: animate(picture(), waves()), "memory: 6 frames of 128 x 128 .*; turn return_frames off, or give")
    blocked = animate(picture(), waves(), return_frames=False)[1]
    assert "turn on return_frames of Animate Portrait" in blocked.message


@needs_points
@pytest.mark.parametrize(
    ("portrait", "settings", "message"),
    [
        (torch.full((1, 200, 300, 3), 0.5), {}, "no face found in the 300 x 200 picture"),
        (torch.rand(1, 40, 40, 3), {}, "40 x 40 pixels; give one of at least 64 x 64"),
        (picture(), {"face_index": 3}, "face index: got 3; the portrait has 1"),
        (picture(), {"size": 64}, "size: got 64; expected an even number"),
        (picture(size=(70, 70)), {}, "the face is .* pixels high"),
    ],
)
def test_portraits_that_cannot_move_are_refused(nodes, portrait, settings, message):
    problem(lambda: animate(portrait, waves(), **settings), message)
