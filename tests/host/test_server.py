"""The pack in a real ComfyUI: it loads, every workflow runs, errors are reported."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import av
import numpy as np
import pytest

from emo_core.client.check import problems
from tests.conftest import ROOT
from tests.host.conftest import Host, finds_points, host_folder, host_python, knows, messages, videos, workflow
from tests.pack import without_files
from tools.portrait_graphs import GRAPHS as PORTRAIT_GRAPHS

pytestmark = pytest.mark.host
ALL_WORKFLOWS = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
WORKFLOWS = [name for name in ALL_WORKFLOWS if name != "talk-hallo"]
"""Workflows that need no download."""
PORTRAIT_WORKFLOWS = [*PORTRAIT_GRAPHS, "train-avatar"]
"""Workflows that need MediaPipe in ComfyUI's Python; the trainer also needs accelerate."""
SNAPSHOT = json.loads((ROOT / "tests" / "contract" / "nodes.json").read_text())
VIDEOS = {"batch": 4, "export-to-blender": 0}
"""Number of videos of the workflows that do not make one."""
SHORT = {"steps": 1, "duration": 0.6, "minutes": 0.1}
ADVANCED = {
    "FaceLocatorMask": {"region", "pose_weight", "face_weight", "lip_weight", "face_embedding"},
    "LoadAudioWav2Vec": {"fps", "loudness"},
    "EMOSampler": {"clip_index", "scheduler", "reference_scale"},
    "MotionFrameChainer": {"mode", "scheduler", "reference_scale"},
    "SpeechToFaceMotion": {"fps", "loudness"},
    "ExportFaceMotion": {"timecode"},
    "EMOAvatarSpeak": {"mouth", "head_amount", "brows", "blinks", "enhance"},
}
"""Widgets that newer hosts show only on request."""


def streams(path):
    """Frames, frame rate, sound's seconds, size."""
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(sound))
        container.seek(0)
        count = sum(1 for _ in container.decode(video))
        return count, float(video.average_rate), samples / sound.rate, (video.width, video.height)


def pictures(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_the_pack_loads_with_the_schemas_of_the_snapshot(host):
    """Newer hosts add fields of their own. Those that the pack fills must arrive there."""
    live = without_files(host.get("/object_info"))
    for name, expected in SNAPSHOT.items():
        entry = live[name]
        inputs = {key: spec[1] for group in entry["input"].values() for key, spec in group.items() if len(spec) > 1}
        hidden = {key for key, spec in inputs.items() if spec.pop("advanced", None)}
        assert entry == {key: entry[key] for key in set(entry) - set(expected)} | expected, name
        if "search_aliases" in entry:
            assert hidden == ADVANCED.get(name, set()), name
            assert len(entry["search_aliases"]) >= 4
        assert entry.get("has_intermediate_output") in (None, name == "FaceLocatorMask")
    text = host.log.read_text()
    assert "IMPORT FAILED" not in text
    assert "Traceback" not in text


def test_the_hosts_nodes_have_the_schemas_of_the_workflows(host):
    """A newer host may add inputs with a default, make a menu dynamic, and add outputs behind the known ones."""
    live, stored = host.get("/object_info"), json.loads((ROOT / "tests" / "contract" / "host_nodes.json").read_text())
    for name, known in stored.items():
        entry = live[name]
        for group in ("required", "optional"):
            assert set(known["input"].get(group, {})) <= inputs_of(entry), name
        added = inputs_of(entry, "required") - inputs_of(known)
        assert not [key for key in added if "default" not in entry["input"]["required"][key][1]], name
        assert entry["output"][: len(known["output"])] == known["output"], name
        assert entry["output_name"][: len(known["output_name"])] == known["output_name"], name


def inputs_of(entry, *groups):
    return {name for group in groups or ("required", "optional") for name in entry["input"].get(group, {})}


def test_help_pages_and_templates_are_served(host):
    for name in SNAPSHOT:
        with urllib.request.urlopen(f"{host.url}/extensions/ComfyUI-EMO/docs/{name}.md") as page:
            assert b"## Inputs" in page.read()
    assert set(ALL_WORKFLOWS) <= set(host.get("/workflow_templates")["ComfyUI-EMO"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_workflow_runs(host, name):
    if name in PORTRAIT_WORKFLOWS and not finds_points():
        pytest.skip("ComfyUI's Python has no mediapipe")
    assert problems(workflow(name), host.get("/object_info")) == []
    paths = videos(host, host.run(workflow(name, **SHORT)))
    assert len(paths) == VIDEOS.get(name, 1)
    for path in paths:
        frames, rate, seconds, size = streams(path)
        assert (frames, rate) == (15, 25)
        assert seconds == pytest.approx(0.6, abs=0.05)
        assert size[0] % 2 == size[1] % 2 == 0


def test_the_video_of_talk_is_as_long_as_the_sound(host):
    with av.open(str(ROOT / "assets" / "voice.wav")) as container:
        sound = float(container.streams.audio[0].duration * container.streams.audio[0].time_base)
    frames, rate, seconds, size = streams(videos(host, host.run(workflow("talk", steps=1)))[0])
    assert frames == round(sound * 25)
    assert rate == 25
    assert seconds == pytest.approx(sound, abs=0.05)  # AAC pads to whole blocks of 1024 samples.
    assert size == (256, 256)


def test_the_videos_metadata_mark_it_as_generated(host):
    path = videos(host, host.run(workflow("talk", **SHORT)))[0]
    with av.open(str(path)) as container:
        assert json.loads(container.metadata["comment"])["ai_generated"] is True
        assert "MotionFrameChainer" in container.metadata["prompt"]


def test_command_line_loop_and_expanded_graph_give_the_same_frames(host, tmp_path):
    out = tmp_path / "cli.mp4"
    command = [host_python(), "-m", "emo_core", "animate", "--portrait", "assets/portrait.png", "--audio"]
    command += [
        "assets/voice.wav",
        "--out",
        str(out),
        "--model",
        "emo-mini",
        "--steps",
        "2",
        "--max-seconds",
        "1.2",
        "--seed",
        "3",
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    expected = pictures(out)
    assert len(expected) == 30
    for mode in ("loop", "expanded"):
        host.free()  # Or the finished clips would be used again.
        path = videos(host, host.run(workflow("talk", steps=2, duration=1.2, seed=3, mode=mode)))[0]
        assert np.array_equal(pictures(path), expected), mode


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checkpoint": "gone.safetensors"}, "no checkpoint 'gone.safetensors'"),
        ({"scheduler": "plms"}, "scheduler: unknown name 'plms'"),
        ({"mode": "fast"}, "mode: unknown name 'fast'"),
        ({"detector": "dlib"}, "detector: unknown name 'dlib'"),
        ({"steps": -1}, "Value -1 smaller than min of 0"),
        ({"image": "gone.png"}, "Invalid image file"),
    ],
)
def test_bad_values_are_refused_before_anything_runs(host, change, message):
    refused(host, workflow("talk", **change), message)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("talk-any-portrait", {"model": "gone.safetensors"}, "model: unknown name 'gone.safetensors'"),
        ("talk-any-portrait", {"style": "sung"}, "style: unknown name 'sung'"),
        ("talk-any-portrait", {"size": 64}, "Value 64 smaller than min of 128"),
        ("talk-any-portrait", {"image": "gone.png"}, "Invalid image file"),
        ("drive-by-video", {"file": "gone.mp4"}, "Invalid video file"),
    ],
)
def test_bad_values_of_face_motion_are_refused_before_anything_runs(host, name, change, message):
    refused(host, workflow(name, **change), message)


