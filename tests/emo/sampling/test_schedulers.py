"""The schedulers and the noise schedule, beside diffusers' over whole sampling loops."""

from dataclasses import replace
from itertools import product

import diffusers
import pytest
import torch

from emo_core.emo.config import SD15
from emo_core.emo.sampling.noise_schedule import NoiseSchedule
from emo_core.emo.sampling.schedule import MAX_STEPS, SCHEDULERS, make_scheduler, sampled_timesteps

THEIRS = {
    "ddim": ("DDIMScheduler", {"clip_sample": False, "timestep_spacing": "trailing"}),
    "dpm++2m": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "timestep_spacing": "trailing"},
    ),
    "unipc": ("UniPCMultistepScheduler", {"timestep_spacing": "trailing"}),
    "euler": ("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
    "lcm": ("LCMScheduler", {"clip_sample": False}),
}
MODELS = [
    replace(SD15.diffusion, prediction=prediction, zero_terminal_snr=zero, beta_schedule=betas)
    for (prediction, zero), betas in product(
        [("epsilon", False), ("sample", False), ("sample", True), ("v_prediction", False), ("v_prediction", True)],
        ["linear", "scaled_linear"],
    )
]
IDS = [f"{m.prediction}-{m.beta_schedule}{'-zero-snr' * m.zero_terminal_snr}" for m in MODELS]
STEPS = (1, 2, 3, 4, 7, 10, 14, 15, 30, 40, 50, 200)
"""Below and above the number from which diffusers' multistep solvers act otherwise, dividing 1000 or not."""
ONE_TOO_MANY = {122, 121, 103, 61}
"""Numbers of steps for which diffusers samples one timestep too many, -1."""


def options(model):
    return {
        "beta_start": model.beta_start, "beta_end": model.beta_end, "beta_schedule": model.beta_schedule,
        "prediction_type": model.prediction, "rescale_betas_zero_snr": model.zero_terminal_snr,
    }  # fmt: skip


def scheduler_of_diffusers(name, model, steps):
    kind, own = THEIRS[name]
    scheduler = getattr(diffusers, kind)(**options(model), **own)
    scheduler.set_timesteps(steps)
    return scheduler


def network(x, timestep):
    """Any smooth function of sample and timestep that mixes the channels."""
    weights = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)).to(x) / 2
    return torch.tanh(torch.einsum("bfchw,cd->bfdhw", x, weights) + timestep / 1000)


def ours(scheduler, noise):
    draw, sample = torch.Generator().manual_seed(3), scheduler.start(noise)
    for index, timestep in enumerate(scheduler.timesteps):
        prediction = network(scheduler.model_input(sample, index), timestep)
        sample = scheduler.step(index, sample, prediction, draw)
    return sample


def theirs(name, scheduler, noise):
    extra = {"generator": torch.Generator().manual_seed(3)} if name == "lcm" else {}
    sample = noise * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        prediction = network(scheduler.scale_model_input(sample, timestep), timestep)
        sample = scheduler.step(prediction, timestep, sample, return_dict=False, **extra)[0]
    return sample


def unit_noise():
    return torch.randn(1, 2, 4, 6, 6, generator=torch.Generator().manual_seed(1))


def far(a, b):
    """Largest difference over the largest value."""
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize("name", list(SCHEDULERS))
@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_whole_loops_equal_those_of_diffusers(name, model):
    if name == "euler" and model.prediction == "sample":
        pytest.skip("diffusers' Euler does not take clean samples")
    noise = unit_noise()
    # At pure noise, sigma is 4096 and diffusers' Euler subtracts numbers of that size in float32.
    limit = 1e-3 if name == "euler" and model.zero_terminal_snr else 1e-5
    for steps in (count for count in STEPS if count <= SCHEDULERS[name].max_steps):
        scheduler, reference = make_scheduler(name, model, steps), scheduler_of_diffusers(name, model, steps)
        assert list(scheduler.timesteps) == reference.timesteps.int().tolist(), steps
        got, expected = ours(scheduler, noise), theirs(name, reference, noise)
        assert far(got, expected) < limit, steps
        if name == "ddim":
            assert torch.equal(got, expected), steps


