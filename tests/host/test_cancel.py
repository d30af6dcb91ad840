"""Cancel, queue again, and many cycles of both, on a real server."""

import asyncio
import json
import time
from dataclasses import dataclass

import aiohttp
import av
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.host.conftest import Host, knows, messages, videos, workflow
from tests.host.test_server import pictures

pytestmark = pytest.mark.host
STEPS, CLIPS = 2, 6
SIX_CLIPS = {"duration": 2.88, "steps": STEPS, "mode": "expanded"}
ALL = list(range(CLIPS))
CYCLES = 50
CACHES = {
    "default": (),
    "ram": ("--cache-ram", "100"),
    "classic": ("--cache-classic",),
    "lru": ("--cache-lru", "5"),
    "none": ("--cache-none",),
}
"""Options by the name of the cache. With 100 GB of headroom, --cache-ram drops all that it can."""


@dataclass(frozen=True)
class Run:
    """A prompt that has ended."""

    entry: dict
    """Its history."""
    clips: list[int]
    """The clips that were generated in this run."""
    late: int
    """Steps that were made after Cancel."""
    seconds: float


async def watched(host, prompt, *, clips=CLIPS, steps=STEPS, stop_at=None):
    """Queue a prompt, and press Cancel when clip `stop_at` makes its first step.

    The progress bar counts the steps of all `clips`. It jumps over a clip that is finished already.
    """
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{host.url}/ws?clientId=watch") as socket:
        prompt_id, start = host.queue(prompt, client="watch"), time.monotonic()
        made, cancelled, late = set(), False, 0
        async for message in socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            data = event.get("data") or {}
            if data.get("prompt_id") != prompt_id:
                continue
            if event["type"] == "progress" and data["max"] == clips * steps:  # Another bar counts frames.
                late += cancelled
                clip, step = divmod(data["value"], steps)
                made |= {clip} if step else set()
                if clip == stop_at and step == 1 and not cancelled:
                    host.cancel()
                    cancelled = True
            if event["type"] in ("execution_success", "execution_error", "execution_interrupted"):
                break
        return Run(host.wait(prompt_id), sorted(made), late, time.monotonic() - start)


def run(host, prompt, **options):
    done = asyncio.run(watched(host, prompt, **options))
    expected = "error" if "stop_at" in options else "success"
    assert done.entry["status"]["status_str"] == expected, messages(done.entry)
    assert ("execution_interrupted" in messages(done.entry)) == ("stop_at" in options)
    return done


def with_another_node(prompt):
    """The prompt with a Preview Image, which runs before the chainer."""
    (portrait,) = (key for key, node in prompt.items() if node["class_type"] == "LoadImage")
    return {**prompt, "99": {"class_type": "PreviewImage", "inputs": {"images": [portrait, 0]}}}


@pytest.mark.parametrize("cache", CACHES)
def test_finished_clips_are_reused_after_cancel(tmp_path, cache):
    """Stopped in clip 3 of 6, queued again, also with another node: clips 1 and 2 are not made again."""
    options = CACHES[cache]
    if options and not knows(options[0]):
        pytest.skip(f"this ComfyUI has no {options[0]}")
    server = Host(tmp_path, *options)
    try:
        for seed, change in ((11, lambda prompt: prompt), (12, with_another_node)):
            prompt = workflow("talk", seed=seed, **SIX_CLIPS)
            stopped = run(server, prompt, stop_at=2)
            assert stopped.clips == [0, 1, 2]
            assert stopped.late <= 1  # The step that was running.
            again = run(server, change(prompt))
            # Without any cache the model is dropped too, with its clips.
            assert again.clips == (ALL if cache == "none" else [2, 3, 4, 5])
            assert len(pictures(videos(server, again.entry)[0])) == 72
    finally:
        server.stop()


@pytest.mark.parametrize("cache", ["default", "classic", "none"])
def test_clips_in_a_folder_outlive_the_server(tmp_path, cache):
    """Also with --cache-none. A changed portrait makes other clips."""
    if CACHES[cache] and not knows(CACHES[cache][0]):
        pytest.skip(f"this ComfyUI has no {CACHES[cache][0]}")
    prompt, folder = workflow("talk", seed=13, **SIX_CLIPS), {"EMO_CLIP_CACHE": str(tmp_path / "clips")}
    server = Host(tmp_path / "one", *CACHES[cache], **folder)
    try:
        assert run(server, prompt, stop_at=2).clips == [0, 1, 2]
    finally:
        server.stop()
    server = Host(tmp_path / "two", *CACHES[cache], **folder)
    try:
        assert run(server, with_another_node(prompt)).clips == [2, 3, 4, 5]
        darker = next(node["inputs"]["image"] for node in prompt.values() if node["class_type"] == "LoadImage")
        darken(server.base / "input" / darker)
        assert run(server, prompt).clips == ALL
    finally:
        server.stop()


def darken(path):
    from PIL import Image

    Image.open(path).point(lambda value: value * 0.9).save(path)


def test_the_resumed_video_is_the_same(host):
    reference = host.run(workflow("talk", seed=11, **{**SIX_CLIPS, "mode": "loop"}))
    prompt = workflow("talk", seed=21, **SIX_CLIPS)
    run(host, prompt, stop_at=2)
    again = run(host, prompt)
    assert again.clips == [2, 3, 4, 5]
    host.free()
    whole = run(host, workflow("talk", seed=21, **{**SIX_CLIPS, "mode": "loop"}))
    assert whole.clips == ALL
    frames = pictures(videos(host, again.entry)[0])
    assert np.array_equal(frames, pictures(videos(host, whole.entry)[0]))
    assert not np.array_equal(frames, pictures(videos(host, reference)[0]))
    assert again.seconds < whole.seconds


def test_a_longer_run_generates_only_the_new_clips(host):
    """Also if the first one was made in the other mode. In mode expanded the bar counts the clips of the whole sound."""
    with av.open(str(ROOT / "assets" / "voice.wav")) as container:
        sound = container.streams.audio[0]
        every = -(-round(float(sound.duration * sound.time_base) * 25) // 12)
    first = run(host, workflow("long", steps=2, seconds=0.96, mode="loop"), clips=2, steps=2)
    assert first.clips == [0, 1]
    longer = run(host, workflow("long", steps=2, seconds=1.44), clips=every, steps=2)
    assert longer.clips == [2]
    assert len(pictures(videos(host, longer.entry)[0])) == 36


def test_memory_does_not_grow_over_cancelled_runs(host):
    """Fifty times queued and cancelled: the server's resident memory grows by less than 1 %."""

    def cycle(seed):
        run(host, workflow("talk", seed=seed, **SIX_CLIPS), stop_at=seed % 2)

    for seed in range(20):  # Allocators and caches fill first.
        cycle(100 + seed)
    before = host.memory()
    for seed in range(CYCLES):
        cycle(200 + seed)
    growth = host.memory() / before - 1
    print(f"{CYCLES} x queue and cancel: {before / 2**20:.0f} MiB, {growth:+.2%}")  # noqa: T201 -- shown by pytest -s
    assert growth < 0.01
