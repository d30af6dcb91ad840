"""The chain of clips as a graph of EMOSamplers, which the host runs and caches."""

from collections.abc import Iterator, Mapping
from typing import Any

from comfy.cli_args import args
from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder

from ..host.graph import depends_on_list
from .chaining import Chain

CHAINER_INPUTS = ("vae", "seconds", "mode", "return_frames")
"""Inputs of MotionFrameChainer that EMOSampler does not have."""
FIRST_CLIPS = 8
"""Number of clips of the first node."""


def should_expand(mode: str, chain: Chain, hidden: Any) -> bool:
    """Whether the host runs the clips.

    Without the host's cache an expansion has no advantage (and fails on hosts before 0.3.66). With lists the host runs the
    chainer once per item, but the links of a subgraph stand for whole lists; so the chainer runs the clips itself.
    """
    if mode == "loop" or not chain.missing or args.cache_none:
        return False
    return not depends_on_list(hidden.dynprompt, hidden.unique_id)


def expand(chain: Chain, inputs: Mapping[str, Any]) -> io.NodeOutput:
    """Build EMOSamplers for the missing clips, followed by a chainer that writes the finished clips.

    The new nodes get the links of the chainer, never its values: so their cache keys are the same when the graph is queued
    again, and finished clips are reused.

    Args:
        chain: the video.
        inputs: the chainer's inputs as they stand in the prompt.
    """
    graph = GraphBuilder()
    shared = {name: value for name, value in inputs.items() if name not in CHAINER_INPUTS and value is not None}
    for first, count in group_clips([clip.index for clip in chain.missing]):
        sampler = graph.node("EMOSampler", **{**shared, "clip_index": first, "clips": count})
        shared["motion_frames"] = sampler.out(1)
    own = {name: value for name, value in inputs.items() if name in CHAINER_INPUTS}
    last = graph.node("MotionFrameChainer", **{**shared, **own, "mode": "loop"})
    return io.NodeOutput(last.out(0), last.out(1), expand=graph.finalize())


def group_clips(indices: list[int]) -> Iterator[tuple[int, int]]:
    """Group consecutive clips into nodes: yields the first index and the number of clips of each node.

    A node's key in the host's cache contains the keys of all nodes before it, and the host keeps the keys of cancelled runs.
    So each node makes as many clips as all nodes before it, from `FIRST_CLIPS` on. A cancelled node loses none of its
    finished clips: the model keeps them. The borders of the groups are the same in a longer video.
    """
    begin, end = 0, FIRST_CLIPS
    while begin < len(indices):
        while indices[begin] >= end:
            end *= 2
        count = min(end - indices[begin], len(indices) - begin)
        yield indices[begin], count
        begin += count
