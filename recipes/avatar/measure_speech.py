"""How well a person's speech and motion are learnt: `python -m recipes.avatar.measure_speech --track TRACK --held-out TRACK`.

Learns from one track, speaks the sound of another one of the same person, and prints a table (markdown) with controls of the same run.
Lips are compared as the distance of landmarks 13 and 14 over 10 and 152, on the person's neutral face in motion and in the film.

Shape legend: F frames.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emo_core.avatar.heard import Hearing
from emo_core.avatar.person_motion import SHORTEST_RUN, Person, blinks_a_minute, count_blinks, head_speed, learn_person
from emo_core.avatar.spoken import PersonMouth, PersonRequest, speak_person
from emo_core.avatar.takes import FPS, SAMPLES, Take
from emo_core.avatar.track import Track, load_track
from emo_core.emote.head import mean_speed
from emo_core.emote.prosody import Prosody
from emo_core.emote.speak import encode
from emo_core.emote.weights import EMOTE_MINI, EmoteModel, load_emote
from emo_core.face.motion import FaceMotion, concatenated
from emo_core.face.mouth import mouth_opening
from emo_core.face.rig_fit import person_sizes
from emo_core.media.sound import Sound
from emo_core.smoothing import gaussian

from .bilabials import Bilabials
from .table import Row

CLOSED = 0.012
"""Opening over neutral, in heights of the face, up to which lips count as closed."""
SETTLE = 3
"""Frames at both ends of a pause in which lips still move."""
PAUSE = 8
"""Frames of a pause, at least."""
LAGS = 5
SEEDS = 6
LEADS = range(9)
"""Frames by which a head may lead its voice."""
SMOOTH = 4.0
"""Frames over which speed and loudness are smoothed before they are compared."""


class Bench:
    """A person who was learnt, and the openings of their mouth."""

    def __init__(self, person: Person, emote: EmoteModel, neutral: np.ndarray) -> None:
        self.person, self.emote, self._neutral = person, emote, neutral
        self._sizes = person_sizes(neutral, emote.rig)
        self.closed = float(mouth_opening(neutral[None])[0])

    def opening(self, motion: FaceMotion) -> np.ndarray:
        """(F,) of the person in motion."""
        return mouth_opening(self._neutral + self.emote.rig.offsets(motion) * self._sizes)

    def said(self, sound: Sound) -> np.ndarray:
        """(F,) opening of the person who says a sound."""
        hearing = Hearing(sound, self.emote)
        mouth = PersonMouth(hearing, self.emote, self.person, 1.0).take(0, hearing.frames)
        return self._of_curves(mouth)

    def unlearnt(self, sound: Sound) -> np.ndarray:
        """(F,) opening by the content model alone."""
        hearing = Hearing(sound, self.emote)
        return self._of_curves(hearing.take(0, hearing.frames).content)

    def _of_curves(self, mouth: np.ndarray) -> np.ndarray:
        still = FaceMotion.still(len(mouth), FPS)
        return self.opening(still.with_curves(dict(zip(self.emote.config.curves, mouth.T, strict=True))))


@dataclass(frozen=True, slots=True)
class Spoken:
    """One held-out take."""

    take: Take
    true: np.ndarray
    """(F,) filmed opening."""
    shown: np.ndarray
    """(F,) bool"""
    made: np.ndarray
    other: np.ndarray
    """(F,) of another sound."""
    unlearnt: np.ndarray


def spoken_takes(bench: Bench, held_out: Track) -> list[Spoken]:
    """All takes with sound, each also with the sound of another take, or with its own turned by half if it is alone."""
    takes, found = [take for take in held_out.takes if take.sound is not None], []
    for number, take in enumerate(takes):
        wave = take.sound.waveform
        other = takes[(number + 7) % len(takes)] if len(takes) > 7 else takes[(number + 1) % len(takes)]
        turned = np.roll(wave, len(wave) // 2) if other is take else np.resize(other.sound.waveform, len(wave))
        found.append(
            Spoken(
                take,
                mouth_opening(held_out.landmarks[take.rows].astype(np.float64)),
                held_out.shown[take.rows],
                bench.said(take.sound),
                bench.said(Sound(turned)),
                bench.unlearnt(take.sound),
            )
        )
    return found


def correlation(made: np.ndarray, true: np.ndarray) -> float:
    """Of two curves (F,); 0 for one that is constant."""
    return float(np.corrcoef(made, true)[0, 1]) if made.std() > 0 and true.std() > 0 else 0.0


def best_lag(made: np.ndarray, true: np.ndarray) -> int:
    """Frames by which the made lips are late, at the highest correlation."""
    inner = slice(LAGS, len(true) - LAGS)
    return max(range(-LAGS, LAGS + 1), key=lambda lag: correlation(np.roll(made, -lag)[inner], true[inner]))


def lip_rows(bench: Bench, spoken: Sequence[Spoken]) -> list[Row]:
    """Medians over takes."""

    def median(part: str, *, said: bool = False) -> float:
        rows = [item.shown & ~pause_of(item) if said else item.shown for item in spoken]
        pairs = zip(spoken, rows, strict=True)
        return float(np.median([correlation(getattr(item, part)[own], item.true[own]) for item, own in pairs]))

    spread = np.median([item.made[item.shown].std() / item.true[item.shown].std() for item in spoken])
    plain = np.median([item.unlearnt[item.shown].std() / item.true[item.shown].std() for item in spoken])
    lag = np.median([best_lag(item.made, item.true) for item in spoken])
    closed = [paused(bench, item, item.made) for item in spoken], [paused(bench, item, item.true) for item in spoken]
    made, true = (np.concatenate(parts) for parts in closed)
    spoken_closed = [float(np.mean(np.concatenate([values(item)[item.shown & ~pause_of(item)] for item in spoken]) <= bench.closed + CLOSED))
                     for values in (lambda item: item.made, lambda item: item.true)]  # fmt: skip
    rows = [
        Row("opening r", median("made"), median("other"), note="control: another sound"),
        Row("opening r, without pauses", median("made", said=True), median("other", said=True)),
        Row("opening r, content model alone", median("unlearnt"), note="nothing learnt"),
        Row("opening spread", float(spread), float(plain), 1.0, "control: content model alone"),
        Row("lag, frames", float(lag), None, 0.0, "positive: late"),
        Row("closed in speech", spoken_closed[0], None, spoken_closed[1]),
    ]
    if len(made):
        rows.append(Row("closed in pauses", float(made.mean()), None, float(true.mean()), f"{len(made)} frames"))
    return rows


def pause_of(item: Spoken) -> np.ndarray:
    """(F,) whether nobody speaks."""
    return Prosody(item.take.sound.waveform, item.take.frames, FPS).pause


def paused(bench: Bench, item: Spoken, opening: np.ndarray) -> np.ndarray:
    """Whether lips are closed, for each frame in the middle of a pause."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], pause_of(item).astype(np.int8), [0]])))
    parts = [
        opening[first + SETTLE : last - SETTLE] <= bench.closed + CLOSED
        for first, last in zip(edges[::2], edges[1::2], strict=True)
        if last - first >= PAUSE
    ]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def bilabial_rows(bench: Bench, spoken: Sequence[Spoken]) -> list[Row]:
    """Closures at p, b and m of GRID's sentences; the control is the same places of the next take."""
    reader, found = Bilabials(), {"made": [], "control": [], "true": []}
    places = [reader.places(item.take.name, item.take.sound) for item in spoken]
    for number, item in enumerate(spoken):
        for name, opening, at in (
            ("made", item.made, places[number]),
            ("true", item.true, places[number]),
            ("control", item.made, places[(number + 1) % len(places)]),
        ):
            found[name] += [
                bool((opening[part] <= bench.closed + CLOSED).any()) for part in at if part.stop <= len(opening)
            ]
    if not found["made"]:
        return []
    shares = {name: float(np.mean(values)) for name, values in found.items()}
    note = f"{len(found['made'])} sounds; control: another sentence's places"
    return [Row("lips meet at p, b, m", shares["made"], shares["control"], shares["true"], note)]


