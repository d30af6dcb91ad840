"""Classes of speech sounds with one shape of the mouth (visemes), for every language that espeak-ng writes in IPA."""

import numpy as np

from .espeak import Utterance

SILENCE = 0
CLASSES = (
    "",
    "pbmɓɸβ",
    "fvʋɱ",
    "uwʊyʏɯʉɥʍ",
    "oɔøœɤɵɒ",
    "aɑæʌɐäɶ",
    "eɛəɜɘɚɝ",
    "iɪjɨ",
    "tdnlθðɾɫʈɖɳɭʎɲ",
    "szʂʐ",
    "ʃʒɕʑʧʤ",
    "kgɡŋxɣhɦʁqχħcɟçʔ",
    "rɹɻɽʀ",
)
"""Symbols of each class; the first class is silence."""
COUNT = len(CLASSES)
_OF = {symbol: number for number, symbols in enumerate(CLASSES) for symbol in symbols}
_SECOND = {"ʃ", "ʒ", "ɕ", "ʑ", "s", "z", "ʂ", "ʐ"}
"""After t or d they make one sound, with their shape of the mouth."""


def visemes(utterance: Utterance, times: np.ndarray) -> np.ndarray:
    """(T,) class at each of (T,) seconds; a diphthong's halves count apart."""
    starts, classes = [0.0], [SILENCE]
    for index, (start, symbol) in enumerate(utterance.sounds):
        numbers = [_OF[letter] for letter in symbol if letter in _OF]
        if len(symbol) > 1 and symbol[0] in "td" and symbol[1] in _SECOND:
            numbers = numbers[1:]
        following = utterance.sounds[index + 1][0] if index + 1 < len(utterance.sounds) else start + 0.05
        numbers = numbers[:2] or [SILENCE]
        for place, number in enumerate(numbers):
            starts.append(start + (following - start) * place / len(numbers))
            classes.append(number)
    return np.array(classes, np.int8)[np.searchsorted(starts, times, side="right") - 1]
