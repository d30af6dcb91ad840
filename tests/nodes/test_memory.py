"""Memory: devices of the weights, size of the batches, and refusals before the work starts."""

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.conftest import CONFIG
from tests.nodes.conftest import module
from tests.nodes.test_nodes import problem


def test_the_vae_runs_on_the_device_of_its_weights(model, monkeypatch):
    """With --novram the host loads the VAE and leaves its weights on the CPU."""
    pictures = torch.rand(1, CONFIG.image_size, CONFIG.image_size, 3)
    latents = model.vae.encode(pictures)
    frames = model.vae.decode(latents)
    monkeypatch.setattr(module("comfy.model_management"), "load_models_gpu", lambda *_, **__: None)
    monkeypatch.setattr(model.vae.patcher, "load_device", torch.device("meta"))
    assert torch.equal(model.vae.encode(pictures), latents)
    assert torch.equal(model.vae.decode(latents), frames)


class LargestTensor(TorchDispatchMode):
    """Counts the numbers of the largest float tensor that is created inside the block."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        storages = {arg.untyped_storage().data_ptr() for arg in args if isinstance(arg, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.is_floating_point():
            if result.untyped_storage().data_ptr() not in storages:  # No view.
                self.numbers = max(self.numbers, result.numel())
        return result


def test_a_batch_is_encoded_and_converted_in_parts(nodes, model):
    film = torch.rand(20, CONFIG.image_size, CONFIG.image_size, 4)
    vae = model.vae.patcher.model
    with torch.no_grad():
        whole = vae.encode(film[..., :3].movedim(-1, 1) * 2 - 1) / CONFIG.vae.scaling_factor
    batches = []
    hook = vae.net.encoder.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0])))
    try:
        latents = model.vae.encode(film)
    finally:
        hook.remove()
    assert batches == [8, 8, 4]
    assert torch.allclose(latents, whole, atol=1e-5)
    with LargestTensor() as largest:
        pictures = module(".nodes.host.images").to_uint8(film)
    assert largest.numbers <= film[0].numel()
    assert np.array_equal(pictures, (film[..., :3] * 255).round().to(torch.uint8).numpy())


def test_frames_that_do_not_fit_into_memory_are_not_started(nodes, model, free_memory):
    """50 whole pictures take 14.4 MB."""
    picture, frames, steps = torch.rand(1, 120, 200, 3), torch.rand(50, 64, 64, 3), []
    crop = nodes.FaceLocatorMask.execute(model, picture, 1.1, 0, "none", "face", 1.0, 1.0, 1.0)[2]
    module("comfy.utils").set_progress_bar_global_hook(lambda value, *_, **__: steps.append(value))
    free_memory(14_399_999)
    problem(
        lambda: nodes.EMOPasteBack.execute(frames, crop, picture, 0.1),
        r"50 frames of 200 x 120 pixels take 0\.0 GB, and 0\.0 GB are free; scale the photo down to 189 x 113 .*, or make 44 frames",
    )
    assert steps == []
    for enough in (14_400_000, None):
        free_memory(enough)
        assert len(nodes.EMOPasteBack.execute(frames, crop, picture, 0.1)[0]) == 50
