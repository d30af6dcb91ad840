"""espeak-ng as a library: a sentence becomes a waveform and the exact time of every speech sound (IPA)."""

import ctypes
import ctypes.util
from dataclasses import dataclass

import numpy as np

from emo_core.errors import InputError
from emo_core.media.sound import mono_16k

_RETRIEVAL, _UTF8, _RATE, _PITCH, _PHONEME_EVENTS, _IPA = 1, 1, 1, 3, 1, 2
_END, _PHONEME = 0, 7


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Utterance:
    """A synthesised sentence."""

    waveform: np.ndarray
    """(S,) float32 at 16 kHz."""
    sounds: tuple[tuple[float, str], ...]
    """Seconds and IPA symbol of each speech sound; it lasts until the next."""


class Espeak:
    """One per process: the library keeps its voice in global state."""

    def __init__(self) -> None:
        """Open the library.

        Raises:
            InputError: if it is not installed.
        """
        path = ctypes.util.find_library("espeak-ng")
        if path is None:
            raise InputError("espeak-ng: library not found; install it (Debian: apt install espeak-ng)")
        self._library = ctypes.CDLL(path)
        self._rate = self._library.espeak_Initialize(_RETRIEVAL, 0, None, _PHONEME_EVENTS | _IPA)
        self._parts: list[np.ndarray] = []
        self._sounds: list[tuple[float, str]] = []
        self._callback = _Callback(self._receive)  # Kept: the library holds only its address.
        self._library.espeak_SetSynthCallback(self._callback)

    def synthesise(self, text: str, voice: str, *, words_per_minute: int = 160, pitch: int = 50) -> Utterance:
        """Synthesise a sentence.

        Args:
            text: the sentence.
            voice: `en-gb`, `de`, `fr+f3`, ...
            words_per_minute: 80 to 400.
            pitch: 0 to 99.

        Raises:
            InputError: for a voice that is not installed.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise InputError(f"espeak-ng: no voice {voice!r}; see `espeak-ng --voices`")
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._parts, self._sounds = [], []
        content = text.encode() + b"\0"
        self._library.espeak_Synth(content, ctypes.c_size_t(len(content)), 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        samples = np.concatenate([*self._parts, np.zeros(1, np.float32)])
        return Utterance(mono_16k(samples[None], self._rate), tuple(self._sounds))

    def _receive(self, samples: "ctypes._Pointer", count: int, events: "ctypes._Pointer") -> int:
        if count:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768)
        index = 0
        while events[index].type != _END:
            if events[index].type == _PHONEME:
                symbol = events[index].id.string.decode(errors="ignore")
                self._sounds.append((events[index].audio_position / 1000, symbol))
            index += 1
        return 0
