"""The chain of clips: written in one go, or unfolded into one EMOSampler per clip that the host runs and caches."""

import contextlib
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import comfy.model_management as mm
import torch
from comfy.cli_args import args
from comfy_api.latest import InputImpl, io
from comfy_execution.graph_utils import ExecutionBlocker, GraphBuilder, is_link
from torch import Tensor

import nodes  # The host's registry.

from ...emo_core.audio.features import frame_count
from ...emo_core.audio.voice import Voice
from ...emo_core.emo.sampling.clips import Clip, MotionFrames
from ...emo_core.errors import InputError
from ...emo_core.media.video_writer import VideoWriter
from ..host.memory import check_room
from ..host.menus import MODES, chosen
from .folders import temporary_folder
from .generation import Scene
from .portrait import to_uint8
from .progress import StepProgress, frame_progress

OWN = ("vae", "seconds", "mode", "return_frames")
"""The chainer's inputs that EMOSampler has not."""
SINGLE = 64
"""Clips with a node of their own, at the beginning of a video."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A video to be made: some of its clips may be there already."""

    scene: Scene
    vae: Any
    voice: Voice
    seconds: float
    """0: as long as the sound."""

    def __post_init__(self) -> None:
        """Find a VAE that cannot decode the clips before they are made.

        Raises:
            InputError: for such a one.
        """
        model, given = self.scene.model, getattr(self.vae, "latent_channels", None)
        if given not in (None, model.config.vae.channels):
            raise InputError(
                f"vae: it decodes latents of {given} channels; {model.name}'s have {model.config.vae.channels}; wire the VAE that "
                "comes with the checkpoint"
            )

    @property
    def frames(self) -> int:
        """Length of the video."""
        whole = self.scene.subject.audio.frames
        return min(whole, frame_count(self.seconds, self.voice.fps)) if self.seconds else whole

    def check_room(self) -> None:
        """Find that all frames cannot be kept before the first is made.

        Raises:
            InputError: where there is no room for them.
        """
        side, seconds = self.scene.model.config.image_size, self.frames / self.voice.fps
        check_room(
            self.frames,
            (side, side),
            lambda share: f"turn return_frames off, or set seconds to {seconds * share:.1f} at most",
        )

    @property
    def done(self) -> tuple[Tensor, ...]:
        """Frames of the clips that came with the motion frames.

        Raises:
            InputError: where they do not begin the video.
        """
        start = self.scene.start
        if start is None or not start.clips:
            return ()
        if start.first:
            raise InputError(
                f"motion frames: they hold clips {start.first} .. {start.next - 1}; a video needs them from clip 0 on; chain "
                "the samplers from the first one"
            )
        planned = [clip.stop - clip.start for clip in self.scene.clips]
        if [len(latents) for latents in start.clips] != planned[: len(start.clips)]:
            raise InputError("motion frames: they were made for another sound; wire the same emo_audio to all samplers")
        return start.clips

    @property
    def missing(self) -> list[Clip]:
        """Clips still to be generated."""
        return [clip for clip in self.scene.clips[len(self.done) :] if clip.start < self.frames]

    def write(self, *, keep_frames: bool) -> tuple[Path, Tensor | None]:
        """Generate what is missing and stream everything into an mp4; nothing is left of a cancelled one.

        Returns:
            The file, and the frames (F, H, W, 3) if they are to be kept.
        """
        pieces = self._decoded()
        first = next(pieces)
        height, width = first.shape[1:3]
        kept = torch.empty(self.frames, height, width, 3) if keep_frames else None
        path, track, done = temporary_folder() / f"emo_{uuid4().hex}.mp4", self.voice.track, 0
        seconds = min(self.frames / self.voice.fps, track.seconds) if track and self.seconds else None
        marks = {
            "checkpoint": self.scene.model.name,
            "seed": self.scene.settings.seed,
            "steps": self.scene.settings.steps,
        }
        # The bar belongs to the denoising steps, where there are any.
        report = (lambda count: None) if self.missing else frame_progress(self.frames)
        writer = VideoWriter(
            path, fps=self.voice.fps, size=(width, height), sound=track, seconds=seconds, settings=marks
        )
        with writer:
            piece: Tensor | None = first
            while piece is not None:
                piece = piece[: self.frames - done]
                for frame in to_uint8(piece):
                    writer.write(frame)
                if kept is not None:
                    kept[done : done + len(piece)] = piece
                done += len(piece)
                report(done)
                piece = next(pieces, None)
        return path, kept

    def _decoded(self) -> Iterator[Tensor]:
        """Clip by clip: (frames, H, W, 3) in [0, 1]."""
        for latents in self._latents():
            mm.throw_exception_if_processing_interrupted()
            yield self.vae.decode(latents)

    def _latents(self) -> Iterator[Tensor]:
        per_clip = self.scene.model.config.temporal.frames
        yield from (latents for index, latents in enumerate(self.done) if index * per_clip < self.frames)
        missing, motion = self.missing, self.scene.start
        report = StepProgress(self.scene.model, len(missing) * self.scene.settings.steps)
        for clip in missing:
            after = self.scene.run(clip, motion, report)
            yield after.clips[-1]
            # Only what the next clip looks back at is carried on: memory stays flat.
            motion = MotionFrames(after.latents, after.next)


