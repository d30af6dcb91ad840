"""Memory: where weights and pictures are, how much is taken at a time, what is refused before it is begun."""

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.conftest import CONFIG
from tests.nodes.conftest import module
from tests.nodes.test_nodes import problem


def test_the_vae_works_where_its_weights_are(model, monkeypatch):
    """With --novram the host loads it, and leaves its weights on the CPU."""
    pictures = torch.rand(1, CONFIG.image_size, CONFIG.image_size, 3)
    latents = model.vae.encode(pictures)
    frames = model.vae.decode(latents)
    monkeypatch.setattr(module("comfy.model_management"), "load_models_gpu", lambda *_, **__: None)
    monkeypatch.setattr(model.vae.patcher, "load_device", torch.device("meta"))
    assert torch.equal(model.vae.encode(pictures), latents)
    assert torch.equal(model.vae.decode(latents), frames)


class Largest(TorchDispatchMode):
    """Remembers how large the largest tensor of floats was that was made meanwhile."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {arg.untyped_storage().data_ptr() for arg in args if isinstance(arg, torch.Tensor)}
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.is_floating_point():
            if made.untyped_storage().data_ptr() not in given:  # No view.
                self.numbers = max(self.numbers, made.numel())
        return made


def test_a_film_is_taken_in_a_few_frames_at_a_time(nodes, model):
    film = torch.rand(20, CONFIG.image_size, CONFIG.image_size, 4)
    vae = model.vae.patcher.model
    with torch.no_grad():
        whole = vae.encode(film[..., :3].movedim(-1, 1) * 2 - 1) / CONFIG.vae.scaling_factor
    seen = []
    hook = vae.net.encoder.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    try:
        latents = model.vae.encode(film)
    finally:
        hook.remove()
    assert seen == [8, 8, 4]
    assert torch.allclose(latents, whole, atol=1e-5)
    with Largest() as largest:
        pictures = module(".nodes.emo.portrait").to_uint8(film)
    assert largest.numbers <= film[0].numel()
    assert np.array_equal(pictures, (film[..., :3] * 255).round().to(torch.uint8).numpy())


def test_frames_that_do_not_fit_are_not_begun(nodes, model, free_memory):
    """50 whole pictures take 14.4 MB."""
    picture, frames, told = torch.rand(1, 120, 200, 3), torch.rand(50, 64, 64, 3), []
    crop = nodes.FaceLocatorMask.execute(model, picture, 1.1, 0, "none", "face", 1.0, 1.0, 1.0)[2]
    module("comfy.utils").set_progress_bar_global_hook(lambda value, *_, **__: told.append(value))
    free_memory(14_399_999)
    problem(
        lambda: nodes.EMOPasteBack.execute(frames, crop, picture, 0.1),
        r"50 frames of 200 x 120 pixels take 0\.0 GB, and 0\.0 GB are free; scale the photo down to 189 x 113 .*, or make 44 frames",
    )
    assert told == []
    for enough in (14_400_000, None):
        free_memory(enough)
        assert len(nodes.EMOPasteBack.execute(frames, crop, picture, 0.1)[0]) == 50
