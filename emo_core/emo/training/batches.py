"""Endless training batches, in an order that depends on the seed alone.

All clips are shuffled anew in every epoch, and the places of the global batches take them one after the other. So every clip
is drawn as often as any other, however many lie in a shard; two processes with a batch of one read the samples of one
process with a batch of two; every process reads only what it needs; and the position of a run is one number.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ...dataset.shards import TRAIN, Clip, Dataset
from ...dataset.tar_index import Place, places
from ...errors import InputError
from ...training.batches import seed_of
from ..conditions.drawing import Chance
from ..config import EMOConfig
from .batch import Batch, collate
from .samples import Sampler, training_clips
from .stages import StageConfig


class Order:
    """Which clip the n-th sample of a run is of."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        """Of the training clips; shards are opened as they are needed."""
        self.folder, self.shards, self.seed = dataset.folder, dataset.split(TRAIN), seed
        self._ends = np.cumsum([shard.clips for shard in self.shards])
        self._places: dict[int, list[Place]] = {}
        self._epoch, self._shuffled = -1, np.arange(0)

    def members(self, number: int) -> dict[str, Any]:
        """The undecoded clip of a sample."""
        epoch, place = divmod(number, int(self._ends[-1]))
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, 0, epoch])
            self._epoch, self._shuffled = epoch, rng.permutation(int(self._ends[-1]))
        clip = int(self._shuffled[place])
        index = int(np.searchsorted(self._ends, clip, side="right"))
        shard = self.shards[index]
        if index not in self._places:
            self._places[index] = places(self.folder / shard.name, shard.clips)
        return self._places[index][clip - int(self._ends[index])].read()  # Counted from the shard's end.


class Batches(IterableDataset):
    """The batches of one process."""

    def __init__(
        self, dataset: Dataset, sampler: Sampler, *, rank: int = 0, processes: int = 1, consumed: int = 0
    ) -> None:
        """Describe the stream; nothing is read yet.

        Args:
            dataset: shards.
            sampler: model and stage.
            rank: number of this process.
            processes: how many there are.
            consumed: micro steps that the run has made.
        """
        self.dataset, self.sampler, self.consumed = dataset, sampler, consumed
        self.places = range(rank * sampler.stage.batch, (rank + 1) * sampler.stage.batch)
        self.all_places = processes * sampler.stage.batch

    def __iter__(self) -> Iterator[Batch | InputError]:
        """Batches; at last an error, where a clip cannot be read."""
        try:
            yield from self._batches()
        except InputError as error:  # Raised in a worker, its message would be a whole traceback.
            yield error

    def _batches(self) -> Iterator[Batch]:
        info = get_worker_info()
        workers, own = (1, 0) if info is None else (info.num_workers, info.id)
        order, step = Order(self.dataset, self.sampler.stage.seed), self.consumed + own
        while True:  # The loader asks its workers in turn, so each makes every so many-th micro step.
            left_out = self.sampler.left_out(step)
            yield collate([self._draw(order, step * self.all_places + place, left_out) for place in self.places])
            step += workers

    def _draw(self, order: Order, number: int, left_out: frozenset[str]) -> Batch:
        """Sample `number` of the run, from a generator of its own."""
        return draw_sample(self.sampler, Clip.of_members(order.members(number)), number, left_out)


def draw_sample(sampler: Sampler, clip: Clip, number: int, left_out: frozenset[str] = frozenset()) -> Batch:
    """A batch of one sample of a clip, drawn by its number in the run.

    Raises:
        InputError: if the clip's cached features are of an earlier layout.
    """
    if clip.features is not None and clip.features.ndim != 4:
        raise InputError(f"data: the cached features of {clip.key} are of an earlier layout; cache the dataset again")
    chance = Chance(torch.Generator().manual_seed(seed_of(sampler.stage.seed, 1, number)))
    return sampler.draw(training_clips([clip]), torch.tensor([0]), chance, left_out=left_out, keys=(clip.key,))


def load_batches(batches: Batches) -> Iterator[Batch]:
    """Read in worker processes, a few batches ahead.

    Raises:
        InputError: where a clip cannot be read.
    """
    workers = batches.sampler.stage.workers
    extra = {"prefetch_factor": 4} if workers else {}
    for batch in DataLoader(batches, batch_size=None, num_workers=workers, **extra):
        if isinstance(batch, InputError):
            raise batch
        yield batch


def check_dataset(dataset: Dataset, model: EMOConfig, frames: int) -> None:
    """Refuse a dataset that does not fit the model.

    Raises:
        InputError: saying which number differs and what to do.
    """
    if dataset.size != model.image_size or dataset.fps != model.fps:
        raise InputError(
            f"data: {dataset.folder} has {dataset.size} pixels at {dataset.fps:g} fps, the model {model.image_size} at "
            f"{model.fps:g}; prepare it with --size {model.image_size} --fps {model.fps:g}"
        )
    if not dataset.clips(TRAIN):
        raise InputError(f"data: {dataset.folder} has no clips to train on; prepare more videos")
    if dataset.shortest < frames:
        raise InputError(
            f"data: {dataset.folder} has a clip of {dataset.shortest} frames, a sample takes {frames}; "
            f"prepare it with --min-seconds {frames / dataset.fps:.1f} or more"
        )


def stage_frames(model: EMOConfig, stage: StageConfig) -> int:
    """Frames that a clip must have."""
    return Sampler(model, stage).frames if stage.follow else 2
