"""emo-mini from videos, in one command: `python -m recipes.emo_mini.make --grid GRID_S1 --others TALK_GRID --work WORK --out models/`.

Every step is a command of the trainer or of this folder, printed before it runs; what is finished is not done again, so a
stopped run goes on. `--hours` scales all training times, which are one GPU's. To try it on a CPU, give `--limit`.
"""

import argparse
import itertools
import math
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

EVERY = 20
"""Every 20th clip of the person of most clips is held out."""
HELD_OUT = ("s30_*", "s31_*", "s34_*", "grid_pwij3p*", "grid_swiz3n*")
"""People who are never trained on."""
AUDIO_MINUTES, LIPS_STEPS = 2.2, 1100
FURTHER, POLISHED, LIPS, FINISHED = "further", "polished", "lips", "finished"
"""Where the files end that go on from the first ones, those with the decoder that has seen what they make, those of which the few-step one
learnt from what it drew, and those with the decoder that has seen that."""
POLISHING = {POLISHED: (FURTHER, 2000, 250), FINISHED: (LIPS, 3000, 400)}
"""What the decoder is polished on: whose pictures, steps, and clips that are denoised."""
FILES = ("emo-mini.safetensors", "emo-mini-few.safetensors")


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and the file that it ends with."""

    command: tuple[str, ...]
    result: Path


def steps(args: argparse.Namespace) -> Iterator[Step]:
    """The recipe."""
    work = args.work
    data, speech, encoder = work / "data", work / "speech.npz", work / "encoder.safetensors"
    held_out = [path.name for path in sorted(args.grid.glob("*.mp4"))[::EVERY]]
    precision = ("--precision", args.precision)
    limit = () if args.limit is None else ("--limit", f"{args.limit}", "--people", "1")
    yield Step(("-m", "emo_core", "prepare", f"{args.grid}", f"{args.others}", "--out", f"{data}", "--hold-out",
                *HELD_OUT, *held_out), data / "dataset.json")  # fmt: skip
    yield Step(("-m", "recipes.emo_mini.voices", "--data", f"{data}", "--out", f"{speech}"), speech)
    yield Step(("-m", "recipes.emo_mini.audio", "--speech", f"{speech}", "--out", f"{encoder}", "--run", f"{work / 'encoder'}", "--batch", "48", "--minutes",
                f"{AUDIO_MINUTES * args.hours:g}", *precision), encoder)  # fmt: skip
    yield Step(("-m", "recipes.emo_mini.train", "--data", f"{data}", "--encoder", f"{encoder}", "--out", f"{work}", "--hours",
                f"{args.hours:g}", *precision, *limit), work / FILES[-1])  # fmt: skip
    yield Step(("-m", "recipes.emo_mini.train", "--data", f"{data}", "--init", f"{work}", "--out", f"{work / FURTHER}", "--hours",
                f"{args.hours:g}", *precision, *limit), work / FURTHER / FILES[-1])  # fmt: skip
    yield polished(POLISHED, args, precision, limit)
    yield Step(("-m", "recipes.emo_mini.finetune_rollout", "--data", f"{data}", "--init", f"{work / POLISHED}", "--out", f"{work / LIPS}", "--steps",
                f"{math.ceil(LIPS_STEPS * args.hours)}", *precision, *limit), work / LIPS / FILES[0])  # fmt: skip
    yield polished(FINISHED, args, precision, limit)


def polished(name: str, args: argparse.Namespace, *options: tuple[str, ...]) -> Step:
    """Teach the decoder what the network of that time makes."""
    init, steps, clips = POLISHING[name]
    return Step(("-m", "recipes.emo_mini.finetune_decoder", "--data", f"{args.work / 'data'}", "--init", f"{args.work / init}", "--out", f"{args.work / name}",
                 "--steps", f"{math.ceil(steps * args.hours)}", "--clips", f"{math.ceil(clips * args.hours)}",
                 *itertools.chain(*options)), args.work / name / FILES[-1])  # fmt: skip


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=Path, required=True, help="folder of GRID s1's clips, cropped to the face")
    parser.add_argument("--others", type=Path, required=True, help="folder of clips of other GRID speakers")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=1.0, help="times the minutes of every training (default: 1)")
    parser.add_argument("--limit", type=int, help="clips of the person of most clips, to try it out")
    parser.add_argument(
        "--precision", choices=("no", "bf16"), default="bf16", help="no: on CPUs that only emulate bf16"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for step in steps(args):
        finished = step.result.exists()
        sys.stdout.write(f"{'done: ' if finished else ''}python {shlex.join(step.command)}\n")
        sys.stdout.flush()
        if not finished and not args.dry_run:
            subprocess.run([sys.executable, *step.command], check=True)
    if not args.dry_run:
        args.out.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copy(args.work / FINISHED / name, args.out / name)


if __name__ == "__main__":
    main()
