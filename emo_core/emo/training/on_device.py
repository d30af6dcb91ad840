"""A cached dataset that lies whole in the device's memory, where batches are drawn from it.

For GPUs and small models: a step then takes less time than a processor needs to gather its batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ...dataset.shards import TRAIN, Dataset, read_clips
from ...errors import InputError
from ...training.batches import seed_of
from ..conditions.drawing import Chance, TrainingClips
from .batch import Batch
from .samples import Sampler, training_clips


def load_on_device(dataset: Dataset, device: torch.device) -> TrainingClips:
    """Read the training clips of a cached dataset.

    Raises:
        InputError: if it is not cached, or its clips have unequal numbers of sounds.
    """
    clips = list(read_clips(dataset, TRAIN))
    if any(clip.latents is None or clip.features is None for clip in clips):
        raise InputError(f"data: {dataset.folder} is not cached, and on_device reads no pictures; cache it")
    if len({clip.features.shape[0] for clip in clips}) > 1:
        raise InputError(f"data: the clips of {dataset.folder} have unequal numbers of sounds; cache them alike")
    return training_clips(clips).to(device)


@dataclass(frozen=True, slots=True)
class DeviceBatches:
    """Draws batches of a stage; equal steps of equal runs are equal."""

    clips: TrainingClips
    sampler: Sampler
    rank: int = 0
    """Of this process: each draws its own."""

    def batches(self, consumed: int) -> Iterator[Batch]:
        """Endless batches, beginning after `consumed`."""
        step = consumed
        while True:
            seed = seed_of(self.sampler.stage.seed, self.rank, step)
            yield self.draw(Chance(torch.Generator(self.clips.starts.device).manual_seed(seed)), step)
            step += 1

    def draw(self, chance: Chance, step: int) -> Batch:
        """One batch, of clips drawn by their shares."""
        count = self.sampler.stage.batch
        clip = torch.multinomial(self.clips.share, count, replacement=True, generator=chance.generator)
        return self.sampler.draw(self.clips, clip, chance, left_out=self.sampler.left_out(step))
