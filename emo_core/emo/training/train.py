"""One stage of training, on accelerate: a CPU, a GPU, or many."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from diffusers.training_utils import EMAModel
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from ...dataset.shards import Dataset
from ...errors import Cancelled, EmoError, InputError
from ...training import checkpoints as state
from ...training.log import Meter, TrainingLog
from ...training.stop_signals import stop_signals
from ..conditions.drawing import TrainingClips
from ..models.emo import EMO
from ..sampling.denoiser import Denoiser
from .batch import Batch
from .batches import Batches, load_batches
from .objective import Frozen, Objective, inputs
from .on_device import DeviceBatches, load_on_device
from .samples import Sampler
from .stages import StageConfig, precision_of
from .trainable import freeze_all_but, trained


class TrainingError(EmoError):
    """The training itself went wrong: the loss is no number any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a stage ends; whichever comes first."""

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise InputError("train: give --max-steps or --max-minutes")
        if (self.steps is not None and self.steps < 1) or (self.minutes is not None and self.minutes <= 0):
            raise InputError(f"train: got {self.steps} steps, {self.minutes} minutes; expected more than 0")

    def share(self, progress: state.Progress) -> float:
        """How much of the run is done, 0 .. 1; by steps where they are limited, so that it repeats exactly."""
        done = 0.0 if self.steps is None else progress.step / self.steps
        if self.minutes is not None:
            done = max(done, progress.seconds / 60 / self.minutes)
        return min(1.0, done)


Validate = Callable[[int, Denoiser, TrainingLog], None]
"""Called on the main process with the averaged weights in place."""


@dataclass(frozen=True, slots=True)
class Trainee:
    """What a run is given: the network to train, what it needs and where it goes."""

    emo: EMO
    frozen: Frozen
    dataset: Dataset
    run: Path
    teacher: EMO | None = None
    """Whose guided predictions are learnt (stage few)."""
    clips: TrainingClips | None = None
    """The dataset in the device's memory, for stages with `on_device`; None reads it there."""
    objective: Callable[[Denoiser], nn.Module] | None = None
    """Makes the loss from the Denoiser, in place of `Objective`: a module with the same `forward` and `denoiser`."""


def train(
    trainee: Trainee, stage: StageConfig, limits: Limits, *, resume: bool = False, validate: Validate | None = None
) -> state.Progress:
    """Train a stage to its end.

    Returns:
        where it ended.

    Raises:
        Cancelled: on SIGTERM or Ctrl-C, after saving.
        TrainingError: where the loss is no number; the last checkpoint stays.
        InputError: where a checkpoint cannot be written or read.
    """
    run = _Run(trainee, stage, limits, resume)
    with stop_signals() as stopped, TrainingLog(run.log_folder, step=run.progress.step) as journal:
        run.loop(journal, stopped, validate)
    return run.progress


