"""The dataset on disk: WebDataset shards of clips, and their description in `dataset.json`.

A clip has four members in a tar, or six if latents and features are cached:

    KEY.mp4      the square picture, without sound        KEY.latents.npy   (F, C, h, w) float16, scaled for the Backbone
    KEY.flac     16 kHz mono                              KEY.features.npy  (V, F, L, D) float16, wav2vec at the frame rate, of V versions of the sound
    KEY.npz      labels
    KEY.json     source file and place in it

This module opens all files itself: WebDataset takes a colon in a path for a protocol.
"""

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import webdataset
from av.video.reformatter import VideoReformatter

from ..errors import InputError
from ..files import atomic_path, write_json
from ..media.sound import SAMPLE_RATE
from .labels import Labels
from .tar_index import places

INDEX = "dataset.json"
FORMAT = "emo-dataset-1"
CACHE_MARK = "cache.txt"
"""This file marks the folder of a cache, finished or not."""
TRAIN, HELD_OUT = "train", "held-out"
QUALITY = {"crf": "10", "preset": "veryfast"}
"""x264: no visible loss."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One tar file."""

    name: str
    split: str
    """`train` or `held-out`."""
    clips: int
    frames: int
    sources: tuple[str, ...]
    """Keys of the source videos whose clips it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A folder of shards; `dataset.json` is this."""

    folder: Path
    fps: float
    size: int
    """Side of the square pictures."""
    expand: float
    """Side of the square over the longer side of the union of the face boxes, if the picture was large enough."""
    shards: tuple[Shard, ...] = ()
    face_share: float = 0.5
    """Median height of the face box over the side of the picture."""
    face_centre: tuple[float, float] = (0.5, 0.5)
    """Median centre of the face box, as shares of the side."""
    shortest: int = 0
    """Frames of the shortest clip."""
    speed_quantiles: tuple[float, ...] = ()
    """Head speed in degrees per frame, at 0, 5, ... 100 % of all frames."""
    emotions: tuple[str, ...] = ()
    """Emotions besides neutral that the training clips are labelled with."""
    cache: str = ""
    """Name of the autoencoder and audio encoder of the cached latents and features; empty if nothing is cached."""

    @property
    def fastest(self) -> float:
        """Degrees per frame that 95 % of the frames do not exceed."""
        return self.speed_quantiles[-2]

    def split(self, name: str) -> tuple[Shard, ...]:
        """The shards of `train` or `held-out`."""
        return tuple(shard for shard in self.shards if shard.split == name)

    def clips(self, name: str) -> int:
        """Clips in a split."""
        return sum(shard.clips for shard in self.split(name))

    def save(self) -> None:
        """Write `dataset.json`. A failed write leaves the old file."""
        content = {"format": FORMAT, **asdict(self)}
        del content["folder"]
        write_json(self.folder / INDEX, content)

    @classmethod
    def open(cls, folder: Path) -> "Dataset":
        """Read a dataset.

        Raises:
            InputError: if there is none, or shards are missing.
        """
        file = Path(folder) / INDEX
        if not file.is_file():
            raise InputError(f"data: no {INDEX} in {folder}; make a dataset with `python -m emo_core prepare`")
        try:
            content = json.loads(file.read_text())
            if content.pop("format", None) != FORMAT:
                raise ValueError(f"it is not of format {FORMAT}")
            shards = tuple(Shard(**{**shard, "sources": tuple(shard["sources"])}) for shard in content.pop("shards"))
            tuples = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
            dataset = cls(folder=Path(folder), shards=shards, **{**content, **tuples})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"data: {file} cannot be read ({error}); prepare the dataset again") from error
        missing = [shard.name for shard in dataset.shards if not (dataset.folder / shard.name).is_file()]
        if missing:
            raise InputError(
                f"data: {folder} lacks {len(missing)} of its shards ({missing[0]} ...); copy the whole folder"
            )
        return dataset

    def with_shards(self, shards: list[Shard]) -> "Dataset":
        """The same with more shards."""
        return replace(self, shards=(*self.shards, *shards))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip; its video and sound are decoded on request."""

    key: str
    """Source key and place in it."""
    labels: Labels
    about: dict[str, Any]
    """`source`: key of the source video, `file`: its name, `start`: seconds, `fps`, `square`: left, top and side in its pixels."""
    video: bytes
    flac: bytes
    latents: np.ndarray | None = None
    features: np.ndarray | None = None

    @property
    def frames(self) -> int:
        """F."""
        return len(self.labels)

    @property
    def speaker(self) -> str:
        """The source video."""
        return self.about["source"]

    def pictures(self) -> np.ndarray:
        """(F, S, S, 3) uint8."""
        colours = VideoReformatter()
        with av.open(io.BytesIO(self.video)) as container:
            frames = [colours.reformat(frame, format="rgb24").to_ndarray() for frame in container.decode(video=0)]
        return np.stack(frames)

    def sound(self) -> np.ndarray:
        """(S,) float32 at 16 kHz, at the source's own level."""
        return soundfile.read(io.BytesIO(self.flac), dtype="float32")[0]

    def members(self) -> dict[str, Any]:
        """The clip as WebDataset's writer takes it."""
        cached = {"latents.npy": self.latents, "features.npy": self.features}
        return {
            "__key__": self.key,
            "mp4": self.video,
            "flac": self.flac,
            "npz": self.labels.to_bytes(),
            "json": json.dumps(self.about).encode(),
            **{name: _npy(array) for name, array in cached.items() if array is not None},
        }

    @classmethod
    def of_members(cls, members: dict[str, Any]) -> "Clip":
        """Read the members that `read_members` gives.

        Raises:
            InputError: if a member is missing or broken.
        """
        try:
            arrays = {
                name: _array(members[f"{name}.npy"]) for name in ("latents", "features") if f"{name}.npy" in members
            }
            return cls(
                key=members["__key__"],
                labels=Labels.from_bytes(members["npz"]),
                about=json.loads(members["json"]),
                video=members["mp4"],
                flac=members["flac"],
                **arrays,
            )
        except (KeyError, ValueError, OSError) as error:
            raise InputError(
                f"data: clip {members.get('__key__')} in {members.get('__url__')} is broken ({error!r}); prepare it again"
            ) from error


