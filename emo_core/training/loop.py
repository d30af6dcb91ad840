"""One training loop for every model: on a CPU, a GPU or many, with one network or several.

A model is trained by a `Task`:

    class Regression(Task):
        def __init__(self, data: Pairs) -> None:
            self.data, self.net = data, nn.Linear(8, 1)
            optimiser = torch.optim.AdamW(self.net.parameters())
            self.learners = (Learner(network=self.net, optimiser=optimiser, schedule=Schedule(rate=1e-3), ema=0.999),)

        def batches(self, place: Place, consumed: int) -> Iterator[Pairs]:
            return drawn_batches(self.data.draw, place, consumed)

        def losses(self, batch: Pairs, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
            yield (networks[0](batch.inputs) - batch.targets).square().mean(1)

    train(Regression(data), Settings(batch=32), Limits(steps=1000), Path("run"))

A GAN has two learners, and its `losses` yields the discriminator's loss, then the generator's.
The loop accumulates gradients, clips them, sets learning rates, averages weights, logs, validates, and writes checkpoints.
It stops at SIGTERM, Ctrl-C, a loss that is not finite, and a full disk, each time with a checkpoint to resume from. A
resumed run equals an unbroken one bit by bit. At its end the networks hold the averaged weights, in eval mode.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import convert_to_fp32
from torch import Tensor, nn

from ..errors import Cancelled, EmoError
from ..files import locked
from . import checkpoints
from .batches import Batch, Place
from .checkpoints import Progress
from .ema import MovingAverage
from .log import Statistics, TrainingLog
from .schedule import Limits
from .stop_signals import stop_signals
from .task import Learner, Task


class TrainingError(EmoError):
    """A loss or a gradient is not finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the loop runs, whatever the model."""

    batch: int
    """Samples per process and micro step, for the log."""
    accumulate: int = 1
    """Micro steps per step of the optimisers."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Mixed precision of the networks."""
    log_every: int = 25
    """Steps between lines of the log."""
    save_every: int = 500
    """Steps between checkpoints; the last step writes one, too."""
    keep: int = 2
    """Checkpoints that are kept."""
    validate_every: int = 0
    """Steps between validations, with one at the end; 0 for none."""
    find_unused: bool = False
    """Whether parameters may get no gradient in a step; several processes need to know."""
    cpu: bool = False
    """Whether to ignore a GPU."""


