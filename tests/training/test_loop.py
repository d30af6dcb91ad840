"""The training loop on two toy tasks, a regression and a GAN: it learns, stops, saves and resumes bit by bit."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from emo_core.errors import Cancelled, InputError
from emo_core.training import checkpoints
from emo_core.training.batches import Place, drawn_batches
from emo_core.training.log import read_log
from emo_core.training.loop import Settings, TrainingError, train
from emo_core.training.schedule import Limits
from tests.conftest import ROOT
from tests.training.toy import QUICK, TASKS, Gan, Regression

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
BOTH = pytest.mark.parametrize("name", TASKS)
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def run(task, folder, steps, *, resume=False, **settings):
    return train(task, Settings(**QUICK | settings), Limits(steps=steps), folder, resume=resume)


def contents(folder: Path) -> dict[str, torch.Tensor]:
    """All numbers of a checkpoint: networks, optimisers, averages, the task's files."""
    numbers = {}

    def collect(name, value):
        if isinstance(value, torch.Tensor):
            numbers[name] = value
        elif isinstance(value, (dict, list, tuple)):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                collect(f"{name}/{key}", item)
        elif isinstance(value, (int, float)):
            numbers[name] = torch.tensor(value)

    for path in sorted(folder.iterdir()):
        if path.suffix == ".safetensors":
            collect(path.name, load_file(path))
        elif path.suffix in (".bin", ".pt") or path.name.startswith("custom_"):
            collect(path.name, torch.load(path, weights_only=True))
    return numbers


def assert_equal(a: Path, b: Path) -> None:
    first, second = contents(checkpoints.latest(a)), contents(checkpoints.latest(b))
    assert first.keys() == second.keys() and len(first) > 10
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def started(task, out, *options, launcher=()):
    command = [sys.executable, *launcher, "-m", "tests.training.toy", task, str(out), *options]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_a_regression_learns(tmp_path):
    task = Regression()
    run(task, tmp_path, 200)
    losses = [line["loss"] for line in read_log(tmp_path)]
    assert sum(losses[-20:]) < 0.05 * sum(losses[:20])


def test_a_generator_learns_from_its_discriminator(tmp_path):
    task = Gan(batch=64)
    error = nn.functional.mse_loss

    def distance():
        points = task.points(range(10_000, 10_500))
        return error(task.generator(points.inputs)[:, 0], points.targets).item()

    before = distance()
    train(task, Settings(batch=64), Limits(steps=300), None)
    assert distance() < 0.3 * before


def test_a_loss_trains_its_own_network_alone():
    """The generator's loss passes through the discriminator, and the other way round it is detached."""
    task = Gan()
    task.learners[0].optimiser.param_groups[0]["factor"] = 0.0
    before = {name: value.clone() for name, value in task.discriminator.state_dict().items()}
    generator = task.generator.weight.clone()
    run(task, None, 3)
    assert all(torch.equal(value, before[name]) for name, value in task.discriminator.state_dict().items())
    assert not torch.equal(task.generator.weight, generator)
    assert all(value.grad is None for value in task.discriminator.parameters())


@BOTH
def test_a_resumed_run_equals_an_unbroken_one(name, tmp_path):
    run(TASKS[name](), tmp_path / "unbroken", 10)
    run(TASKS[name](), tmp_path / "broken", 10)
    for folder in checkpoints.checkpoints(tmp_path / "broken")[1:]:
        shutil.rmtree(folder)  # As after a crash: the log ran on.
    assert run(TASKS[name](), tmp_path / "broken", 10, resume=True).step == 10
    assert_equal(tmp_path / "unbroken", tmp_path / "broken")
    logs = [read_log(tmp_path / folder) for folder in ("unbroken", "broken")]
    timed = {"samples_per_second", "waiting", "minutes"}
    logs = [[{key: value for key, value in line.items() if key not in timed} for line in log] for log in logs]
    assert logs[0] == logs[1] and [line["step"] for line in logs[0]] == list(range(1, 11))


def test_random_numbers_and_statistics_of_batch_normalisation_are_resumed(tmp_path):
    run(Regression(dropout=0.3), tmp_path / "unbroken", 10)
    run(Regression(dropout=0.3), tmp_path / "broken", 10)
    shutil.rmtree(checkpoints.checkpoints(tmp_path / "broken")[-1])
    task = Regression(dropout=0.3)
    torch.manual_seed(99)
    run(task, tmp_path / "broken", 10, resume=True)
    assert_equal(tmp_path / "unbroken", tmp_path / "broken")


@BOTH
def test_a_run_killed_at_any_step_is_resumed(name, tmp_path):
    """kill -9 leaves no time to tidy up, yet all weights and states end as those of an unbroken run."""
    out = tmp_path / "killed"
    process = started(name, out, "--steps", "100000")
    target = 5 + int(time.time()) % 7
    while len(read_log(out)) < target:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    total = checkpoints.read_progress(checkpoints.latest(out)).step + 5
    for folder, resume in ((out, True), (tmp_path / "unbroken", False)):
        task = TASKS[name]()
        stop_after(task, total)  # The limit stays as it was: the learning rate depends on it.
        with pytest.raises(Cancelled):
            run(task, folder, 100_000, resume=resume)
    assert_equal(out, tmp_path / "unbroken")


def stop_after(task, steps):
    """Send SIGTERM while a task draws the batch of a step."""
    batches = task.batches

    def stopping(place, consumed):
        for number, batch in enumerate(batches(place, consumed), consumed + 1):
            if number == steps:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    task.batches = stopping


