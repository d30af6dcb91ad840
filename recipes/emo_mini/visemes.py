"""Speech sounds by what the mouth does with them, for every language that espeak-ng writes in IPA."""

import numpy as np

from .espeak import Spoken

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
"""After t or d they make one sound, whose mouth is theirs."""


def visemes(spoken: Spoken, times: np.ndarray) -> np.ndarray:
    """(T,) class at each of (T,) seconds; a diphthong's halves count apart."""
    starts, classes = [0.0], [SILENCE]
    for index, (start, symbol) in enumerate(spoken.sounds):
        known = [_OF[letter] for letter in symbol if letter in _OF]
        if len(symbol) > 1 and symbol[0] in "td" and symbol[1] in _SECOND:
            known = known[1:]
        following = spoken.sounds[index + 1][0] if index + 1 < len(spoken.sounds) else start + 0.05
        known = known[:2] or [SILENCE]
        for place, number in enumerate(known):
            starts.append(start + (following - start) * place / len(known))
            classes.append(number)
    return np.array(classes, np.int8)[np.searchsorted(starts, times, side="right") - 1]