def train(
    task: Task,
    settings: Settings,
    limits: Limits,
    folder: Path | None,
    *,
    resume: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> Progress:
    """Train to the limits; then the networks hold the averaged weights.

    Args:
        task: the model.
        settings: of the loop.
        limits: when to end.
        folder: for checkpoints and log; None writes nothing, and the run cannot be resumed.
        resume: continue from the newest checkpoint in the folder.
        report: gets every line of the log as text, on the first process.

    Returns:
        the position at the end.

    Raises:
        Cancelled: on SIGTERM or Ctrl-C, after a checkpoint.
        TrainingError: if a loss is not finite; earlier checkpoints stay.
        InputError: if a checkpoint cannot be written or read, or another command trains in the folder.
    """
    run = _Run(task, settings, limits, folder, resume)
    own, report = (folder, report) if run.accelerator.is_main_process else (None, lambda line: None)
    with locked(own, "out"), stop_signals() as stopped, TrainingLog(own, step=run.progress.step, report=report) as log:
        run.loop(log, stopped)
    run.finish()
    return run.progress


class _Run:
    """The state of `train`; `loop` reads top to bottom."""

    def __init__(self, task: Task, settings: Settings, limits: Limits, folder: Path | None, resume: bool) -> None:
        self.task, self.settings, self.limits, self.folder = task, settings, limits, folder
        self.accelerator = _accelerator(settings)
        self.place = Place(self.accelerator.device, self.accelerator.process_index, self.accelerator.num_processes)
        task.prepare(self.place)
        for learner in task.learners:
            learner.network.train()
        self.learners = [_Prepared(learner, self.accelerator) for learner in task.learners]
        self.networks = tuple(learner.network for learner in self.learners)
        half = settings.precision == "bf16"
        self.calls = tuple(_InBfloat16(network, self.place) if half else network for network in self.networks)
        self.progress = Progress()
        if resume:
            self.progress = checkpoints.load(self.accelerator, checkpoints.latest(folder))

    def loop(self, log: TrainingLog, stopped: Callable[[], bool]) -> None:
        """Train until the limits are reached."""
        settings, statistics = self.settings, Statistics()
        batches = self.task.batches(self.place, self.progress.micro_steps)
        while self.limits.share(self.progress) < 1:
            start = time.monotonic()
            numbers = self._step(batches, statistics)
            statistics.add_step(numbers["losses"], time.monotonic() - start, self._samples_per_step())
            step, done = self.progress.step, self.limits.share(self.progress) >= 1
            if step % settings.log_every == 0 or done:
                log.write(step, **statistics.report(), **numbers["last"], minutes=round(self.progress.seconds / 60, 3))
            cancelled = not done and self._any_process(stopped())
            if step % settings.save_every == 0 or done or cancelled:
                self._save()
            if cancelled:
                raise Cancelled(f"stopped at step {step}" + ("; go on with --resume" if self.folder else ""))
            if settings.validate_every and (step % settings.validate_every == 0 or done):
                self._validate(log)

    def finish(self) -> None:
        """Leave the averaged weights in the networks."""
        for learner in self.learners:
            if learner.average is not None:
                learner.average.copy_to_network()
            learner.network.eval()

    def _step(self, batches: Iterator[Batch], statistics: Statistics) -> dict[str, dict[str, float]]:
        """One step of the optimisers; gives the losses' means over all samples, and gradients and rates, by name."""
        start, share = time.monotonic(), self.limits.share(self.progress)
        keys: list[str] = []
        for learner in self.learners:
            learner.begin_step(self.progress.step, share)
        for _ in range(self.settings.accumulate):
            with self.accelerator.accumulate(*self.networks):
                waiting = time.monotonic()
                batch = next(batches).to(self.accelerator.device)
                statistics.add_waiting(time.monotonic() - waiting)
                keys.extend(batch.keys)
                losses = self.task.losses(batch, self.calls, share)
                for learner, loss in zip(self.learners, losses, strict=True):
                    self._update(learner, loss, keys)
        for learner in self.learners:
            if learner.average is not None:
                learner.average.step()
        self.progress = Progress(
            self.progress.step + 1,
            self.progress.micro_steps + self.settings.accumulate,
            self.progress.seconds + self._slowest(time.monotonic() - start),
        )
        means = {
            learner.named("loss"): float(self.accelerator.gather(torch.cat(learner.losses)).mean())
            for learner in self.learners
        }
        last = {learner.named("gradient"): float(learner.norm) for learner in self.learners}
        return {"losses": means, "last": last | {learner.named("rate"): learner.rate for learner in self.learners}}

    def _update(self, learner: "_Prepared", loss: Tensor, keys: list[str]) -> None:
        """Add a loss's gradient; at the last micro step update the weights."""
        accelerator = self.accelerator
        # With several learners the gradient stops at the parameters of the loss's own.
        accelerator.backward(loss.mean(), **({} if len(self.learners) == 1 else {"inputs": learner.parameters}))
        learner.losses.append(loss.detach().reshape(-1))
        if accelerator.sync_gradients:
            learner.norm = accelerator.clip_grad_norm_(learner.parameters, learner.clip)
            self._check_finite(learner, keys)
        learner.optimiser.step()
        learner.optimiser.zero_grad()

    def _check_finite(self, learner: "_Prepared", keys: list[str]) -> None:
        """Stop before a bad gradient reaches the weights (fp16 skips such steps by itself)."""
        bad = not bool(torch.isfinite(torch.cat(learner.losses)).all())
        bad = bad or (self.settings.precision != "fp16" and not math.isfinite(float(learner.norm)))
        if self._any_process(bad):
            raise TrainingError(
                f"train: the {learner.named('loss')} is not finite at step {self.progress.step + 1} "
                f"(samples {', '.join(keys) or 'without names'}); earlier checkpoints are intact. "
                "Lower the learning rate, use precision bf16, or remove these samples from the dataset"
            )

    def _samples_per_step(self) -> int:
        return self.settings.batch * self.settings.accumulate * self.accelerator.num_processes

    def _slowest(self, seconds: float) -> float:
        """The slowest process's time for a step: by clocks of their own, processes would end at different steps."""
        if self.accelerator.num_processes == 1:
            return seconds
        clock = torch.tensor([seconds], dtype=torch.float32, device=self.accelerator.device)
        return float(self.accelerator.gather(clock).max())

    def _any_process(self, flag: bool) -> bool:
        """Whether any process raises the flag: all must leave a loop together."""
        if self.accelerator.num_processes == 1:
            return flag
        return bool(self.accelerator.gather(torch.tensor([float(flag)], device=self.accelerator.device)).any())

    def _save(self) -> None:
        if self.folder is not None:
            checkpoints.save(self.folder, self.accelerator, self.progress, self._write_extra, self.settings.keep)

    def _write_extra(self, folder: Path) -> None:
        with self._averaged():
            weights = tuple(self.accelerator.get_state_dict(network) for network in self.networks)
            if self.accelerator.is_main_process:
                self.task.save(folder, weights)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """With the moving averages in place of the weights."""
        with ExitStack() as stack:
            for learner in self.learners:
                if learner.average is not None:
                    stack.enter_context(learner.average.in_place())
            yield

    def _validate(self, log: TrainingLog) -> None:
        """On the first process; weights that FSDP shards are in no single process, so there it is left out."""
        with self._averaged():
            if self.accelerator.is_main_process and self.accelerator.distributed_type != "FSDP":
                for learner in self.task.learners:
                    learner.network.eval()
                with torch.no_grad():
                    self.task.validate(self.progress.step, log)
                for learner in self.task.learners:
                    learner.network.train()
        self.accelerator.wait_for_everyone()


class _Prepared:
    """A learner as accelerate prepared it, with the state of the present step."""

    def __init__(self, learner: Learner, accelerator: Accelerator) -> None:
        self.schedule, self.clip, self._name = learner.schedule, learner.clip, learner.name
        self.network, self.optimiser = accelerator.prepare(learner.network, learner.optimiser)
        self.parameters = [value for value in self.network.parameters() if value.requires_grad]
        self.average = None if learner.ema is None else MovingAverage(self.network, learner.ema)
        if self.average is not None:
            accelerator.register_for_checkpointing(self.average)
        self.losses, self.norm, self.rate = [], torch.zeros(()), 0.0

    def begin_step(self, step: int, share: float) -> None:
        """Set the learning rate, forget the losses of the step before."""
        self.losses, self.rate = [], self.schedule.at(step, share)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * group.get("factor", 1.0)

    def named(self, number: str) -> str:
        """A number's name in the log."""
        return f"{self._name}_{number}" if self._name else number


class _InBfloat16:
    """Calls a network in bfloat16 autocast, and returns float32."""

    def __init__(self, network: nn.Module, place: Place) -> None:
        self._network, self._device = network, place.device.type

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        with torch.autocast(self._device, torch.bfloat16):
            return convert_to_fp32(self._network(*inputs, **options))


def _accelerator(settings: Settings) -> Accelerator:
    return Accelerator(
        # Set outright, so that several processes on CPUs find each other.
        cpu=settings.cpu or not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        # fp16 needs accelerate's gradient scaler. Other runs of a process may differ in precision: see `_InBfloat16`.
        mixed_precision="fp16" if settings.precision == "fp16" else "no",
        gradient_accumulation_steps=settings.accumulate,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=settings.find_unused)],
    )
