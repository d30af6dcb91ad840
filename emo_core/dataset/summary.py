"""Numbers of a prepared dataset."""

import json
from dataclasses import dataclass
from pathlib import Path

from .clip_cutting import Piece
from .filters import REASONS
from .packing import QUANTILES, reports
from .shards import HELD_OUT, Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Numbers of a prepared dataset."""

    sources: int
    kept: int
    """Clips that are kept."""
    minutes: float
    """Length of the kept clips."""
    held_out: int
    """Kept clips that are held out for validation."""
    rejected: dict[str, int]
    """Rejected pieces per reason."""
    rejected_minutes: float
    speed_quantiles: dict[str, float]
    """Head speed in degrees per frame over all kept frames, by per cent."""


def summarise(out: Path, dataset: Dataset) -> Summary:
    """Count the pieces of all reports."""
    contents = [json.loads(path.read_text()) for path in reports(out)]
    pieces = [Piece(**piece) for content in contents for piece in content["pieces"]]
    rejected = [piece for piece in pieces if piece.reason]
    counts = {reason: sum(piece.reason == reason for piece in rejected) for reason in REASONS}
    kept = [piece for piece in pieces if not piece.reason]
    return Summary(
        sources=len(contents),
        kept=len(kept),
        minutes=round(sum(piece.stop - piece.start for piece in kept) / 60, 2),
        held_out=dataset.clips(HELD_OUT),
        rejected={reason: count for reason, count in counts.items() if count},
        rejected_minutes=round(sum(piece.stop - piece.start for piece in rejected) / 60, 2),
        speed_quantiles=dict(zip(map(str, QUANTILES), dataset.speed_quantiles, strict=False)),
    )
