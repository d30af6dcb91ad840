"""Make an avatar from films of one person: track, learn speech and motion, train the renderer, write one file."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..emote.weights import load_emote
from ..errors import InputError
from ..face.detect import FaceDetector
from ..face.rig import load_rig
from .avatar_file import AboutAvatar, Avatar, load_avatar, read_about, save_avatar
from .matting import person_masks
from .person_motion import learn_person
from .render_training import train_renderer
from .renderer import MouthRenderer
from .sound_codes import sound_codes
from .stage import Stage, choose_stage
from .work import WorkFolder, digest_of

SIZES = (256, 512)
"""Sides of squares in pixels that the mouth's network is made for."""
ENOUGH = 0.98
"""Share of the asked time for which an avatar must have learned not to be trained again."""
MINUTES = 20.0
"""Time for which the renderer learns by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """A training."""

    sources: tuple[Path, ...]
    """Films, or folders of films, of one person."""
    out: Path
    """The avatar's file."""
    name: str
    minutes: float = MINUTES
    """Time for which the renderer learns, those of earlier trainings of the same films included."""
    size: int = 256
    """Side of the square in pixels."""
    consent: bool = False
    """Whether the trainer confirms that the person agreed."""
    resume: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for a training that cannot be."""
        if not self.consent:
            raise InputError(
                "consent: an avatar lets its maker put words into a person's mouth; train one only of a person who agreed to it, "
                "and confirm that with --i-have-consent"
            )
        if not self.sources:
            raise InputError("video: got no film; give one film of the person, or a folder of films")
        if self.size not in SIZES:
            raise InputError(f"size: got {self.size}; expected {' or '.join(map(str, SIZES))} pixels")
        if not 0 < self.minutes <= 100_000:
            raise InputError(f"minutes: got {self.minutes:g}; expected more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told of a training's progress. Each may raise `errors.Cancelled`."""

    line: Callable[[str], None] = lambda line: None
    """Gets lines of text: the report on the films."""
    progress: Callable[[str, float], None] = lambda part, share: None
    """Gets the part of the work and its finished share, 0 .. 1."""
    preview: Callable[[np.ndarray], None] = lambda picture: None
    """Gets a sheet (H, W, 3) uint8 of true and drawn mouths from time to time."""


def train_avatar(request: TrainRequest, detector: Callable[[], FaceDetector], watch: Watch) -> Avatar:
    """Train an avatar, and write its file.

    A training that stops early keeps what it learned beside the file; `resume` goes on from there.

    Args:
        request: what to train.
        detector: makes one that gives landmarks; not called if the films are tracked.
        watch: is told.

    Raises:
        InputError: if the films or the place cannot be used, or the name belongs to another person's films.
        Cancelled: by Ctrl-C or a callback; everything up to the last checkpoint is kept.
    """
    digest = digest_of(request.sources)
    check_unclaimed(request.out, digest)
    return _trained(request, digest, detector, watch)


def _trained(request: TrainRequest, digest: str, detector: Callable[[], FaceDetector], watch: Watch) -> Avatar:
    """`train_avatar` of films whose digest is known."""
    work = WorkFolder.beside(request.out)
    rig = load_rig()
    emote = load_emote(rig=rig)
    track, notes = work.tracked(
        request.sources,
        digest,
        detector,
        rig,
        size=request.size,
        resume=request.resume,
        progress=lambda frame, frames: watch.progress("track", frame / max(1, frames)),
    )
    for line in notes:
        watch.line(line)
    watch.progress("speech", 0)
    person = learn_person(track, emote, rig, seed=request.seed, progress=lambda share: watch.progress("speech", share))
    stage = with_masks(choose_stage(track), watch)
    net, gallery = train_renderer(
        track,
        sound_codes(track, emote.encoder),
        minutes=request.minutes,
        folder=work.run,
        resume=request.resume,
        progress=lambda share: watch.progress("renderer", share),
        preview=watch.preview,
    )
    about = AboutAvatar(
        name=request.name,
        size=request.size,
        consent=True,
        made=datetime.datetime.now(datetime.UTC).date().isoformat(),
        sources=digest,
        films=tuple(dict.fromkeys(take.name for take in track.takes))[:64],
        film_seconds=track.usable_seconds,
        minutes=request.minutes,
        notes=notes[:64],
    )
    avatar = Avatar(about=about, person=person, stage=stage, renderer=MouthRenderer(net, gallery, rig, track.neutral))
    save_avatar(avatar, request.out)
    return avatar


def ensure_avatar(request: TrainRequest, detector: Callable[[], FaceDetector], watch: Watch) -> Avatar:
    """Load an avatar that has learned for the asked time; train, or go on with training, otherwise. See `train_avatar`."""
    digest = digest_of(request.sources)
    check_unclaimed(request.out, digest)
    if request.out.exists():
        about = read_about(request.out)
        if about.minutes >= ENOUGH * request.minutes and about.size == request.size:
            return load_avatar(request.out)
    return _trained(request, digest, detector, watch)


def check_unclaimed(out: Path, digest: str) -> None:
    """Test that a file holds no avatar of other films.

    Raises:
        InputError: if it does.
        CheckpointError: if it holds something else.
    """
    if out.exists() and read_about(out).sources != digest:
        raise InputError(
            f"avatar: {out} exists, and was made from other films; choose another name, remove that file, or leave the films out "
            "to let it speak"
        )


def with_masks(stage: Stage, watch: Watch) -> Stage:
    """Add masks of the person, where MediaPipe can make them."""
    masks = person_masks(stage.pictures, lambda share: watch.progress("masks", share))
    if masks is None:
        watch.line("background: MediaPipe 0.10.21 is not installed, so the avatar keeps its own background")
    return dataclasses.replace(stage, masks=masks)
