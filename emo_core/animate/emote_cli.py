"""`python -m emo_core emote`: a voice becomes a face with emotion, as a video, or as curves and meshes for other programs."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ..emotion import EmotionCurve
from ..errors import Cancelled, InputError
from .emote_make import PROPOSED, EmoteResult, make
from .emote_request import FORMATS, MP4, EmoteRequest, named_emotions
from .emotion_options import add_emotion_options, read_emotion
from .frame_bar import frame_bar


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the `emote` command to the program's parser."""
    parser = commands.add_parser(
        "emote", help="make a face with emotion from a voice: video, CSV, GLB, JSON, BVH or VMC"
    )
    add = parser.add_argument
    add("voice", type=Path, help="WAV, FLAC, OGG, MP3, M4A, or a video with sound")
    add_emotion_options(add)
    add(
        "--emotions",
        metavar="LIST",
        help="one result for each: all, or a list such as happy,sad@0.5,fear@0.5+surprise@0.5",
    )
    add("--from-voice", action="store_true",
        help="propose the emotions by rules on the voice; without --out the curve is only printed, to edit")  # fmt: skip
    add("--out", type=Path,
        help=f"a file ending in {', '.join(FORMATS)}, or a folder; several emotions stand side by side in an .mp4")  # fmt: skip
    add("--formats", metavar="LIST", help="of the files in a folder, such as mp4,csv,glb (default: mp4)")
    add("--model", type=Path, help="an emote .safetensors of your own (default: emote-mini)")
    add("--portrait", type=Path, help="a picture whose face speaks in the .mp4 (default: the rig's own face)")
    add("--face-model", type=Path, help="a face_landmarker.task for MediaPipe, for the portrait")
    add("--size", type=int, help="side of a face in the .mp4 in pixels")
    add("--seed", type=int, default=0, help="same seed, same motion (default: 0)")
    add("--fps", type=float, help="frames per second (default: 25)")
    add("--timecode", metavar="HH:MM:SS:FF", help="of the first frame, in exported files (default: 00:00:00:00)")
    add("--vmc", metavar="HOST:PORT", help="send the motion in real time by the VMC protocol, such as 127.0.0.1:39539")
    add("--other-computers", action="store_true", help="let --vmc name another computer (it is not encrypted)")
    add("--max-seconds", type=float, help="stop after this much of the voice")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="that the portrait is drawn on")
    add("--json", action="store_true", help="print the result as one line of JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Make the results; they are listed on stdout.

    Raises:
        InputError: for a request that cannot succeed.
        Cancelled: by Ctrl-C.
    """
    request = read_request(args)
    try:
        with frame_bar("emote") as progress:
            result = make(request, progress=progress)
    except KeyboardInterrupt:
        raise Cancelled("results that were complete are kept") from None
    sys.stdout.write((json.dumps(asdict(result)) if args.json else _sentence(result, args)) + "\n")


def read_request(args: argparse.Namespace) -> EmoteRequest:
    """The options as a request.

    Raises:
        InputError: for options that exclude each other, or emotions that cannot be read.
    """
    given = {
        "--emotion": args.emotion is not None,
        "--emotions": args.emotions is not None,
        "--from-voice": args.from_voice,
    }
    chosen = [name for name, there in given.items() if there]
    if len(chosen) > 1:
        raise InputError(f"emotion: got {' and '.join(chosen)}; give one of them")
    return EmoteRequest(
        voice=args.voice,
        out=args.out,
        formats=_formats(args),
        emotions=_emotions(args),
        several=args.emotions is not None,
        strength=args.strength,
        emotion_style=args.emotion_style,
        model=args.model,
        portrait=args.portrait,
        face_model=args.face_model,
        size=args.size,
        seed=args.seed,
        fps=args.fps,
        timecode=args.timecode,
        vmc=args.vmc,
        other_computers=args.other_computers,
        max_seconds=args.max_seconds,
        device=args.device,
    )


def _emotions(args: argparse.Namespace) -> Mapping[str, EmotionCurve]:
    if args.from_voice:
        return {}
    if args.emotions is not None:
        return named_emotions(args.emotions, args.strength)
    return {args.emotion or "neutral": read_emotion(args)}


def _formats(args: argparse.Namespace) -> tuple[str, ...]:
    if args.formats is None:
        return (MP4,)
    if args.out is not None and args.out.suffix and not args.out.is_dir():
        raise InputError(f"formats: {args.out} has a format by its name; give a folder, or leave --formats out")
    names = tuple(
        dict.fromkeys("." + part.strip().lower().lstrip(".") for part in args.formats.split(",") if part.strip())
    )
    if not names or (wrong := [name for name in names if name not in FORMATS]):
        got = args.formats if not names else wrong[0].lstrip(".")
        raise InputError(f"formats: got {got!r}; expected some of {', '.join(name.lstrip('.') for name in FORMATS)}")
    return names


def _sentence(result: EmoteResult, args: argparse.Namespace) -> str:
    curve = [f"emotion: {result.emotions[PROPOSED]}"] if args.from_voice else []
    places = [f"VMC {args.vmc}"] if args.vmc else []
    made = f"{result.frames} frames at {result.fps:g} fps ({result.seconds:g} s)"
    return "\n".join([*curve, *(f"{place}: {made}" for place in [*places, *result.out])])
