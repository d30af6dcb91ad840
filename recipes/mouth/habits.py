"""How a mouth that was never filmed may speak: candidates from the films, judged on the films.

A frame's mood is known only where its picture is known. For a portrait one mood is kept in all frames. The mean of all moods
would show the mean of all mouths; so moods that were seen are tried, and the one wins whose drawings have as much detail as
the films, at little error.

Shape legend: B patches, C candidates.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from emo_core.portrait.mouth_geometry import lip_mask

from .people import People
from .train import MouthBatch, detail_of

SEEN, TRIED = 160, 24
"""Open mouths that are judged, and moods that are tried."""
ERROR_WEIGHT = 2.0
"""Of the mean error over that of the best candidate, beside the log of the detail's ratio."""


@torch.no_grad()
def candidates(people: People, batch: MouthBatch) -> Tensor:
    """(C, habits): a person's habits with the mood of one of that person's frames, and each person's means."""
    moods = people.found(batch.patches, lip_mask(batch.lips), torch.ones(len(batch.lips)))[:, 4:]
    full = people.habits[batch.person] + moods
    means = [full[batch.person == person].mean(0) for person in batch.person.unique()]
    return torch.cat([full[:TRIED], torch.stack([*means, full.mean(0)])])


@torch.no_grad()
def judged(people: People, batch: MouthBatch, habits: Tensor) -> dict[str, float]:
    """Error and detail (over the truth's) of all frames drawn with these habits, each with its person's own teeth."""
    inside = lip_mask(batch.lips, grow=-0.02)
    found = torch.zeros(len(batch.lips), 4 + habits.shape[-1])
    found[:, 4:] = habits - people.habits[batch.person]
    drawn = people(batch.lips, batch.person, batch.source, found)
    error = ((drawn - batch.patches).abs() * inside).sum() / (3 * inside.sum())
    return {"error": float(error), "detail": float(detail_of(drawn, inside) / detail_of(batch.patches, inside))}


def chosen(people: People, batch: MouthBatch, report: Callable[[str], None] = print) -> Tensor:
    """(habits,): the candidate with the best balance."""
    tried = candidates(people, batch)
    numbers = [judged(people, batch, habits) for habits in tried]
    best = min(each["error"] for each in numbers)
    scores = [
        ERROR_WEIGHT * each["error"] / best + abs(torch.tensor(each["detail"]).clamp(max=1).log().item())
        for each in numbers
    ]
    place = min(range(len(scores)), key=scores.__getitem__)
    report(f"candidates: {[{key: round(value, 3) for key, value in each.items()} for each in numbers]}")
    report(f"chosen: {place}, {numbers[place]}")
    return tried[place]
