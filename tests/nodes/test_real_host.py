"""The host's own VAE and memory management, which the fake does not have. Run by `make host`."""

import importlib
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


def test_the_hosts_vae_nodes_take_the_small_vae(model):
    """Also those that set the VAE's attributes."""
    host, pictures = module("nodes"), torch.rand(1, 64, 64, 3)
    latent = host.VAEEncode().encode(model.vae, pictures)[0]
    expected = host.VAEDecode().decode(model.vae, latent)[0]
    assert expected.shape == (1, 64, 64, 3)
    assert torch.equal(host.VAEDecodeTiled().decode(model.vae, latent, 64, 16)[0], expected)
    assert torch.equal(host.VAEEncodeTiled().encode(model.vae, pictures, 64, 16)[0]["samples"], latent["samples"])
    host.VAEEncodeForInpaint().encode(model.vae, pictures, torch.ones(1, 64, 64))
    if not hasattr(model.vae.patcher, "cached_patcher_init"):
        return  # A host without Select VAE Device.
    select = importlib.import_module("comfy_extras.nodes_multigpu").SelectVAEDeviceNode
    for device in ("default", "gpu:7", "cpu"):
        other = select.execute(model.vae, device)[0]
        assert other is not model.vae
        assert torch.equal(host.VAEDecode().decode(other, latent)[0], expected)
    clone = model.vae.patcher.deepclone_multigpu(model.vae.patcher.load_device)
    assert clone.model is not model.vae.patcher.model
    weights = model.vae.get_sd()
    assert all(torch.equal(value, weights[key]) for key, value in clone.model.state_dict().items())


def test_the_models_are_of_the_hosts_own_kind(model):
    """With dynamic VRAM, one model of another kind makes the host unload all others."""
    patchers = module("comfy.model_patcher")
    kind = getattr(patchers, "CoreModelPatcher", patchers.ModelPatcher)
    assert [type(part) for part in model.get_models()] == [kind] * 3
    if not hasattr(patchers, "PromptModelTracker"):
        return
    assert patchers.is_model_patcher_output(model)
    layer = model.network.model.emo.backbone.conv_in
    assert layer.weight_comfy_model_dtype == layer.weight.dtype


@pytest.mark.parametrize("name", ["basic", "sub_quad", "split", "pytorch"])
def test_every_attention_of_the_host_keeps_the_layout_of_heads(monkeypatch, name):
    """Those that run on a CPU; the user chooses one with the host's flags. Every one takes many rows, too."""
    layers, host = module(".nodes.host.layers"), module("comfy.ldm.modules.attention")
    monkeypatch.setattr(layers, "optimized_attention", getattr(host, f"attention_{name}"))
    draw = torch.Generator().manual_seed(0)
    q = torch.randn(300, 3, 5, 8, generator=draw)
    k, v = torch.randn(2, 300, 3, 7, 8, generator=draw)
    out = layers.host_attention(q, k, v)
    assert torch.allclose(out, torch.nn.functional.scaled_dot_product_attention(q, k, v), atol=1e-5)