def motion_rows(bench: Bench, track: Track, held_out: Track) -> list[Row]:
    """Head and blinks over all held-out sounds, one after another, by several seeds."""
    sounds = [take.sound.waveform for take in held_out.takes if take.sound is not None]
    sound = Sound(np.concatenate(sounds))
    features = encode(sound, bench.emote)
    made = [
        concatenated(list(speak_person(sound, bench.emote, bench.person, PersonRequest(seed=seed), features=features)))
        for seed in range(SEEDS)
    ]
    filmed = [track.motion.rotation[first:last] for _, first, last in track.runs(SHORTEST_RUN)]
    length = min(int(np.median([len(part) for part in filmed])), len(made[0]))
    loud = loudness(sound)
    follows = [speed_follows(motion.rotation, loud) for motion in made]
    turned = [
        speed_follows(motion.rotation, np.roll(loud, len(loud) * part // 4)) for motion in made for part in (1, 2, 3)
    ]
    replay = max(filmed, key=len)
    replay = np.resize(np.concatenate([replay, replay[::-1]]), (len(loud), 3))
    true = np.concatenate([held_out.motion.rotation[take.rows] for take in held_out.takes if take.sound is not None])
    blinks = [count_blinks(motion) / motion.seconds * 60 for motion in made]
    return [
        Row("head speed, degrees per frame", float(np.mean([mean_speed(motion.rotation) for motion in made])), None, head_speed(track)),
        Row("head deviation, degrees", deviation([motion.rotation for motion in made], length), None, deviation(filmed, length), f"in pieces of {length} frames"),
        Row("speed follows loudness, r", float(np.mean(follows)), float(np.mean(turned)), speed_follows(true, loud), "control: turned sound"),
        Row("speed follows loudness, r, replayed film", speed_follows(replay, loud)),
        Row("blinks a minute", float(np.mean(blinks)), None, blinks_a_minute(track), f"{len(sound.waveform) / SAMPLES / FPS:.0f} s"),
    ]  # fmt: skip


def deviation(motions: Sequence[np.ndarray], length: int) -> float:
    """Degrees of head rotations, (F, 3) each, in pieces of a length: slow changes count only as far as all are long enough to show them."""
    parts = [part for rotation in motions if len(rotation) >= length for part in pieces(rotation, length)]
    return float(np.sqrt(np.mean([np.square(part - part.mean(0)).sum(1).mean() for part in parts])))


def pieces(values: np.ndarray, length: int) -> list[np.ndarray]:
    """(F, ...) in pieces of a length; the rest is left out unless it is all."""
    count = max(1, len(values) // length)
    return [values[number * length : (number + 1) * length] for number in range(count)]


def loudness(sound: Sound) -> np.ndarray:
    """(F,) dB, smoothed."""
    prosody = Prosody(sound.waveform, len(sound.waveform) // SAMPLES, FPS)
    return gaussian(np.clip(prosody.loudness, -30, 10)[:, None], SMOOTH)[:, 0]


def speed_follows(rotation: np.ndarray, loud: np.ndarray) -> float:
    """Correlation of the head's speed (of (F, 3)) with loudness (F,) at the best lead."""
    speed = np.linalg.norm(np.diff(rotation, axis=0, prepend=rotation[:1]), axis=1)
    speed = gaussian(np.log(speed + 0.02)[:, None], SMOOTH)[:, 0]
    frames = min(len(speed), len(loud))
    return max(correlation(speed[: frames - lead], loud[lead:frames]) for lead in LEADS)


def part_of(track: Track, first: int, last: int) -> Track:
    """Frames [first, last) of a track."""
    takes, place = [], 0
    for take in track.takes:
        begin, end = max(first, take.first), min(last, take.stop)
        if begin < end:
            wave = (
                None
                if take.sound is None
                else take.sound.waveform[(begin - take.first) * SAMPLES : (end - take.first) * SAMPLES]
            )
            takes.append(replace(take, first=place, frames=end - begin, sound=None if wave is None else Sound(wave)))
            place += end - begin
    return replace(
        track,
        pictures=track.pictures.chosen(np.arange(first, last)),
        landmarks=track.landmarks[first:last],
        shown=track.shown[first:last],
        motion=track.motion[first:last],
        takes=tuple(takes),
    )  # fmt: skip


def main() -> None:
    """Learn, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--track", type=Path, required=True, help="what is learnt, as emo_core.avatar.track writes it")
    parser.add_argument(
        "--held-out", type=Path, help="another track of the person; else the end of the first one is kept"
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="length of that end")
    parser.add_argument("--model", type=Path, default=EMOTE_MINI)
    args = parser.parse_args()
    emote, track = load_emote(args.model), load_track(args.track)
    if args.held_out:
        held_out = load_track(args.held_out)
    else:
        edge = len(track) - round(args.seconds * FPS)
        track, held_out = part_of(track, 0, edge), part_of(track, edge, len(track))
    bench = Bench(learn_person(track, emote, emote.rig), emote, track.neutral)
    spoken = spoken_takes(bench, held_out)
    print(f"{len(track) / FPS:.0f} s learnt, {len(held_out) / FPS:.0f} s held out, {len(spoken)} takes\n")
    print("| | made | control | film | |\n|---|---|---|---|---|")
    for row in [*lip_rows(bench, spoken), *bilabial_rows(bench, spoken), *motion_rows(bench, track, held_out)]:
        print(row.line(), flush=True)


if __name__ == "__main__":
    main()
