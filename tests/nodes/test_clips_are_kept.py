"""A model keeps the clips that it has finished: cancelled and longer videos go on where they stopped."""

import copy
import dataclasses
import os

import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from tests.conftest import CONFIG
from tests.nodes.conftest import audio, module, without_clips
from tests.nodes.test_chain import chain, sample

CANCELLED_STEP = 5
"""Of the whole video: the first step of the third clip."""


class Steps:
    """Counts denoising steps and the progress bar's values, and presses Cancel in one of the steps."""

    def __init__(self, stop_at=None):
        self.count, self.bar, self._stop_at = 0, [], stop_at

    def __enter__(self):
        module("comfy.utils").set_progress_bar_global_hook(lambda value, *_, **__: self.bar.append(value))
        self._hook = register_module_forward_pre_hook(self._step)
        return self

    def __exit__(self, *_):
        self._hook.remove()

    def _step(self, network, _):
        if type(network).__name__ == "Denoiser":
            self.count += 1
            if self.count == self._stop_at:
                module("comfy.model_management").interrupt_current_processing()


def store(**options):
    return module(".nodes.emo.clip_store").ClipStore("model", **options)


def key(video, clip):
    return module(".nodes.emo.clip_key").ClipKey(video, clip)


def with_folder(model, folder):
    """The model as after a start of the host with EMO_CLIP_CACHE."""
    files = module(".nodes.emo.clip_files").ClipFiles(folder)
    kept = module(".nodes.emo.clip_store").ClipStore(model.clips.identity, files)
    return dataclasses.replace(model, clips=kept)


@pytest.fixture(scope="module")
def whole(nodes, inputs):
    """All frames, generated without a stop."""
    return chain(nodes, {**inputs, "model": without_clips(inputs["model"])})[1]


def cancelled(nodes, scene):
    interrupt = module("comfy.model_management").InterruptProcessingException
    with Steps(stop_at=CANCELLED_STEP) as steps, pytest.raises(interrupt):
        chain(nodes, scene)
    assert steps.count == CANCELLED_STEP


def test_a_cancelled_video_goes_on_with_the_clip_that_was_cancelled(nodes, scene, whole):
    """8 clips of 2 steps: 2 clips are finished, 6 are not. The bar runs from the start to the end."""
    cancelled(nodes, scene)
    with Steps() as steps:
        frames = chain(nodes, scene)[1]
    assert steps.count == 12
    assert steps.bar == [2, 4, *range(5, 17)]
    assert torch.equal(frames, whole)


def test_cancel_acts_between_finished_clips(nodes, scene):
    chain(nodes, scene)
    management = module("comfy.model_management")
    management.interrupt_current_processing()
    with pytest.raises(management.InterruptProcessingException):
        sample(nodes, scene, clip_index=0)


def test_samplers_and_chainer_share_their_clips(nodes, scene, whole):
    _, motion = sample(nodes, scene, clip_index=-1, clips=3)
    with Steps() as steps:
        assert torch.equal(chain(nodes, scene, seconds=0.4)[1], whole[:10])
        sample(nodes, scene, clip_index=-1, clips=1, motion_frames=motion)
    assert steps.count == 2


def test_the_model_is_not_loaded_for_finished_clips(nodes, scene, monkeypatch):
    chain(nodes, scene)
    loaded = []
    monkeypatch.setattr(module("comfy.model_management"), "load_models_gpu", lambda models, **_: loaded.extend(models))
    sample(nodes, scene, clip_index=0)
    assert scene["model"].network not in loaded


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 6},
        {"steps": 3},
        {"scheduler": "lcm"},
        {"audio_scale": 3.0},
        {"reference_scale": 2.0},
        "reference",
        "sound",
        "mask",
        "speed",
        "film",
        "first clip",
        "precision",
    ],
    ids=str,
)
def test_another_input_makes_another_clip(nodes, scene, model, change):
    """Whatever the network reads is in the key; nothing is taken from a clip of other inputs."""
    start = {"clip_index": 0}
    latents = scene["reference"]["samples"]
    pixel = latents.clone()
    pixel[0, 0, 0, 0] += 1e-3
    other = nodes.LoadAudioWav2Vec.execute(model, 0.0, 0.0, 0.0, 1.0, audio=audio())[0]
    mask = torch.zeros(1, 16, 16)
    mask[:, 4:8] = 1
    speed = nodes.SpeedCondition.execute(model, 0.9, "")[0]
    count = CONFIG.temporal.motion_frames
    changes = {
        "reference": {"reference": {"samples": pixel}},
        "sound": {"emo_audio": other},
        "mask": {"mask": mask},
        "speed": {"emo_speed": speed},
        "film": {"film_frames": {"samples": latents.repeat(count, 1, 1, 1)}},
        "first clip": {"clip_index": 1},
        "precision": {"model": _half(model)},
    }
    sample(nodes, scene, **start)
    with Steps() as steps:
        sample(nodes, scene, **start)
        assert steps.count == 0
        sample(nodes, scene, **{**start, **(changes[change] if isinstance(change, str) else change)})
    assert steps.count in (2, 3)


