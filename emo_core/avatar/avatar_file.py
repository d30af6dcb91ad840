"""An avatar file: all that one person needs to speak, in one safetensors file; what it says about itself is metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import CheckpointError, InputError
from ..face.rig import load_rig
from ..fields import Between, Items, read_fields
from ..files import atomic_path, existing_file
from .person_motion import Person
from .renderer import MouthRenderer
from .stage import Stage

SUFFIX = ".avatar.safetensors"
FORMAT = "avatar-1"
FOLDER = Path("avatars")
"""Where avatars of a name are kept, in the working directory."""
AGAIN = "copy the file again, or train the avatar again"
MAX_NAME = 64
PARTS = ("person", "stage", "renderer")


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutAvatar:
    """What an avatar file says about itself. It is read from files, so every field is checked."""

    name: str
    size: Annotated[int, Between(64, 1024)]
    """Side of the square in pixels."""
    consent: Literal[True]
    """The trainer confirmed that the person agreed to the avatar."""
    made: str
    """Date of the training, ISO 8601."""
    sources: str
    """Digest of the films."""
    films: Annotated[tuple[str, ...], Items(0, 64)] = ()
    """Names of the films, the first ones of many."""
    film_seconds: Annotated[float, Between(0, 1e7)] = 0.0
    """Length of the frames that taught it."""
    minutes: Annotated[float, Between(0, 1e6)] = 0.0
    """Time for which the renderer learned."""
    notes: Annotated[tuple[str, ...], Items(0, 64)] = ()
    """Lines of the report on the films."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Avatar:
    """A person who can speak."""

    about: AboutAvatar
    person: Person
    """How they speak and move."""
    stage: Stage
    """Real frames of them."""
    renderer: MouthRenderer
    """Draws their mouth. It keeps its place in a film: `MouthRenderer.restart` begins another one."""


def save_avatar(avatar: Avatar, path: Path) -> None:
    """Write an avatar, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    tensors = {
        f"{part}.{name}": torch.from_numpy(np.array(values, order="C"))
        for part in PARTS
        for name, values in getattr(avatar, part).arrays().items()
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, {"format": FORMAT, "about": json.dumps(asdict(avatar.about))})
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"avatar: {path} cannot be written ({error}); make room or give another place; what was learned is kept, go on "
            "with --resume"
        ) from error


def load_avatar(path: Path) -> Avatar:
    """Read an avatar.

    Raises:
        InputError: if there is no file.
        CheckpointError: if it is no whole avatar file.
    """
    about, arrays = _read(path)
    parts = {
        part: {name.removeprefix(f"{part}."): values for name, values in arrays.items() if name.startswith(f"{part}.")}
        for part in PARTS
    }
    avatar = Avatar(
        about=about,
        person=Person.from_arrays(parts["person"]),
        stage=Stage.from_arrays(parts["stage"]),
        renderer=MouthRenderer.from_arrays(parts["renderer"], load_rig()),
    )
    side = avatar.stage.pictures[0].shape[0]
    if side != about.size:
        raise CheckpointError(f"avatar: {path} says {about.size} pixels and holds frames of {side}; {AGAIN}")
    return avatar


def read_about(path: Path) -> AboutAvatar:
    """What an avatar file says about itself; see `load_avatar`."""
    return _read(path, arrays=False)[0]


def avatar_path(name: str, folder: Path = FOLDER) -> Path:
    """The file of a name, or the file that `name` is.

    Raises:
        InputError: for a name that cannot be one of a file.
    """
    if name.endswith(".safetensors"):
        return Path(name)
    plain = name.removesuffix(".avatar")
    if (
        not plain
        or len(plain) > MAX_NAME
        or any(letter in '/\\:*?"<>|' or ord(letter) < 32 for letter in plain)
        or plain.startswith(".")
    ):
        raise InputError(f"name: got {name!r}; expected a plain name such as anna, or an avatar's file")
    return folder / f"{plain}{SUFFIX}"


def _read(path: Path, *, arrays: bool = True) -> tuple[AboutAvatar, Mapping[str, np.ndarray]]:
    path = existing_file(
        path, "avatar", f"a file ending in {SUFFIX}, or train it first: python -m emo_core avatar train"
    )
    try:
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise CheckpointError(f"avatar: {path} is another kind of file; give one ending in {SUFFIX}")
            values = {name: _array(stored.get_tensor(name)) for name in stored.keys()} if arrays else {}
        about = read_fields(AboutAvatar, json.loads(metadata.get("about", "")))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"avatar: {path} is no whole avatar file ({error}); {AGAIN}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"avatar: what {path} says about itself cannot be used ({error}); {AGAIN}") from error
    return about, values


def _array(tensor: torch.Tensor) -> np.ndarray:
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
