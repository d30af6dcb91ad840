"""A small network that draws the inside of a mouth: teeth, tongue and cavity, from the shape of the lips.

Two rows of teeth are pictures with transparency: the upper one rests in the patch, the lower one moves with the jaw. A
convolutional network draws all that is soft, and how much of each row is seen, in which shade. So teeth stay separate, sharp
and in place. Everything is drawn in two greys, of white (teeth, gloss) and of flesh, which the portrait's own colours tint.

Shape legend: B frames, H x W the patch of `mouth_geometry`, c channels.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from ..errors import CheckpointError
from ..fields import Between, read_fields
from ..files import atomic_path, existing_file
from .mouth_colours import COLOURS
from .mouth_geometry import DESCRIPTOR, HEIGHT, INNER, LEFT, SPAN, TOP, WIDTH, lip_edges, lip_polygons, patch_axes

ROWS = 64
"""Pixels that a picture of a row of teeth is high; it is as wide as the patch."""
LOWER_TOP = -0.2
"""Upper edge of the lower row's picture with a closed jaw, in the patch's unit; the upper row's begins at the patch's TOP."""
MAPS = 7
"""Channels of the drawing of the lips that the network reads."""
LAYERS = 6
"""Channels that it gives: white and flesh behind the teeth; visibility and shade of the upper and of the lower row."""
WIDER, SOLID = 0.09, 8.0
"""How far a person's teeth may leave the curve of `row_of_teeth`, and the largest transparency before its sigmoid."""
JAW_WITH_LIP, JAW_FREE = 0.8, 0.15
"""Share of the lower lip's movement that the lower teeth make, and how far the network may move them besides."""
TAG, METADATA = "mouth-interior 1", "config"
_ADVICE = "give the mouth's weights of this version"


@dataclass(frozen=True, slots=True)
class MouthConfig:
    """Size of the network."""

    channels: Annotated[int, Between(4, 256)] = 48
    blocks: Annotated[int, Between(1, 8)] = 3
    hidden: Annotated[int, Between(4, 512)] = 96
    detail: Annotated[int, Between(4, 128)] = 24
    """Channels at half the patch's size."""
    habits: Annotated[int, Between(1, 32)] = 4
    """Numbers that say how a person speaks: how far the lower teeth show, how deep the shadows are."""


@dataclass(frozen=True, slots=True)
class Mouth:
    """Belongs to a person: two rows of teeth (brightness and transparency, before their sigmoids) and habits."""

    upper: Tensor
    """(B, 2, ROWS, W)"""
    lower: Tensor
    """(B, 2, ROWS, W)"""
    habits: Tensor
    """(B, habits)"""


