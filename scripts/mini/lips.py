"""Teach the few-step network by what it draws: `python -m scripts.mini.lips --data DATASET --init FOLDER --out FOLDER --steps N`.

A stage of training knows single steps: at each, the film with noise in it. What is drawn in the end, from noise alone, it never sees. With two
steps all of it fits in memory, so here the gradient goes through the sampler (direct reward fine-tuning, arXiv 2309.17400): the mouth
is to be as in the film, cell by cell and as far open as small networks read it from the latents (scripts/mini/reader.py),
and everything else as it was drawn before. The cells matter: with the readers alone the network draws dark bands, which read as open mouths.
Writes both files: what the few-step network learnt is added to the other one as well.

Shape legend: B clips, F frames, C h w latent.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

import torch
from einops import reduce
from torch import Tensor, nn

from emo_core.conditions import Conditions
from emo_core.models.backbone import ClipContext
from emo_core.models.emo import EMO
from emo_core.sampling.denoiser import Denoiser
from emo_core.sampling.schedule import make_scheduler
from emo_core.trainer.begin import frozen_parts
from emo_core.trainer.examples import Batch
from emo_core.trainer.objective import quick_attention
from emo_core.trainer.parts import part_of
from emo_core.trainer.resident import Resident
from emo_core.trainer.shards import TRAIN, Dataset
from emo_core.trainer.train import Limits, Trainee

from .gather import encode, features_of, film, resident_of, variants
from .reader import MouthReader, pieces, places, scale, train_reader
from .train import Begun, Part, added, finish, going_on, run_stage, say

READERS, READING = 2, 3000
"""Networks that judge, so that none can be deceived alone, and the steps of each."""
KEPT = ("audio", "temporal")
"""Parts whose learning is in the finished files. The rest of the Backbone, which learns beside them, brings s1's mouths a little nearer,
opens all of them less, and forgot how to draw a face that the region puts elsewhere (trained where no reference was framed in another way)."""
BASE_NOISE = 0.985
"""Share of the noise that the other file's frames share when it samples, against the flicker of 40 steps."""
LIPS = Part(None, 8, ("trains=[backbone, audio, temporal]", "speed=true", "drop_speed=0.6", "drop_reference=0.0", "motion_anchor=1.0",
                   "mouth_weight=2", "learning_rate=1.2e-4", "warm_up=20", "decay_from=0.5", "decay_to=0.05", "ema=0.98"))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What counts how much."""

    opening: float = 1.5
    """Squared error of the opening that is read, in variances of all openings."""
    film: float = 10.0
    """Squared difference from the film in the cells around the mouth."""
    before: float = 10.0
    """Squared difference from what was drawn before, in all other cells."""


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
        wanted = (batch.openings - self.mean) / self.deviation
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
            new = draw(self.denoiser, batch.noise, self.denoiser.emo.context(conditions)).float()
            errors = judges.errors(new, batch).float()
        mouth = (batch.weight > 1).float()  # (B, F, 1, h, w)
        film = (new - clean).square() * mouth / mouth.mean().clamp(min=1e-3)
        kept = (new - old).square() * (1 - mouth) / (1 - mouth).mean()
        differences = self.weights.film * film + self.weights.before * kept
        return self.weights.opening * errors + reduce(differences, "b f c h w -> b", "mean")


def draw(denoiser: Denoiser, noise: Tensor, context: ClipContext) -> Tensor:
    """Latents (B, F, C, h, w) from noise, by DDIM at the model's own steps without guidance; gradients pass."""
    schedule = make_scheduler("ddim", denoiser.diffusion)
    schedule.set_timesteps(denoiser.diffusion.steps, device=noise.device)
    latents = noise
    for timestep in schedule.timesteps:
        prediction = denoiser(latents, timestep.expand(len(noise)), context)
        latents = schedule.step(prediction, timestep, latents, return_dict=False)[0]
    return latents


def with_parts(before: EMO, learnt: EMO, parts: tuple[str, ...]) -> EMO:
    """A network with some parts of another (`emo_core.trainer.parts`)."""
    found = deepcopy(before)
    found.load_state_dict({k: v for k, v in learnt.state_dict().items() if part_of(k) in parts}, strict=False)
    return found


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
    emo = with_parts(before, learnt, KEPT)
    finish(args.out, config, {"emo": emo, **frozen})
    base.emo.load_state_dict(added(base.emo, before, emo))
    how = replace(base.config.diffusion, shared_noise=BASE_NOISE)
    finish(args.out, replace(base.config, diffusion=how), {"emo": base.emo, **frozen})


if __name__ == "__main__":
    main()