class _Run:
    """The state of `train`; `loop` reads top to bottom."""

    def __init__(self, trainee: Trainee, stage: StageConfig, limits: Limits, resume: bool) -> None:
        self.trainee, self.stage, self.limits = trainee, stage, limits
        self.accelerator = _accelerator(stage)
        emo, frozen, device = trainee.emo, trainee.frozen, self.accelerator.device
        chosen = trained(emo, stage)
        freeze_all_but(emo, chosen)
        emo.set_gradient_checkpointing(stage.checkpointing)
        emo.train()
        frozen.vae.to(device)
        frozen.audio_encoder.to(device)
        teacher = None if trainee.teacher is None else Denoiser(trainee.teacher.to(device).eval().requires_grad_(False))
        make = trainee.objective or partial(Objective, min_snr=stage.min_snr, teacher=teacher)
        objective = make(Denoiser(emo))
        optimiser = _optimiser(chosen, stage)
        self.model, self.optimiser = self.accelerator.prepare(objective, optimiser)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.average = EMAModel(self.parameters, decay=stage.ema, foreach=True)
        self.accelerator.register_for_checkpointing(self.average)
        self.progress = state.Progress()
        if resume:
            found = state.latest(trainee.run)
            _load(self.accelerator, found)
            self.average.to(self.accelerator.device)  # Accelerate reads it onto the CPU.
            self.progress = state.read_progress(found)
        self.log_folder = trainee.run if self.accelerator.is_main_process else None

    def loop(self, journal: TrainingLog, stopped: Callable[[], bool], validate: Validate | None) -> None:
        """Train until the limits are reached."""
        stage, accelerator = self.stage, self.accelerator
        meter, batches = Meter(), self._batches()
        while self.limits.share(self.progress) < 1:
            start = time.monotonic()
            loss, norm = self._step(batches, meter)
            meter.add(loss, time.monotonic() - start, stage.batch * stage.accumulate * accelerator.num_processes)
            step = self.progress.step
            done = self.limits.share(self.progress) >= 1
            if step % stage.log_every == 0 or done:
                journal.write(step, **meter.report(), gradient=norm, rate=self._rate(), minutes=self._minutes())
            cancelled = self._agreed(stopped())
            if step % stage.save_every == 0 or done or cancelled:
                self.save()
            if cancelled:
                raise Cancelled(f"stopped at step {step}; go on with --resume")
            if validate is not None and stage.validate_every and (step % stage.validate_every == 0 or done):
                self._validate(validate, journal)

    def _batches(self) -> Iterator[Batch]:
        """Endless, from where the run is."""
        accelerator, model, stage = self.accelerator, self.trainee.emo.config, self.stage
        if stage.on_device:
            clips = self.trainee.clips or load_on_device(self.trainee.dataset, accelerator.device)
            sampler = Sampler(model, stage)
            return DeviceBatches(clips, sampler, accelerator.process_index).batches(self.progress.micro_steps)
        batches = Batches(
            self.trainee.dataset,
            Sampler(model, stage),
            rank=accelerator.process_index,
            processes=accelerator.num_processes,
            consumed=self.progress.micro_steps,
        )
        return load_batches(batches)

    def _step(self, batches: Iterator[Batch], meter: Meter) -> tuple[float, float]:
        """One step of the optimiser; gives the mean loss over all samples and the gradient's norm."""
        start = time.monotonic()
        losses, keys = [], []
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate() * group["times"]
        for _ in range(self.stage.accumulate):
            with self.accelerator.accumulate(self.model):
                waiting = time.monotonic()
                batch = next(batches).to(self.accelerator.device)
                meter.waited(time.monotonic() - waiting)
                loss = self._loss(batch)
                self.accelerator.backward(loss.mean())
                losses.append(loss.detach())
                keys.extend(batch.keys)
                norm = torch.zeros(())
                if self.accelerator.sync_gradients:
                    norm = self.accelerator.clip_grad_norm_(self.parameters, self.stage.clip)
                    self._check(torch.cat(losses), norm, keys)
                self.optimiser.step()
                self.optimiser.zero_grad()
        self.average.step(self.parameters)
        self.progress = state.Progress(
            self.progress.step + 1,
            self.progress.micro_steps + self.stage.accumulate,
            self._common(self.progress.seconds + time.monotonic() - start),
        )
        return float(self.accelerator.gather(torch.cat(losses)).mean()), float(norm)

    def _loss(self, batch: Batch) -> Tensor:
        """(B,) weighted losses."""
        clean, conditions = inputs(batch, self.trainee.emo.config, self.trainee.frozen)
        return self.model(batch, clean, conditions)

    def _check(self, losses: Tensor, norm: Tensor, keys: list[str]) -> None:
        """Stop before a bad gradient reaches the weights (fp16 skips such steps by itself)."""
        bad = not bool(torch.isfinite(losses).all())
        bad = bad or (self.stage.precision != "fp16" and not math.isfinite(float(norm)))
        if self._agreed(bad):
            raise TrainingError(
                f"train: the loss is no number at step {self.progress.step + 1} (clips {', '.join(keys) or 'drawn from memory'}); "
                "the checkpoints before it are good. Lower learning_rate, use precision bf16, or prepare without these clips"
            )

    def _rate(self) -> float:
        """Learning rate of the next step: warm-up, constant, linear decay."""
        stage, share = self.stage, self.limits.share(self.progress)
        warm = min(1.0, (self.progress.step + 1) / max(1, stage.warm_up))
        falling = 1.0 if share <= stage.decay_from else 1 - (share - stage.decay_from) / (1 - stage.decay_from)
        return stage.learning_rate * warm * max(stage.decay_to, falling)

    def _minutes(self) -> float:
        return round(self.progress.seconds / 60, 3)

    def _common(self, seconds: float) -> float:
        """The slowest process's clock: by their own, processes would learn at different rates and end at different steps."""
        if self.accelerator.num_processes == 1:
            return seconds
        clock = torch.tensor([seconds], dtype=torch.float32, device=self.accelerator.device)
        return float(self.accelerator.gather(clock).max())

    def _agreed(self, flag: bool) -> bool:
        """Whether any process raises the flag: all must leave a loop together."""
        if self.accelerator.num_processes == 1:
            return flag
        return bool(self.accelerator.gather(torch.tensor([float(flag)], device=self.accelerator.device)).any())

    def save(self) -> None:
        """Write a checkpoint."""
        state.save(self.trainee.run, self.accelerator, self.progress, self._write_average, self.stage.keep)

    def _write_average(self, folder: Path) -> None:
        with self._averaged():
            weights = self.accelerator.get_state_dict(self.model)
            if self.accelerator.is_main_process:
                emo = {k.removeprefix("denoiser.emo."): v.contiguous().cpu() for k, v in weights.items()}
                save_file(emo, folder / state.AVERAGE, {"config": self.trainee.emo.config.to_json()})

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """With the moving average in place of the weights."""
        self.average.store(self.parameters)
        self.average.copy_to(self.parameters)
        try:
            yield
        finally:
            self.average.restore(self.parameters)

    def _validate(self, validate: Validate, journal: TrainingLog) -> None:
        """On the main process; sharded weights (FSDP) are in no single process, so there it is left to `check`."""
        with self._averaged():
            if self.accelerator.is_main_process and self.accelerator.distributed_type != "FSDP":
                model = self.accelerator.unwrap_model(self.model)
                model.eval()
                validate(self.progress.step, model.denoiser, journal)
                model.train()
        self.accelerator.wait_for_everyone()


