"""Hallo's network in our skeleton, against numbers recorded from its own code (small random weights)."""

import json

import pytest
import torch
from safetensors.torch import load_file

from emo_core.emo.conditions.audio_regions import AudioRegions
from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.config import HALLO, AudioConfig, EMOConfig, IdentityConfig, TemporalConfig, UNetConfig, VAEConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.guidance import Guidance, GuidedContext, JointGuider
from emo_core.emo.sampling.sampler import sample
from emo_core.emo.sampling.schedule import make_scheduler
from emo_core.emo.weights.hallo import hallo_state
from tests.golden import HALLO_NUMBERS, needs_hallo_numbers

pytestmark = needs_hallo_numbers
TOLERANCE = 1e-4


def small(bundle: dict) -> EMOConfig:
    """The golden network's shape."""
    from dataclasses import replace

    model, audio, main = bundle["model"], bundle["model"]["audio_projection"], bundle["main"]
    return replace(
        HALLO,
        image_size=main["hw"] * 8,
        unet=UNetConfig(widths=tuple(model["block_out_channels"])),
        identity=IdentityConfig(
            embedding=model["face_embedding_dim"], tokens=model["identity_tokens"], width=model["cross_attention_dim"]
        ),
        audio=AudioConfig(
            layers=audio["blocks"],
            width=audio["channels"],
            tokens=audio["tokens"],
            token_width=model["audio_attention_dim"],
            hidden=audio["intermediate_dim"],
        ),
        temporal=TemporalConfig(frames=main["f"], motion_frames=main["n"], everywhere=False, first_clip="reference"),
        vae=VAEConfig(),
    )


@pytest.fixture(scope="module")
def golden():
    return load_file(HALLO_NUMBERS / "golden.safetensors")


@pytest.fixture(scope="module")
def bundle():
    return json.loads((HALLO_NUMBERS / "bundle.json").read_text())


@pytest.fixture(scope="module")
def emo(bundle):
    config = small(bundle)
    model = EMO(config)
    state = {key: value.float() for key, value in load_file(HALLO_NUMBERS / "net.safetensors").items()}
    model.load_state_dict(hallo_state(state, config))
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def conditions(golden, bundle):
    latents, side = golden["reference.latents"], bundle["main"]["hw"]
    regions = []
    for level in range(4):
        masks = torch.stack([golden[f"cond.mask_{name}.{level}"] for name in ("pose", "face", "lip")], dim=1)
        regions.append(masks.reshape(1, len(masks), 3, side >> level, side >> level))
    return Conditions(
        {
            "reference": latents[:1],
            "audio": golden["audio.clip"],
            "face_region": golden["cond.face_mask"],
            "identity": golden["identity.in"],
            "audio_regions": AudioRegions(tuple(regions), tuple(bundle["main"]["motion_scale"])),
        },
        motion=latents[None, 1:],
    )


def joint(scale: float) -> Guidance:
    return Guidance((JointGuider(scale=scale),))


def close(ours, golden, name=""):
    assert ours.shape == golden.shape, name
    error = float((ours - golden).abs().max() / golden.abs().max())
    assert error < TOLERANCE, f"{name}: {error:.2e}"


def test_locator_and_projections(emo, golden):
    pictures = golden["face_locator.in"][0].transpose(0, 1)
    close(emo.face_locator(pictures), golden["face_locator.out"][0].transpose(0, 1))
    close(emo.face_locator(golden["cond.face_mask"]), golden["cond.face_feature"][:, :, 0])
    close(emo.audio_projection(golden["audio.clip"]), golden["audio.tokens"])
    close(emo.identity_projection(golden["identity.in"]), golden["identity.tokens"])
    close(emo.identity_projection(torch.zeros_like(golden["identity.in"])), golden["identity.tokens_uncond"])


