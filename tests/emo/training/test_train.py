"""A stage of EMO on the training loop: it trains its parts, stops, saves and resumes; see tests/training for the loop."""

import dataclasses
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

from emo_core.dataset.shards import TRAIN, read_clips
from emo_core.emo.models.emo import EMO
from emo_core.emo.training.batch import Batch
from emo_core.emo.training.batches import draw_sample
from emo_core.emo.training.export import NETWORK_FILE, export, write_run
from emo_core.emo.training.objective import Objective
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.setup import setup_stage
from emo_core.emo.training.stages import STAGES, options_of
from emo_core.emo.training.train import train
from emo_core.emo.training.trainable import trainable_parameters
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.errors import Cancelled, InputError
from emo_core.training import checkpoints
from emo_core.training.log import read_log
from emo_core.training.loop import TrainingError
from emo_core.training.schedule import Limits
from tests.conftest import CONFIG, ROOT
from tests.training.test_loop import contents

QUICK = {"batch": 2, "workers": 0, "log_every": 1, "save_every": 4, "validate_every": 0, "warm_up": 2,
         "learning_rate": 1e-3, "ema": 0.9}  # fmt: skip
STAGE = STAGES["2"].with_options(QUICK)


def run(dataset, checkpoint, folder, steps, stage=STAGE, **options):
    return train(setup_stage(dataset, checkpoint, folder, stage), stage, Limits(steps=steps), **options)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoints.latest(folder) / NETWORK_FILE)


def assert_equal(a: Path, b: Path) -> None:
    """Network, moving average and optimiser of two runs' newest checkpoints, bit by bit."""
    first, second = contents(checkpoints.latest(a)), contents(checkpoints.latest(b))
    assert first.keys() == second.keys() and len(first) > 10
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@pytest.mark.parametrize("name", ["1", "2", "3", "few"])
def test_every_stage_trains_its_parts_alone(name, dataset, checkpoint, tmp_path):
    stage = STAGES[name].with_options(QUICK)
    before = load_checkpoint(checkpoint).emo.state_dict()
    run(dataset, checkpoint, tmp_path, 3, stage)
    after = weights(tmp_path)
    changed = {key for key in after if not torch.equal(after[key], before[key])}
    assert changed == set(trainable_parameters(EMO(load_checkpoint(checkpoint).config), stage))


def test_it_learns(dataset, checkpoint, tmp_path):
    run(dataset, checkpoint, tmp_path, 60, STAGES["1"].with_options({**QUICK, "min_snr": 0.0, "save_every": 1000}))
    losses = [line["loss"] for line in read_log(tmp_path) if "loss" in line]
    assert len(losses) == 60
    assert sum(losses[-20:]) < 0.8 * sum(losses[:20])