class MouthInterior(nn.Module):
    """Draws the inside of the mouth of one fixed person, in the colours of any portrait."""

    def __init__(self, config: MouthConfig) -> None:
        super().__init__()
        self.config = config
        wide, fine = config.channels, config.detail
        self.upper = nn.Parameter(_first_row(upper=True))
        self.lower = nn.Parameter(_first_row(upper=False))
        self.habits = nn.Parameter(torch.zeros(config.habits))
        self.control = nn.Sequential(
            nn.Linear(DESCRIPTOR + config.habits, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.SiLU(),
        )
        self.jaw = nn.Linear(config.hidden, 2)
        self.stem = nn.Conv2d(4 * MAPS, wide, 3, padding=1)
        self.blocks = nn.ModuleList(_Block(wide, config.hidden) for _ in range(config.blocks))
        self.grow = nn.Conv2d(wide, 4 * fine, 3, padding=1)
        self.fine = nn.Conv2d(fine + MAPS, fine, 3, padding=1)
        self.last = nn.Conv2d(fine, LAYERS, 3, padding=1)
        for layer in (self.jaw, self.last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.last.bias.copy_(torch.tensor([-4.0, -0.7, 0.5, 0.0, 0.0, 0.0]))

    def forward(self, lips: Tensor, colours: Tensor) -> Tensor:
        """Draw the patch.

        Args:
            lips: (B, DESCRIPTOR) of `lip_descriptor`.
            colours: (B, COLOURS) or (COLOURS,) of `mouth_colours`.

        Returns:
            (B, 3, H, W) in 0 .. 1; what is drawn outside the inner lips means nothing.
        """
        if lips.ndim != 2 or lips.shape[1] != DESCRIPTOR or colours.shape[-1] != COLOURS:
            raise ValueError(
                f"got lips {tuple(lips.shape)}, colours {tuple(colours.shape)}; expected (B, {DESCRIPTOR}), (B, {COLOURS})"
            )
        count = len(lips)
        mouth = Mouth(
            self.upper.expand(count, -1, -1, -1), self.lower.expand(count, -1, -1, -1), self.habits.expand(count, -1)
        )
        white, flesh = self.draw(lips, mouth).split(1, dim=1)
        colours = colours.expand(count, COLOURS)[..., None, None]
        return (white * colours[:, 6:] + flesh * colours[:, 3:6]).clamp(0, 1)

    def draw(self, lips: Tensor, mouth: Mouth, nudges: Tensor | None = None) -> Tensor:
        """Draw any person's mouth in two greys.

        Args:
            lips: (B, DESCRIPTOR).
            mouth: of each frame's person.
            nudges: (B, 4), how far upper and lower teeth are moved right and down; None for not at all.

        Returns:
            (B, 2, H, W): share of white and of flesh.
        """
        layers, jaw = self.layers(lips, mouth.habits)
        upper_at = jaw.new_tensor([0.0, TOP]).expand_as(jaw)
        lower_at = jaw + jaw.new_tensor([0.0, LOWER_TOP])
        if nudges is not None:
            upper_at, lower_at = upper_at + nudges[:, :2], lower_at + nudges[:, 2:]
        white, flesh, see_upper, shade_upper, see_lower, shade_lower = layers.split(1, dim=1)
        for row, upper, at, see, shade in (
            (mouth.lower, False, lower_at, see_lower, shade_lower),
            (mouth.upper, True, upper_at, see_upper, shade_upper),
        ):
            bright, solid = row.split(1, dim=1)
            confined = torch.cat([bright, torch.minimum(solid, row_of_teeth(upper, WIDER).to(row))], dim=1)
            bright, solid = placed(confined, at).split(1, dim=1)
            cover = solid.sigmoid() * see
            white = white + cover * (1.5 * bright.sigmoid() * shade - white)
            flesh = flesh * (1 - cover)
        return torch.cat([white, flesh], dim=1)

    def layers(self, lips: Tensor, habits: Tensor) -> tuple[Tensor, Tensor]:
        """All that is soft.

        Args:
            lips: (B, DESCRIPTOR).
            habits: (B, habits).

        Returns:
            (B, LAYERS, H, W): white and flesh behind the teeth; how much of the upper row is seen, 0 .. 1, and its shade,
            0 .. 2; the same of the lower row. And (B, 2): how far the lower row is right and down, in the patch's unit.
        """
        control = self.control(torch.cat([lips * 3, habits], dim=1))
        jaw = JAW_WITH_LIP * lip_polygons(lips)[:, INNER.index(14)] + JAW_FREE * self.jaw(control).tanh()
        maps = lip_maps(lips, jaw)
        features = self.stem(functional.pixel_unshuffle(maps, 2))
        for block in self.blocks:
            features = block(features, control)
        features = functional.pixel_shuffle(self.grow(functional.silu(features)), 2)
        features = functional.silu(self.fine(torch.cat([features, maps], dim=1)))
        layers = functional.interpolate(self.last(features), (HEIGHT, WIDTH), mode="bilinear", align_corners=False)
        behind, see_upper, shade_upper, see_lower, shade_lower = layers.split([2, 1, 1, 1, 1], dim=1)
        parts = [functional.softplus(behind), see_upper.sigmoid(), 2 * shade_upper.sigmoid()]
        return torch.cat([*parts, see_lower.sigmoid(), 2 * shade_lower.sigmoid()], dim=1), jaw


class _Block(nn.Module):
    """Two convolutions beside a shortcut; the control scales and shifts between them (FiLM, arXiv 1709.07871)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(hidden, 2 * channels)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, features: Tensor, control: Tensor) -> Tensor:
        """(B, c, h, w) and (B, hidden) to (B, c, h, w)."""
        scale, shift = self.film(control)[..., None, None].chunk(2, dim=1)
        inner = self.first(functional.silu(features)) * (1 + scale) + shift
        return features + self.second(functional.silu(inner))


def lip_maps(lips: Tensor, jaw: Tensor) -> Tensor:
    """The lips as a drawing, (B, MAPS, H / 2, W / 2).

    Its channels: distances below the upper and above the lower lip, the smaller of them, gap, place, place relative to the jaw.
    """
    xs, ys = patch_axes(WIDTH // 2, HEIGHT // 2, lips)
    upper, lower = lip_edges(lips, xs)
    below, above = ys[:, None] - upper[:, None], lower[:, None] - ys[:, None]
    across = xs.expand(len(ys), -1).expand_as(below)
    down = ys[:, None].expand_as(below)
    return torch.stack(
        [
            (below * 5).clamp(-1, 2),
            (above * 5).clamp(-1, 2),
            (torch.minimum(below, above) * 15).clamp(-1, 1),
            ((lower - upper) * 3)[:, None].expand_as(below),
            across * 2,
            down * 2,
            (down - jaw[:, 1, None, None]) * 2,
        ],
        dim=1,
    )


def placed(row: Tensor, at: Tensor) -> Tensor:
    """Put pictures of teeth into the patch.

    Args:
        row: (B, 2, ROWS, W).
        at: (B, 2), how far right a picture is moved, and where its upper edge is, in the patch's unit.

    Returns:
        (B, 2, H, W); transparent outside the pictures.
    """
    xs, ys = patch_axes(WIDTH, HEIGHT, at)
    across = (xs[None] - at[:, :1] - LEFT) * (2 / SPAN) - 1
    down = (ys[None] - at[:, 1:]) * (2 / (SPAN * ROWS / WIDTH)) - 1
    grid = torch.stack([across[:, None].expand(-1, HEIGHT, -1), down[..., None].expand(-1, -1, WIDTH)], dim=-1)
    return functional.grid_sample(row, grid, align_corners=False, padding_mode="border")


def _first_row(upper: bool) -> Tensor:
    """(2, ROWS, W): brightness and transparency to start training from."""
    band = row_of_teeth(upper).clamp(-4, 4)
    return torch.cat([torch.full_like(band, 0.4), band])


def row_of_teeth(upper: bool, margin: float = 0.0) -> Tensor:
    """(1, ROWS, W): transparency, before its sigmoid, of a band with the curve of a row of teeth, grown by a margin."""
    xs, _ = patch_axes(WIDTH, HEIGHT, torch.zeros(()))
    ys = (torch.arange(ROWS) + 0.5)[:, None] * (SPAN / WIDTH)
    if upper:
        ys, edge = ys + TOP, 0.06 - 0.35 * xs.square()
        above, below, half = edge - 0.24 - ys, ys - edge, 0.46
    else:
        ys, edge = ys + LOWER_TOP, -0.05 - 0.1 * xs.square()
        above, below, half = edge - ys, ys - edge - 0.22, 0.38
    outside = torch.maximum(torch.maximum(above, below), xs.abs() - half)
    return ((margin - outside) * 60).clamp(-SOLID, SOLID)[None]


def save_mouth(mouth: MouthInterior, path: Path, card: dict[str, str] | None = None) -> None:
    """Write weights (16 bit) and configuration.

    Args:
        mouth: the network.
        path: a safetensors file.
        card: more metadata: licence, attribution.
    """
    weights = {name: value.detach().cpu().half().contiguous() for name, value in mouth.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(weights, temporary, {"format": TAG, METADATA: json.dumps(asdict(mouth.config)), **(card or {})})


def load_mouth(path: Path) -> MouthInterior:
    """Read what `save_mouth` wrote, in float32 and eval mode.

    Raises:
        InputError: if there is no such file.
        CheckpointError: if it is damaged or of another kind.
    """
    path = existing_file(path, "mouth", "the mouth's weights")
    try:
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata() or {}
        if metadata.get("format") != TAG:
            raise ValueError(f"its format is {metadata.get('format')!r}, not {TAG!r}")
        mouth = MouthInterior(read_fields(MouthConfig, json.loads(metadata.get(METADATA, ""))))
        mouth.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"mouth: cannot read {path} ({' '.join(str(error).split())[:200]}); {_ADVICE}") from error
    return mouth.eval()
