"""One portrait and one voice, or one film, to a video of the portrait that speaks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..audio.features import frame_count
from ..curve import Curve
from ..device import choose_torch_device
from ..emote.config import FPS
from ..emote.speak import SpeakRequest, speak_blocks
from ..emote.weights import load_emote
from ..emotion import NEUTRAL, EmotionCurve
from ..errors import InputError
from ..face.detect import FaceDetector
from ..face.detectors import make_detector
from ..face.film import watch_film
from ..face.motion import FaceMotion, concatenated
from ..face.motion_adjust import ONE, Adjustment, adjusted
from ..face.motion_file import SUFFIX, load_motion, save_motion
from ..face.motion_fit import fit_motion
from ..face.rig import FaceRig, load_rig
from ..files import locked
from ..media.picture import load_picture
from ..media.sound import load_sound
from ..media.video_reader import open_source
from ..media.video_writer import check_output
from ..portrait.animate import MotionStream, Output, Result, animate_portrait
from ..portrait.mouth import load_network
from ..portrait.prepare import NO_LANDMARKS, SIZE, PreparedPortrait, prepare_portrait
from ..portrait.render import PortraitRenderer
from .checks import check_no_input, check_numbers
from .frame_bar import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkRequest:
    """The user's inputs and options."""

    portrait: Path
    out: Path
    audio: Path | None = None
    motion: Path | None = None
    """A film, or a face motion file; with `audio`, that is the sound track."""
    save_motion: Path | None = None
    size: int = SIZE
    seed: int = 0
    speed: Curve | None = None
    """Mean head speed in degrees per frame; None for the motion model's own."""
    adjustment: Adjustment = field(default_factory=Adjustment)
    style: str | None = None
    emotion: EmotionCurve = NEUTRAL
    emotion_style: int = 0
    """Person whose way of showing emotions the face has."""
    face_model: Path | None = None
    face_index: int | None = None
    paste_back: bool = False
    fps: float | None = None
    max_seconds: float | None = None
    device: str = "auto"


def talk(request: TalkRequest, *, progress: Progress = lambda frame, frames: None) -> Result:
    """Make the video.

    Raises:
        InputError: for anything about the inputs that the user can mend.
        CheckpointError: for unusable weights.
    """
    check_request(request)
    with locked(request.out, "out"):
        rig = load_rig()
        detector = portrait_detector(request.face_model)
        image = load_picture(request.portrait)
        portrait = prepare_portrait(image, detector, rig, size=request.size, face_index=request.face_index)
        motion = motion_of(request, rig, detector)
        if request.save_motion is not None:
            parts = list(motion.parts)
            save_motion(concatenated(parts), request.save_motion)
            motion = replace(motion, parts=parts)
        renderer = portrait_renderer(portrait, rig, request.device)
        output = Output(
            out=request.out,
            sound=sound_track(request),
            paste_back=image if request.paste_back else None,
            settings=_marks(request),
        )
        return animate_portrait(portrait, renderer, motion, output, progress=progress)


def portrait_detector(face_model: Path | None) -> FaceDetector:
    """A detector that gives a portrait's landmarks.

    Raises:
        InputError: if there is none.
    """
    try:
        return make_detector(face_model, landmarks=True, quiet=True)
    except InputError as error:
        raise error if face_model else InputError(NO_LANDMARKS) from error


def portrait_renderer(portrait: PreparedPortrait, rig: FaceRig, device: str) -> PortraitRenderer:
    """A portrait that can wear motions, on the named device."""
    chosen = choose_torch_device(device)
    return PortraitRenderer(portrait, rig, load_network(chosen), device=chosen)


