"""Every number of emo-mini's card: `python -m recipes.emo_mini.measure --checkpoint FILE --data SHARED_DATA --out FOLDER`.

Each row is an `evaluate` command, printed as it runs; finished rows are kept. `--clips` bounds the work. Writes
`FOLDER/table.json`. SHARED_DATA holds grid_s1/, talk/grid/, talk/us_gov/, speech/, singing/ and portraits/.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np

from emo_core.emo.config import EMOConfig
from emo_core.emo.weights.checkpoint import read_metadata

from .make import EVERY, HELD_OUT

BOXES = ("0.0,0.15,0.47,0.95", "0.53,0.15,1.0,0.95", "0.2,0.63,0.8,1.0", "0.3,0.35,0.7,0.75", "0,0,1,1")
"""Face regions: left, right and low, away from the face's own place; small; the whole picture."""
LONG = 30
"""Seconds of the long video."""


class Bench:
    """Runs commands of the pack and reads their reports."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.checkpoint, self.data, self.out, self.clips = args.checkpoint, args.data, args.out, args.clips
        self.sampling = [] if args.steps is None else ["--steps", str(args.steps)]
        self.sampling += [] if args.guidance_interval is None else ["--guidance-interval", args.guidance_interval]
        self.face = ["--face-model", str(args.face_model)] if args.face_model else []
        self.dtype = ["--dtype", args.dtype]
        self.workers = args.workers

    def run(self, *command: str) -> None:
        """Run `python -m emo_core COMMAND` on one thread per worker."""
        sys.stdout.write(f"python -m emo_core {shlex.join(command)}\n")
        sys.stdout.flush()
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run(
            [sys.executable, "-m", "emo_core", *command], check=True, env=environment, stdout=subprocess.DEVNULL
        )

    def evaluated(self, name: str, videos: list[Path], *more: str) -> dict:
        """A row from true videos."""
        out = self.out / name
        if not (out / "report.json").is_file():
            self.run("evaluate", "--checkpoint", str(self.checkpoint), "--videos", *map(str, videos), "--out", str(out),
                     "--workers", str(self.workers), *self.sampling, *self.dtype, *self.face, *more)  # fmt: skip
        return _report(out)

    def animated(self, name: str, pairs: list[tuple[Path, Path]], *more: str) -> dict:
        """A row from portraits and sounds, without true videos."""
        out = self.out / name
        videos = out / "generated"
        videos.mkdir(parents=True, exist_ok=True)

        def one(pair: tuple[Path, Path]) -> None:
            portrait, sound = pair
            file = videos / f"{portrait.stem}-{sound.stem}.mp4"
            if not file.is_file():
                self.run("animate", "--checkpoint", str(self.checkpoint), "--portrait", str(portrait), "--audio", str(sound),
                         "--out", str(file), *self.sampling, *self.dtype, *more)  # fmt: skip

        with ThreadPoolExecutor(self.workers) as pool:
            list(pool.map(one, pairs))
        if not (out / "report.json").is_file():
            frames = EMOConfig.from_json(read_metadata(self.checkpoint)["config"]).temporal.frames
            self.run(
                "evaluate", "--generated", str(videos), "--out", str(out), "--clip-frames", str(frames), *self.face
            )
        return _report(out)


def _report(out: Path) -> dict:
    return json.loads((out / "report.json").read_text())


def _first_frame(video: Path, out: Path) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(video)) as container:
        next(container.decode(video=0)).to_image().save(out)
    return out


def rows(bench: Bench) -> dict[str, Callable[[], dict]]:
    """Every row by name."""
    data, few = bench.data, max(2, bench.clips // 3)
    held_out = sorted((data / "grid_s1").glob("*.mp4"))[::EVERY]
    strangers = [path for path in sorted((data / "talk" / "grid").glob("*.mp4")) if any(map(path.match, HELD_OUT))]
    officials = sorted((data / "talk" / "us_gov").glob("*.mp4"))
    portrait = _first_frame(held_out[3], bench.out / "trained-face.png")
    sounds = [path for folder in ("speech", "singing") for path in sorted((data / folder).iterdir())]
    pictures = [
        path for path in sorted((data / "portraits").iterdir()) if path.suffix in (".png", ".jpg", ".jpeg", ".webp")
    ]
    low, high = EMOConfig.from_json(read_metadata(bench.checkpoint)["config"]).speed.range
    limit, quick = ["--limit", str(bench.clips)], ["--limit", str(few), "--no-other"]
    table: dict[str, Callable[[], dict]] = {
        "held-out clips": lambda: bench.evaluated("held-out", held_out, *limit),
        "people never trained on": lambda: bench.evaluated("strangers", strangers, *limit),
        "addresses": lambda: bench.evaluated("officials", officials, "--seconds", "6"),
        "-12 dB": lambda: bench.evaluated("gain", held_out, *quick, "--gain", "-12"),
        "white noise at 10 dB": lambda: bench.evaluated("noise", held_out, *quick, "--noise", "10"),
        "another voice": lambda: bench.evaluated("voice", held_out, *quick, "--voice", "1.25"),
        "six languages and songs": lambda: bench.animated(
            "sounds", [(portrait, s) for s in sounds], "--max-seconds", "4"
        ),
        "portraits": lambda: bench.animated(
            "portraits",
            [(p, data / "speech" / "pico_en.wav") for p in pictures],
            "--max-seconds",
            "2",
            "--face-index",
            "0",
        ),
        "30 seconds": lambda: bench.animated(
            "long", [(portrait, data / "singing" / "karissa_hobbs_lets_go_fishin_en.ogg")], "--max-seconds", str(LONG)
        ),
        "speed off": lambda: bench.evaluated("speed-off", held_out, *quick),
    }
    for speed in np.linspace(low, high, 5).round(3).tolist():
        table[f"speed {speed:g}"] = lambda speed=speed: bench.evaluated(
            f"speed-{speed:g}", held_out, *quick, "--speed", f"{speed:g}"
        )
    for number, box in enumerate(BOXES):
        table[f"region {box}"] = lambda number=number, box=box: bench.evaluated(
            f"region-{number}", held_out, "--limit", "2", "--no-other", "--region", box
        )
    return table


def main() -> None:
    """Run all rows, or some."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--steps", type=int, help="denoising steps (default: the checkpoint's)")
    parser.add_argument("--guidance-interval", metavar="FROM,TO", help="of the steps (default: all)")
    parser.add_argument("--dtype", default="fp32")
    parser.add_argument("--face-model", type=Path, help="a face_landmarker.task, for blendshapes")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rows", nargs="+", help="only these")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    choices, table = rows(Bench(args)), {}
    if unknown := sorted(set(args.rows or ()) - set(choices)):
        parser.error(f"no rows {', '.join(unknown)}; there are {', '.join(choices)}")
    for name, row in choices.items():
        if args.rows is None or name in args.rows:
            report = row()
            table[name] = report["summary"] | {"worst_and_best": _range(report["videos"])}
            (args.out / "table.json").write_text(json.dumps(table, indent=1) + "\n")


def _range(videos: dict[str, dict]) -> dict[str, list[float]]:
    """Smallest and largest of every number over the videos."""
    names = dict.fromkeys(name for row in videos.values() for name in row)
    values = {name: [row[name] for row in videos.values() if row.get(name) is not None] for name in names}
    return {name: [min(column), max(column)] for name, column in values.items() if column}


if __name__ == "__main__":
    main()
