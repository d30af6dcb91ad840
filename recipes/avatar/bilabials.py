"""Where p, b and m lie in GRID's films: espeak-ng says the sentence of the file's name, and time warping finds its sounds in the voice."""

import numpy as np

from emo_core.avatar.takes import FPS
from emo_core.errors import InputError
from emo_core.media.sound import Sound
from recipes.emo_mini.espeak import Espeak
from recipes.emo_mini.voices import TIMES, align, fit, sentence
from recipes.emote_mini.closing import bilabials

VOICE = "en"
AROUND = 0.06
"""Seconds around a bilabial in which the lips must meet, at least."""


class Bilabials:
    """Finds them, if espeak-ng is installed."""

    def __init__(self) -> None:
        try:
            self._espeak = Espeak()
        except InputError as error:
            print(f"{error}: p, b, m are not measured")
            self._espeak = None

    def places(self, name: str, sound: Sound) -> list[slice]:
        """Frames around each p, b and m; none for a film whose name is no sentence."""
        words = sentence(name)
        if words is None or self._espeak is None:
            return []
        utterance, found = self._espeak.synthesise(words, VOICE), []
        path = align(fit(utterance.waveform), fit(sound.waveform))
        for start, stop in bilabials(utterance):
            edges = [TIMES[path[min(int(np.searchsorted(TIMES, second)), len(path) - 1)]] for second in (start, stop)]
            middle, half = sum(edges) / 2, max(AROUND, (edges[1] - edges[0]) / 2)
            first, last = (round((middle + side * half) * FPS - 0.5) for side in (-1, 1))
            if 0 <= first <= last:
                found.append(slice(first, last + 1))
        return found
