"""One voice and its emotions to motions of a face, and these to videos and files."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..emote.config import FPS
from ..emote.export.files import export_motion
from ..emote.export.frame_rate import at_rate
from ..emote.export.timecode import START
from ..emote.export.vmc import send_vmc
from ..emote.speak import SpeakRequest, encode, speak
from ..emote.voice_emotion import propose
from ..emote.weights import EMOTE_MINI, load_emote
from ..emotion import EmotionCurve
from ..face.motion import FaceMotion
from ..face.motion_drawing import draw_motion
from ..face.motion_file import SUFFIX, save_motion
from ..face.rig import FaceRig, load_rig
from ..files import locked
from ..media.picture import load_picture
from ..media.sound import Sound, load_sound
from ..portrait.prepare import prepare_portrait
from .emote_request import MP4, EmoteRequest, check_places, check_request, parse_address, planned_files
from .emote_video import Draw, write_faces
from .frame_bar import Progress
from .portrait_talk import portrait_detector, portrait_renderer

PROPOSED = "from voice"
"""Name of an emotion that is proposed."""
SIDE, TILE, PORTRAIT_SIDE = 384, 256, 512
"""Pixels of a face alone, of one among several, and of a portrait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmoteResult:
    """What was made."""

    frames: int
    fps: float
    seconds: float
    out: tuple[str, ...]
    """Files."""
    emotions: dict[str, str]
    """Curves by name, as text to edit."""


def make(request: EmoteRequest, *, progress: Progress = lambda frame, frames: None) -> EmoteResult:
    """Make all that was asked for.

    Raises:
        InputError: for anything about the inputs that the user can mend.
        CheckpointError: for unusable weights.
    """
    check_request(request)
    sound = load_sound(request.voice, max_seconds=request.max_seconds)
    curves = dict(request.emotions) or {PROPOSED: propose(sound, strength=request.strength)}
    if request.out is None and request.vmc is None:
        return _result({}, curves, ())
    files = planned_files(request, tuple(curves))
    with locked(request.out, "out"):
        rig = load_rig()
        draw, size = _drawing(request, rig, len(curves)) if MP4 in request.suffixes else (None, 0)
        motions = _motions(request, sound, curves, rig)
        check_places(request)
        if request.vmc is not None:  # First, so that nothing is written where no program listens.
            host, port = parse_address(request.vmc)
            motion = next(iter(motions.values()))
            send_vmc(motion, host, port, other_computers=request.other_computers, progress=progress)
        for path, names in files.items():
            if path.suffix.lower() == MP4:
                write_faces(
                    path,
                    {name: motions[name] for name in names},
                    draw,
                    size=size,
                    named=request.several,
                    sound=request.voice,
                    settings=_settings(request, {name: curves[name] for name in names}),
                    progress=progress,
                )
            else:
                _export(motions[names[0]], path, request, rig)
    return _result(motions, curves, tuple(map(str, files)))


def _motions(
    request: EmoteRequest, sound: Sound, curves: Mapping[str, EmotionCurve], rig: FaceRig
) -> dict[str, FaceMotion]:
    """A motion for each emotion, at the frame rate that was asked for."""
    model = load_emote(request.model or EMOTE_MINI, rig=rig)
    features = encode(sound, model) if len(curves) > 1 else None
    motions = {}
    for name, curve in curves.items():
        speech = SpeakRequest(seed=request.seed, emotion=curve, emotion_style=request.emotion_style)
        motions[name] = at_rate(speak(sound, model, speech, features=features), request.fps or FPS)
    return motions


def _drawing(request: EmoteRequest, rig: FaceRig, faces: int) -> tuple[Draw, int]:
    """How a face is drawn, and the side of its picture."""
    tile = TILE if faces > 1 and not request.folder else None
    if request.portrait is None:
        size = request.size or tile or SIDE
        return partial(draw_motion, rig=rig, size=size), size
    size = request.size or tile or PORTRAIT_SIDE
    image = load_picture(request.portrait)
    portrait = prepare_portrait(image, portrait_detector(request.face_model), rig, size=size)
    return portrait_renderer(portrait, rig, request.device).frames, size


def _export(motion: FaceMotion, path: Path, request: EmoteRequest, rig: FaceRig) -> None:
    if path.suffix.lower() == SUFFIX:
        save_motion(motion, path)
    else:
        export_motion(motion, path, rig=rig, timecode=request.timecode or START)


def _settings(request: EmoteRequest, curves: Mapping[str, EmotionCurve]) -> dict[str, Any]:
    """For a video's metadata."""
    face = "rig" if request.portrait is None else "portrait"
    return {"model": "emote-mini", "face": face, "seed": request.seed, "emotions": _texts(curves)}


def _texts(curves: Mapping[str, EmotionCurve]) -> dict[str, str]:
    return {name: str(curve) for name, curve in curves.items()}


def _result(motions: Mapping[str, FaceMotion], curves: Mapping[str, EmotionCurve], out: tuple[str, ...]) -> EmoteResult:
    motion = next(iter(motions.values()), None)
    frames, fps, seconds = (0, 0.0, 0.0) if motion is None else (len(motion), motion.fps, motion.seconds)
    return EmoteResult(frames=frames, fps=fps, seconds=round(seconds, 3), out=out, emotions=_texts(curves))
