"""CUDA against the CPU: same seed, same video up to rounding."""

import pytest
import torch

from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.guidance import Guidance, GuidedContext
from emo_core.emo.sampling.sampler import sample
from emo_core.emo.weights.checkpoint import load_checkpoint
from tests.conftest import CONFIG, random_conditions, random_latents

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@torch.no_grad()
def run(checkpoint, device: str, dtype: torch.dtype, scheduler: str) -> torch.Tensor:
    emo = load_checkpoint(checkpoint, device=device, dtype=dtype).emo
    conditions = random_conditions(CONFIG)
    values = {name: value.to(device, dtype) for name, value in conditions.values.items()}
    context = emo.context(Conditions(values, motion=conditions.motion.to(device, dtype)))
    guided = GuidedContext(context, Guidance.of(reference=1.5, audio=2.0))
    generator = torch.Generator().manual_seed(0)
    noise = random_latents(CONFIG).to(device)
    return sample(Denoiser(emo), guided, noise, scheduler=scheduler, steps=8, generator=generator).cpu()


@pytest.mark.parametrize("scheduler", ["ddim", "dpm++2m", "unipc", "euler", "lcm"])
def test_cuda_equals_cpu(checkpoint, scheduler):
    cpu = run(checkpoint, "cpu", torch.float32, scheduler)
    cuda = run(checkpoint, "cuda", torch.float32, scheduler)
    assert ((cuda - cpu).norm() / cpu.norm()) < 1e-2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_on_cuda(checkpoint, dtype):
    cpu = run(checkpoint, "cpu", torch.float32, "ddim")
    assert ((run(checkpoint, "cuda", dtype, "ddim") - cpu).norm() / cpu.norm()) < 0.1
