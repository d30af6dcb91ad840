"""How far a mouth is open, read from latents: small convolutional networks, taught on what was filmed.

Shape legend: N pictures, B clips, F frames, C h w latent, G side of the mouth's piece.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import trange

from emo_core.emo.training.on_device import Resident

SIDE, AROUND = 10, 1.9
"""G, and the piece's side over the width of the lips."""
WIDTH, RATE, BATCH = 64, 2e-3, 256
SHIFT, ZOOM, NOISE, SOFT = 0.1, 0.08, 0.5, 0.3
"""The piece is shifted by as many widths and resized (standard deviations); up to as much noise; so many are softened: what a
network draws is where the mouth was filmed only nearly, and softer."""


class MouthReader(nn.Module):
    """Pieces (N, C, G, G) to openings (N,), in standard deviations from the mean of what it was taught on."""

    def __init__(self, channels: int, width: int = WIDTH) -> None:
        super().__init__()
        small = -(-SIDE // 4)
        self.net = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1, stride=2),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1, stride=2),
            nn.SiLU(),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(2 * width * small**2, 96),
            nn.SiLU(),
            nn.Linear(96, 1),
        )

    def forward(self, pieces: Tensor) -> Tensor:
        """Read."""
        return self.net(pieces)[:, 0]


def places(mouths: Tensor) -> tuple[Tensor, Tensor]:
    """Where a clip's mouth is looked for: boxes (..., F, 4) to middles (..., F, 2) and sides (..., F), shares of the picture's.

    They are the clip's mean, for those of a frame alone tell how far its mouth is open.
    """
    middle = ((mouths[..., :2] + mouths[..., 2:]) / 2).mean(-2, keepdim=True)
    width = (mouths[..., 2] - mouths[..., 0]).mean(-1, keepdim=True).clamp(min=0.05)
    return middle.expand(*mouths.shape[:-1], 2), AROUND * width.expand(mouths.shape[:-1])


def pieces(latents: Tensor, middles: Tensor, sides: Tensor) -> Tensor:
    """The mouths of latents (N, C, h, w) at (N, 2) and (N,): (N, C, G, G)."""
    along = (torch.arange(SIDE, device=latents.device) + 0.5) / SIDE - 0.5
    y, x = torch.meshgrid(along, along, indexing="ij")
    at = torch.stack([x, y], -1) * sides[:, None, None, None] + middles[:, None, None]
    return functional.grid_sample(latents.float(), at * 2 - 1, "bilinear", "border", align_corners=False)


def scale(resident: Resident) -> tuple[float, float]:
    """Mean and standard deviation of all openings."""
    return float(resident.openings.mean()), float(resident.openings.std())


def train_reader(resident: Resident, steps: int, seed: int, *, report: Callable[[str], None]) -> MouthReader:
    """Teach one on all clips, drawn by their shares."""
    device, (mean, deviation) = resident.latents.device, scale(resident)
    chance = torch.Generator(device).manual_seed(seed)
    torch.manual_seed(seed)
    reader = MouthReader(resident.latents.shape[1]).to(device)
    optimiser = torch.optim.AdamW(reader.parameters(), RATE, weight_decay=0.02)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1, pct_start=0.05)
    clips = [
        resident.mouths[a : a + n] for a, n in zip(resident.starts.tolist(), resident.lengths.tolist(), strict=True)
    ]
    middles, sides = (torch.cat(part) for part in zip(*map(places, clips), strict=True))
    errors = []
    for _ in trange(steps, desc="reader", disable=None):
        clip = torch.multinomial(resident.share, BATCH, replacement=True, generator=chance)
        within = torch.rand(BATCH, generator=chance, device=device) * resident.lengths[clip]
        frames = resident.starts[clip] + within.long()
        side = sides[frames] * torch.exp(ZOOM * torch.randn(BATCH, generator=chance, device=device))
        shift = SHIFT / AROUND * sides[frames, None] * torch.randn(BATCH, 2, generator=chance, device=device)
        seen = _worse(pieces(resident.latents[frames], middles[frames] + shift, side), chance)
        error = (reader(seen) - (resident.openings[frames] - mean) / deviation).square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        falling.step()
        errors.append(error.detach())
    report(f"reader {seed}: error {torch.stack(errors[-100:]).mean():.3f} of the variance")
    return reader.eval().requires_grad_(False)


def _worse(found: Tensor, chance: torch.Generator) -> Tensor:
    """With noise, some of them softened."""
    count, device = len(found), found.device
    level = NOISE * torch.rand(count, 1, 1, 1, generator=chance, device=device)
    noisy = found + level * torch.randn(found.shape, generator=chance, device=device)
    soft = torch.rand(count, 1, 1, 1, generator=chance, device=device) < SOFT
    return torch.where(soft, functional.avg_pool2d(noisy, 3, 1, 1, count_include_pad=False), noisy)
