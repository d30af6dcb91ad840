"""The network that draws the lower face: a small U-Net that curves of the mouth, the head's pose and the sound steer.

Pictures are folded into channels first (pixel-unshuffle), because dense convolutions at a quarter of the side are what a CPU is
fast at. A network for patches of twice the side begins as the same one (`MouthNet.doubled`).

Shape legend: B pictures, P side of the patch, c channels.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from ..errors import CheckpointError
from ..face.coefficients import MOUTH
from ..fields import Between, Items, read_fields
from ..files import atomic_path, existing_file

INPUTS = 13
"""Channels: 4 of the target's drawing, 3 of a real mouth that is bent to it and 2 of its drawing before, 3 of the base and 1 of
its hidden region."""
OUTPUTS = 5
"""RGB, how far the real mouth shows through, and how far both cover the base."""
SOUND = 128
"""Numbers of the sound encoder's last layer."""
CONTROLS = len(MOUTH) + 6 + SOUND
"""The mouth's curves, the head's rotation and translation, the sound."""
FINEST = 128
"""Side of a patch that is folded by 2."""
TAG, METADATA = "avatar-mouth-1", "config"
BASE = Path(__file__).resolve().parents[2] / "models" / "avatar-base.safetensors"
_ADVICE = "give the pack's models/avatar-base.safetensors"
Width = Annotated[int, Between(4, 512)]


@dataclass(frozen=True, slots=True)
class MouthConfig:
    """Size of the network."""

    fold: Annotated[int, Between(1, 8)] = 2
    """Pixels of a side that become channels."""
    widths: Annotated[tuple[Width, ...], Items(2, 6)] = (24, 64, 128, 160)
    """Channels at the folded side, its half, its quarter and so on."""
    hidden: Width = 128
    """Of the steering."""


class MouthNet(nn.Module):
    """Draws patches."""

    def __init__(self, config: MouthConfig = MouthConfig()) -> None:
        super().__init__()
        self.config = config
        widths, folded = config.widths, config.fold**2
        self.control = nn.Sequential(
            nn.Linear(CONTROLS, config.hidden), nn.SiLU(), nn.Linear(config.hidden, config.hidden), nn.SiLU()
        )
        self.stem = nn.Conv2d(INPUTS * folded, widths[0], 3, padding=1)
        steps = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, 2, 1) for fine, coarse in steps)
        # Blocks at the folded side are the dearest: there is one, after all that is coarser has been added.
        self.inward = nn.ModuleList(_Block(width, config.hidden) for width in widths[1:])
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 3, padding=1) for fine, coarse in steps)
        self.outward = nn.ModuleList(_Block(width, config.hidden) for width in widths[:-1])
        self.last = nn.Conv2d(widths[0], OUTPUTS * folded, 3, padding=1)
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            self.last.bias.zero_()

    def forward(self, pictures: Tensor, controls: Tensor) -> Tensor:
        """Draw.

        Args:
            pictures: (B, INPUTS, P, P), about -1 .. 1; P is a multiple of the fold times 2 per level.
            controls: (B, CONTROLS).

        Returns:
            (B, OUTPUTS, P, P), see `inputs.composed`.
        """
        control = self.control(controls)
        folded = functional.pixel_unshuffle(pictures, self.config.fold)
        features = self.stem(folded.contiguous(memory_format=torch.channels_last))
        passed = []
        for down, block in zip(self.down, self.inward, strict=True):
            passed.append(features)
            features = block(down(functional.silu(features)), control)
        for up, block, kept in zip(reversed(self.up), reversed(self.outward), reversed(passed), strict=True):
            wider = functional.interpolate(up(functional.silu(features)), scale_factor=2.0, mode="nearest")
            features = block(wider + kept, control)
        return functional.pixel_shuffle(self.last(functional.silu(features)), self.config.fold)

    def doubled(self) -> MouthNet:
        """A network for twice the side that draws the same, twice as large: a start to learn finer detail from."""
        net = MouthNet(replace(self.config, fold=2 * self.config.fold))
        state = dict(self.state_dict())
        fold = self.config.fold
        # The new input channels are (channel, row, column) inside a fold; four of them are the mean that one was.
        stem = state["stem.weight"].unflatten(1, (INPUTS, fold, fold))
        stem = stem.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
        last = state["last.weight"].unflatten(0, (OUTPUTS, fold, fold))
        bias = state["last.bias"].unflatten(0, (OUTPUTS, fold, fold))
        state["stem.weight"] = stem.flatten(1, 3)
        state["last.weight"] = last.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(0, 2)
        state["last.bias"] = bias.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(0, 2)
        net.load_state_dict(state)
        return net


class _Block(nn.Module):
    """Two convolutions beside a shortcut; the control scales and shifts between them (FiLM, arXiv 1709.07871)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(hidden, 2 * channels)
        for layer in (self.second, self.film):
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.film.weight)
        with torch.no_grad():
            self.second.weight.mul_(0.2)

    def forward(self, features: Tensor, control: Tensor) -> Tensor:
        """(B, c, h, w) and (B, hidden) to (B, c, h, w)."""
        scale, shift = self.film(control)[..., None, None].chunk(2, dim=1)
        inner = torch.addcmul(shift, self.first(functional.silu(features)), 1 + scale)
        return features + self.second(functional.silu(inner))


def net_for(size: int, base: MouthNet) -> MouthNet:
    """A base network (of patches of `FINEST`) as the start for patches of side P = `size`.

    Raises:
        ValueError: if there is no such network.
    """
    net = base
    while FINEST * net.config.fold // base.config.fold < size:
        net = net.doubled()
    if FINEST * net.config.fold // base.config.fold != size:
        raise ValueError(f"patches of {size} pixels; expected {FINEST} times 1, 2 or 4")
    return net


def save_net(net: MouthNet, path: Path, card: dict[str, str] | None = None) -> None:
    """Write weights (16 bit) and configuration.

    Args:
        net: the network.
        path: a safetensors file.
        card: more metadata: licence, attribution.
    """
    save_weights(net.state_dict(), net.config, path, card)


def save_weights(
    weights: Mapping[str, Tensor], config: MouthConfig, path: Path, card: dict[str, str] | None = None
) -> None:
    """The same for a network's weights alone."""
    half = {name: value.detach().cpu().half().contiguous() for name, value in weights.items()}
    with atomic_path(path) as temporary:
        save_file(half, temporary, {"format": TAG, METADATA: json.dumps(asdict(config)), **(card or {})})


def load_base(path: Path = BASE) -> MouthNet:
    """Read what `save_net` wrote, in float32 and eval mode.

    Raises:
        InputError: if there is no such file.
        CheckpointError: if it is damaged or of another kind.
    """
    path = existing_file(path, "avatar base", "the pack's models/avatar-base.safetensors")
    try:
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata() or {}
        if metadata.get("format") != TAG:
            raise ValueError(f"its format is {metadata.get('format')!r}, not {TAG!r}")
        return net_from(load_file(path), metadata.get(METADATA, ""))
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"avatar base: cannot read {path} ({' '.join(str(error).split())[:200]}); {_ADVICE}"
        ) from error


def net_from(weights: dict[str, Tensor], config: str) -> MouthNet:
    """A network from its weights and its configuration as JSON.

    Raises:
        ValueError, RuntimeError: if they do not fit.
    """
    net = MouthNet(read_fields(MouthConfig, json.loads(config)))
    net.load_state_dict({name: value.float() for name, value in weights.items()})
    return net.eval()
