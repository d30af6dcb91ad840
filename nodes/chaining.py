"""The chain of clips: written in one go, or unfolded into one EMOSampler per clip that the host runs and caches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import comfy.model_management as mm
import torch
from comfy.cli_args import args
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker, GraphBuilder
from torch import Tensor

from ..emo_core.audio.features import frame_count
from ..emo_core.audio.voice import Voice
from ..emo_core.errors import InputError
from ..emo_core.sampling.clips import Clip, MotionFrames
from ..emo_core.video import VideoWriter
from .folders import temporary_video
from .generation import Scene
from .portrait import to_uint8

OWN = ("vae", "seconds", "mode", "return_frames")
"""The chainer's inputs that EMOSampler has not."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A video to be made: some of its clips may be there already."""

    scene: Scene
    vae: Any
    voice: Voice
    seconds: float
    """0: as long as the sound."""

    @property
    def frames(self) -> int:
        """Length of the video."""
        whole = self.scene.subject.audio.frames
        return min(whole, frame_count(self.seconds, self.voice.fps)) if self.seconds else whole

    @property
    def done(self) -> tuple[Tensor, ...]:
        """Frames of the clips that came with the motion frames.

        Raises:
            InputError: where they do not begin the video.
        """
        start = self.scene.start
        if start is not None and start.clips and start.first:
            raise InputError(
                f"motion frames: they hold clips {start.first} .. {start.next - 1}; a video needs them from clip 0 on; chain "
                "the samplers from the first one"
            )
        return start.clips if start is not None else ()

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
        path, track, done = temporary_video(f"emo_{uuid4().hex}.mp4"), self.voice.track, 0
        seconds = min(self.frames / self.voice.fps, track.seconds) if track and self.seconds else None
        marks = {
            "checkpoint": self.scene.model.name,
            "seed": self.scene.settings.seed,
            "steps": self.scene.settings.steps,
        }
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
                piece = next(pieces, None)
        return path, kept

    def _decoded(self) -> Iterator[Tensor]:
        """Clip by clip: (frames, H, W, 3) in [0, 1]."""
        for latents in self._latents():
            mm.throw_exception_if_processing_interrupted()
            yield self.vae.decode(latents / self.scene.scale)

    def _latents(self) -> Iterator[Tensor]:
        per_clip = self.scene.model.config.temporal.frames
        yield from (latents for index, latents in enumerate(self.done) if index * per_clip < self.frames)
        missing, motion = self.missing, self.scene.start
        report = self.scene.progress(len(missing)) if missing else None
        for clip in missing:
            after = self.scene.run(clip, motion, report)
            yield after.clips[-1]
            # Only what the next clip looks back at is carried on: memory stays flat.
            motion = MotionFrames(after.latents, after.next)


def should_expand(mode: str, chain: Chain) -> bool:
    """Whether the host is to run the clips; without its cache there is nothing to gain (and hosts before 0.3.66 fail)."""
    return bool(chain.missing) and (mode == "expanded" or (mode == "auto" and not args.cache_none))


def expanded(chain: Chain, inputs: Mapping[str, Any]) -> io.NodeOutput:
    """One EMOSampler per missing clip, then the chainer again, which finds all clips done and writes them.

    The nodes are given the links that this one was given, never the values: so their cache keys are the same when the same
    graph is queued again, and clips that are done are not made twice.

    Args:
        chain: what is to be made.
        inputs: the node's inputs as they stand in the prompt.
    """
    graph = GraphBuilder()
    shared = {name: value for name, value in inputs.items() if name not in OWN and value is not None}
    for clip in chain.missing:
        sampler = graph.node("EMOSampler", **{**shared, "clip_index": clip.index})
        shared["motion_frames"] = sampler.out(1)
    own = {name: value for name, value in inputs.items() if name in OWN}
    last = graph.node("MotionFrameChainer", **{**shared, **own, "mode": "loop"})
    return io.NodeOutput(last.out(0), last.out(1), expand=graph.finalize())


def frames_or_blocker(frames: Tensor | None) -> Tensor | ExecutionBlocker:
    """Stops what is wired to the frames while they are not kept, with a reason."""
    return (
        ExecutionBlocker("turn on return_frames of Motion Frame Chainer to use its frames")
        if frames is None
        else frames
    )