def _accelerator(stage: StageConfig) -> Accelerator:
    # ReferenceNet's last layers feed motion frames alone, which a batch of first clips has none of; speed may be left out.
    unsure = ("reference_net" in stage.trains and stage.follow) or (
        "speed" in stage.trains and stage.drop.get("speed", 0.0) > 0
    )
    return Accelerator(
        # Said outright, several processes on CPUs find each other.
        cpu=not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        mixed_precision=precision_of(stage.precision),
        gradient_accumulation_steps=stage.accumulate,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=unsure)],
    )


def _optimiser(chosen: dict[str, nn.Parameter], stage: StageConfig) -> torch.optim.Optimizer:
    fast = [value for name, value in chosen.items() if "speed" in name]
    slow = [value for name, value in chosen.items() if "speed" not in name]
    groups = [{"params": slow, "times": 1.0}, {"params": fast, "times": stage.new_rate}]
    settings = {"lr": stage.learning_rate, "betas": (0.9, stage.beta2), "weight_decay": stage.weight_decay}
    groups = [group for group in groups if group["params"]]
    if stage.optimiser == "adamw":
        return torch.optim.AdamW(groups, **settings)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise InputError("config: optimiser adamw8bit needs `pip install bitsandbytes`; or use adamw") from error
    return AdamW8bit(groups, **settings)


def _load(accelerator: Accelerator, checkpoint: Path) -> None:
    try:
        accelerator.load_state(str(checkpoint))
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, UnpicklingError, SafetensorError) as error:
        raise InputError(
            f"resume: {checkpoint} is damaged, or does not fit this run ({' '.join(str(error).split())[:300]}); resume with "
            f"the stage and model it was begun with, or {state.without(checkpoint)}"
        ) from error
