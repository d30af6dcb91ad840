"""Measure the throughput of training: `python -m tools.benchmark_training --data CACHED --init CKPT [--stages 1 2 3] [--steps 20]`.

For each stage of the configuration: samples and frames per second, share of time spent waiting for data, peak memory. The
first steps are warm-up and are not counted.
"""

import argparse
import tempfile
from pathlib import Path

import torch

from emo_core.dataset.shards import Dataset
from emo_core.emo.training.setup import setup_stage
from emo_core.emo.training.stages import STAGES, read_options
from emo_core.emo.training.train import train
from emo_core.memory import peak_memory_mb
from emo_core.training.log import read_log
from emo_core.training.schedule import Limits

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "mini.yaml"
WARM_UP = 5
"""Steps."""


def main() -> None:
    """Print a table with a row per stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a cached dataset")
    parser.add_argument("--init", type=Path, required=True, help="a checkpoint")
    parser.add_argument("--config", type=Path, default=CONFIG, help="options of the stages")
    parser.add_argument("--stages", nargs="+", choices=tuple(STAGES), default=tuple(STAGES))
    parser.add_argument("--steps", type=int, default=20, help="measured steps per stage")
    args = parser.parse_args()
    dataset, options = Dataset.open(args.data), read_options(args.config)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {args.data.name}, {args.config.name}")
    print(
        "| stage | batch | frames | samples/s | frames/s | waiting for data | peak memory |\n|---|---|---|---|---|---|---|"
    )
    for name in args.stages:
        stage = STAGES[name].with_options({**options[name], "log_every": WARM_UP, "validate_every": 0})
        with tempfile.TemporaryDirectory() as folder:
            run = setup_stage(dataset, args.init, Path(folder), stage)
            train(run, stage, Limits(steps=WARM_UP + args.steps))
            lines = read_log(Path(folder))[1:]
        samples = sum(line["samples_per_second"] for line in lines) / len(lines)
        waiting = sum(line["waiting"] for line in lines) / len(lines)
        frames = stage.frames or run.emo.config.temporal.frames
        device = next(run.emo.parameters()).device
        print(f"| {name} | {stage.batch} | {frames} | {samples:.2f} | {samples * frames:.1f} | {waiting:.1%} "
              f"| {peak_memory_mb(device):.0f} MB |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