def test_every_feature_of_the_reference_net(emo, golden, bundle, conditions):
    """Portrait and motion frames, without identity and with."""
    identity = {"identity": emo.identity_projection(conditions["identity"])}
    no_identity = {"identity": emo.identity_projection(torch.zeros_like(conditions["identity"]))}
    references = emo.policy.references(emo.reference_net, conditions, identity, no_identity)
    sites = [i for i, tokens in enumerate(references.tokens) if tokens is not None]
    rows = 1 + bundle["main"]["n"]
    for index, path in zip(sites, bundle["bank_execution_order"], strict=True):
        bank = golden[f"reference.bank.{path}"]
        close(references.tokens[index], bank[::rows], path)
        for ours, theirs in ((references.motion, bank[rows + 1 :]), (references.motion_without, bank[1:rows])):
            close(ours[index][0].flatten(2).transpose(1, 2), theirs, path)


def blocks(emo, noisy, timestep, context):
    """Outputs of the UNet's blocks in one pass."""
    from einops import rearrange

    outputs, backbone = {}, emo.backbone
    frames = noisy.shape[1]

    def keep(name):
        def hook(module, inputs, output):
            x = output[0] if isinstance(output, tuple) else output
            outputs[name] = rearrange(x, "(b f) c h w -> b c f h w", f=frames)

        return hook

    handles = []
    for kind, levels in (("down", backbone.down), ("up", backbone.up)):
        for i, level in enumerate(levels):
            last = level["sampler"] if "sampler" in level else level["sites"][-1]
            handles.append(last.register_forward_hook(keep(f"{kind}_blocks.{i}")))
    handles.append(backbone.mid_resnet.register_forward_hook(keep("mid_block")))
    prediction = emo(noisy, timestep, context)
    for handle in handles:
        handle.remove()
    return prediction, outputs


def test_the_denoiser_after_every_block(emo, golden, bundle, conditions):
    on = emo.context(conditions)
    # Ours has the guided half first.
    both = GuidedContext(on, joint(3.5)).at(0, 4)[0]
    noisy = golden["denoise.sample"].transpose(1, 2).expand(2, -1, -1, -1, -1)
    prediction, outputs = blocks(emo, noisy, torch.full((2,), bundle["main"]["t"]), both)
    for name, value in outputs.items():
        close(value.flip(0), golden[f"denoise.block.{name}"], name)
    close(prediction.flip(0).transpose(1, 2), golden["denoise.out.bank32"])
    assert len(outputs) == 9


def test_the_sampling_loop_with_guidance(emo, golden, bundle, conditions):
    steps, main = [], bundle["main"]
    context = GuidedContext(emo.context(conditions), joint(main["guidance"]))
    noise = golden["loop.noise"].transpose(1, 2)
    latents = sample(Denoiser(emo), context, noise, steps=main["steps"], callback=lambda step: steps.append(step))
    assert len(steps) == 4
    close(latents.transpose(1, 2), golden["loop.step3.latents.bank32"])


def test_every_step_of_the_loop(emo, golden, bundle, conditions):
    context, denoiser = (
        GuidedContext(emo.context(conditions), joint(bundle["main"]["guidance"])),
        Denoiser(emo),
    )
    latents, count = golden["loop.noise"].transpose(1, 2), bundle["main"]["steps"]
    schedule = make_scheduler("ddim", emo.config.diffusion, count)
    for index, timestep in enumerate(schedule.timesteps):
        both, passes = context.at(index, count)
        found = denoiser(latents.expand(passes, -1, -1, -1, -1), torch.full((passes,), timestep), both)
        if index == 0:
            close(found.flip(0).transpose(1, 2), golden["loop.step0.model_out.bank32"])
        latents = schedule.step(index, latents, context.combine(found))
        close(latents.transpose(1, 2), golden[f"loop.step{index}.latents.bank32"], f"step {index}")


def test_the_schedule(emo, golden):
    close(Denoiser(emo).schedule.alphas_cumprod, golden["scheduler.alphas_cumprod"])
