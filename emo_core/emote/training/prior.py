"""The temporal variational autoencoder whose decoder models keep (FLINT; EMOTE, arXiv 2306.08990, section 3.2).

Shape legend: B samples, F frames, N patches of P frames, K coefficients, Z latent channels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...training.batches import Place, drawn_batches, moved
from ...training.log import TrainingLog
from ...training.schedule import Schedule
from ...training.task import Learner, Task
from ..config import EmoteConfig
from ..prior import MotionDecoder, MotionEncoder
from .space import PointSpace

FRAMES = 32
BATCH = 48
DIVERGENCE = 1e-3
"""Weight of the latents' distance from a unit normal."""
GAP = 400.0
"""Weight of the squared error of the lips' gap, in heights of the face."""
SCHEDULE = Schedule(rate=2e-3, warm_up=50, decay="cosine", decay_from=0.0, decay_to=0.02)


class MotionPrior(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: EmoteConfig, *, count: int, latent: int) -> None:
        """`count` is K, `latent` is Z."""
        super().__init__()
        self.patch, self.latent = config.patch, latent
        self.encoder = MotionEncoder(config, count=count, latent=latent)
        self.decoder = MotionDecoder(config, count=count, latent=latent)

    def forward(self, coefficients: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, F, K) and unit noise (B, N, Z) to the reconstruction and the latents' mean and log variance."""
        mean, log_variance = self.encoder(coefficients)
        return self.decoder(mean + noise * (0.5 * log_variance).exp()), mean, log_variance


@dataclass(frozen=True, slots=True)
class Windows:
    """A batch."""

    motion: Tensor
    """(B, F, K)"""
    noise: Tensor
    """(B, N, Z)"""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Windows":
        """On another device."""
        return moved(self, device)


def start_linear(prior: MotionPrior, motions: Sequence[np.ndarray], space: PointSpace) -> float:
    """Set the linear maps to the principal components of patches, in the rig's distance.

    Args:
        prior: to start.
        motions: (F, K) each.
        space: whose distance counts.

    Returns:
        Share of the squared distances that the components hold.
    """
    patch, latent = prior.patch, prior.latent
    patches = np.concatenate(
        [
            motion[start : start + patch].reshape(1, -1)
            for motion in motions
            for start in range(0, len(motion) - patch + 1, 3)
        ]
    )
    values, vectors = np.linalg.eigh(np.kron(np.eye(patch), space.metric.numpy()))
    root, inverse = (vectors * values**power @ vectors.T for power in (0.5, -0.5))
    mean = patches.mean(0)
    _, sizes, directions = np.linalg.svd((patches - mean) @ root, full_matrices=False)
    sizes = sizes / np.sqrt(len(patches))
    held = float((sizes[:latent] ** 2).sum() / (sizes**2).sum())
    directions, sizes = directions[:latent], sizes[:latent, None]
    encode, decode = directions @ root / sizes, inverse @ directions.T * sizes.T
    for layer, weight, bias in ((prior.encoder.linear, encode, -encode @ mean), (prior.decoder.linear, decode, mean)):
        layer.weight.data = torch.from_numpy(weight.astype(np.float32))
        layer.bias.data = torch.from_numpy(bias.astype(np.float32))
    return held


class PriorTask(Task):
    """Reconstruction on the rig's points, and the divergence of the latents."""

    def __init__(
        self,
        prior: MotionPrior,
        draw: Callable[[torch.Generator], Tensor],
        space: PointSpace,
        tests: dict[str, list[Tensor]],
    ) -> None:
        """`draw` gives windows (B, F, K) of training motion; `tests` has motions (F, K) by name."""
        self._prior, self._draw_motion, self._space, self._tests = prior, draw, space, tests
        optimiser = torch.optim.AdamW(prior.parameters(), weight_decay=1e-4)
        self.learners = (Learner(network=prior, optimiser=optimiser, schedule=SCHEDULE, clip=1.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[Windows]:
        return drawn_batches(self._draw, place, consumed)

    def _draw(self, generator: torch.Generator) -> Windows:
        motion = self._draw_motion(generator)
        patches = motion.shape[1] // self._prior.patch
        return Windows(motion, torch.randn(len(motion), patches, self._prior.latent, generator=generator))

    def losses(self, batch: Windows, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        made, mean, log_variance = networks[0](batch.motion, batch.noise)
        difference = made - batch.motion
        gap = self._space.gap(difference).square().mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        yield (
            self._space.distance(difference).mean()
            + self._space.distance(difference.diff(dim=1)).mean()
            + GAP * gap
            + DIVERGENCE * divergence
        )

    @torch.no_grad()
    def validate(self, step: int, log: TrainingLog) -> None:
        for use, motions in self._tests.items():
            log.write(step, **{f"{use}_{name}": value for name, value in self._check(motions).items()})

    def _check(self, motions: list[Tensor]) -> dict[str, float]:
        r, kept, error = [], [], []
        for motion in motions:
            motion = motion[: len(motion) // self._prior.patch * self._prior.patch]
            made = self._prior.decoder(self._prior.encoder(motion[None])[0])[0]
            true, gap = (self._space.gap(part).numpy() for part in (motion, made))
            if true.std() > 1e-4:
                r.append(np.corrcoef(true, gap)[0, 1])
            shut = true < CLOSED
            kept.append((gap[shut] < KEPT).mean() if shut.any() else np.nan)
            error.append(float(self._space.distance(made - motion).mean()))
        return {"r": float(np.median(r)), "closed": float(np.nanmean(kept)), "error": float(np.mean(error))}


CLOSED, KEPT = 0.004, 0.012
"""Gaps in heights of the face that count as closed in the truth, and in the reconstruction."""
