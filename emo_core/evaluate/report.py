"""`report.json` and `report.html` with its pictures: medians first, then every video, curves and contact sheets."""

import html
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ..files import write_json, write_text
from ..media.contact_sheet import contact_sheet
from ..metrics.observation import Observed
from .evaluate import Evaluation

SIDE = 112
"""Pixels of a frame on a contact sheet."""
SHOWN = 24
"""Videos that the page shows."""


def write(out: Path, judged: Evaluation) -> None:
    """Write `report.json` and `report.html` into a folder; again, when more is known, over what is there."""
    content = {"summary": judged.summary, "videos": judged.rows, "true_videos": judged.true_rows, "notes": judged.notes}
    write_json(out / "report.json", _rounded(content))
    write_text(out / "report.html", "\n".join(_page(judged)) + "\n")


def draw(out: Path, judged: Evaluation) -> None:
    """Write the pictures that `report.html` shows, beside it."""
    pictures = out / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for video in judged.videos[:SHOWN]:
        _curves(pictures / f"{video.made.name}.png", video.made, video.true)
        rows = [one.sheet for one in (video.true, video.made) if one is not None]
        sheet = contact_sheet(*rows, columns=len(rows[0]), side=SIDE)
        sheet.save(pictures / f"{video.made.name}.jpg", quality=88)


def _page(judged: Evaluation) -> Iterator[str]:
    shown = judged.videos[:SHOWN]
    yield "<!doctype html><meta charset=utf-8><title>EMO evaluation</title>"
    yield "<style>body{font:15px sans-serif;margin:2em;max-width:70em}td,th{padding:.2em .8em;text-align:left}"
    yield "img{max-width:100%}</style><h1>Evaluation</h1>"
    for heading, numbers in judged.summary.items():
        cells = "".join(f"<tr><td>{_words(name)}<td>{_text(value)}" for name, value in numbers.items())
        yield f"<h2>{html.escape(heading)}</h2><table>{cells}</table>"
    yield from (f"<p>{html.escape(note)}</p>" for note in judged.notes)
    if len(shown) < len(judged.videos):
        yield f"<p>The first {len(shown)} of {len(judged.videos)} videos; report.json has all.</p>"
    for video in shown:
        name = video.made.name
        told = ", ".join(f"{_words(key)} {_text(value)}" for key, value in judged.rows[name].items())
        yield f"<h3>{html.escape(name)}</h3><p>{told}</p>"
        yield f'<img src="pictures/{quote(name)}.png" alt="curves"><img src="pictures/{quote(name)}.jpg" alt="frames">'


def _curves(file: Path, made: Observed, true: Observed | None) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.6), layout="constrained")
    axes = figure.subplots()
    for name, video in (("true", true), ("generated", made)):
        if video is not None:
            axes.plot(np.arange(video.frames) / video.fps, video.opening, label=name)
    if len(made.loud):
        loud = made.loud[: made.frames]  # Another video's may be longer, or shorter.
        high = max(float(np.nanmax(made.opening, initial=0)), 1e-3) / max(loud.max(), 1e-9)
        axes.fill_between(np.arange(len(loud)) / made.fps, loud * high, color="0.88", label="loudness")
    axes.set_ylabel("mouth opening")
    axes.set_xlabel("seconds")
    axes.legend(loc="upper right")
    figure.savefig(file, dpi=90)


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
