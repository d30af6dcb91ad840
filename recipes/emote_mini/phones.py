"""Classes of speech sounds over time: single IPA letters, and the visemes of `recipes.emo_mini.visemes` that they belong to."""

import numpy as np

from recipes.emo_mini.visemes import CLASSES, COUNT

LETTERS = ("", *"".join(CLASSES[1:]))
"""Each letter that a viseme has; 0 is silence."""
VISEME = np.array([0, *(number for number, letters in enumerate(CLASSES) for _ in letters)], np.int64)
"""(len(LETTERS),) the viseme of each."""
PAUSE = 0.09
"""Seconds from which a gap between words is a pause; in shorter ones the sound before goes on."""
_OF = {letter: number for number, letter in reversed(list(enumerate(LETTERS))) if letter}
_ALIKE = {"g": "ɡ", "ʦ": "s", "ʣ": "z", "ʨ": "ɕ", "ʥ": "ʑ", "ʝ": "j", "ɰ": "ɣ", "ɴ": "ŋ", "ɫ": "l", "ᵻ": "ɪ", "q": "k"}
_AFRICATES = {"ʃ", "ʒ", "ɕ", "ʑ", "s", "z", "ʂ", "ʐ"}


def letters_at(sounds: tuple[tuple[float, str], ...], times: np.ndarray) -> np.ndarray:
    """(T,) letter's number at each of (T,) seconds.

    Args:
        sounds: seconds and IPA symbol of each sound, which lasts until the next; "" is a gap. A diphthong's halves count
            apart; of an affricate, the second part's lips do.
        times: increasing seconds.
    """
    starts, letters = [0.0], [0]
    for index, (start, symbol) in enumerate(sounds):
        following = sounds[index + 1][0] if index + 1 < len(sounds) else start + 0.05
        numbers = [_OF[_ALIKE.get(letter, letter)] for letter in symbol if _ALIKE.get(letter, letter) in _OF]
        if len(numbers) > 1 and symbol[0] in "td" and LETTERS[numbers[1]] in _AFRICATES:
            numbers = numbers[1:]
        if not numbers:
            inside = 0 < index < len(sounds) - 1
            numbers = [letters[-1] if inside and following - start < PAUSE else 0]
        numbers = numbers[:2]
        for place, number in enumerate(numbers):
            starts.append(start + (following - start) * place / len(numbers))
            letters.append(number)
    if sounds:
        starts.append(max(starts[-1], sounds[-1][0] + 0.05))
        letters.append(0)
    return np.array(letters, np.int64)[np.searchsorted(starts, times, side="right") - 1]


def context(classes: np.ndarray, level: np.ndarray, reach: int) -> np.ndarray:
    """(T,) visemes and (T,) loudness to (T, (2 reach + 1) * (COUNT + 1) + 1): those of the neighbours, and a one."""
    rows = np.concatenate([np.eye(COUNT)[classes], level[:, None]], axis=1)
    padded = np.pad(rows, ((reach, reach), (0, 0)), mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0).reshape(len(rows), -1)
    return np.concatenate([near, np.ones((len(rows), 1))], axis=1)


class TypicalLips:
    """Lips as a linear function of the speech sounds around a moment and of loudness, fitted to film."""

    def __init__(self, reach: int = 8, penalty: float = 30.0) -> None:
        self._reach = reach
        size = (2 * reach + 1) * (COUNT + 1) + 1
        self._gram, self._moment = np.eye(size) * penalty, np.zeros((size, 3))

    def add(self, classes: np.ndarray, level: np.ndarray, lips: np.ndarray) -> None:
        """Learn from a film: (T,) visemes, (T,) loudness, (T, 3) lips."""
        rows = context(classes, level, self._reach)
        self._gram += rows.T @ rows
        self._moment += rows.T @ lips

    def __call__(self, classes: np.ndarray, level: np.ndarray) -> np.ndarray:
        """(T, 3) lips."""
        return context(classes, level, self._reach) @ np.linalg.solve(self._gram, self._moment)