def should_expand(mode: str, chain: Chain, hidden: Any) -> bool:
    """Whether the host is to run the clips.

    Without its cache there is nothing to gain (and hosts before 0.3.66 fail). Of a list it runs this node once per item, but
    the links that a subgraph is made of stand for the whole list: then the clips are made here.
    """
    if chosen("mode", mode, MODES) == "loop" or not chain.missing or args.cache_none:
        return False
    return not _from_a_list(hidden.dynprompt, hidden.unique_id)


def _from_a_list(dynprompt: Any, key: str) -> bool:
    """Whether any node before this one gives lists."""
    waiting, seen = [key], {key}
    while waiting:
        for value in dynprompt.get_node(waiting.pop())["inputs"].values():
            if not is_link(value) or value[0] in seen:
                continue
            seen.add(value[0])
            waiting.append(value[0])
            kind = nodes.NODE_CLASS_MAPPINGS.get(dynprompt.get_node(value[0])["class_type"])
            if kind is not None and any(getattr(kind, "OUTPUT_IS_LIST", None) or ()):
                return True
    return False


def expanded(chain: Chain, inputs: Mapping[str, Any]) -> io.NodeOutput:
    """EMOSamplers for the missing clips, then the chainer again, which finds all clips done and writes them.

    The nodes are given the links that this one was given, never the values: so their cache keys are the same when the same
    graph is queued again, and clips that are done are not made twice.

    Args:
        chain: what is to be made.
        inputs: the node's inputs as they stand in the prompt.
    """
    graph = GraphBuilder()
    shared = {name: value for name, value in inputs.items() if name not in OWN and value is not None}
    for first, count in rows([clip.index for clip in chain.missing]):
        sampler = graph.node("EMOSampler", **{**shared, "clip_index": first, "clips": count})
        shared["motion_frames"] = sampler.out(1)
    own = {name: value for name, value in inputs.items() if name in OWN}
    last = graph.node("MotionFrameChainer", **{**shared, **own, "mode": "loop"})
    return io.NodeOutput(last.out(0), last.out(1), expand=graph.finalize())


def rows(indices: list[int]) -> Iterator[tuple[int, int]]:
    """Which clips share a node: first index and number.

    Every node costs the host time and memory that grow with all nodes before it. So the first `SINGLE` clips have a node
    each, the next nodes four clips, then sixteen, and so on. Where a row begins depends on the clip's index alone: the same
    clips share a node in a longer video.
    """
    begin, end, size, base = 0, SINGLE, 1, 0
    while begin < len(indices):
        index = indices[begin]
        while index >= end:
            base, size = end, size * 4
            end = base + size * SINGLE // 2
        count = min(size - (index - base) % size, len(indices) - begin)
        yield index, count
        begin += count


def temporary_video(path: Path) -> Any:
    """The file as VIDEO; it is deleted with it, when the host's cache lets go."""
    video = InputImpl.VideoFromFile(str(path))
    weakref.finalize(video, _delete, path)
    return video


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):  # On Windows it may be open in a player; the host empties the folder later.
        path.unlink()


def frames_or_blocker(frames: Tensor | None) -> Tensor | ExecutionBlocker:
    """Stops what is wired to the frames while they are not kept, with a reason."""
    return (
        ExecutionBlocker("turn on return_frames of Motion Frame Chainer to use its frames")
        if frames is None
        else frames
    )
