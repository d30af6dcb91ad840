"""Fine-tune the few-step network on its own samples: `python -m recipes.emo_mini.finetune_rollout --data DATASET --init FOLDER --out FOLDER --steps N`.

A stage of training sees single steps of filmed clips with noise, and never the clip that sampling ends with. Two steps fit in memory
with their gradient, so here it passes through the sampler (direct reward fine-tuning, arXiv 2309.17400). The target at the mouth is the
film: its latent cells, and its opening as small networks read it from latents (recipes/emo_mini/mouth_reader.py). The cells matter: with
the readers alone the network draws dark bands, which read as open mouths. Elsewhere the target is the earlier network's sample, because
squared errors to the film would soften it; but if the face is to be in another place or to move, it is the film. Both files are
written; emo-mini's network stays as it is: with this one's change added, skin became blotched in 40 steps.

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
from emo_core.emo.conditions.drawing import TrainingClips
from emo_core.emo.models.backbone import ClipContext
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.schedule import make_scheduler
from emo_core.emo.training.batch import Batch
from emo_core.emo.training.objective import quick_attention
from emo_core.emo.training.setup import frozen_parts
from emo_core.emo.training.train import StageRun
from emo_core.training.schedule import Limits

from .gather import encode, features_of, film, join_clips, variants
from .mouth_reader import MouthReader, pieces, places, scale, train_reader
from .train import FinishedFiles, StagePlan, average, finetuning_parser, finish, run_stage, say

READERS, READER_STEPS = 2, 2500
"""Networks that read the opening, several so that the errors of one count less, and the steps of each."""
WHOLE, REST = ("audio", "temporal"), 0.5
"""Parts whose new weights the finished few-step file has, and the share of the others' new weights: more softens the pictures."""
STRETCH = 1.15
"""Factor on the targets' distance from the mean opening, because squared errors leave predictions too near the mean."""
MOVING = 0.25
"""Degrees per frame from which on a head moves more than a GRID speaker's at rest."""
ANCHOR = 0.95
"""Share of the portrait in the motion frames of the finished few-step file, against seams."""
MIN_ANCHOR = 0.7
"""Least share of the portrait in the motion frames of training."""
BASE_NOISE = 0.985
"""Share of the noise that frames have in common when the other file samples, against the flicker of 40 steps."""
PLAN = StagePlan(None, 48, ("trains=[reference_net, backbone, face_locator, audio, temporal, speed]", "motion_anchor=1.0", "mouth_weight=2", "learning_rate=3.0e-4",
                       "warm_up=50", "decay_from=0.3", "decay_to=0.03", "ema=0.99"))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights of the loss's parts."""

    opening: float = 2.5
    """Of the squared error of the opening, in variances of all openings."""
    mouth: float = 10.0
    """Of the squared difference from the film in the cells around the mouth."""
    around: float = 10.0
    """Of the squared difference in all other cells, from the earlier network's sample or the film."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Networks that read the mouth's opening, and the scale of their readings."""

    networks: tuple[MouthReader, ...]
    mean: float
    deviation: float

    @classmethod
    def trained(cls, clips: TrainingClips, steps: int) -> "Readers":
        """Train them on filmed clips."""
        networks = tuple(train_reader(clips, steps, seed, report=say) for seed in range(READERS))
        return cls(networks, *scale(clips))

    def errors(self, generated: Tensor, batch: Batch) -> Tensor:
        """(B,) mean squared errors of the openings in generated latents (B, F, C, h, w)."""
        middles, sides = places(batch.mouths)
        mouths = pieces(generated.flatten(0, 1), middles.flatten(0, 1), sides.flatten())
        target = STRETCH * (batch.openings - self.mean) / self.deviation
        openings = torch.stack([network(mouths).view_as(target) for network in self.networks])
        return reduce((openings - target).square(), "r b f -> b", "mean")


