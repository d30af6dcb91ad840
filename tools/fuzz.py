"""Run the commands on damaged files: each must end in a result or in one clear line.

    python -m tools.fuzz [--count 200] [--seed 0] [--only KIND]

Sounds, pictures, masks, checkpoints, workflows and tables are damaged by flipped bytes, cuts and swapped or removed parts. Each
case runs in a worker process, which is replaced if it dies or takes too long. A case fails if there is a traceback, more than
one error line, a half-written file, a result beside an error, or if it takes more than `LONGEST` seconds.
"""

import argparse
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 20.0
"""Seconds that a case may take."""
SOUNDS = ("wav", "mp3", "flac", "m4a", "ogg")
PICTURES = ("png", "jpg", "webp")
ENDINGS = {"table": "csv", "workflow": "json", "checkpoint": "safetensors", "mask": "png"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one case."""

    code: int | None
    """Exit code; None if the process died or was too slow."""
    seconds: float
    stderr: str
    left: tuple[str, ...] = ()
    """Files that the command wrote."""
    several: bool = False
    """Whether it had several jobs: some may succeed."""

    @property
    def fault(self) -> str:
        """The rule that is broken; empty if none is."""
        errors = [line for line in self.stderr.splitlines() if line.startswith("error: ")]
        hidden = [name for name in self.left if Path(name).name.startswith(".")]
        rules = {
            "died, or too slow": self.code is None,
            f"longer than {LONGEST:g} s": self.seconds > LONGEST,
            "traceback": "Traceback" in self.stderr,
            "unknown exit code": self.code not in (0, 2, 3, 4),
            "not one error line": self.code not in (0, None) and len(errors) != 1,
            "half-written file": bool(hidden),
            "a result beside an error": self.code == 2 and bool(self.left) and not self.several,
            "no result": self.code == 0 and not self.left,
        }
        return next((rule for rule, broken in rules.items() if broken), "")


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Flip, cut, swap, repeat or remove parts of a file, at one to four places."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        start = chance.randrange(max(1, len(data)))
        length = chance.choice((1, 4, 64, max(1, len(data) // 4)))
        part = data[start : start + length]
        kind = chance.choice(("flip", "cut end", "cut front", "remove", "zero", "repeat", "noise"))
        if kind == "flip":
            data[start : start + 1] = bytes([data[start] ^ (1 << chance.randrange(8))]) if data else b""
        elif kind == "cut end":
            del data[start:]
        elif kind == "cut front":
            del data[: min(start, length)]
        elif kind == "remove":
            del data[start : start + length]
        elif kind == "zero":
            data[start : start + length] = bytes(len(part))
        elif kind == "repeat":
            data[start:start] = part
        else:
            data[start : start + length] = chance.randbytes(len(part))
    return bytes(data)


def damaged_json(content: bytes, chance: random.Random) -> bytes:
    """Remove, swap or replace values of a JSON file; sometimes its bytes are damaged instead."""
    if chance.random() < 0.2:
        return damaged(content, chance)
    tree = json.loads(content)
    for _ in range(chance.choice((1, 2, 3))):
        places = list(_places(tree))
        holder, key = chance.choice(places)
        action = chance.choice(("remove", "replace", "swap"))
        if action == "remove":
            del holder[key]
        elif action == "replace":
            holder[key] = chance.choice((None, -1, 10**30, "x", [], {}, True, 0.5, "\u2028", ["1", 0]))
        else:
            other, name = chance.choice(places)
            holder[key], other[name] = other[name], holder[key]
            if _is_endless(tree):
                return damaged(content, chance)
        if not tree:
            break
    return json.dumps(tree).encode()


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every holder and key in a JSON tree."""
    places, waiting = [], [tree]
    while waiting:
        holder = waiting.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            places.append((holder, key))
            if isinstance(value, (dict, list)) and value:
                waiting.append(value)
    return places


def _is_endless(tree: Any) -> bool:
    try:
        json.dumps(tree)
    except (ValueError, RecursionError):
        return True
    return False


class Bench:
    """Makes the cases, in a folder of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.good = {kind: _good_files(folder, kind) for kind in _KINDS}

    def command(self, kind: str, number: int) -> tuple[list[str], Path]:
        """Arguments of case `number`, and the folder that they write to."""
        chance = random.Random(f"{self.seed} {kind} {number}")
        source = chance.choice(self.good[kind])
        place = self.folder / f"{kind}-{number}"
        place.mkdir()
        damage = damaged_json if kind == "workflow" else damaged
        file = place / source.name
        file.write_bytes(damage(source.read_bytes(), chance))
        return _KINDS[kind](self, file, place / "out"), place / "out"


def _animate(bench: Bench, out: Path, **changes: Path | str) -> list[str]:
    out.mkdir()
    options = {
        "portrait": ROOT / "assets" / "portrait.png",
        "audio": ROOT / "assets" / "voice.wav",
        "checkpoint": bench.good["checkpoint"][0],
        "face-region": "none",
        "steps": "1",
        "max-seconds": "0.5",
        "out": out / "video.mp4",
        **changes,
    }
    return _as_command(options)


def _drive(out: Path, motion: Path) -> list[str]:
    """A portrait that is driven by a film or a face motion."""
    out.mkdir()
    portrait = ROOT / "assets" / "portrait.png"
    return _as_command(
        {"portrait": portrait, "motion": motion, "size": "128", "max-seconds": "0.3", "out": out / "video.mp4"}
    )


def _emote(out: Path, *options: Path | str, voice: Path = ROOT / "assets" / "voice.wav") -> list[str]:
    """A voice to the motion of a face."""
    out.mkdir()
    command = ["emote", voice, "--max-seconds", "0.5", "--out", out / "motion.safetensors", *options]
    return [str(part) for part in command]


def _as_command(options: dict[str, Path | str]) -> list[str]:
    return ["animate", *(part for name, value in options.items() for part in (f"--{name}", str(value)))]


def _queue(bench: Bench, out: Path, workflow: Path, *options: str) -> list[str]:
    return ["queue", str(workflow), "--server", "SERVER", "--patience", "2", "--out", str(out), *options]


_KINDS: dict[str, Callable[[Bench, Path, Path], list[str]]] = {
    "checkpoint": lambda bench, file, out: _animate(bench, out, checkpoint=file),
    "sound": lambda bench, file, out: _animate(bench, out, audio=file),
    "picture": lambda bench, file, out: _animate(bench, out, portrait=file, **{"face-region": "auto"}),
    "mask": lambda bench, file, out: _animate(bench, out, **{"face-region": file}),
    "film": lambda bench, file, out: _drive(out, file),
    "motion": lambda bench, file, out: _drive(out, file),
    "voice": lambda bench, file, out: _emote(out, "--from-voice", "--model", bench.good["emote"][0], voice=file),
    "emote": lambda bench, file, out: _emote(out, "--emotion", "happy", "--model", file),
    "workflow": lambda bench, file, out: _queue(bench, out, file),
    "table": lambda bench, file, out: _queue(
        bench, out, ROOT / "workflows" / "api" / "talk.json", "--batch", str(file)
    ),
}


def _good_files(folder: Path, kind: str) -> list[Path]:
    """Undamaged files of a kind."""
    from tests.fuzzed import write_good_files

    return write_good_files(folder / "good" / kind, kind)


def _work(tasks: Any, results: Any) -> None:
    """Run commands until there are no more, in a process that has loaded everything."""
    from tests.fuzzed import run_command_here

    for arguments in iter(tasks.get, None):
        results.put(run_command_here(arguments))


class Worker:
    """A process that runs one command after another, and is replaced if one is too much for it."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._tasks, self._results = self._context.Queue(), self._context.Queue()
        self._process = self._context.Process(target=_work, args=(self._tasks, self._results), daemon=True)
        self._process.start()
        self._warm = False

    def run(self, arguments: list[str]) -> tuple[int | None, float, str]:
        """Exit code, seconds and stderr of a command."""
        if not self._warm:  # Imports and server take longer than a case may.
            self._tasks.put(["--help"])
            self._results.get(timeout=300)
            self._warm = True
        start = time.monotonic()
        self._tasks.put(arguments)
        while time.monotonic() - start < 2 * LONGEST and self._process.is_alive():
            if not self._results.empty():
                code, stderr = self._results.get()
                return code, time.monotonic() - start, stderr
            time.sleep(0.02)
        self._process.kill()
        self._process.join()
        self._start()
        return None, time.monotonic() - start, ""

    def close(self) -> None:
        """End the process."""
        self._tasks.put(None)
        self._process.join(10)


def main() -> int:
    """Run all cases; the exit code is 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=tuple(_KINDS))
    args = parser.parse_args()
    kinds = [args.only] if args.only else list(_KINDS)
    table: dict[str, Counter] = {kind: Counter() for kind in kinds}
    faults = 0
    with TemporaryDirectory() as folder:
        bench, worker = Bench(Path(folder), args.seed), Worker()
        for number in range(args.count):
            kind = kinds[number % len(kinds)]
            arguments, out = bench.command(kind, number)
            code, seconds, stderr = worker.run(arguments)
            left = tuple(str(path) for path in out.rglob("*") if path.is_file()) if out.exists() else ()
            outcome = Outcome(code, seconds, stderr, left, several=kind == "table")
            table[kind]["fault" if outcome.fault else "result" if code == 0 else "error"] += 1
            table[kind]["slowest"] = max(table[kind]["slowest"], round(seconds, 1))
            if outcome.fault:
                faults += 1
                print(
                    f"{kind} {number}: {outcome.fault} (exit {code}, {seconds:.1f} s)\n{stderr[-1500:]}",
                    file=sys.stderr,
                )
        worker.close()
    print("| damaged | results | one clear error | faults | slowest, s |\n|---|---|---|---|---|")
    for kind, row in table.items():
        print(f"| {kind} | {row['result']} | {row['error']} | {row['fault']} | {row['slowest']} |")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
