"""Write an mp4 as a stream: H.264 and the original sound as AAC, marked as AI-generated."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.codec.codec import UnknownCodecError

from ..errors import InputError
from ..files import temporary_name, writable_file
from .sound_frames import resampled
from .sound_track import FileTrack, Track

AAC_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
"""Sample rates of AAC in Hz. Sound of any other rate is resampled to the first."""
QUALITY = {"crf": "18", "preset": "medium"}
"""x264: visually lossless at a moderate size."""
AUDIO_BITRATE = 160_000
MAX_SIDE = 16_384
"""libx264's limit in pixels."""
BT709, LIMITED = 1, 1
"""H.273 numbers: colours of HD video, 16 .. 235."""


def generated_mark(settings: Mapping[str, Any]) -> str:
    """What the metadata of generated videos and pictures say: that they are AI-generated, and by which settings."""
    return json.dumps({"ai_generated": True, "generator": "ComfyUI-EMO", **settings})


def check_output(path: Path) -> None:
    """Test that a video can be written, before any work is done for it.

    Raises:
        InputError: if it cannot be written.
    """
    if path.suffix.lower() != ".mp4":
        raise InputError(f"out: got {path}; expected a name ending in .mp4")
    writable_file(path, "out")


class VideoWriter:
    """A context manager that writes frames one by one.

    The file gets its name once it is complete. An error or Ctrl-C leaves no file.

        with VideoWriter(out, fps=25, size=(256, 256), sound=voice) as writer:
            for frame in frames:
                writer.write(frame)
    """

    def __init__(
        self,
        path: Path,
        *,
        fps: float,
        size: tuple[int, int],
        sound: Path | Track | None = None,
        seconds: float | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        """Prepare to write; the file is opened on entering.

        Args:
            path: the .mp4.
            fps: frames per second.
            size: width and height of the frames. H.264 needs even ones, so an odd size gets one more column or row.
            sound: a file whose sound is added, or a track.
            seconds: length of the sound; None for all of it.
            settings: written to the metadata, beside the mark that the video is AI-generated.
        """
        self.path = Path(path)
        self._temporary = temporary_name(self.path)
        self._fps = Fraction(fps).limit_denominator(1001)
        self._size = size
        self._sound = FileTrack(sound) if isinstance(sound, Path) else sound
        self._seconds = seconds
        self._mark = generated_mark(settings or {})
        self._frames = 0

    def __enter__(self) -> "VideoWriter":
        check_output(self.path)
        if max(self._size) > MAX_SIDE:
            raise InputError(
                f"out: {self._size[0]} x {self._size[1]} pixels; H.264 takes {MAX_SIDE} at most; use a smaller portrait"
            )
        with contextlib.ExitStack() as undo, self._as_input_errors():
            undo.callback(self._temporary.unlink, missing_ok=True)
            options = {"movflags": "use_metadata_tags+faststart"}
            self._container = av.open(str(self._temporary.absolute()), "w", format="mp4", options=options)
            undo.callback(self._abandon)
            self._add_streams()
            undo.pop_all()
        return self

    def _add_streams(self) -> None:
        self._container.metadata.update(title="AI-generated video", comment=self._mark)
        self._video = self._container.add_stream("libx264", rate=self._fps, options=QUALITY)
        self._video.width, self._video.height = (side + side % 2 for side in self._size)
        self._video.pix_fmt = "yuv420p"
        # HD players assume BT.709; without the tag colours would shift.
        context = self._video.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = (
            BT709,
            BT709,
            BT709,
            LIMITED,
        )
        self._audio = self._packets()
        self._pending = next(self._audio, None)

    def write(self, picture: np.ndarray) -> None:
        """Add a frame (H, W, 3) uint8 RGB, and the sound up to its end."""
        odd = [side % 2 for side in picture.shape[:2]]
        if any(odd):
            picture = np.pad(picture, [*((0, more) for more in odd), (0, 0)], mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.colorspace, frame.color_range = BT709, LIMITED
        frame.pts, frame.time_base = self._frames, 1 / self._fps
        with self._as_input_errors():
            self._container.mux(self._video.encode(frame))
            self._frames += 1
            self._write_sound(until=self._frames / self._fps)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
            else:
                self._abandon()
        finally:
            self._audio.close()
            self._temporary.unlink(missing_ok=True)

    def _abandon(self) -> None:
        """Close a file that is thrown away. Its own errors are ignored, so that the user sees the first error."""
        with contextlib.suppress(OSError, av.FFmpegError):
            self._container.close()

    def _finish(self) -> None:
        with self._as_input_errors():
            self._container.mux(self._video.encode(None))
            self._write_sound(until=None)
            self._container.close()
            os.replace(self._temporary, self.path)

    @contextlib.contextmanager
    def _as_input_errors(self) -> Iterator[None]:
        """Turn errors of the encoder and the disk into errors for the user."""
        try:
            yield
        except UnknownCodecError as failure:
            raise InputError(
                f"out: this PyAV ({av.__version__}) is built without the encoder {failure}; install the one from PyPI: "
                "pip install --force-reinstall av"
            ) from failure
        except (OSError, av.FFmpegError) as failure:
            raise InputError(
                f"out: cannot write {self.path} ({failure}); is the disk full, or the file open in a player?"
            ) from failure

    def _write_sound(self, until: Fraction | None) -> None:
        while self._pending is not None and (until is None or self._pending.pts * self._pending.time_base <= until):
            self._container.mux(self._pending)
            self._pending = next(self._audio, None)

    def _packets(self) -> Iterator[av.Packet]:
        """Resample, cut and encode the sound as a stream."""
        if self._sound is None:
            return
        rate = self._sound.rate if self._sound.rate in AAC_RATES else AAC_RATES[0]
        layout = "mono" if self._sound.channels == 1 else "stereo"
        stream = self._container.add_stream("aac", rate=rate, layout=layout)
        stream.bit_rate = AUDIO_BITRATE
        left = None if self._seconds is None else round(self._seconds * rate)
        written = 0
        with contextlib.closing(self._sound.frames()) as frames:
            for samples in resampled(frames, layout, rate):
                if left is not None:
                    samples = samples[:, : left - written]
                if not samples.shape[1]:
                    break
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
                frame.rate, frame.pts, frame.time_base = rate, written, Fraction(1, rate)
                written += samples.shape[1]
                yield from stream.encode(frame)
        yield from stream.encode(None)
