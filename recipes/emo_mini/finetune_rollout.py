"""Teach the few-step network by what it draws: `python -m recipes.emo_mini.finetune_rollout --data DATASET --init FOLDER --out FOLDER --steps N`.

A stage of training knows single steps: at each, the film with noise in it. What is drawn in the end, from noise alone, it never sees. With two
steps all of it fits in memory, so here the gradient goes through the sampler (direct reward fine-tuning, arXiv 2309.17400): the mouth
is to be as in the film, cell by cell and as far open as small networks read it from the latents (recipes/emo_mini/reader.py). The cells
matter: with the readers alone the network draws dark bands, which read as open mouths. Everything else is to be as it was drawn before, for
what is learnt from the film by squares is softer; but where the face is to be in another place, or to move, it is the film's too.
Writes both files; emo-mini's network stays as it is: what this one learnt, added to it, blotched the skin in 40 steps.

Shape legend: B clips, F frames, C h w latent.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

import torch
from einops import reduce
from torch import Tensor, nn

from emo_core.dataset.shards import TRAIN, Dataset
from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.models.backbone import ClipContext
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.schedule import make_scheduler
from emo_core.emo.training.objective import quick_attention
from emo_core.emo.training.on_device import Resident
from emo_core.emo.training.samples import Batch
from emo_core.emo.training.setup import frozen_parts
from emo_core.emo.training.train import Limits, Trainee

from .gather import encode, features_of, film, resident_of, variants
from .mouth_reader import MouthReader, pieces, places, scale, train_reader
from .train import Begun, Part, between, finish, going_on, run_stage, say

READERS, READING = 2, 2500
"""Networks that judge, so that none can be deceived alone, and the steps of each."""
WHOLE, REST = ("audio", "temporal"), 0.5
"""Parts that are in the finished few-step file as they were learnt, and the share of what all others learnt: more draws softer pictures."""
STRETCH = 1.15
"""Openings are asked for this many times as far from their mean as they were filmed: what learns by squared errors stays too near it."""
MOVING = 0.25
"""Degrees per frame from which on a head moves more than a GRID speaker's at rest."""
ANCHOR = 0.95
"""Share of the portrait in the motion frames of the finished few-step file, against seams."""
BASE_NOISE = 0.985
"""Share of the noise that the other file's frames share when it samples, against the flicker of 40 steps."""
LIPS = Part(None, 48, ("trains=[reference_net, backbone, face_locator, audio, temporal, speed]", "speed=true", "drop_speed=0.5",
                       "drop_reference=0.0", "motion_anchor=1.0", "motion_anchor_from=0.7", "mouth_weight=2", "learning_rate=3.0e-4",
                       "warm_up=50", "decay_from=0.3", "decay_to=0.03", "ema=0.99"))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What counts how much."""

    opening: float = 2.5
    """Squared error of the opening that is read, in variances of all openings."""
    mouth: float = 10.0
    """Squared difference from the film in the cells around the mouth."""
    around: float = 10.0
    """Squared difference in all other cells: from what was drawn before, or from the film where the face is to be elsewhere or to move."""


@dataclass(frozen=True, slots=True)
class Judges:
    """Readers, and the scale that they read on."""

    readers: tuple[MouthReader, ...]
    mean: float
    deviation: float

    @classmethod
    def taught(cls, resident: Resident, steps: int) -> "Judges":
        """Teach them."""
        readers = tuple(train_reader(resident, steps, seed, report=say) for seed in range(READERS))
        return cls(readers, *scale(resident))

    def errors(self, drawn: Tensor, batch: Batch) -> Tensor:
        """(B,) mean squared errors of the openings that are read from (B, F, C, h, w)."""
        middles, sides = places(batch.mouths)
        found = pieces(drawn.flatten(0, 1), middles.flatten(0, 1), sides.flatten())
        wanted = STRETCH * (batch.openings - self.mean) / self.deviation
        read = torch.stack([reader(found).view_as(wanted) for reader in self.readers])
        return reduce((read - wanted).square(), "r b f -> b", "mean")


class Rollout(nn.Module):
    """The loss of whole clips drawn from noise, in place of `Objective`."""

    def __init__(self, denoiser: Denoiser, before: Denoiser, judges: Judges, weights: Weights | None = None) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.weights = weights or Weights()
        self._fixed = (before, judges)  # In a tuple they are no part of this module: they neither train nor are saved.

    def forward(self, batch: Batch, clean: Tensor, conditions: Conditions) -> Tensor:
        """Losses (B,); `clean` (B, F, C, h, w) is the film."""
        before, judges = self._fixed
        with quick_attention(clean.device):
            with torch.no_grad():
                old = draw(before, batch.noise, before.emo.context(conditions)).float()
            drawn = draw(self.denoiser, batch.noise, self.denoiser.emo.context(conditions)).float()
            errors = judges.errors(drawn, batch).float()
        mouth = batch.weight > 1  # (B, F, 1, h, w)
        target = torch.where(mouth | moved(batch)[:, None, None, None, None], clean, old)
        inside, outside = (part / part.mean().clamp(min=1e-3) for part in (mouth.float(), 1 - mouth.float()))
        weights = self.weights.mouth * inside + self.weights.around * outside
        return self.weights.opening * errors + reduce((drawn - target).square() * weights, "b f c h w -> b", "mean")


def moved(batch: Batch) -> Tensor:
    """(B,) where the face is to be in another place than in the reference, or to move as it is told."""
    told = torch.zeros_like(batch.borrowed) if batch.speed is None else batch.speed.mean(1) > MOVING
    return batch.borrowed | told


def draw(denoiser: Denoiser, noise: Tensor, context: ClipContext) -> Tensor:
    """Latents (B, F, C, h, w) from noise, by DDIM at the model's own steps without guidance; gradients pass."""
    schedule = make_scheduler("ddim", denoiser.diffusion)
    schedule.set_timesteps(denoiser.diffusion.steps, device=noise.device)
    latents = noise
    for timestep in schedule.timesteps:
        prediction = denoiser(latents, timestep.expand(len(noise)), context)
        latents = schedule.step(prediction, timestep, latents, return_dict=False)[0]
    return latents


