"""The host's own VAE and memory management, which the fake does not have. Run by `make host`."""

import os

import pytest
import torch

from tests.nodes.conftest import module
from tests.pack import REAL_HOST

pytestmark = pytest.mark.skipif(not os.environ.get(REAL_HOST), reason="needs a ComfyUI (make host)")


def test_a_full_size_vae_becomes_the_hosts_own():
    """The same pictures and latents as ours, up to its scaling."""
    torch.manual_seed(0)
    vae = module(".emo_core.emo.models.vae").VAE(module(".emo_core.emo.config").VAEConfig()).eval()
    host = module(".nodes.emo.vae").host_vae(vae)
    assert isinstance(host, module("comfy.sd").VAE)
    pictures = torch.rand(1, 64, 64, 3)
    with torch.no_grad():
        ours = vae.encode(pictures.movedim(-1, 1) * 2 - 1)
    assert torch.allclose(host.encode(pictures) * vae.config.scaling_factor, ours, atol=1e-4)
    decoded = module(".emo_core.emo.models.vae").decode_frames(vae, ours).movedim(1, -1)
    assert torch.allclose(host.decode(ours / vae.config.scaling_factor), decoded, atol=1e-3)


def test_weights_that_stream_give_the_same_clip(scene, model):
    """The host's low-VRAM mode: most layers keep their weights on the offload device until they run."""
    sampling = module(".nodes.emo.generation").Scene.from_inputs(**scene)
    generate_clip = module(".emo_core.emo.sampling.generate").generate_clip
    network, patcher = model.network.model, model.network

    def clip():
        return generate_clip(network, sampling.subject, sampling.settings, sampling.clips[0], None)

    patcher.load(patcher.load_device, full_load=True)
    expected = clip()
    patcher.detach()
    patcher.load(patcher.load_device, lowvram_model_memory=model.network.model_size() // 4)
    streaming = [m for m in network.modules() if getattr(m, "comfy_cast_weights", False)]
    assert len(streaming) > 50
    assert torch.equal(clip(), expected)
    patcher.detach()


def test_the_models_of_a_clip_are_loaded_by_one_request(nodes, scene, monkeypatch):
    """With two requests, the second could unload the models of the first on a small GPU."""
    management, requests = module("comfy.model_management"), []
    load = management.load_models_gpu
    monkeypatch.setattr(
        management, "load_models_gpu", lambda models, **rest: requests.append(models) or load(models, **rest)
    )
    arguments = module("comfy.cli_args")
    monkeypatch.setattr(arguments.args, "preview_method", arguments.LatentPreviewMethod.Latent2RGB)
    nodes.EMOSampler.execute(clip_index=0, clips=2, **scene)
    network, vae = scene["model"].network, scene["model"].vae.patcher
    # Per clip: the audio encoder (only while features are missing), then network and previews.
    assert [set(models) for models in requests if network in models] == [{network, vae}, {network, vae}]
    assert set(requests[-1]) == {network, vae}


def test_the_host_can_unload_the_network(nodes, scene, model):
    management = module("comfy.model_management")
    nodes.EMOSampler.execute(clip_index=0, clips=1, **scene)
    loaded = [entry.model for entry in management.current_loaded_models]
    assert model.network in loaded
    management.free_memory(1e30, management.get_torch_device())
    assert model.network not in [entry.model for entry in management.current_loaded_models]
