"""The sampling loop, on a model whose right answer is known and on the tiny one."""

from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler

from emo_core.emo.finite import check_finite
from emo_core.emo.models.context import ClipContext
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings
from emo_core.emo.sampling.guidance import Guidance, GuidedContext
from emo_core.emo.sampling.sampler import sample
from emo_core.emo.sampling.schedule import SCHEDULERS, make_scheduler
from emo_core.errors import Cancelled, InputError
from tests.conftest import CONFIG, random_conditions, random_latents

EPSILON = replace(CONFIG, diffusion=replace(CONFIG.diffusion, prediction="epsilon", zero_terminal_snr=False))


class Oracle(Denoiser):
    """Knows the clean latents and predicts exactly what leads there."""

    def __init__(self, config, clean: torch.Tensor) -> None:
        super().__init__(EMO(config))
        self.answer = clean

    def forward(self, noisy, timesteps, context):
        alpha = self.schedule.alphas_cumprod[timesteps.long()].view(-1, 1, 1, 1, 1)
        noise = (noisy - alpha.sqrt() * self.answer) / (1 - alpha).sqrt()
        return self.schedule.target(self.answer.expand_as(noisy), noise, timesteps.long())


NOTHING = GuidedContext(ClipContext(), Guidance())


@pytest.mark.parametrize("name", list(SCHEDULERS))
@pytest.mark.parametrize("config", [CONFIG, EPSILON], ids=["v", "epsilon"])
def test_every_scheduler_finds_the_known_answer(name, config):
    clean = random_latents(config)
    got = sample(Oracle(config, clean), NOTHING, random_latents(config, seed=5), scheduler=name, steps=20,
                 generator=torch.Generator().manual_seed(0))  # fmt: skip
    # SD 1.5's own DDIM setting stops at the first training step's noise, 3 % of the amplitude.
    assert (got - clean).square().mean().sqrt() < 0.04


def test_ddim_equals_a_plain_diffusers_loop(emo):
    denoiser, noise = Denoiser(emo), random_latents(CONFIG, seed=3)
    with torch.no_grad():
        context = emo.context(random_conditions(CONFIG))
        got = sample(denoiser, GuidedContext(context, Guidance()), noise, steps=6)
        scheduler = DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
            rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False,
        )  # fmt: skip
        scheduler.set_timesteps(6)
        latents = noise
        for t in scheduler.timesteps:
            latents = scheduler.step(emo(latents, t[None], context), t, latents).prev_sample
    assert torch.allclose(got, latents, atol=1e-5)
    assert scheduler.timesteps[0] == 999


@pytest.mark.parametrize(("reference", "audio", "passes"), [(1, 1, 1), (1, 2, 2), (3, 1, 2), (3, 2, 3)])
def test_guidance_is_free_where_its_scale_is_one(emo, reference, audio, passes):
    context = GuidedContext(emo.context(random_conditions(CONFIG)), Guidance.of(reference=reference, audio=audio))
    assert context.passes == passes
    seen = []
    emo.backbone.conv_in.register_forward_hook(lambda _, args, __: seen.append(len(args[0])))
    sample(Denoiser(emo), context, random_latents(CONFIG), steps=2)
    assert seen == [passes * CONFIG.temporal.frames] * 2


@torch.no_grad()
def test_guidance_follows_its_formula(emo):
    conditions, latents, t = random_conditions(CONFIG), random_latents(CONFIG), torch.tensor([500])
    context, zero = emo.context(conditions), torch.zeros(1)
    full = emo(latents, t, context)
    no_reference = emo(latents, t, context.keep(reference=zero))
    no_audio = emo(latents, t, context.keep(audio=zero))
    guided = GuidedContext(context, Guidance.of(reference=1.5, audio=3.0))
    joined, passes = guided.at(0, 10)
    got = guided.combine(emo(latents.expand(passes, -1, -1, -1, -1), t.expand(passes), joined))
    expected = full + 0.5 * (full - no_reference) + 2.0 * (full - no_audio)
    assert torch.allclose(got, expected, atol=1e-4)


def test_guidance_interval(emo):
    guidance = Guidance.of(audio=2.0, start=0.25, end=0.75)
    assert [guidance.active(i, 8) for i in range(8)] == [False, False, True, True, True, True, False, False]
    assert all(Guidance().active(i, 3) for i in range(3))
    with pytest.raises(InputError, match="start <= end"):
        Guidance(start=0.8, end=0.2)


def test_callback_reports_and_cancels(emo):
    context = GuidedContext(emo.context(random_conditions(CONFIG)), Guidance())
    seen = []

    def stop_at_third(step):
        seen.append((step.step, step.steps, tuple(step.preview.shape)))
        if step.step == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample(Denoiser(emo), context, random_latents(CONFIG), steps=10, callback=stop_at_third)
    shape = tuple(random_latents(CONFIG).shape[1:])
    assert seen == [(1, 10, shape), (2, 10, shape), (3, 10, shape)]


def test_unknown_scheduler_and_steps_are_named():
    with pytest.raises(InputError, match=r"plms.*ddim"):
        make_scheduler("plms", CONFIG.diffusion, 10)
    with pytest.raises(InputError, match=r"plms.*ddim"):
        Settings(scheduler="plms")
    with pytest.raises(InputError, match=r"steps: got 0; expected 1"):
        Settings(steps=0)
    with pytest.raises(InputError, match=r"steps: got 51; expected 1 .. 50 with lcm"):
        Settings(steps=51, scheduler="lcm")


def test_previews_are_computed_only_where_they_are_read(emo):
    denoiser, computed = Denoiser(emo), []
    context = GuidedContext(emo.context(random_conditions(CONFIG)), Guidance())

    class Counting(Denoiser):
        def clean(self, *values):
            computed.append(1)
            return super().clean(*values)

    kept = []
    got = sample(Counting(emo), context, random_latents(CONFIG), steps=3, callback=kept.append)
    assert computed == []
    # Read after the last step: DDIM ends with the clean latents that this step predicts.
    assert torch.equal(kept[-1].preview, got[0]) and len(computed) == 1
    assert not torch.equal(kept[0].preview, kept[1].preview)
    assert torch.equal(got, sample(denoiser, context, random_latents(CONFIG), steps=3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_network_that_gives_no_numbers_stops_with_advice(dtype):
    """In half precision large activations overflow; a video of them would be black."""
    advice = "use --dtype fp32" if dtype == torch.float16 else "the checkpoint's weights are damaged"
    check_finite(torch.zeros(2), dtype, "network")
    for bad in (float("nan"), float("inf")):
        with pytest.raises(InputError, match=f"the network gives numbers that are not finite in float.*{advice}"):
            check_finite(torch.tensor([0.0, bad]), dtype, "network")