def main() -> None:
    """Train the network, and write both files."""
    parser = going_on(__doc__.splitlines()[0])
    parser.add_argument("--reading", type=int, default=READING, help=f"steps of the readers (default: {READING})")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the stage")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    dataset, begun = Dataset.open(args.data), Begun.open(args.init, args.device)
    base, few, config = begun.base, begun.few, begun.few.config
    filmed = film(dataset, TRAIN, args.device, args.limit)
    chosen = variants(filmed, args.people)
    encoded = encode(filmed, chosen, few.vae, half=args.precision == "bf16")
    resident = resident_of(filmed, chosen, encoded, list(features_of(filmed, few.audio_encoder, config)))
    del filmed, encoded
    judges = Judges.taught(resident, args.reading)
    before = deepcopy(few.emo).eval().requires_grad_(False)
    objective = partial(Rollout, before=Denoiser(before), judges=judges)
    trainee = Trainee(
        few.emo, frozen_parts(few, None), dataset, args.out / "lips", resident=resident, objective=objective
    )
    learnt = run_stage("few", LIPS, trainee, args, Limits(steps=args.steps))
    frozen = {"vae": few.vae, "audio_encoder": few.audio_encoder}
    config = replace(config, temporal=replace(config.temporal, anchor=ANCHOR))
    finish(args.out, config, {"emo": between(before, learnt, REST, WHOLE), **frozen})
    how = replace(base.config.diffusion, shared_noise=BASE_NOISE)
    finish(args.out, replace(base.config, diffusion=how), {"emo": base.emo, **frozen})


if __name__ == "__main__":
    main()
