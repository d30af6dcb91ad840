"""Cancel, queue again, and many cycles of both, on a real server."""

import asyncio
import json
import time

import aiohttp
import numpy as np
import pytest

from tests.host.conftest import messages, videos, workflow
from tests.host.test_server import pictures

pytestmark = pytest.mark.host
SIX_CLIPS = {"duration": 2.88, "steps": 4, "mode": "expanded"}
CYCLES = 50


async def watched(host, prompt, stop_at=None):
    """Queue a prompt, and press Cancel when the given clip makes its second step.

    Returns:
        The history entry; how many steps each expanded sampler made, in order; steps seen after Cancel; seconds.
    """
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{host.url}/ws?clientId=watch") as socket:
        prompt_id, start = host.queue(prompt, client="watch"), time.monotonic()
        steps, total, cancelled, late = {}, None, False, 0
        async for message in socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            data = event.get("data") or {}
            if data.get("prompt_id") != prompt_id:
                continue
            total = total or data.get("max")
            if event["type"] == "progress" and data["max"] == total:  # The bar of the chainer counts frames.
                steps[data["node"]] = steps.get(data["node"], 0) + 1
                late += cancelled
                if stop_at and len(steps) == stop_at and steps[data["node"]] == 2 and not cancelled:
                    host.cancel()
                    cancelled = True
            if event["type"] in ("execution_success", "execution_error", "execution_interrupted"):
                break
        return host.wait(prompt_id), list(steps.values()), late, time.monotonic() - start


def test_finished_clips_are_reused_after_cancel(host):
    """Stopped in clip 3 of 6, queued again: clips 1 and 2 come from the cache, and the video is the same."""
    reference = host.run(workflow("talk", seed=11, **{**SIX_CLIPS, "mode": "loop"}))
    prompt = workflow("talk", seed=11, **SIX_CLIPS)
    entry, steps, late, _ = asyncio.run(watched(host, prompt, stop_at=3))
    assert "execution_interrupted" in messages(entry)
    assert steps[:2] == [4, 4]
    assert len(steps) == 3
    assert late <= 1  # The step that was running.
    again, steps, _, rest = asyncio.run(watched(host, prompt))
    assert again["status"]["status_str"] == "success"
    assert steps == [4, 4, 4, 4]  # Clips 3 to 6.
    assert {"1", "2", "3", "4", "5", "6"} <= set(messages(again)["execution_cached"]["nodes"])
    assert np.array_equal(pictures(videos(host, again)[0]), pictures(videos(host, reference)[0]))
    other, steps, _, whole = asyncio.run(watched(host, workflow("talk", seed=12, **SIX_CLIPS)))
    assert other["status"]["status_str"] == "success"
    assert len(steps) == 6
    assert rest < whole


def test_a_longer_run_generates_only_the_new_clips(host):
    prompt = workflow("long", steps=2, seconds=0.96)
    _, first, _, _ = asyncio.run(watched(host, prompt))
    longer, second, _, _ = asyncio.run(watched(host, workflow("long", steps=2, seconds=1.44)))
    assert (first, second) == ([2, 2], [2])
    assert len(pictures(videos(host, longer)[0])) == 36


def test_memory_does_not_grow_over_cancelled_runs(host):
    """Fifty times queued and cancelled: the server's resident memory grows by less than 1 %."""

    def cycle(seed):
        entry, _, _, _ = asyncio.run(watched(host, workflow("talk", seed=seed, **SIX_CLIPS), stop_at=1 + seed % 2))
        assert "execution_interrupted" in messages(entry)

    for seed in range(20):  # Allocators and caches fill first.
        cycle(100 + seed)
    before = host.memory()
    for seed in range(CYCLES):
        cycle(200 + seed)
    growth = host.memory() / before - 1
    print(f"{CYCLES} x queue and cancel: {before / 2**20:.0f} MiB, {growth:+.2%}")  # noqa: T201 -- shown by pytest -s
    assert growth < 0.01
