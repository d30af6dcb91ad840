"""`report.json` and `report.html` with its pictures: medians first, then every video, curves and contact sheets."""

import html
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..trainer.shards import write_json
from .judge import Judged
from .measures import Numbers
from .observe import Observed

SIDE = 112
"""Pixels of a frame on a contact sheet."""
SHOWN = 24
"""Videos that the page shows."""


def write(out: Path, summary: Mapping[str, Numbers], rows: Mapping[str, Numbers], notes: Sequence[str]) -> None:
    """Write `report.json`.

    Args:
        out: the folder.
        summary: numbers by heading.
        rows: numbers of every video.
        notes: lines that say what is missing, and why.
    """
    write_json(out / "report.json", _rounded({"summary": dict(summary), "videos": dict(rows), "notes": list(notes)}))


def page(out: Path, judged: Judged, notes: Sequence[str]) -> None:
    """Write `report.html` and its pictures."""
    pictures = out / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    parts = ["<!doctype html><meta charset=utf-8><title>EMO evaluation</title>",
             "<style>body{font:15px sans-serif;margin:2em;max-width:70em}td,th{padding:.2em .8em;text-align:left}"
             "img{max-width:100%}</style><h1>Evaluation</h1>"]  # fmt: skip
    for heading, numbers in judged.summary.items():
        cells = "".join(f"<tr><td>{_words(name)}<td>{_text(value)}" for name, value in numbers.items())
        parts.append(f"<h2>{html.escape(heading)}</h2><table>{cells}</table>")
    parts.extend(f"<p>{html.escape(note)}</p>" for note in notes)
    for made, true in list(itertools.zip_longest(judged.made, judged.true))[:SHOWN]:
        _curves(pictures / f"{made.name}.png", made, true)
        _sheet(pictures / f"{made.name}.jpg", made, true)
        told = ", ".join(f"{_words(name)} {_text(value)}" for name, value in judged.rows[made.name].items())
        name = html.escape(made.name)
        parts.append(f"<h3>{name}</h3><p>{told}</p>")
        parts.append(f'<img src="pictures/{name}.png" alt="curves"><img src="pictures/{name}.jpg" alt="frames">')
    (out / "report.html").write_text("\n".join(parts) + "\n")


def _curves(file: Path, made: Observed, true: Observed | None) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.6), layout="constrained")
    axes = figure.subplots()
    for name, video in (("true", true), ("generated", made)):
        if video is not None:
            axes.plot(np.arange(video.frames) / video.fps, video.opening, label=name)
    if len(made.loud):
        loud = made.loud / max(made.loud.max(), 1e-9) * max(float(np.nanmax(made.opening, initial=0)), 1e-3)
        axes.fill_between(np.arange(made.frames) / made.fps, loud, color="0.88", label="loudness")
    axes.set_ylabel("mouth opening")
    axes.set_xlabel("seconds")
    axes.legend(loc="upper right")
    figure.savefig(file, dpi=90)


def _sheet(file: Path, made: Observed, true: Observed | None) -> None:
    rows = [video.sheet for video in (true, made) if video is not None]
    sheet = Image.new("RGB", (SIDE * len(rows[0]), SIDE * len(rows)), "white")
    for row, frames in enumerate(rows):
        for column, frame in enumerate(frames):
            picture = Image.fromarray(frame)
            picture.thumbnail((SIDE, SIDE))
            sheet.paste(picture, (column * SIDE, row * SIDE))
    sheet.save(file, quality=88)


def _words(name: str) -> str:
    return html.escape(name.replace("_", " "))


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _rounded(content: object) -> object:
    if isinstance(content, float):
        return round(content, 5)
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return content
