"""emo-mini-few for any face, from its ninth version: `python -m recipes.emo_mini.guide_make --data DATA --init emo-mini-few.safetensors --work WORK --out FILE`.

The clips are drawn twice with other motions. The decoder learns to see drawn frames, the network to repair their mouths. `--hours` scales all training times, which are two CPU cores'.
"""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from .steps import Step, run

CLIPS, KEPT_OUT = ("clips-0", "clips-1"), "kept-out"
NETWORK_MINUTES, DECODER_MINUTES, GATHER_MINUTES = 48.0, 16.0, 12.0
FILE = "emo-mini-few.safetensors"


def steps(data: Path, init: Path, work: Path, hours: float, films: int = 16) -> Iterator[Step]:
    """The recipe; its last step's file is the finished one."""
    package, source = "recipes.emo_mini", ("--init", f"{init}")
    clips = [work / f"{name}.safetensors" for name in CLIPS]
    kept_out, first = work / f"{KEPT_OUT}.safetensors", work / "vae.safetensors"
    gather = ("-m", f"{package}.guide_gather", "--data", f"{data}", *source, "--films", f"{films}")
    minutes = ("--minutes", f"{GATHER_MINUTES * hours:g}")
    for seed, path in enumerate(clips):
        yield Step((*gather, *minutes, "--seed", f"{seed}", "--out", f"{path}"), path)
    yield Step((*gather, *minutes, "--kept-out", "--out", f"{kept_out}"), kept_out)
    given = ("--clips", *map(str, clips))
    decoder = ("-m", f"{package}.guide_decoder", *given, *source)
    yield Step((*decoder, "--out", f"{work}", "--minutes", f"{DECODER_MINUTES * hours:g}"), first)
    network = ("-m", f"{package}.guide_train", *given, "--kept-out", f"{kept_out}", *source)
    made = work / FILE
    yield Step((*network, "--vae", f"{first}", "--out", f"{work}", "--minutes", f"{NETWORK_MINUTES * hours:g}"), made)


def main() -> None:
    """Run the missing steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with films of GRID and stills")
    parser.add_argument("--init", type=Path, required=True, help="emo-mini-few.safetensors, ninth version")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=1.0, help="factor on the minutes of every training (default: 1)")
    parser.add_argument("--films", type=int, default=16, help="films of one speaker, at most (default: 16)")
    parser.add_argument("--dry-run", action="store_true", help="print the commands")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    todo = list(steps(args.data, args.init, args.work, args.hours, args.films))
    run(todo, dry_run=args.dry_run)
    if not args.dry_run:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(todo[-1].result, args.out)


if __name__ == "__main__":
    main()