def encode_video(pictures: Iterable[np.ndarray], fps: float) -> bytes:
    """Pictures (S, S, 3) uint8 to an mp4 without sound; S even.

    Raises:
        ValueError: if there are no pictures.
    """
    pictures = iter(pictures)
    first = next(pictures, None)
    if first is None:
        raise ValueError("a video needs at least one picture")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=QUALITY)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in chain([first], pictures):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def encode_sound(waveform: np.ndarray) -> bytes:
    """(S,) float32 at 16 kHz to FLAC."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(waveform, -1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def write_clips(path: Path, clips: Iterable[Clip]) -> None:
    """Write a tar of clips. A failed write leaves no file."""
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        webdataset.TarWriter(file, mtime=0) as writer,
    ):
        for clip in clips:
            writer.write(clip.members())


def read_members(tar: Path, clips: int | None = None) -> Iterator[dict[str, Any]]:
    """Stream the undecoded clips of a tar, in order.

    Args:
        tar: a shard, or clips that are not packed yet.
        clips: expected number of clips, if known.

    Raises:
        InputError: if it is damaged.
    """
    return (place.read() for place in places(tar, clips))


def read_clips(dataset: Dataset, split: str) -> Iterator[Clip]:
    """Stream the clips of a split, in order.

    Raises:
        InputError: if a shard is damaged.
    """
    for shard in dataset.split(split):
        for members in read_members(dataset.folder / shard.name, shard.clips):
            yield Clip.of_members(members)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)