@pytest.mark.parametrize("name", ["ddim", "dpm++2m", "unipc", "euler"])
def test_float32_is_as_good_as_float64(name):
    model, noise = MODELS[-1], unit_noise()
    for steps in (1, 2, 40):
        exact = ours(make_scheduler(name, model, steps), noise.double())
        assert far(ours(make_scheduler(name, model, steps), noise).double(), exact) < 1e-5


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_every_number_of_steps_has_as_many_timesteps(name):
    for steps in range(1, SCHEDULERS[name].max_steps + 1):
        timesteps = make_scheduler(name, MODELS[-1], steps).timesteps
        assert len(timesteps) == len(set(timesteps)) == steps
        assert timesteps[0] == 999 and min(timesteps) >= 0 and list(timesteps) == sorted(timesteps, reverse=True)
        if name != "lcm" and steps not in ONE_TOO_MANY:
            assert list(timesteps) == scheduler_of_diffusers(name, MODELS[-1], steps).timesteps.int().tolist()


@pytest.mark.parametrize("name", list(SCHEDULERS))
@pytest.mark.parametrize("steps", [1, 2, 40])
def test_a_network_that_gives_samples_is_one_that_gives_v(name, steps):
    """The same answers in another form lead to the same latents, from pure noise too."""
    model, noise = MODELS[-1], unit_noise().double()

    def converted(scheduler, level, x, timestep):
        velocity = network(x, timestep)
        return velocity if level is None else level.signal * x - level.noise * velocity

    def sampled(prediction):
        scheduler = make_scheduler(name, replace(model, prediction=prediction), steps)
        draw, sample = torch.Generator().manual_seed(3), scheduler.start(noise)
        for index, timestep in enumerate(scheduler.timesteps):
            level = scheduler.level(index) if hasattr(scheduler, "level") else scheduler.schedule.at(timestep)
            level = level if prediction == "sample" else None
            answer = converted(scheduler, level, scheduler.model_input(sample, index), timestep)
            sample = scheduler.step(index, sample, answer, draw)
        return sample

    assert far(sampled("sample"), sampled("v_prediction")) < 1e-5


@pytest.mark.parametrize("steps", sorted(ONE_TOO_MANY))
def test_no_step_follows_the_clean_latents(steps):
    """diffusers' loop of 61 steps has 62, and the last one takes the finished latents for pure noise."""
    model = MODELS[-1]
    got, near = (ours(make_scheduler("ddim", model, count), unit_noise()) for count in (steps, steps - 1))
    assert far(got, near) < 0.05
    assert far(theirs("ddim", scheduler_of_diffusers("ddim", model, steps), unit_noise()), near) > 0.2


def test_a_scheduler_serves_one_clip():
    """Two clips, two schedulers: the second one knows nothing of the first."""
    first, second = (ours(make_scheduler("unipc", MODELS[-1], 5), unit_noise()) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_training_functions_equal_those_of_diffusers(model):
    schedule, reference = NoiseSchedule.of(model), diffusers.DDPMScheduler(**options(model), clip_sample=False)
    assert torch.equal(schedule.alphas_cumprod, reference.alphas_cumprod)
    clean, noise = torch.randn(2, 3, 2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([0, 500, 999])
    assert torch.equal(schedule.add_noise(clean, noise, timesteps), reference.add_noise(clean, noise, timesteps))
    assert torch.equal(schedule.velocity(clean, noise, timesteps), reference.get_velocity(clean, noise, timesteps))


def test_half_precision_keeps_the_schedule_in_float32():
    """Near the clean end, 1 - a^2 is lost in bfloat16."""
    schedule = NoiseSchedule.of(MODELS[-1])
    noise = torch.ones(1, 4, dtype=torch.bfloat16)
    got = schedule.add_noise(torch.zeros_like(noise), noise, torch.tensor([0]))
    assert got.dtype == torch.bfloat16
    assert torch.allclose(got.float(), (1 - schedule.alphas_cumprod[0]).sqrt(), rtol=0.01)


def test_sampled_timesteps_are_those_of_the_default_steps():
    model = replace(MODELS[0], steps=2)
    assert sampled_timesteps(model) == make_scheduler("ddim", model, 2).timesteps == (999, 499)
    assert MAX_STEPS == 200
