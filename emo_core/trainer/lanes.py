"""Endless training samples from shards, in an order that depends on the seed alone.

Every place in the global batch reads a *lane* of its own: its share of the shards, or, where there are fewer shards than
lanes, all of them in an order of its own. So two processes with a batch of one see what one process with a batch of two
sees, every process reads only what it needs, and the position of a run is one number.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import webdataset
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ..config import EMOConfig
from ..errors import InputError
from .examples import Batch, Sampler, collate
from .shards import TRAIN, Clip, Dataset, read_members
from .stages import StageConfig


@dataclass(frozen=True, slots=True)
class Lane:
    """One stream of samples."""

    dataset: Dataset
    sampler: Sampler
    index: int
    of: int
    """Lanes in all."""

    def samples(self, consumed: int) -> Iterator[Batch]:
        """Endless samples, from the one after `consumed` on."""
        shards = self.dataset.split(TRAIN)
        own = shards[self.index :: self.of] if len(shards) >= self.of else shards
        per_epoch = sum(shard.clips for shard in own)
        epoch, passed = divmod(consumed, per_epoch)
        number = consumed
        while True:
            for members in self._epoch(own, epoch, passed):
                rng = self._generator(1, number)
                yield self.sampler.draw(Clip.of_members(members), rng, with_speed=self._with_speed(number))
                number += 1
            epoch, passed = epoch + 1, 0

    def _epoch(self, shards: tuple, epoch: int, passed: int) -> Iterator[dict]:
        """Undecoded clips of one pass over the shards; the first `passed` are read over, not decoded."""
        rng = self._generator(0, epoch)
        mixed = (shards[i] for i in rng.permutation(len(shards)))
        clips = (members for shard in mixed for members in read_members(self.dataset.folder / shard.name, shard.clips))
        held, seed = self.sampler.stage.shuffle, int(rng.integers(2**31))
        mixed = webdataset.detshuffle(bufsize=held, initial=held, seed=seed).run(clips)
        for index, members in enumerate(mixed):
            if index >= passed:
                yield members

    def _with_speed(self, number: int) -> bool:
        """The same in all lanes: a batch has speeds or has none."""
        stage = self.sampler.stage
        return np.random.default_rng([stage.seed, number]).random() >= stage.drop_speed

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.sampler.stage.seed, self.index, *key])


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

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        workers, own = (1, 0) if info is None else (info.num_workers, info.id)
        # Worker r of a run makes micro steps r, r + workers, ...; after a resume the loader asks worker 0 first again.
        role = (self.consumed + own) % workers
        consumed = (self.consumed - role + workers - 1) // workers
        of = self.all_places * workers
        lanes = [
            Lane(self.dataset, self.sampler, place * workers + role, of).samples(consumed) for place in self.places
        ]
        while True:
            yield collate([next(lane) for lane in lanes])


def load_batches(batches: Batches) -> DataLoader:
    """Read in worker processes, a few batches ahead."""
    workers = batches.sampler.stage.workers
    extra = {"prefetch_factor": 4} if workers else {}
    return DataLoader(batches, batch_size=None, num_workers=workers, **extra)


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