@pytest.mark.parametrize("on_device", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_resumed_run_equals_an_unbroken_one(dataset, checkpoint, tmp_path, on_device):
    stage = STAGE.with_options({"on_device": on_device})
    for folder in ("unbroken", "broken"):
        run(dataset, checkpoint, tmp_path / folder, 8, stage)
    shutil.rmtree(checkpoints.checkpoints(tmp_path / "broken")[-1])  # As after a crash: the log ran on.
    run(dataset, checkpoint, tmp_path / "broken", 8, stage, resume=True)
    assert_equal(tmp_path / "unbroken", tmp_path / "broken")
    logs = [[line["loss"] for line in read_log(tmp_path / name)] for name in ("unbroken", "broken")]
    assert len(logs[0]) == 8 and logs[0] == logs[1]


def test_accumulated_steps_equal_one_large_batch(dataset, checkpoint, tmp_path):
    """The same samples in micro steps of one, but for rounding."""
    run(dataset, checkpoint, tmp_path / "whole", 3)
    progress = run(dataset, checkpoint, tmp_path / "parts", 3, STAGE.with_options({"batch": 1, "accumulate": 2}))
    assert (progress.step, progress.micro_steps) == (3, 6)
    start = load_checkpoint(checkpoint).emo.state_dict()
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    moved = torch.cat([(whole[name] - start[name]).flatten() for name in whole])
    apart = torch.cat([(whole[name] - parts[name]).flatten() for name in whole])
    assert apart.norm() < 1e-3 * moved.norm()


def test_sigterm_saves_first(dataset, checkpoint, tmp_path):
    def ask(step, denoiser, log):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    stage = STAGE.with_options({"validate_every": 1, "save_every": 100})
    with pytest.raises(Cancelled, match=r"stopped at step 4; go on with --resume"):
        run(dataset, checkpoint, tmp_path, 20, stage, validate=ask)
    assert checkpoints.read_progress(checkpoints.latest(tmp_path)).step == 4
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_loss_that_is_not_finite_stops_and_names_the_clips(dataset, checkpoint, tmp_path, monkeypatch):
    forward, calls = Objective.forward, []

    def poisoned(self, batch, clean, conditions):
        calls.append(batch)
        return forward(self, batch, clean, conditions) * (float("nan") if len(calls) == 6 else 1.0)

    monkeypatch.setattr(Objective, "forward", poisoned)
    with pytest.raises(TrainingError, match=r"not finite at step 6 \(samples clip\d-000, clip\d-000\)"):
        run(dataset, checkpoint, tmp_path, 20)
    assert checkpoints.read_progress(checkpoints.latest(tmp_path)).step == 4
    assert all(bool(torch.isfinite(value).all()) for value in weights(tmp_path).values())


def test_a_full_disk_leaves_the_last_checkpoint_intact(dataset, checkpoint, tmp_path, monkeypatch):
    run(dataset, checkpoint, tmp_path, 4)
    before = weights(tmp_path)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("emo_core.emo.training.train.save_file", full)
    with pytest.raises(
        InputError, match=r"cannot write .*step-00000008 .*No space left.*last complete checkpoint is .*04"
    ):
        run(dataset, checkpoint, tmp_path, 8, resume=True)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000004"]
    assert all(torch.equal(before[key], value) for key, value in weights(tmp_path).items())


def test_only_the_newest_checkpoints_stay(dataset, checkpoint, tmp_path):
    run(dataset, checkpoint, tmp_path, 6, STAGE.with_options({"save_every": 1, "keep": 2}))
    assert [path.name for path in checkpoints.checkpoints(tmp_path)] == ["step-00000005", "step-00000006"]


def test_resuming_another_stage_is_refused(dataset, checkpoint, tmp_path):
    run(dataset, checkpoint, tmp_path, 2)
    with pytest.raises(InputError, match="does not fit this run"):
        run(dataset, checkpoint, tmp_path, 4, STAGES["1"].with_options(QUICK), resume=True)


def test_export_opens_for_inference(dataset, checkpoint, tmp_path):
    run(dataset, checkpoint, tmp_path, 4)
    write_run(tmp_path, checkpoint, None, options_of(STAGE), dataset.folder)
    assert export(tmp_path, tmp_path / "out.safetensors", dtype=torch.float32) == 4
    model = load_checkpoint(tmp_path / "out.safetensors")
    assert model.config.face_share == dataset.face_share
    assert model.vae is not None and model.audio_encoder is not None
    averaged = weights(tmp_path)
    assert all(torch.equal(value, averaged[key]) for key, value in model.emo.state_dict().items())
    with pytest.raises(InputError, match=r"expected a name ending in \.safetensors"):
        export(tmp_path, tmp_path / "out.pt")
    with pytest.raises(InputError, match="is no training run"):
        export(tmp_path / "none", tmp_path / "x.safetensors")


def command(dataset, checkpoint, out, *options, launcher=()):
    quick = [part for name, value in QUICK.items() for part in ("--set", f"{name}={value}")]
    arguments = ["train", "--stage", "2", "--data", str(dataset.folder), "--init", str(checkpoint), "--out", str(out)]
    return [sys.executable, *launcher, "-m", "emo_core", *arguments, *quick, *options]


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_two_processes_follow_one(dataset, checkpoint, tmp_path):
    """gloo, a batch of one each, against one process with a batch of two."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    half = command(dataset, checkpoint, tmp_path / "two", "--max-steps", "20", "--set", "batch=1", launcher=launcher)
    done = subprocess.run(half, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    run(dataset, checkpoint, tmp_path / "one", 20)
    two, one = ([line["loss"] for line in read_log(tmp_path / name)] for name in ("two", "one"))
    assert len(one) == 20
    assert two == pytest.approx(one, abs=1e-5)


@pytest.fixture
def one_thread():
    """As many as the processes get: sums split over more threads round differently."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_killed_at_any_step_and_resumed(dataset, checkpoint, tmp_path):
    """kill -9: nothing can be tidied up, yet the weights end as those of an unbroken run."""
    out = tmp_path / "killed"
    process = subprocess.Popen(
        command(dataset, checkpoint, out, "--max-steps", "400"), cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.DEVNULL
    )
    target = 5 + int(time.time()) % 7
    while len(read_log(out)) < target:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = checkpoints.read_progress(checkpoints.latest(out)).step
    total = reached + 5
    run(dataset, checkpoint, out, total, resume=True)
    run(dataset, checkpoint, tmp_path / "unbroken", total)
    assert_equal(out, tmp_path / "unbroken")


def test_the_command_line_refuses_what_cannot_work(dataset, checkpoint, tmp_path, capsys):
    from emo_core.__main__ import main

    data, init, out = str(dataset.folder), str(checkpoint), str(tmp_path / "run")
    base = ["train", "--stage", "2", "--data", data, "--out", out, "--max-steps", "1"]
    cases = {
        (*base,): "--init is missing",
        (*base, "--init", init, "--set", "batch"): "expected NAME=VALUE",
        (*base, "--init", str(tmp_path / "none.safetensors")): "no file at",
        (*base, "--init", init, "--resume"): "is no training run",
        ("train", "--stage", "2", "--data", str(tmp_path), "--init", init, "--out", out): "no dataset.json in",
        ("train", "--stage", "vae", *base[3:], "--init", init, "--fresh"): "stage vae takes no --fresh",
        ("train", "--stage", "vae", *base[3:], "--init", init, "--resume"): "is no training run",
        ("train", "--stage", "9", "--data", data, "--out", out): "invalid choice",
    }
    for arguments, message in cases.items():
        assert main(list(arguments)) == 2
        assert message in capsys.readouterr().err


def test_a_batch_moves_to_another_device_with_all_its_tensors(dataset):
    batch = draw_sample(Sampler(CONFIG, STAGE), next(read_clips(dataset, TRAIN)), 0).to(torch.device("meta"))
    values = [getattr(batch, field.name) for field in dataclasses.fields(Batch)]
    values += [*batch.conditions.values(), *batch.keep.values()]
    assert all(value.device.type == "meta" for value in values if isinstance(value, torch.Tensor))
