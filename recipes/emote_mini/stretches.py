"""Random stretches of passages, with the targets of the ear.

Shape legend: N steps of all passages, M passages, B samples, S samples of sound, T features.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emo_core.audio.config import FIELD, HOP
from emo_core.training.batches import moved
from recipes.emo_mini.audio import levels

from .noises import Noises
from .spectrum import log_mel

SHARES = (0.14, 0.18, 0.08, 0.42, 0.18)
"""Share of each of `passages.KINDS` in the batches."""
LENGTHS = ((149, 8), (149, 8), (399, 3))
"""Features and samples of a batch, drawn evenly: in use, up to 24 seconds are heard at once."""
TEMPO = (0.87, 1.15)
"""Range of the tempo; pitch and formants go with it."""


@dataclass(frozen=True, slots=True)
class Passages:
    """The arrays of `passages`; lips are over the opening's deviation of each person."""

    sounds: Tensor
    lips: Tensor
    letters: Tensor
    trust: Tensor
    begin: Tensor
    count: Tensor
    kind: Tensor
    clean: Tensor
    held_out: Tensor
    person: Tensor
    share: Tensor
    """(M,) how often a passage is drawn, relative to others."""

    @classmethod
    def open(cls, file: Path) -> "Passages":
        """Read what `passages` wrote."""
        with np.load(file) as arrays:
            stored = {name: arrays[name] for name in arrays.files}
        _standardise(stored)
        share = torch.zeros(len(stored["kind"]), dtype=torch.float64)
        for kind, weight in enumerate(SHARES):
            own = torch.from_numpy((stored["kind"] == kind) & (stored["held_out"] == 0))
            # A person with few films counts for more than they do.
            people = torch.from_numpy(stored["person"])
            length = torch.from_numpy(stored["count"]) * own
            totals = {who: length[people == who].sum().clamp(min=1) for who in people[own].unique().tolist()}
            each = torch.tensor([float(totals[who]) ** -0.5 if who in totals else 0.0 for who in people.tolist()])
            drawn = length * each
            share += weight * drawn / drawn.sum().clamp(min=1e-9)
        return cls(**{name: torch.from_numpy(values) for name, values in stored.items()}, share=share)

    def batch(self, generator: torch.Generator) -> "HeardBatch":
        """Random stretches of passages at random tempos, through random noises."""
        features, count = LENGTHS[int(torch.randint(len(LENGTHS), (1,), generator=generator))]
        index = torch.multinomial(self.share, count, replacement=True, generator=generator)
        tempo = TEMPO[0] + (TEMPO[1] - TEMPO[0]) * torch.rand(count, 1, generator=generator)
        place = torch.rand(count, generator=generator)
        return self.stretches(index, place, tempo, features, Noises(generator))

    def stretches(
        self, index: Tensor, place: Tensor, tempo: Tensor, features: int, noises: Noises | None
    ) -> "HeardBatch":
        """(B,) passages from a place (B,) 0 .. 1 of where a stretch can begin, at tempos (B, 1)."""
        samples = (features - 1) * HOP + FIELD
        room = (self.count[index] * HOP - samples * tempo[:, 0]).clamp(min=0)
        first = (room * place / HOP).long()
        middles = (((torch.arange(features) * HOP + FIELD / 2) * tempo - FIELD / 2) / HOP).round().long() + first[
            :, None
        ]
        inside = (middles < self.count[index, None]) & (middles >= 0)
        steps = self.begin[index, None] + middles.clamp(min=0).minimum(self.count[index, None] - 1)
        at = torch.arange(samples) * tempo
        heard, original = (self._sound(chosen, first, at) for chosen in (index, self.clean[index]))
        mel = log_mel(original / levels(original).clamp(min=1e-6))
        return HeardBatch(
            sounds=heard / levels(heard).clamp(min=1e-6) if noises is None else noises(heard),
            lips=self.lips[steps],
            letters=torch.where(inside, self.letters[steps].long(), -1),
            trust=self.trust[steps] * inside,
            mel=(mel - mel.mean((1, 2), keepdim=True)) / mel.std((1, 2), keepdim=True).clamp(min=1e-3),
            heard=inside,
        )

    def _sound(self, index: Tensor, first: Tensor, at: Tensor) -> Tensor:
        """(B,) passages from steps (B,) on, (B, S) samples after these, interpolated; zero after the end."""
        low, end = at.floor(), (self.count[index, None] - first[:, None]) * HOP
        share, start = at - low, (self.begin[index, None] + first[:, None]) * HOP
        values = []
        for step in (low.long(), low.long() + 1):
            inside = step < end
            place = start + step.minimum(end - 1)
            values.append(self.sounds[place].float() / 32768 * inside)
        return values[0] * (1 - share) + values[1] * share


def _standardise(stored: dict[str, np.ndarray]) -> None:
    """Lips of each person over their deviation, in place, so that people who open wide do not count more."""
    owner = np.repeat(stored["person"], stored["count"])
    for person in np.unique(stored["person"]):
        own = owner == person
        stored["lips"][own] /= np.maximum(stored["lips"][own].std(0), 1e-6)


@dataclass(frozen=True, slots=True)
class HeardBatch:
    """B samples with their targets."""

    sounds: Tensor
    """(B, S)"""
    lips: Tensor
    """(B, T, LIPS)"""
    letters: Tensor
    """(B, T), -1 where unknown."""
    trust: Tensor
    """(B, T)"""
    mel: Tensor
    """(B, T, BANDS)"""
    heard: Tensor
    """(B, T) whether the passage lasts so long."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "HeardBatch":
        """On another device."""
        return moved(self, device)
