"""What the network depends on, and what it does not."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.models import temporal
from emo_core.emo.models.context import ClipContext
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.speed_layers import SpeedEncoder
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.guidance import Guidance, GuidedContext
from emo_core.emo.sampling.sampler import sample
from tests.conftest import CONFIG, random_conditions, random_latents

TIMESTEP = torch.tensor([400])


@torch.no_grad()
def run(emo: EMO, conditions, latents=None) -> torch.Tensor:
    latents = random_latents(CONFIG) if latents is None else latents
    return emo(latents, TIMESTEP, emo.context(conditions))


def test_everything_new_starts_as_the_identity():
    torch.manual_seed(0)
    fresh = EMO(CONFIG).eval()
    conditions = random_conditions(CONFIG)
    bare = Conditions({"reference": conditions["reference"]})
    assert torch.equal(run(fresh, conditions), run(fresh, bare))
    other = Conditions({"reference": torch.zeros_like(bare["reference"])})
    assert torch.equal(run(fresh, bare), run(fresh, other))


@pytest.mark.parametrize("name", ["reference", "motion", "audio", "face_region", "speed"])
def test_every_condition_acts_once_trained(emo, name):
    conditions = random_conditions(CONFIG)
    if name == "motion":
        changed = replace(conditions, motion=conditions.motion + 0.5)
    else:
        changed = conditions.replaced(**{name: conditions[name] + 0.5})
    assert (run(emo, conditions) - run(emo, changed)).abs().max() > 1e-4


def test_audio_of_one_frame_reaches_no_other_frames_audio_attention(emo):
    conditions = random_conditions(CONFIG)
    audio = conditions["audio"].clone()
    audio[:, 2] += 1.0
    before, after = emo.context(conditions), emo.context(conditions.replaced(audio=audio))
    pairs = zip(before.sites, after.sites, strict=True)
    sites = [(a["audio"], b["audio"]) for a, b in pairs if a["audio"] is not None]
    assert sites
    for a, b in sites:
        same = (a.k == b.k).flatten(1).all(1) & (a.v == b.v).flatten(1).all(1)
        assert same.tolist() == [True, True, False, True]
    # And without temporal modules, other frames' pictures do not change at all.
    images = replace(conditions.replaced(speed=None), motion=None)
    difference = run(emo, images) - run(emo, images.replaced(audio=audio))
    assert difference[:, 2].abs().max() > 1e-4
    assert difference[:, [0, 1, 3]].abs().max() == 0


def test_unknown_motion_is_zero_maps(emo):
    conditions = random_conditions(CONFIG, clips=2)
    mixed = replace(conditions, motion_known=torch.tensor([True, False]))
    none = replace(conditions, motion_known=torch.tensor([False, False]))
    latents = random_latents(CONFIG, clips=2)
    timesteps = TIMESTEP.expand(2)
    with torch.no_grad():
        full, part, zero = (emo(latents, timesteps, emo.context(c)) for c in (conditions, mixed, none))
    assert torch.allclose(full[0], part[0], atol=1e-5)
    assert torch.allclose(zero[1], part[1], atol=1e-5)
    assert (full[1] - part[1]).abs().max() > 1e-4


def test_clips_of_a_batch_do_not_see_each_other(emo):
    conditions, latents = random_conditions(CONFIG, clips=2), random_latents(CONFIG, clips=2)
    with torch.no_grad():
        both = emo(latents, torch.tensor([400, 700]), emo.context(conditions))
        second = Conditions({k: v[1:] for k, v in conditions.values.items()}, motion=conditions.motion[1:])
        alone = emo(latents[1:], torch.tensor([700]), emo.context(second))
    assert torch.allclose(both[1:], alone, atol=1e-5)


def test_projections_run_once_per_clip_not_per_step(emo):
    calls = Counter()
    for name, module in emo.named_modules():
        leaf = name.rpartition(".")[2]
        if leaf in ("to_k", "to_v") and any(kind in name for kind in ("attn_ref", "attn_audio", "attn_speed")):
            parent = name.split(".")[-2]
            module.register_forward_hook(lambda *_, kind=parent: calls.update([kind]))
        if leaf in ("reference_net", "audio_projection", "face_locator", "speed_encoder"):
            module.register_forward_hook(lambda *_, kind=leaf: calls.update([kind]))
    with torch.no_grad():
        context = GuidedContext(emo.context(random_conditions(CONFIG)), Guidance.of(reference=2.0, audio=2.0))
        sample(Denoiser(emo), context, random_latents(CONFIG), steps=5)
    sites = emo.backbone.sites
    attention = sum(site.spatial is not None for site in sites)
    assert calls == {
        "reference_net": 1,
        "audio_projection": 1,
        "face_locator": 1,
        "speed_encoder": 1,
        "attn_ref": 2 * attention,
        "attn_audio": 2 * attention,
        "attn_speed": 2 * len(sites),
    }


def test_dropped_conditions_are_zero_tokens(emo):
    conditions, zero = random_conditions(CONFIG), torch.zeros(1)
    context = emo.context(conditions).keep(reference=zero, audio=zero)
    for site in context.sites:
        for part in (site["reference"], site["audio"]):
            assert part is None or not (part.k.any() or part.v.any())
        assert site.motion is not None and site.motion.any()
    kept = emo.context(conditions).keep(reference=torch.ones(1), audio=torch.ones(1))
    with torch.no_grad():
        assert torch.equal(run(emo, conditions), emo(random_latents(CONFIG), TIMESTEP, kept))


def test_contexts_join_along_the_batch(emo):
    context = emo.context(random_conditions(CONFIG))
    joined = ClipContext.cat([context, context.keep(audio=torch.zeros(1))])
    with torch.no_grad():
        both = emo(random_latents(CONFIG).expand(2, -1, -1, -1, -1), TIMESTEP.expand(2), joined)
        first = emo(random_latents(CONFIG), TIMESTEP, context)
    assert torch.allclose(both[:1], first, atol=1e-5)


def test_chunked_temporal_attention_equals_whole(emo, monkeypatch):
    conditions = random_conditions(CONFIG)
    whole = run(emo, conditions)
    monkeypatch.setattr(temporal, "MAX_ROWS", 40)
    assert torch.allclose(run(emo, conditions), whole, atol=1e-6)


def test_gradient_checkpointing_gives_the_same_gradients(emo):
    def gradients(enabled: bool) -> list[torch.Tensor]:
        emo.set_gradient_checkpointing(enabled)
        emo.zero_grad()
        emo(random_latents(CONFIG), TIMESTEP, emo.context(random_conditions(CONFIG))).square().mean().backward()
        return [p.grad.clone() for p in emo.parameters() if p.grad is not None]

    plain, checkpointed = gradients(False), gradients(True)
    assert len(plain) == len(checkpointed)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(plain, checkpointed, strict=True))


def test_gradients_reach_every_parameter(emo):
    emo(random_latents(CONFIG), TIMESTEP, emo.context(random_conditions(CONFIG))).square().mean().backward()
    unreached = [name for name, p in emo.named_parameters() if p.grad is None or not p.grad.any()]
    # The softmax over keys does not see a bias-free constant, but every other weight must be reached.
    assert not unreached, unreached


def test_speed_buckets_follow_the_formula():
    encoder = SpeedEncoder(CONFIG.speed)
    speed = torch.tensor([[0.3, 1.2]])
    expected = torch.tanh((speed[..., None] - torch.tensor([0.0, 0.5, 1.0])) / 0.5 * 3)
    assert torch.allclose(encoder.buckets(speed), expected)


def test_strength_scales_the_effect_of_speed(emo):
    conditions = random_conditions(CONFIG)
    without = run(emo, conditions.replaced(speed=None))
    effects = {}
    for strength in (0.0, 1.0, 2.0):
        other = EMO(replace(CONFIG, speed=replace(CONFIG.speed, strength=strength)))
        other.load_state_dict(emo.state_dict())
        effects[strength] = (run(other, conditions) - without).norm()
    assert effects[0.0] == 0 and 1.5 < effects[2.0] / effects[1.0] < 2.5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close(emo, dtype):
    conditions = random_conditions(CONFIG)
    exact = run(emo, conditions)
    half = emo.to(dtype)
    values = {name: value.to(dtype) for name, value in conditions.values.items()}
    conditions = Conditions(values, motion=conditions.motion.to(dtype))
    rounded = run(half, conditions, random_latents(CONFIG).to(dtype)).float()
    assert ((rounded - exact).norm() / exact.norm()) < 0.05
