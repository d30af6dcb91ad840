"""Log-mel spectra of sounds of any length."""

import math

import torch
from torch import Tensor

from emo_core.audio.config import FIELD, HOP
from emo_core.media.sound import SAMPLE_RATE

BANDS = 40
_FFT = 512


def log_mel(samples: Tensor, bands: int = BANDS) -> Tensor:
    """(..., S) at 16 kHz to (..., T, bands), T = (S - 400) // 320 + 1: one frame for every wav2vec2 feature."""
    windows = samples.unfold(-1, FIELD, HOP) * torch.hann_window(FIELD, device=samples.device)
    power = torch.fft.rfft(windows, _FFT).abs().square()
    return (power @ mel_bank(bands).to(samples.device)).clamp(min=1e-4).log()


def mel_bank(bands: int) -> Tensor:
    """(257, bands) triangles from 0 to 8 kHz."""
    mel = torch.linspace(0, 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = torch.linspace(0, SAMPLE_RATE / 2, _FFT // 2 + 1)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)
