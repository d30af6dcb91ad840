"""Measure the inside of the mouth on people who were never trained on: `python -m recipes.mouth.measure --data .. --land .. --mouth FILE`.

The films' own landmarks give the lips, the first frame the colours. The drawn patch is pasted into each frame inside the inner
lips. Compared with the film there: error, against the first frame's own patch held still (frozen); fine detail (energy of the
Laplacian over the film's); spread of the change from frame to frame.

Shape legend: F frames, h x w the film.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from emo_core.portrait.mouth_colours import mouth_colours
from emo_core.portrait.mouth_geometry import (
    SPAN,
    WIDTH,
    cut_patches,
    lip_descriptor,
    lip_mask,
    patch_transform,
    picture_grid,
)
from emo_core.portrait.mouth_interior import MouthInterior, load_mouth

from .gather import HIDDEN
from .poses import lip_gaps, neutral_face, skull_points

OPEN = 0.12
"""Lip gap over the width of the mouth from which detail is measured."""
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


@dataclass(frozen=True, slots=True)
class Film:
    """A film of a stranger."""

    name: str
    pictures: Tensor
    """(F, 3, h, w) in 0 .. 1"""
    points: Tensor
    """(F, 478, 3)"""
    skull: Tensor
    """(F, 478, 3)"""

    @property
    def lips(self) -> Tensor:
        """(F, DESCRIPTOR) of the lips."""
        return lip_descriptor(self.points, self.skull)

    @property
    def colours(self) -> Tensor:
        """(COLOURS,) of the first frame."""
        return mouth_colours((self.pictures[0].permute(1, 2, 0) * 255).byte(), self.points[0])


def films(data: Path, land: Path) -> Iterator[Film]:
    """All films of the strangers that begin or end with closed lips."""
    for file in sorted(land.glob("grid*__s3*.npz")):
        folder, clip = file.stem.split("__", 1)
        points = np.load(file)["landmarks"].astype(np.float64)
        if clip.split("_")[0] not in HIDDEN or not np.isfinite(points).all():
            continue
        neutral = neutral_face(points)
        if neutral is None:
            continue
        with av.open(str(data / "talk" / folder / f"{clip}.mp4")) as container:
            pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        yield Film(
            clip,
            torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255,
            torch.from_numpy(points).float(),
            torch.from_numpy(skull_points(neutral, points)).float(),
        )


def pasted(film: Film, patches: Tensor) -> tuple[Tensor, Tensor]:
    """The film with patches (F, 3, H, W) inside the lips, and the mask (F, 1, h, w)."""
    transforms = patch_transform(film.skull)
    height, width = film.pictures.shape[-2:]
    # A film with fewer pixels than the patch sees means of its pixels.
    fewer = max(1, round(float(1 / transforms[0, :, 0].norm())))
    size = (patches.shape[-2] // fewer, patches.shape[-1] // fewer)
    grid = picture_grid(transforms, width, height)
    inside = functional.grid_sample(lip_mask(film.lips), grid, align_corners=False)
    drawn = functional.grid_sample(
        functional.interpolate(patches, size, mode="area"),
        grid,
        mode="bicubic",
        align_corners=False,
        padding_mode="border",
    )
    return film.pictures + inside * (drawn - film.pictures), inside


@torch.no_grad()
def drawn_patches(mouth: MouthInterior, film: Film) -> Tensor:
    """(F, 3, H, W) of a film."""
    return torch.cat([mouth(lips, film.colours) for lips in film.lips.split(16)])


def measure(film: Film, patches: Tensor) -> dict[str, float]:
    """Numbers of one film; nan where the mouth hardly opens."""
    made, inside = pasted(film, patches)
    still = cut_patches(film.pictures[:1], patch_transform(film.skull[:1])).expand(len(patches), -1, -1, -1)
    frozen, _ = pasted(film, still)
    wide = torch.from_numpy(lip_gaps(film.points.numpy()) > OPEN)
    if wide.sum() < 5:
        return {}
    weight = inside[wide]
    core = (weight > 0.9).float()
    true = film.pictures[wide]
    true_detail = _detail(true, core)
    steps = [((part[1:] - part[:-1]) * inside[1:]).abs().sum() for part in (made, film.pictures)]
    return {
        "psnr": _psnr(made[wide], true, weight),
        "frozen": _psnr(frozen[wide], true, weight),
        "detail": _detail(made[wide], core) / true_detail,
        "detail frozen": _detail(frozen[wide], core) / true_detail,
        "change": float(steps[0] / steps[1]),
    }


def _psnr(made: Tensor, true: Tensor, weight: Tensor) -> float:
    error = ((made - true).square() * weight).sum() / (3 * weight.sum())
    return float(-10 * error.log10())


def _detail(pictures: Tensor, core: Tensor) -> float:
    """Energy of the Laplacian of the brightness where its whole cross lies inside."""
    kernel = pictures.new_tensor(LAPLACIAN)[None, None]
    fine = functional.conv2d(pictures.mean(1, keepdim=True), kernel, padding=1).square()
    inner = 1 - functional.max_pool2d(1 - core, 3, 1, 1)
    return float((fine * inner).sum() / inner.sum().clamp(min=1))


def contact_sheet(film: Film, patches: Tensor, count: int = 8, zoom: int = 160) -> np.ndarray:
    """The film above the film with drawn mouths, widest openings first, every second of them."""
    made, _ = pasted(film, patches)
    gaps = lip_gaps(film.points.numpy())
    order = np.argsort(-gaps)[: 2 * count : 2] if count > 1 else [gaps.argmax()]
    middle = film.points[:, [61, 291], :2].mean(1)
    reach = float(patch_transform(film.skull)[0, :, 0].norm()) * WIDTH / SPAN * 0.85
    rows = []
    for pictures in (film.pictures, made):
        tiles = []
        for frame in order:
            x, y = middle[frame].tolist()
            picture = Image.fromarray((pictures[frame].clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy())
            box = (x - reach, y - reach * 0.8, x + reach, y + reach)
            tiles.append(np.asarray(picture.resize((zoom, round(zoom * 0.9)), Image.BICUBIC, box)))
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def main() -> None:
    """Print a line per film and the medians; write a contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--land", type=Path, required=True)
    parser.add_argument("--mouth", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="a PNG file of the films with drawn mouths")
    args = parser.parse_args()
    mouth, numbers, sheets = load_mouth(args.mouth), [], []
    for film in films(args.data, args.land):
        patches = drawn_patches(mouth, film)
        if values := measure(film, patches):
            numbers.append(values)
            print(film.name, {name: round(value, 3) for name, value in values.items()})
            sheets.append(contact_sheet(film, patches))
    print("median", {name: round(float(np.median([each[name] for each in numbers])), 3) for name in numbers[0]})
    if args.sheet:
        Image.fromarray(np.concatenate(sheets)).save(args.sheet)


if __name__ == "__main__":
    main()
