"""The chainer's outputs: the temporary video file, and the frames."""

import gc
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.nodes.conftest import Graph, module
from tests.nodes.test_chain import chain, frames_of, graph_of
from tests.nodes.test_nodes import problem


def test_the_temporary_file_is_deleted_with_the_video(nodes, scene):
    video, _ = chain(nodes, scene, seconds=0.1)
    path = Path(video.get_stream_source())
    assert path.is_file()
    del video
    gc.collect()
    assert not path.exists()


@pytest.mark.parametrize("copies", [1, 2], ids=["Trim Video", "Trim Video twice"])
def test_the_temporary_file_lives_as_long_as_a_video_that_was_made_from_it(nodes, scene, copies):
    """With --cache-none the host drops the chainer's video when Trim Video has run, before Save Video reads the file."""
    video, _ = chain(nodes, scene, seconds=0.1)
    path = Path(video.get_stream_source())
    for _ in range(copies):
        video = type(video)(video.get_stream_source())  # As Trim Video does.
        gc.collect()
    assert len(frames_of(video)) > 0
    del video
    gc.collect()
    assert not path.exists()


def test_frames_are_returned_only_with_return_frames(nodes, scene):
    blocked = chain(nodes, scene, seconds=0.1, return_frames=False)[1]
    assert "turn on return_frames" in blocked.message


@pytest.mark.parametrize("mode", ["loop", "expanded"])
def test_frames_that_are_wired_but_not_returned_are_an_error_before_the_first_step(nodes, scene, mode, monkeypatch):
    """Only if the host would run the node: one that leads to no output node is left out."""
    steps = []
    module("comfy.utils").set_progress_bar_global_hook(lambda value, *_, **__: steps.append(value))
    registry = module("nodes").NODE_CLASS_MAPPINGS
    monkeypatch.setitem(registry, "SaveImage", SimpleNamespace(OUTPUT_NODE=True))
    monkeypatch.setitem(registry, "SaveVideo", SimpleNamespace(OUTPUT_NODE=True))
    graph = Graph(graph_of(scene, mode=mode, return_frames=False, seconds=0.1))
    graph.done |= {key: (scene[key],) for key in ("model", "reference", "emo_audio")} | {"vae": (scene["model"].vae,)}
    graph.prompt["save"] = {"class_type": "SaveVideo", "inputs": {"video": ["chain", 0]}}
    graph.prompt["paste"] = {"class_type": "EMOPasteBack", "inputs": {"frames": ["chain", 1]}}
    graph.prompt["picture"] = {"class_type": "SaveImage", "inputs": {"images": ["paste", 0]}}
    problem(lambda: graph.run("chain"), "return_frames: is off, but EMOPasteBack reads `frames`")
    assert steps == []
    del graph.prompt["picture"]
    assert len(frames_of(graph.value(["chain", 0]))) > 0
    assert steps


@pytest.mark.parametrize("mode", ["loop", "expanded"])
def test_frames_that_do_not_fit_into_memory_are_refused_before_the_first_step(nodes, scene, free_memory, mode):
    """31 frames of 64 x 64 take 1.5 MB. Half of that suffices for half the seconds, and for any length without return_frames."""
    steps = []
    module("comfy.utils").set_progress_bar_global_hook(lambda value, *_, **__: steps.append(value))
    free_memory(31 * 64 * 64 * 12 // 2)
    problem(
        lambda: chain(nodes, scene, mode=mode),
        r"31 frames of 64 x 64 pixels take .*; turn return_frames off, or set seconds to 0\.6 at most",
    )
    assert steps == []
    assert len(chain(nodes, scene, seconds=0.4)[1]) == 10
    chain(nodes, scene, return_frames=False)
