"""`report.json` and `report.html`: medians, then every video with its curves and contact sheet."""

import html
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ..files import write_json, write_text
from ..media.contact_sheet import contact_sheet
from ..metrics.observation import Observation
from .evaluate import Evaluation

FRAME_SIDE = 112
"""Pixels: longest side of a frame on a contact sheet."""
MAX_VIDEOS = 24
"""Number of videos on the page."""


def write_report(out: Path, evaluation: Evaluation) -> None:
    """Write `report.json` and `report.html` into a folder. An earlier report is replaced."""
    content = {
        "summary": evaluation.summary,
        "videos": evaluation.metrics,
        "true_videos": evaluation.true_metrics,
        "notes": evaluation.notes,
    }
    write_json(out / "report.json", _rounded(content))
    write_text(out / "report.html", "\n".join(_page(evaluation)) + "\n")


def draw_pictures(out: Path, evaluation: Evaluation) -> None:
    """Write the pictures of `report.html` into the folder `pictures`."""
    pictures = out / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for group in evaluation.groups[:MAX_VIDEOS]:
        name = group.generated.name
        _draw_curves(pictures / f"{name}.png", group.generated, group.true)
        rows = [video.sample_frames for video in (group.true, group.generated) if video is not None]
        contact_sheet(*rows, columns=len(rows[0]), side=FRAME_SIDE).save(pictures / f"{name}.jpg", quality=88)


def _page(evaluation: Evaluation) -> Iterator[str]:
    groups = evaluation.groups[:MAX_VIDEOS]
    yield "<!doctype html><meta charset=utf-8><title>EMO evaluation</title>"
    yield "<style>body{font:15px sans-serif;margin:2em;max-width:70em}td,th{padding:.2em .8em;text-align:left}"
    yield "img{max-width:100%}</style><h1>Evaluation</h1>"
    for heading, metrics in evaluation.summary.items():
        cells = "".join(f"<tr><td>{_words(name)}<td>{_text(value)}" for name, value in metrics.items())
        yield f"<h2>{html.escape(heading)}</h2><table>{cells}</table>"
    yield from (f"<p>{html.escape(note)}</p>" for note in evaluation.notes)
    if len(groups) < len(evaluation.groups):
        yield f"<p>The first {len(groups)} of {len(evaluation.groups)} videos; report.json has all.</p>"
    for group in groups:
        name = group.generated.name
        text = ", ".join(f"{_words(key)} {_text(value)}" for key, value in evaluation.metrics[name].items())
        yield f"<h3>{html.escape(name)}</h3><p>{text}</p>"
        yield f'<img src="pictures/{quote(name)}.png" alt="curves"><img src="pictures/{quote(name)}.jpg" alt="frames">'


def _draw_curves(file: Path, generated: Observation, true: Observation | None) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.6), layout="constrained")
    axes = figure.subplots()
    for name, video in (("true", true), ("generated", generated)):
        if video is not None:
            axes.plot(np.arange(video.frames) / video.fps, video.opening, label=name)
    if len(generated.loudness):
        loud = generated.loudness[: generated.frames]  # The true video's sound may have another length.
        scale = max(float(np.nanmax(generated.opening, initial=0)), 1e-3) / max(loud.max(), 1e-9)
        axes.fill_between(np.arange(len(loud)) / generated.fps, loud * scale, color="0.88", label="loudness")
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
