"""`steps` 0: the checkpoint's own number, in every node and mode."""

import json

import av
import torch

from tests.nodes.conftest import module


def run(nodes, scene, mode, steps):
    """Frames, and the steps that the video's metadata name."""
    inputs = {**scene, "steps": steps}
    video, frames = nodes.MotionFrameChainer.execute(
        **inputs, vae=scene["model"].vae, seconds=0.1, mode=mode, return_frames=True
    ).args
    with av.open(video.get_stream_source()) as container:
        return frames, json.loads(container.metadata["comment"])["steps"]


def test_zero_steps_are_the_checkpoints_own_number(nodes, scene):
    own = scene["model"].config.diffusion.steps
    frames, written = run(nodes, scene, "loop", 0)
    assert written == own
    assert torch.equal(frames, run(nodes, scene, "loop", own)[0])


def test_sampler_and_progress_bar_take_zero_for_the_checkpoints_number(nodes, scene):
    own, seen = scene["model"].config.diffusion.steps, []
    module("comfy.utils").set_progress_bar_global_hook(lambda value, total, preview, **_: seen.append((value, total)))
    zero = nodes.EMOSampler.execute(clip_index=0, clips=1, **{**scene, "steps": 0})[0]["samples"]
    assert seen[0] == (1, 8 * own)
    named = nodes.EMOSampler.execute(clip_index=0, clips=1, **{**scene, "steps": own})[0]["samples"]
    assert torch.equal(zero, named)
