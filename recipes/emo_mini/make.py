"""emo-mini from videos, in one command: `python -m recipes.emo_mini.make --grid GRID_S1 --others TALK_GRID --guides DATA --work WORK --out models/`.

Every step is a command of the pack or of this folder, printed before it runs. A step whose file exists is left out, so that a
stopped run continues. `--hours` scales all training times, which are one GPU's. To try it on a CPU, give `--limit`.
"""

import argparse
import itertools
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

from . import guide_make
from .steps import Step, run

EVERY = 20
"""Every 20th clip of the person of most clips is held out."""
HELD_OUT = ("s30_*", "s31_*", "s34_*", "grid_pwij3p*", "grid_swiz3n*")
"""Held-out people."""
AUDIO_MINUTES, ROLLOUT_STEPS = 2.2, 1100
FURTHER, DECODER, ROLLOUT, FINISHED, GUIDED = "further", "decoder", "rollout", "finished", "guided"
"""Folders of the files after further training, after the decoder's fine-tuning, after the few-step network's fine-tuning on its own
samples, after the decoder's second fine-tuning, and of the few-step network that repairs drawn frames."""
DECODER_PLANS = {DECODER: (FURTHER, 2000, 250), FINISHED: (ROLLOUT, 3000, 400)}
"""Fine-tunings of the decoder: folder of the files to start from, steps, denoised clips."""
FILES = ("emo-mini.safetensors", "emo-mini-few.safetensors")


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
    yield finetuned_decoder(DECODER, args, precision, limit)
    yield Step(("-m", "recipes.emo_mini.finetune_rollout", "--data", f"{data}", "--init", f"{work / DECODER}", "--out", f"{work / ROLLOUT}", "--steps",
                f"{math.ceil(ROLLOUT_STEPS * args.hours)}", *precision, *limit), work / ROLLOUT / FILES[0])  # fmt: skip
    yield finetuned_decoder(FINISHED, args, precision, limit)
    films = () if args.limit is None else (1,)
    yield from guide_make.steps(args.guides, work / FINISHED / FILES[-1], work / GUIDED, args.hours, *films)


def finetuned_decoder(name: str, args: argparse.Namespace, *options: tuple[str, ...]) -> Step:
    """The decoder's fine-tuning on latents of the network of that step."""
    init, steps, clips = DECODER_PLANS[name]
    return Step(("-m", "recipes.emo_mini.finetune_decoder", "--data", f"{args.work / 'data'}", "--init", f"{args.work / init}", "--out", f"{args.work / name}",
                 "--steps", f"{math.ceil(steps * args.hours)}", "--clips", f"{math.ceil(clips * args.hours)}",
                 *itertools.chain(*options)), args.work / name / FILES[-1])  # fmt: skip


def main() -> None:
    """Run the missing steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=Path, required=True, help="folder of GRID s1's clips, cropped to the face")
    parser.add_argument("--others", type=Path, required=True, help="folder of clips of other GRID speakers")
    parser.add_argument(
        "--guides", type=Path, required=True, help="folder with all films of GRID and stills of many people"
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=1.0, help="factor on the minutes of every training (default: 1)")
    parser.add_argument("--limit", type=int, help="clips of the person of most clips, to try it out")
    parser.add_argument(
        "--precision", choices=("no", "bf16"), default="bf16", help="no: on CPUs that only emulate bf16"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    todo = list(steps(args))
    run(todo, dry_run=args.dry_run)
    if not args.dry_run:
        args.out.mkdir(parents=True, exist_ok=True)
        for path in (args.work / FINISHED / FILES[0], todo[-1].result):
            shutil.copy(path, args.out / path.name)


if __name__ == "__main__":
    main()
