"""Sounds as microphones and rooms make them: equalisation, echo, narrow bands, noise, other people, levels.

Shape legend: B samples, S samples of sound.
"""

import torch
from torch import Tensor

from emo_core.media.sound import SAMPLE_RATE
from recipes.emo_mini.audio import levels

BANDS = 12
"""Points of a random equalisation, evenly spaced in the logarithm of frequency."""
ECHO = SAMPLE_RATE // 2
"""Samples of a room's answer."""


class Noises:
    """Random changes of a batch, drawn from one generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def __call__(self, sounds: Tensor) -> Tensor:
        """(B, S) to (B, S), at about unit speech level. About one in seven stays clean."""
        clean = self._uniform(len(sounds), 1) < 0.15
        sounds = sounds / levels(sounds).clamp(min=1e-6)
        changed = self._filtered(self._with_others(sounds))
        changed = self._squeezed(self._with_noise(changed / levels(changed).clamp(min=1e-6)))
        result = torch.where(clean, sounds, changed)
        return result / levels(result).clamp(min=1e-6) * 10 ** ((self._uniform(len(sounds), 1) - 0.5) * 6 / 20)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self._generator)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._generator)

    def _with_others(self, sounds: Tensor) -> Tensor:
        """Now and then another sample, 12 to 30 dB below."""
        loud = 10 ** (-(12 + 18 * self._uniform(len(sounds), 1)) / 20) * (self._uniform(len(sounds), 1) < 0.15)
        return sounds + sounds.roll(1, 0) * loud

    def _filtered(self, sounds: Tensor) -> Tensor:
        """Equalised, in a room, through a narrow band: one product of spectra."""
        count, length = sounds.shape
        size = length + ECHO
        hertz = torch.linspace(0, SAMPLE_RATE / 2, size // 2 + 1)
        place = (hertz.clamp(min=60).log() - torch.tensor(60.0).log()) / torch.tensor(8000 / 60).log() * (BANDS - 1)
        low = place.floor().long().clamp(0, BANDS - 2)
        points = self._normal(count, BANDS) * 4.0 * (self._uniform(count, 1) < 0.7)  # Decibels.
        gain = points[:, low] + (points[:, low + 1] - points[:, low]) * (place - low)
        top = torch.where(self._uniform(count, 1) < 0.3, 3000 + 4500 * self._uniform(count, 1), 9000.0)
        bottom = torch.where(self._uniform(count, 1) < 0.3, 80 + 220 * self._uniform(count, 1), 20.0)
        gain = gain - 60 * ((hertz - top) / 400).clamp(0, 1) - 40 * ((bottom - hertz) / bottom).clamp(0, 1)
        spectrum = torch.fft.rfft(sounds, size) * 10 ** (gain / 20) * torch.fft.rfft(self._rooms(count), size)
        return torch.fft.irfft(spectrum, size)[:, :length]

    def _rooms(self, count: int) -> Tensor:
        """(B, ECHO) answers: the direct sound, then decaying noise; half of them are the direct sound alone."""
        seconds = torch.arange(ECHO) / SAMPLE_RATE
        decay = 0.08 + 0.4 * self._uniform(count, 1)  # Seconds to -60 dB.
        tail = self._normal(count, ECHO) * torch.exp(-6.9 * seconds / decay) * (seconds > 0.002)
        tail = tail / tail.square().sum(1, keepdim=True).sqrt()
        wet = 10 ** (-(2 + 14 * self._uniform(count, 1)) / 20) * (self._uniform(count, 1) < 0.5)
        return tail * wet + (torch.arange(ECHO) == 0)

    def _with_noise(self, sounds: Tensor) -> Tensor:
        """White to brown noise, 5 to 40 dB below, for two in three."""
        count, length = sounds.shape
        spectrum = torch.fft.rfft(self._normal(count, length))
        colour = torch.arange(1, spectrum.shape[1] + 1) ** (-1.2 * self._uniform(count, 1))
        noise = torch.fft.irfft(spectrum * colour, length)
        loud = 10 ** (-(5 + 35 * self._uniform(count, 1)) / 20) * (self._uniform(count, 1) < 0.65)
        return sounds + noise / noise.std(1, keepdim=True) * loud

    def _squeezed(self, sounds: Tensor) -> Tensor:
        """One in six compressed and coarsely quantised, as by an old codec."""
        peak = sounds.abs().amax(1, keepdim=True).clamp(min=1e-6)
        squeezed = torch.sign(sounds) * torch.log1p(255 * (sounds / peak).abs()) / torch.tensor(256.0).log()
        coarse = torch.round(squeezed * 40) / 40
        back = torch.sign(coarse) * torch.expm1(coarse.abs() * torch.tensor(256.0).log()) / 255 * peak
        return torch.where(self._uniform(len(sounds), 1) < 0.16, back, sounds)