@BOTH
def test_sigterm_saves_first(name, tmp_path):
    handler = signal.getsignal(signal.SIGTERM)
    task = TASKS[name]()
    stop_after(task, 6)
    with pytest.raises(Cancelled, match="stopped at step 6; go on with --resume"):
        run(task, tmp_path, 20, save_every=100)
    assert checkpoints.read_progress(checkpoints.latest(tmp_path)).step == 6
    assert signal.getsignal(signal.SIGTERM) == handler


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(
    ("name", "poisoned"),
    [("regression", {}), ("gan", {"poisoned_learner": "discriminator"}), ("gan", {"poisoned_learner": "generator"})],
    ids=["regression", "discriminator", "generator"],
)
def test_a_loss_that_is_not_finite_stops_and_names_the_samples(name, poisoned, accumulate, tmp_path):
    """All samples of the step, in whichever micro step the bad one is."""
    task = TASKS[name](batch=4 // accumulate, poisoned=21, **poisoned)
    loss = f"{poisoned['poisoned_learner']}_loss" if poisoned else "loss"
    expected = rf"{loss} is not finite at step 6 \(samples sample20, sample21(, sample22, sample23)?\)"
    with pytest.raises(TrainingError, match=expected):
        run(task, tmp_path, 20, accumulate=accumulate)
    assert checkpoints.read_progress(checkpoints.latest(tmp_path)).step == 4
    assert all(bool(value.isfinite().all()) for value in contents(checkpoints.latest(tmp_path)).values())


def test_accumulated_steps_equal_one_large_batch():
    tasks = Regression(batch=4), Regression(batch=2)
    run(tasks[0], None, 5)
    progress = run(tasks[1], None, 5, batch=2, accumulate=2)
    assert (progress.step, progress.micro_steps) == (5, 10)
    for a, b in zip(tasks[0].net.parameters(), tasks[1].net.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("name", ["gan", pytest.param("regression", marks=pytest.mark.slow)])
def test_two_processes_equal_one(name, tmp_path):
    """gloo, half a batch each."""
    process = started(name, tmp_path / "two", "--steps", "10", "--batch", "2", launcher=LAUNCHER)
    run(TASKS[name](batch=4), tmp_path / "one", 10)
    assert process.wait(200) == 0, process.stderr.read()
    two, one = (read_log(tmp_path / folder) for folder in ("two", "one"))
    assert len(one) == 10
    for loss in (key for key in one[0] if key.endswith("loss")):
        assert [line[loss] for line in two] == pytest.approx([line[loss] for line in one], abs=1e-5)


@pytest.mark.slow
def test_two_processes_end_together(tmp_path):
    """Limited by time they follow one clock; by clocks of their own, one would wait for the other in a step it never makes."""
    process = started("regression", tmp_path, "--minutes", "0.02", launcher=LAUNCHER)
    assert process.wait(100) == 0, process.stderr.read()
    assert checkpoints.read_progress(checkpoints.latest(tmp_path)).seconds >= 0.02 * 60


@BOTH
def test_a_full_disk_leaves_the_last_checkpoint_intact(name, tmp_path):
    run(TASKS[name](), tmp_path, 4)
    before = contents(checkpoints.latest(tmp_path))
    task = TASKS[name]()

    def full(folder, weights):
        raise OSError(28, "No space left on device")

    task.save = full
    with pytest.raises(
        InputError, match=r"cannot write .*step-00000008 .*No space left.*last complete checkpoint is .*04"
    ):
        run(task, tmp_path, 8, resume=True)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000004"]
    after = contents(checkpoints.latest(tmp_path))
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_validation_and_files_have_averaged_weights_in_eval_mode(tmp_path):
    task = Gan()
    run(task, tmp_path, 5, validate_every=2)
    assert task.validated == [[False, False]] * 3  # Steps 2, 4 and the last.
    assert [line["step"] for line in read_log(tmp_path) if "validated" in line] == [2, 4, 5]
    discriminator, generator = torch.load(checkpoints.latest(tmp_path) / "extra.pt")
    assert torch.equal(task.generator.weight, generator["weight"])
    trained = load_file(checkpoints.latest(tmp_path) / "model_1.safetensors")
    assert not torch.equal(trained["weight"], generator["weight"])
    assert torch.equal(task.discriminator[0].weight, discriminator["0.weight"])
    assert not any(learner.network.training for learner in task.learners)


def test_a_run_without_a_folder_writes_nothing_and_reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = []
    train(Gan(), Settings(batch=4, log_every=2), Limits(steps=4), None, report=lines.append)
    assert list(tmp_path.iterdir()) == []
    assert [line.split(":")[0] for line in lines] == ["step 2", "step 4"]
    assert "discriminator_loss " in lines[0] and "generator_rate 0.01" in lines[0]


def test_two_runs_of_one_process_may_differ_in_precision():
    for precision in ("no", "bf16", "no"):
        task = Regression()
        seen = []
        task.net[0].register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(output.dtype))
        run(task, None, 1, precision=precision)
        assert seen == [torch.bfloat16 if precision == "bf16" else torch.float32]


def test_drawn_batches_depend_on_their_position_and_process():
    def first(rank, consumed):
        place = Place(torch.device("cpu"), rank)
        return float(next(drawn_batches(lambda generator: torch.rand(1, generator=generator), place, consumed)))

    batches = drawn_batches(lambda generator: torch.rand(1, generator=generator), Place(torch.device("cpu")), 0)
    values = [float(next(batches)) for _ in range(3)]
    assert values[2] == first(0, 2) and len({*values, first(1, 2)}) == 4
