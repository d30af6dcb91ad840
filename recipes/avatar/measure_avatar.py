"""Measure a finished avatar on held-out films: `python -m recipes.avatar.measure_avatar --avatar FILE --held-out TRACK --judge MobileFaceNet.onnx`.

Each held-out take's sound is spoken over the take's own frames, so that every pixel has its truth; the mouth is the avatar's own, from
sound alone. Beside it, in the same run: the same with another take's sound, from true points, and the take's first frame frozen.
Identity is compared with the film's other frames. Speed is that of `avatar speak`, with encoding of the video.

Shape legend: F frames of a take, S side of the squares, P side of the patch.
"""

import argparse
import dataclasses
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emo_core.avatar.avatar_file import Avatar, load_avatar
from emo_core.avatar.background import Background
from emo_core.avatar.patches import PatchPlace
from emo_core.avatar.render_losses import mouth_weights
from emo_core.avatar.renderer import MouthRenderer
from emo_core.avatar.sound_codes import codes_of
from emo_core.avatar.speak import SpeakOptions, speak_sound
from emo_core.avatar.spoken import PersonRequest, speak_person
from emo_core.avatar.takes import FPS, SAMPLES, Take
from emo_core.avatar.track import Track, load_track
from emo_core.avatar.video import write_performance
from emo_core.emote.weights import EmoteModel, load_emote
from emo_core.face.motion import FaceMotion, concatenated
from emo_core.files import write_json
from emo_core.media.sound import Sound
from emo_core.media.sound_track import WaveTrack
from recipes.avatar_base.measure import as_learnt
from recipes.portrait.judge import FaceJudge

STEP = 5
"""Every n-th frame is shown to the judge of identity."""
SPOKEN_SECONDS = 20.0
"""Length of the sound with which speed is measured."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The parts that every measurement needs."""

    avatar: Avatar
    emote: EmoteModel
    judge: FaceJudge

    def renderer(self) -> MouthRenderer:
        """One that begins a new film."""
        known = self.avatar.renderer
        return MouthRenderer(known.net, known.gallery, self.emote.rig, known.neutral)

    def spoken(self, sound: Sound) -> FaceMotion:
        """The mouth for a sound."""
        request = PersonRequest(head="still")
        return concatenated(list(speak_person(sound, self.emote, self.avatar.person, request)))


def psnr(made: np.ndarray, true: np.ndarray, weights: np.ndarray) -> float:
    """Of frames (F, S, S, 3), each pixel weighted (F, S, S), in dB; the mean over frames."""
    error = np.square(made.astype(np.float64) - true).mean(-1)
    each = (error * weights).sum((1, 2)) / weights.sum((1, 2))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(each, 1e-3))))


def measure(track: Track, tools: Tools) -> dict[str, float]:
    """All numbers of one avatar, medians over takes with sound."""
    takes = [take for take in track.takes if take.sound is not None]
    sounds = [take.sound.waveform for take in takes]
    rows = [
        take_numbers(_filmed(track, take), Sound(np.resize(sounds[number - 1], len(sounds[number]))), tools)
        for number, take in enumerate(takes)
    ]
    return {name: float(np.median([row[name] for row in rows])) for name in rows[0]}


@dataclass(frozen=True, slots=True)
class Filmed:
    """A held-out take."""

    sound: Sound
    pictures: np.ndarray
    landmarks: np.ndarray
    motion: FaceMotion
    weights: np.ndarray
    """(F, S, S), large on lips and mouth."""


def _filmed(track: Track, take: Take) -> Filmed:
    landmarks, size = track.landmarks[take.rows], track.size // 2
    place = PatchPlace.of(landmarks, track.neutral, size)
    black, white = np.zeros((track.size, track.size, 3), np.uint8), np.full((size, size, 3), 255, np.uint8)
    masks = mouth_weights(place.inside(landmarks), size)
    return Filmed(
        sound=take.sound,
        pictures=np.stack([track.pictures[number] for number in range(take.first, take.stop)]),
        landmarks=landmarks,
        motion=track.motion[take.rows],
        weights=np.stack([place.lay(black, white, mask, frame)[..., 0] for frame, mask in enumerate(masks)]),
    )


def take_numbers(film: Filmed, other: Sound, tools: Tools) -> dict[str, float]:
    """Numbers of one take; `other` is another sound of its length."""
    count = len(film.pictures)

    def drawn(target: FaceMotion, sound: Sound) -> np.ndarray:
        codes = codes_of(sound, tools.emote.encoder)[:count]
        return tools.renderer().draw(film.pictures, film.landmarks, film.motion, target, codes)

    spoken = drawn(tools.spoken(film.sound)[:count], film.sound)
    made, own = (
        np.array(
            [
                tools.judge.embed(picture, points)
                for picture, points in zip(some[::STEP], film.landmarks[::STEP], strict=True)
            ]
        )
        for some in (spoken, film.pictures)
    )
    others = ~np.eye(len(own), dtype=bool)
    return {
        "mouth PSNR, from sound, dB": psnr(spoken, film.pictures, film.weights),
        "mouth PSNR, from another sound, dB": psnr(
            drawn(tools.spoken(other)[:count], other), film.pictures, film.weights
        ),
        "mouth PSNR, from true points, dB": psnr(drawn(film.motion, film.sound), film.pictures, film.weights),
        "mouth PSNR, first frame frozen, dB": psnr(
            np.repeat(film.pictures[:1], count, axis=0), film.pictures, film.weights
        ),
        "identity, cosine to other frames of the film": float(np.median((made @ own.T)[others])),
        "identity of the film's own frames": float(np.median((own @ own.T)[others])),
    }


def speed(track: Track, tools: Tools) -> dict[str, float]:
    """Frames per second of speaking, and seconds to the first frame of a loaded avatar."""
    voice = np.concatenate([take.sound.waveform for take in track.takes if take.sound is not None])
    voice = np.tile(voice, int(np.ceil(SPOKEN_SECONDS * FPS * SAMPLES / len(voice))))[
        : int(SPOKEN_SECONDS * FPS) * SAMPLES
    ]
    result: dict[str, float] = {}
    for head in ("replay", "generated"):
        start = time.monotonic()
        performance = speak_sound(tools.avatar, Sound(voice), tools.emote, SpeakOptions(head=head))
        next(iter(performance.blocks))
        result[f"first frames, {head}, seconds"] = round(time.monotonic() - start, 2)
        with tempfile.TemporaryDirectory() as folder:
            performance = speak_sound(tools.avatar, Sound(voice), tools.emote, SpeakOptions(head=head))
            spoken = write_performance(
                performance,
                Path(folder) / "a.mp4",
                size=tools.avatar.about.size,
                sound=WaveTrack(voice[None], 16_000),
                settings={},
                background=Background(),
            )
        result[f"frames per second, {head}"] = spoken.frames_per_second
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avatar", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True, help="a track of other films of the person")
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="a .json for the numbers")
    args = parser.parse_args()
    tools = Tools(load_avatar(args.avatar), load_emote(), FaceJudge(args.judge))
    learnt = dataclasses.replace(load_track(args.held_out), neutral=tools.avatar.renderer.neutral)
    track = as_learnt(load_track(args.held_out), learnt, tools.emote.rig)
    numbers = measure(track, tools) | speed(track, tools)
    print("| measure | value |\n|---|---|")
    for name, value in numbers.items():
        print(f"| {name} | {value:.3f} |")
    if args.out is not None:
        write_json(args.out, numbers)


if __name__ == "__main__":
    main()
