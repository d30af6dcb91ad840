"""The chain of clips: which are finished, which are missing, and the video that is written from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...emo_core.audio.features import frame_count
from ...emo_core.audio.voice import Voice
from ...emo_core.emo.sampling.clips import Clip, MotionFrames
from ...emo_core.errors import InputError
from ...emo_core.media.video_writer import VideoWriter
from ..host.images import to_uint8
from ..host.memory import check_room
from ..host.progress import cancellable, frame_progress
from ..host.video import new_video_path
from .generation import Scene
from .progress import StepProgress


@dataclass(frozen=True, slots=True)
class Chain:
    """A video of several clips. The motion frames may contain finished clips."""

    scene: Scene
    vae: Any
    voice: Voice
    seconds: float
    """Maximum length; 0: that of the sound."""

    def __post_init__(self) -> None:
        """Check the VAE before any clip is generated.

        Raises:
            InputError: if it decodes another number of latent channels.
        """
        model, channels = self.scene.model, getattr(self.vae, "latent_channels", None)
        if channels not in (None, model.config.vae.channels):
            raise InputError(
                f"vae: got a VAE for latents of {channels} channels; {model.name} uses {model.config.vae.channels}; wire the "
                "checkpoint's VAE"
            )

    @property
    def frames(self) -> int:
        """Number of frames of the video."""
        whole = self.scene.subject.frames
        return min(whole, frame_count(self.seconds, self.voice.fps)) if self.seconds else whole

    def check_room(self) -> None:
        """Check that all frames fit into memory, before the first is generated.

        Raises:
            InputError: if they do not fit.
        """
        side, seconds = self.scene.model.config.image_size, self.frames / self.voice.fps
        check_room(
            self.frames,
            (side, side),
            lambda share: f"turn return_frames off, or set seconds to {seconds * share:.1f} at most",
        )

    @property
    def done(self) -> tuple[Tensor, ...]:
        """Latents of the finished clips, which come with the motion frames.

        Raises:
            InputError: if they do not start at clip 0, or belong to another sound.
        """
        start = self.scene.start
        if start is None or not start.clips:
            return ()
        if start.first:
            raise InputError(
                f"motion frames: got clips {start.first} .. {start.next - 1}; a video needs all clips from 0 on; start the chain "
                "of samplers at clip 0"
            )
        planned = [clip.stop - clip.start for clip in self.scene.clips]
        if [len(latents) for latents in start.clips] != planned[: len(start.clips)]:
            raise InputError("motion frames: got clips of another sound; wire the same emo_audio to all samplers")
        return start.clips

    @property
    def missing(self) -> list[Clip]:
        """Clips still to be generated."""
        return [clip for clip in self.scene.clips[len(self.done) :] if clip.start < self.frames]

    def write(self, *, keep_frames: bool) -> tuple[Path, Tensor | None]:
        """Generate the missing clips and write all clips to an mp4. A cancelled run leaves no file.

        Returns:
            The file, and the frames (F, H, W, 3) if `keep_frames`.
        """
        pieces = self._decoded()
        first = next(pieces)
        height, width = first.shape[1:3]
        kept = torch.empty(self.frames, height, width, 3) if keep_frames else None
        path, done = new_video_path("emo"), 0
        # If clips are missing, the bar counts denoising steps instead.
        report = (lambda count: None) if self.missing else frame_progress(self.frames)
        with self._writer(path, (width, height)) as writer:
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

    def _writer(self, path: Path, size: tuple[int, int]) -> VideoWriter:
        track, model, settings = self.voice.track, self.scene.model, self.scene.settings
        seconds = min(self.frames / self.voice.fps, track.seconds) if track and self.seconds else None
        marks = {"checkpoint": model.name, "seed": settings.seed, "steps": settings.steps}
        return VideoWriter(path, fps=self.voice.fps, size=size, sound=track, seconds=seconds, settings=marks)

    def _decoded(self) -> Iterator[Tensor]:
        """Clip by clip: (frames, H, W, 3) in [0, 1]."""
        guide, first = self.scene.subject.values.get("guide"), 0
        beside = None if guide is None else getattr(self.vae, "decode_beside", None)
        for latents in cancellable(self._latents()):
            rows = slice(first, first + len(latents))
            yield self.vae.decode(latents) if beside is None else beside(latents, guide.of_frames(rows))
            first = rows.stop

    def _latents(self) -> Iterator[Tensor]:
        per_clip = self.scene.model.config.temporal.frames
        yield from (latents for index, latents in enumerate(self.done) if index * per_clip < self.frames)
        missing, motion = self.missing, self.scene.start
        report = StepProgress(self.scene.model, len(missing) * self.scene.settings.steps)
        for clip in missing:
            after = self.scene.run(clip, motion, report)
            yield after.clips[-1]
            # Only the motion frames of the next clip are kept, so that memory does not grow.
            motion = MotionFrames(after.latents, after.next)
