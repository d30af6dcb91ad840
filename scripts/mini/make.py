"""emo-mini from videos, in one command: `python -m scripts.mini.make --grid GRID_S1 --others TALK_GRID --work WORK --out models/`.

Every step is a command of the trainer or of this folder, printed before it runs; what is finished is not done again, so a
stopped run goes on. `--hours` scales all training times.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VARIANTS = 10
"""Of each clip of the other people."""
EVERY = 20
"""Every 20th clip of the person of most clips is held out."""
HELD_OUT = ("s30_*", "s31_*", "s34_*", "grid_pwij3p*", "grid_swiz3n*")
"""People who are never trained on."""
MINUTES = {"vae": 30, "audio": 20, "1": 24, "2": 48, "3": 10}
"""Of training from nothing, on two CPU cores."""
FURTHER = {"audio": 18, "2": 20, "3": 5}
"""The same with `--earlier`."""
SETTINGS = {
    "2": ("learning_rate=6.0e-4", "warm_up=100", "decay_from=0.3"),
    "3": ("warm_up=50",),
}
"""Of stages that go on from a trained model."""
BATCH = {"1": 3, "2": 2, "3": 2}
"""Of each of two processes."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and the file that it ends with."""

    command: tuple[str, ...]
    result: Path


def steps(args: argparse.Namespace) -> Iterator[Step]:
    """The recipe."""
    work, out = args.work, args.out
    own, others = (sorted(folder.glob("*.mp4")) for folder in (args.grid, args.others))
    held_out = [path.name for path in own[::EVERY]]
    trained = [path for path in others if not any(path.match(pattern) for pattern in HELD_OUT)]
    plan = MINUTES if args.earlier is None else FURTHER
    minutes = {name: f"{value * args.hours:g}" for name, value in plan.items()}
    data, mixed, cached = work / "data", work / "mixed", work / "cached"
    trainer = ("-m", "emo_core.trainer")
    pair = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "emo_core.trainer")
    config = ("--config", "configs/mini.yaml")
    precision = ("--set", f"precision={args.precision}")

    def file(name: str) -> Path:
        return work / f"{name}.safetensors"

    def trains(stage: str, init: str) -> Iterator[Step]:
        run = work / f"stage-{stage}"
        more = ("--resume",) if list(run.glob("checkpoints/step-*")) else ()
        if args.earlier is not None:
            more += tuple(part for setting in SETTINGS[stage] for part in ("--set", setting))
        yield Step((*pair, "train", "--stage", stage, "--data", f"{cached}", "--init", f"{file(init)}", *config, "--out",
                    f"{run}", "--max-minutes", minutes[stage], "--set", f"batch={BATCH[stage]}", *precision, *more), run / "done")  # fmt: skip
        yield Step(
            (*trainer, "export", f"{run}", "--out", f"{file(f'stage-{stage}')}", "--dtype", "fp32"),
            file(f"stage-{stage}"),
        )

    yield Step((*trainer, "prepare", f"{args.grid}", f"{args.others}", "--out", f"{data}", "--hold-out", *HELD_OUT, *held_out), data / "dataset.json")  # fmt: skip
    yield Step(("-m", "scripts.mini.variants", *map(str, trained), "--out", f"{work / 'variants'}", "--count", f"{VARIANTS}"),
               work / "variants" / f"{trained[-1].stem}-v{VARIANTS - 1}.mp4")  # fmt: skip
    yield Step(
        (*trainer, "prepare", f"{work / 'variants'}", "--out", f"{data}", "--held-out", "0"), work / "variants.done"
    )
    yield Step(
        ("-m", "scripts.mini.voices", "--data", f"{data}", "--out", f"{work / 'speech.npz'}"), work / "speech.npz"
    )
    earlier = () if args.earlier is None else ("--earlier", f"{args.earlier}")
    yield Step(("-m", "scripts.mini.audio", "--speech", f"{work / 'speech.npz'}", "--out", f"{file('encoder')}",
                "--minutes", minutes["audio"], "--precision", args.precision, *earlier), file("encoder"))  # fmt: skip
    if args.earlier is None:
        vae = work / "vae" / "model.safetensors"
        yield Step(("-m", "scripts.mini.start", "--out", f"{file('start')}"), file("start"))
        yield Step((*trainer, "train", "--stage", "vae", "--data", f"{data}", "--init", f"{file('start')}", "--out",
                    f"{vae.parent}", "--max-minutes", minutes["vae"], "--precision", args.precision), vae)  # fmt: skip
        earlier = ("--vae", f"{vae}", "--data", f"{data}")
    joined = ("-m", "scripts.mini.start", *earlier, "--encoder", f"{file('encoder')}", "--out", f"{file('joined')}")
    yield Step(joined, file("joined"))
    yield Step(("-m", "scripts.mini.mix", "--data", f"{data}", "--out", f"{mixed}"), mixed / "dataset.json")
    yield Step((*trainer, "cache", f"{mixed}", "--init", f"{file('joined')}", "--out", f"{cached}", "--voices", "2", "--precision", args.precision), cached / "dataset.json")  # fmt: skip
    if args.earlier is None:
        yield from trains("1", "joined")
    yield from trains("2", "joined" if args.earlier else "stage-1")
    yield from trains("3", "stage-2")
    yield Step(("-m", "scripts.mini.start", "--finish", f"{file('stage-3')}", "--out", f"{out / 'emo-mini.safetensors'}"),
               out / "emo-mini.safetensors")  # fmt: skip


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=Path, required=True, help="folder of GRID s1's clips, cropped to the face")
    parser.add_argument("--others", type=Path, required=True, help="folder of clips of other GRID speakers")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--earlier", type=Path, help="an emo-mini to go on from")
    parser.add_argument("--hours", type=float, default=1.0, help="times the minutes of every training (default: 1)")
    parser.add_argument("--precision", choices=("no", "bf16"), default="no", help="bf16 where the processor has it")
    parser.add_argument("--dry-run", action="store_true", help="print the commands")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for step in steps(args):
        finished = step.result.exists()
        sys.stdout.write(f"{'done: ' if finished else ''}python {shlex.join(step.command)}\n")
        sys.stdout.flush()
        if finished or args.dry_run:
            continue
        subprocess.run([sys.executable, *step.command], check=True)
        if not step.result.exists():
            step.result.parent.mkdir(parents=True, exist_ok=True)
            step.result.touch()


if __name__ == "__main__":
    main()
