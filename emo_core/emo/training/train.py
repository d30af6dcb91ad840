"""A stage of EMO as a task of the training loop."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ...dataset.shards import Dataset
from ...errors import InputError
from ...training import loop
from ...training.batches import Place
from ...training.checkpoints import Progress
from ...training.log import TrainingLog
from ...training.schedule import Limits, Schedule
from ...training.task import Learner, Task
from ..conditions.drawing import TrainingClips
from ..models.emo import EMO
from ..sampling.denoiser import Denoiser
from .batch import Batch
from .batches import Batches, load_batches
from .export import NETWORK_FILE
from .objective import Frozen, Objective, inputs
from .on_device import DeviceBatches, load_on_device
from .samples import Sampler
from .stages import StageConfig, precision_of
from .trainable import freeze_all_but, trainable_parameters

Validate = Callable[[int, Denoiser, TrainingLog], None]
"""Called on the first process with the averaged weights in place."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """A network to train, with its data and its folder."""

    emo: EMO
    frozen: Frozen
    dataset: Dataset
    folder: Path
    teacher: EMO | None = None
    """Network whose guided predictions are the targets (stage few)."""
    clips: TrainingClips | None = None
    """The dataset in the device's memory, for stages with `on_device`; None reads it there."""
    alter_batch: Callable[[Batch], Batch] | None = None
    """Changes every batch of a recipe; None leaves them."""
    objective: Callable[[Denoiser], nn.Module] | None = None
    """Makes the loss from the Denoiser, in place of `Objective`: a module with the same `forward`."""


def train(
    run: StageRun, stage: StageConfig, limits: Limits, *, resume: bool = False, validate: Validate | None = None
) -> Progress:
    """Train a stage to its end; then `run.emo` holds the averaged weights. See `loop.train` for errors."""
    return loop.train(
        StageTask(run, stage, validate), loop_settings(stage, validate), limits, run.folder, resume=resume
    )


class StageTask(Task):
    """One stage: the parameters that it trains, its batches, its loss."""

    def __init__(self, run: StageRun, stage: StageConfig, validate: Validate | None = None) -> None:
        self._run, self._stage, self._validate = run, stage, validate
        parameters = trainable_parameters(run.emo, stage)
        freeze_all_but(run.emo, parameters)
        run.emo.set_gradient_checkpointing(stage.checkpointing)
        teacher = None if run.teacher is None else Denoiser(run.teacher.eval().requires_grad_(False))
        objective = run.objective or partial(Objective, min_snr=stage.min_snr, teacher=teacher)
        self._denoiser = Denoiser(run.emo)
        learner = Learner(
            network=objective(self._denoiser),
            optimiser=_optimiser(parameters, stage),
            schedule=Schedule(
                rate=stage.learning_rate,
                warm_up=stage.warm_up,
                decay_from=stage.decay_from,
                decay_to=stage.decay_to,
            ),
            ema=stage.ema,
            clip=stage.clip,
        )
        self.learners = (learner,)

    def prepare(self, place: Place) -> None:
        for network in (self._run.frozen.vae, self._run.frozen.audio_encoder, self._run.teacher):
            if network is not None:
                network.to(place.device)

    def batches(self, place: Place, consumed: int) -> Iterator[Batch]:
        run, sampler = self._run, Sampler(self._run.emo.config, self._stage)
        if self._stage.on_device:
            clips = run.clips or load_on_device(run.dataset, place.device)
            batches = DeviceBatches(clips, sampler, place.rank).batches(consumed)
        else:
            processes = {"rank": place.rank, "processes": place.processes}
            batches = load_batches(Batches(run.dataset, sampler, consumed=consumed, **processes))
        return batches if run.alter_batch is None else map(run.alter_batch, batches)

    def losses(self, batch: Batch, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        """Weighted losses (B,)."""
        clean, conditions = inputs(batch, self._run.emo.config, self._run.frozen)
        yield networks[0](batch, clean, conditions)

    def validate(self, step: int, log: TrainingLog) -> None:
        self._validate(step, self._denoiser, log)

    def save(self, folder: Path, weights: tuple[dict[str, Tensor], ...]) -> None:
        """The averaged network with its config, for `export`."""
        network = {name.removeprefix("denoiser.emo."): value.contiguous().cpu() for name, value in weights[0].items()}
        save_file(network, folder / NETWORK_FILE, {"config": self._run.emo.config.to_json()})


def loop_settings(stage: StageConfig, validate: Validate | None) -> loop.Settings:
    """The loop's settings of a stage."""
    # ReferenceNet's last layers serve motion frames alone, which a batch of first clips has none of; speed may be dropped.
    unused = ("reference_net" in stage.trains and stage.follow) or (
        "speed" in stage.trains and stage.drop.get("speed", 0.0) > 0
    )
    return loop.Settings(
        batch=stage.batch,
        accumulate=stage.accumulate,
        precision=precision_of(stage.precision),
        log_every=stage.log_every,
        save_every=stage.save_every,
        keep=stage.keep,
        validate_every=0 if validate is None else stage.validate_every,
        find_unused=unused,
    )


def _optimiser(parameters: dict[str, nn.Parameter], stage: StageConfig) -> torch.optim.Optimizer:
    """One group of parameters per learning rate."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, value in parameters.items():
        factor = next((factor for word, factor in stage.learning_rate_factors.items() if word in name), 1.0)
        groups.setdefault(factor, []).append(value)
    groups = [{"params": values, "factor": factor} for factor, values in groups.items()]
    settings = {"lr": stage.learning_rate, "betas": (0.9, stage.beta2), "weight_decay": stage.weight_decay}
    if stage.optimiser == "adamw":
        return torch.optim.AdamW(groups, **settings)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise InputError("config: optimiser adamw8bit needs `pip install bitsandbytes`; or use adamw") from error
    return AdamW8bit(groups, **settings)