class Rollout(nn.Module):
    """The loss of clips that are sampled from noise, in place of `Objective`."""

    def __init__(self, denoiser: Denoiser, earlier: Denoiser, readers: Readers, weights: Weights | None = None) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.weights = weights or Weights()
        # In a tuple they are no part of this module: they neither train nor are saved.
        self._fixed = (earlier, readers)

    def forward(self, batch: Batch, clean: Tensor, conditions: Conditions) -> Tensor:
        """Losses (B,); `clean` (B, F, C, h, w) is the film."""
        earlier, readers = self._fixed
        with quick_attention(clean.device):
            with torch.no_grad():
                old = generate_latents(earlier, batch.noise, earlier.emo.context(conditions)).float()
            new = generate_latents(self.denoiser, batch.noise, self.denoiser.emo.context(conditions)).float()
            errors = readers.errors(new, batch).float()
        mouth = batch.weight > 1  # (B, F, 1, h, w)
        target = torch.where(mouth | moves(batch)[:, None, None, None, None], clean, old)
        inside, outside = (part / part.mean().clamp(min=1e-3) for part in (mouth.float(), 1 - mouth.float()))
        weights = self.weights.mouth * inside + self.weights.around * outside
        return self.weights.opening * errors + reduce((new - target).square() * weights, "b f c h w -> b", "mean")


def moves(batch: Batch) -> Tensor:
    """(B,) whether the face is to be in another place than in the reference, or to move by the speed condition."""
    speed = batch.conditions.get("speed")
    return batch.other_reference if speed is None else batch.other_reference | (speed.mean(1) > MOVING)


def anchored(batch: Batch) -> Batch:
    """Mix at least MIN_ANCHOR of the reference into the motion frames."""
    return replace(
        batch, motion_anchor=torch.lerp(batch.motion_anchor, torch.ones_like(batch.motion_anchor), MIN_ANCHOR)
    )


def generate_latents(denoiser: Denoiser, noise: Tensor, context: ClipContext) -> Tensor:
    """Latents (B, F, C, h, w) from noise, by DDIM at the model's own steps without guidance; gradients pass."""
    schedule = make_scheduler("ddim", denoiser.diffusion, denoiser.diffusion.steps)
    latents = noise
    for index, timestep in enumerate(schedule.timesteps):
        timesteps = torch.full((len(noise),), timestep, device=noise.device)
        latents = schedule.step(index, latents, denoiser(latents, timesteps, context))
    return latents


def main() -> None:
    """Train the network, and write both files."""
    parser = finetuning_parser(__doc__.splitlines()[0])
    parser.add_argument(
        "--reader-steps", type=int, default=READER_STEPS, help=f"steps of the readers (default: {READER_STEPS})"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the stage")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    dataset, finished = Dataset.open(args.data), FinishedFiles.open(args.init, args.device)
    base, few, config = finished.base, finished.few, finished.few.config
    filmed = film(dataset, TRAIN, args.device, args.limit)
    chosen = variants(filmed, args.people)
    encoded = encode(filmed, chosen, few.vae, half=args.precision == "bf16")
    clips = join_clips(filmed, chosen, encoded, list(features_of(filmed, few.audio_encoder, config)))
    del filmed, encoded
    readers = Readers.trained(clips, args.reader_steps)
    earlier = deepcopy(few.emo).eval().requires_grad_(False)
    objective = partial(Rollout, earlier=Denoiser(earlier), readers=readers)
    run = StageRun(
        few.emo,
        frozen_parts(few, None),
        dataset,
        args.out / "rollout",
        clips=clips,
        alter_batch=anchored,
        objective=objective,
    )
    new = run_stage("few", PLAN, run, args, Limits(steps=args.steps))
    frozen = {"vae": few.vae, "audio_encoder": few.audio_encoder}
    config = replace(config, temporal=replace(config.temporal, anchor=ANCHOR))
    finish(args.out, config, {"emo": average(earlier, new, REST, WHOLE), **frozen})
    diffusion = replace(base.config.diffusion, shared_noise=BASE_NOISE)
    finish(args.out, replace(base.config, diffusion=diffusion), {"emo": base.emo, **frozen})


if __name__ == "__main__":
    main()
