"""The guided network's error on people who taught nothing, over the error of leaving the guide's mouths as they are.

Shape legend: B clips, F frames, C h w latent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from einops import reduce
from torch import Tensor

from emo_core.emo.conditions.drawing import TrainingClips
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.training.batch import Batch
from emo_core.emo.training.objective import Frozen, in_precision, inputs, quick_attention
from emo_core.emo.training.on_device import DeviceBatches
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.stages import StageConfig
from emo_core.training.log import TrainingLog

from .guide_batches import from_pure_noise, mouth_cells

BATCH, BATCHES = 8, 6
SEED = 5


@dataclass(frozen=True, slots=True)
class KeptOut:
    """Fixed batches of kept-out clips; called by the training loop."""

    clips: TrainingClips
    stage: StageConfig
    frozen: Frozen

    @torch.no_grad()
    def __call__(self, step: int, denoiser: Denoiser, log: TrainingLog) -> None:
        """Report to a journal."""
        log.write(step, **{f"kept_out_{name}": round(value, 4) for name, value in self.numbers(denoiser).items()})

    def numbers(self, denoiser: Denoiser) -> dict[str, float]:
        """Squared errors over a copy's at the mouths: there with the own sound, there with another clip's, and elsewhere, where a copy has none."""
        errors: dict[str, Tensor] = {}
        for batch in self.batches(denoiser):
            for name, error in self.errors(denoiser, batch).items():
                errors[name] = errors.get(name, 0) + error
        copied = errors.pop("copied")
        return {name: float(error / copied) for name, error in errors.items()}

    def batches(self, denoiser: Denoiser) -> Iterator[Batch]:
        """The same ones at each call."""
        stage = replace(self.stage, batch=BATCH, seed=SEED)
        drawn = DeviceBatches(self.clips, Sampler(denoiser.emo.config, stage)).batches(0)
        for _ in range(BATCHES):
            yield from_pure_noise(next(drawn))

    def errors(self, denoiser: Denoiser, batch: Batch) -> dict[str, Tensor]:
        """Sums of squares by name, and a copy's."""
        audio = batch.conditions["audio"]
        mouth = mouth_cells(batch.mouths, batch.noise.shape[-1])
        other = replace(batch, conditions={**batch.conditions, "audio": audio.roll(1, 0)})
        (own, copied), (wrong, _) = (self.squares(denoiser, given) for given in (batch, other))
        return {
            "mouth": (own * mouth).sum(),
            "mouth_other": (wrong * mouth).sum(),
            "elsewhere": (own * (1 - mouth)).sum(),
            "copied": (copied * mouth).sum(),
        }

    def squares(self, denoiser: Denoiser, batch: Batch) -> Tensor:
        """(2, B, F, 1, h, w) squared errors of the network and of a copy."""
        device = batch.noise.device
        with in_precision(self.stage.precision, device), quick_attention(device):
            clean, conditions = inputs(batch, denoiser.emo.config, self.frozen)
            predicted = denoiser(batch.noise, batch.timesteps, denoiser.emo.context(conditions))
        residual = denoiser.residual(clean, conditions["guide"])
        return reduce([(predicted - residual).square(), residual.square()], "n b f c h w -> n b f 1 h w", "mean")