def refused(host, prompt, message):
    status, answer = host.post("/prompt", {"prompt": prompt})
    errors = [error for node in answer["node_errors"].values() for error in node["errors"]]
    assert status == 400
    assert any(message in f"{error['message']} {error['details']}" for error in errors), errors


def test_errors_of_a_run_name_the_node_and_the_cause(host):
    from PIL import Image

    Image.new("RGB", (300, 200), "grey").save(host.base / "input" / "grey.png")
    faceless = host.wait(host.queue(workflow("talk", image="grey.png", **SHORT)))
    error = messages(faceless)["execution_error"]
    assert error["node_type"] == "FaceLocatorMask"
    assert error["exception_type"] == "ValueError"  # The browser shows it before the message.
    assert "no face found in the 300 x 200 picture" in error["exception_message"]
    too_late = host.wait(host.queue(workflow("talk", start=100.0, **SHORT)))
    assert "the sound lasts" in messages(too_late)["execution_error"]["exception_message"]
    blocked = messages(host.wait(host.queue(workflow("paste-back", seed=31, return_frames=False, **SHORT))))
    assert "return_frames: is off, but EMOPasteBack reads" in blocked["execution_error"]["exception_message"]


def test_free_releases_models_and_results(host):
    prompt = workflow("talk", **SHORT)
    host.run(prompt)
    assert set(messages(host.run(prompt))["execution_cached"]["nodes"]) == set(prompt)
    host.free()
    before = host.log.read_text().count("Requested to load Denoiser")
    assert messages(host.run(prompt))["execution_cached"]["nodes"] == []
    assert host.log.read_text().count("Requested to load Denoiser") == before + 1


@pytest.mark.parametrize("option", [("--cache-none",), ("--cache-lru", "20"), ("--cache-ram", "100")])
def test_videos_are_complete_with_other_caches(tmp_path, option):
    """Without a cache the chainer runs all clips itself. Trim Video reads a video that the host has dropped."""
    if not knows(option[0]):
        pytest.skip(f"this ComfyUI has no {option[0]}")
    server = Host(tmp_path, *option)
    try:
        for mode in ("auto", "expanded"):
            assert streams(videos(server, server.run(workflow("talk", mode=mode, **SHORT)))[0])[0] == 15
        assert streams(videos(server, server.run(workflow("chain-by-hand", steps=1, duration=1.2)))[0])[0] == 30
        if "Video Slice" in server.get("/object_info"):
            prompt = workflow("talk", **SHORT)
            (save,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "SaveVideo")
            trim = {"video": save["video"], "start_time": 0.2, "duration": 0.2, "strict_duration": False}
            prompt |= {"90": {"class_type": "Video Slice", "inputs": trim}}
            save["video"] = ["90", 0]
            assert streams(videos(server, server.run(prompt))[0])[0] == 5
    finally:
        server.stop()


def test_the_node_tests_pass_on_the_real_host():
    """So the fake host behaves like the real one in these tests."""
    environment = {**os.environ, "EMO_REAL_HOST": str(host_folder()), "OMP_NUM_THREADS": "1"}
    command = [host_python(), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path("tests") / "nodes")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "skipped" not in done.stdout