def check_request(request: TalkRequest) -> None:
    """Check all that can be checked before anything is loaded.

    Raises:
        InputError: for a request that cannot succeed.
    """
    check_output(request.out)
    if request.audio is None and request.motion is None:
        raise InputError("audio: got no voice and no motion; give --audio, or a film or face motion with --motion")
    check_no_input(request.out, request.portrait, request.audio, request.motion)
    check_motion(request)
    check_numbers(fps=request.fps, max_seconds=request.max_seconds, seed=request.seed)
    if request.save_motion is not None and request.save_motion.suffix != SUFFIX:
        raise InputError(f"save motion: got {request.save_motion}; expected a name ending in {SUFFIX}")


def check_motion(request: TalkRequest) -> None:
    """Raise InputError for settings that the motion of a film has already."""
    if request.motion is not None and request.speed is not None:
        raise InputError("speed: the head of a film moves as filmed; leave the speed out, or scale it with --head")
    if request.motion is not None and request.style is not None:
        raise InputError("style: a film has its own style of speaking; leave the style out")
    if request.motion is not None and not request.emotion.neutral:
        raise InputError("emotion: a film has the expression that was filmed; leave the emotion out")


def motion_of(request: TalkRequest, rig: FaceRig, detector: FaceDetector) -> MotionStream:
    """The face motion that the portrait wears."""
    if request.motion is None:
        return _spoken(request, rig)
    if request.motion.suffix.lower() == SUFFIX:
        motion = load_motion(request.motion)
        if request.max_seconds is not None:
            motion = motion[: max(1, round(request.max_seconds * motion.fps))]
    else:
        film = watch_film(request.motion, detector, max_seconds=request.max_seconds)
        motion = fit_motion(film.landmarks, rig, size=film.size, fps=film.fps)
    return MotionStream.whole(adjusted(motion.resampled(request.fps or motion.fps), request.adjustment))


def _spoken(request: TalkRequest, rig: FaceRig) -> MotionStream:
    """The motion of a voice, made some seconds at a time."""
    model = load_emote(rig=rig)
    sound = load_sound(request.audio, max_seconds=request.max_seconds)
    options = {} if request.speed is None else {"speed": request.speed}
    blinks, adjustment = request.adjustment.blinks, request.adjustment
    if len(blinks.values) == 1:  # Fewer blinks, and not half-closed lids.
        options["blinks"] = blinks.values[0]
        adjustment = replace(adjustment, blinks=ONE)
    speech = SpeakRequest(
        fps=request.fps or FPS,
        seed=request.seed,
        style=request.style or "",
        emotion=request.emotion,
        emotion_style=request.emotion_style,
        **options,
    )
    parts = speak_blocks(sound, model, speech)
    if adjustment.smoothing:
        parts = (concatenated(list(parts)),)
    return MotionStream(frame_count(sound.seconds, speech.fps), speech.fps, _adjusted_parts(parts, adjustment))


def _adjusted_parts(parts: Iterable[FaceMotion], adjustment: Adjustment) -> Iterator[FaceMotion]:
    first = 0
    for part in parts:
        yield adjusted(part, adjustment, first=first)
        first += len(part)


def sound_track(request: TalkRequest) -> Path | None:
    """The voice; without one, the film if it has sound."""
    if request.audio is not None:
        load_sound(request.audio, max_seconds=1)
        return request.audio
    if request.motion.suffix.lower() == SUFFIX:
        return None
    return None if open_source(request.motion).sound_start is None else request.motion


def _marks(request: TalkRequest) -> dict[str, Any]:
    """The settings that the video's metadata keeps."""
    return {"model": "portrait", "seed": request.seed, "size": request.size, **settings_of_motion(request)}


def settings_of_motion(request: TalkRequest) -> dict[str, Any]:
    """The settings of the face motion, for metadata."""
    amounts = {name: getattr(request.adjustment, name).values for name in ("mouth", "head", "brows", "blinks", "gaze")}
    source = "speech" if request.motion is None else request.motion.name
    emotion = {} if request.emotion.neutral else {"emotion": str(request.emotion)}
    speed = {} if request.speed is None else {"speed": request.speed.values}
    return {"motion": source, "amounts": amounts, **speed, **emotion}
