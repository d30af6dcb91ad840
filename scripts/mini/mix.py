"""The same clips in other shards, people mixed: `python -m scripts.mini.mix --data DATASET --out MIXED --shards 12`.

`prepare` packs in the order in which videos were added, and training shuffles only what it holds in memory: without this, it would
see one person for minutes, and then the others.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from emo_core.trainer.shards import TRAIN, Dataset, Shard, read_clips, write_clips


def main() -> None:
    """Write the mixed dataset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=12)
    args = parser.parse_args()
    dataset = Dataset.open(args.data)
    args.out.mkdir(parents=True, exist_ok=True)
    mixed = []
    splits = dict.fromkeys(shard.split for shard in dataset.shards)
    for split in splits:
        clips = list(read_clips(dataset, split))
        order = np.random.default_rng(0).permutation(len(clips))
        for number, part in enumerate(np.array_split(order, args.shards if split == TRAIN else 1)):
            chosen = [clips[i] for i in part]
            name = f"{split}-{number:06d}.tar"
            write_clips(args.out / name, chosen)
            sources = tuple(sorted({clip.speaker for clip in chosen}))
            mixed.append(Shard(name, split, len(chosen), sum(clip.frames for clip in chosen), sources))
    replace(dataset, folder=args.out, shards=tuple(mixed)).save()


if __name__ == "__main__":
    main()
