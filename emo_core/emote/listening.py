"""Numbers that the content model reads at each frame: windows of the encoder's features, and of the log-mel spectrum.

The encoder knows speech sounds; the spectrum tells loudness and opening of voices that the encoder never heard.

Shape legend: S samples at 16 kHz, F frames, W frames in a window, L D encoder's layers and width, M mel bands, I inputs.
"""

import torch
from einops import rearrange
from torch import Tensor

from ..audio.config import FIELD, HOP
from ..audio.features import FrameFeatures, at_frames, window_indices
from ..media.sound import SAMPLE_RATE, Sound
from .config import FPS, EmoteConfig

BINS = 512
FLOOR = 1e-3
"""Least power of a band; speech has unit level."""


def mel_bank(bands: int) -> Tensor:
    """(M, BINS / 2 + 1) triangles, even on the mel scale up to 8 kHz."""
    edges = _mel_edges(bands)
    hertz = torch.linspace(0, SAMPLE_RATE / 2, BINS // 2 + 1)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def mel_centres(bands: int) -> Tensor:
    """(M,) Hz at the top of each triangle."""
    return _mel_edges(bands)[1:-1]


def _mel_edges(bands: int) -> Tensor:
    """(M + 2,) Hz."""
    top = 2595 * torch.log10(torch.tensor(1 + SAMPLE_RATE / 2 / 700))
    return 700 * (10 ** (torch.linspace(0, float(top), bands + 2) / 2595) - 1)


class Spectrum:
    """Log-mel of a sound by frame, measured on demand."""

    def __init__(self, sound: Sound, bands: int) -> None:
        self._sound, self._bank = sound, mel_bank(bands)
        self._window = torch.hann_window(FIELD)

    def frames(self, start: int, stop: int) -> Tensor:
        """(F, M) of frames [start, stop) at the model's rate."""
        first = max(0, int((start + 0.5) / FPS * SAMPLE_RATE - FIELD / 2) // HOP)
        last = int((stop + 0.5) / FPS * SAMPLE_RATE) // HOP + 1
        wanted = (last - first) * HOP + FIELD
        samples = torch.from_numpy(self._sound.waveform[first * HOP : first * HOP + wanted])
        samples = torch.nn.functional.pad(samples, (0, max(0, wanted - len(samples))))
        power = torch.stft(samples, BINS, HOP, FIELD, self._window, center=False, return_complex=True).abs().square()
        mel = rearrange((self._bank @ power).clamp(min=FLOOR).log(), "m t -> t 1 m")
        return at_frames(mel, start, stop, FPS, offset=first)[:, 0]


class Listening:
    """Inputs of the content model for one sound."""

    def __init__(self, sound: Sound, features: FrameFeatures, config: EmoteConfig) -> None:
        """`features` are of the same sound at the model's frame rate."""
        self._features, self._reach = features, config.mel_window
        self._spectrum = Spectrum(sound, config.mel_bands)
        self.frames = features.frames

    def inputs(self, start: int, stop: int) -> Tensor:
        """(F, I) of frames [start, stop), which lie inside the sound."""
        index = window_indices(start, stop, self._reach, self.frames)
        low = int(index.min())
        mel = self._spectrum.frames(low, int(index.max()) + 1)[index - low]
        return joined(self._features.windows(start, stop), mel)


def joined(features: Tensor, mel: Tensor) -> Tensor:
    """Windows (F, W, L, D) and (F, W, M) to inputs (F, I)."""
    return torch.cat([rearrange(features, "f w l d -> f (w l d)"), rearrange(mel, "f w m -> f (w m)")], dim=-1)