def _half(model):
    """The same weights in bfloat16."""
    network = model.network.clone()
    network.model = copy.deepcopy(model.network.model).to(torch.bfloat16)
    return dataclasses.replace(model, network=network)


def test_a_changed_checkpoint_makes_other_clips(nodes, scene, checkpoint, tmp_path, monkeypatch):
    """Also after a restart, and if the file's content is the same."""
    monkeypatch.setenv("EMO_CLIP_CACHE", str(tmp_path / "clips"))
    path = tmp_path / "mine.safetensors"
    path.write_bytes(checkpoint.read_bytes())
    load = module(".nodes.emo.model").load_model
    with Steps() as steps:
        for _ in range(2):
            sample(nodes, scene, model=load(path), clip_index=0)
        assert steps.count == 2
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
        sample(nodes, scene, model=load(path), clip_index=0)
    assert steps.count == 4


def test_clips_on_disk_outlive_the_host(nodes, scene, whole, tmp_path, monkeypatch):
    folder = tmp_path / "new" / "clips"
    monkeypatch.setenv("EMO_CLIP_CACHE", str(folder))
    assert module(".nodes.emo.folders").clip_folder() == folder
    cancelled(nodes, {**scene, "model": with_folder(scene["model"], folder)})
    assert len(list(folder.iterdir())) == 2
    with Steps() as steps:
        frames = chain(nodes, {**scene, "model": with_folder(scene["model"], folder)})[1]
    assert steps.count == 12
    assert torch.equal(frames, whole)
    monkeypatch.setenv("EMO_CLIP_CACHE", "")
    assert module(".nodes.emo.folders").clip_folder() is None


def test_the_loader_gives_a_model_its_folder(nodes, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("EMO_CLIP_CACHE", str(tmp_path / "clips"))
    clips = module(".nodes.emo.model").load_model(checkpoint).clips
    clips.put(key("v", "a"), torch.ones(1))
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["a.emo-clip.safetensors"]


@pytest.mark.parametrize("damage", ["cut", "bit", "text", "empty", "other"])
def test_damaged_files_are_ignored_with_a_line_in_the_log(tmp_path, caplog, damage):
    clips = module(".nodes.emo.clip_files").ClipFiles(tmp_path)
    latents = torch.randn(3, 4, 8, 8)
    clips.write("a", latents)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    flipped = content[:-9] + bytes([content[-9] ^ 16]) + content[-8:]
    clips.write("b", latents + 1)
    foreign = (tmp_path / "b.emo-clip.safetensors").read_bytes().replace(b"emo-clip-1", b"emo-clip-0")
    path.write_bytes({"cut": content[:-100], "bit": flipped, "text": b"<html>", "empty": b"", "other": foreign}[damage])
    assert clips.read("a") is None
    assert "is not used" in caplog.text
    clips.write("a", latents)
    assert torch.equal(clips.read("a"), latents)
    assert {entry.name for entry in tmp_path.iterdir()} == {f"{name}.emo-clip.safetensors" for name in "ab"}


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    clips = module(".nodes.emo.clip_files").ClipFiles(tmp_path / "file")
    clips.write("a", torch.ones(3))
    assert "the clip is not stored" in caplog.text
    assert clips.read("a") is None


def test_the_folder_keeps_its_limit(tmp_path):
    """The files that were not used for the longest time go first; files of others stay."""
    (tmp_path / "mine.txt").write_text("a note")
    latents = torch.zeros(1000)
    clips = module(".nodes.emo.clip_files").ClipFiles(tmp_path, limit=22_000)
    for number in range(5):
        clips.write(str(number), latents + number)
        os.utime(tmp_path / f"{number}.emo-clip.safetensors", ns=(number, number))
    assert clips.read("0") is not None  # Used now.
    clips.write("5", latents)
    assert {path.stem.partition(".")[0] for path in tmp_path.iterdir()} == {"0", "3", "4", "5", "mine"}


def test_memory_keeps_the_last_videos_and_its_limit():
    latents = torch.zeros(1000)  # 4000 bytes.
    kept = store(limit=20_000)
    for video in "abcdef":
        kept.put(key(video, video), latents)
    assert [kept.get(key(video, video)) is not None for video in "abcdef"] == [False, False, True, True, True, True]
    for clip in range(9):
        kept.put(key("long", str(clip)), latents)
    assert kept.bytes == 20_000
    assert [kept.get(key("long", str(clip))) is not None for clip in range(9)] == [True] * 5 + [False] * 4
