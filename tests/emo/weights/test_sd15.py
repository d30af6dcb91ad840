"""Building a checkpoint from SD 1.5 and AnimateDiff, on narrow networks."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from emo_core.emo.config import SD15, SpeedConfig
from emo_core.emo.models.temporal import sinusoids
from emo_core.emo.weights.keys import read_state
from emo_core.emo.weights.sd15 import build_emo, load_sd15_unet
from emo_core.emo.weights.sd15_vae import load_sd15_vae
from emo_core.errors import CheckpointError, InputError
from tests.conftest import ROOT
from tests.emo.models.test_parity import SMALL, diffusers_unet


@pytest.fixture(scope="module")
def unet():
    return diffusers_unet(SMALL)


def animatediff_state(width_of: dict[str, int]) -> dict:
    """A random motion module with AnimateDiff's keys for the narrow model."""
    from emo_core.emo.models.temporal import TemporalModule

    state, generator = {}, torch.Generator().manual_seed(0)
    for place, width in width_of.items():
        module = TemporalModule(width, 8, 8, 32, SpeedConfig(width=16))
        for key, value in module.state_dict().items():
            if "speed" in key:
                continue
            inner = key if key.startswith(("norm.", "proj_")) else f"transformer_blocks.0.{key}"
            state[f"{place}.temporal_transformer.{inner}"] = torch.randn(value.shape, generator=generator)
        for k in range(2):
            table = f"{place}.temporal_transformer.transformer_blocks.0.attention_blocks.{k}.pos_encoder.pe"
            state[table] = sinusoids(32, width)[None]
    return state


def places(mid: bool) -> dict[str, int]:
    widths = SMALL.unet.widths
    named = {f"down_blocks.{i}.motion_modules.{j}": widths[i] for i in range(4) for j in range(2)}
    named |= {f"up_blocks.{i}.motion_modules.{j}": widths[3 - i] for i in range(4) for j in range(3)}
    return named | ({"mid_block.motion_modules.0": widths[-1]} if mid else {})


@pytest.mark.parametrize("mid", [True, False], ids=["v2", "v3"])
def test_the_motion_module_fills_every_temporal_module(unet, mid):
    motion = animatediff_state(places(mid))
    emo = build_emo(unet.state_dict(), motion, SMALL)
    first = emo.backbone.down[0]["sites"][0].temporal
    key = "down_blocks.0.motion_modules.0.temporal_transformer.proj_out.weight"
    assert torch.equal(first.proj_out.weight, motion[key])
    assert not first.attn_speed.to_out[0].weight.any()
    assert emo.backbone.mid_site.temporal.proj_out.weight.any() == mid


def test_reference_attention_starts_from_self_attention(unet):
    emo = build_emo(unet.state_dict(), config=SMALL)
    block = emo.backbone.down[1]["sites"][1].spatial.block
    assert torch.equal(block.attn_ref.to_k.weight, block.attn1.to_k.weight)
    assert torch.equal(block.norm_ref.weight, block.norm1.weight)
    assert not block.attn_ref.to_out[0].weight.any()
    assert torch.equal(emo.reference_net.conv_in.weight, emo.backbone.conv_in.weight)


def test_incomplete_motion_modules_are_refused(unet):
    motion = {
        key: value for key, value in animatediff_state(places(True)).items() if "attention_blocks.0.to_q" not in key
    }
    with pytest.raises(CheckpointError, match=r"missing \(down.0.sites.0.temporal.attention_blocks.0.to_q"):
        build_emo(unet.state_dict(), motion, SMALL)
    with pytest.raises(CheckpointError, match="missing"):
        build_emo(unet.state_dict(), {}, SMALL)


def test_unknown_keys_are_named(unet):
    state = {**unet.state_dict(), "extra.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"1 unknown \(extra.weight\)"):
        build_emo(state, config=SMALL)


def test_other_position_tables_are_refused(unet):
    motion = animatediff_state(places(True))
    key = next(key for key in motion if key.endswith("pe"))
    motion[key] = motion[key] + 1
    with pytest.raises(CheckpointError, match="not the usual sinusoid"):
        build_emo(unet.state_dict(), motion, SMALL)


def test_a_folder_and_a_single_file_give_the_same_weights(unet, tmp_path):
    unet.save_pretrained(tmp_path / "sd" / "unet")
    folder = load_sd15_unet(tmp_path / "sd", SMALL)
    file = load_sd15_unet(tmp_path / "sd" / "unet" / "diffusion_pytorch_model.safetensors", SMALL)
    assert folder.keys() == file.keys() == unet.state_dict().keys()
    with pytest.raises(InputError, match="no usable file"):
        load_sd15_unet(tmp_path, SMALL)


def ldm_vae_state(net: AutoencoderKL) -> dict:
    """diffusers' autoencoder under the names of the original code."""
    state = {}
    for key, value in net.state_dict().items():
        for new, old in (
            (r"\.down_blocks\.(\d+)\.resnets\.", r".down.\1.block."),
            (r"\.down_blocks\.(\d+)\.downsamplers\.0\.", r".down.\1.downsample."),
            (r"\.up_blocks\.(\d+)\.resnets\.", lambda m: f".up.{3 - int(m[1])}.block."),
            (r"\.up_blocks\.(\d+)\.upsamplers\.0\.", lambda m: f".up.{3 - int(m[1])}.upsample."),
            (r"\.mid_block\.resnets\.(\d)\.", lambda m: f".mid.block_{int(m[1]) + 1}."),
            (r"\.mid_block\.attentions\.0\.group_norm\.", ".mid.attn_1.norm."),
            (r"\.mid_block\.attentions\.0\.to_out\.0\.", ".mid.attn_1.proj_out."),
            (r"\.mid_block\.attentions\.0\.to_([qkv])\.", r".mid.attn_1.\1."),
            (r"\.conv_norm_out\.", ".norm_out."),
            (r"\.conv_shortcut\.", ".nin_shortcut."),
        ):
            key = re.sub(new, old, key)
        if re.search(r"\.attn_1\.(q|k|v|proj_out)\.weight", key):
            value = value[:, :, None, None]
        state[f"first_stage_model.{key}"] = value.contiguous()
    return state


def test_vae_from_folder_and_single_file_equals_diffusers_own(tmp_path):
    config = replace(SD15, vae=replace(SD15.vae, widths=(32, 32, 64, 64)))
    torch.manual_seed(0)
    net = AutoencoderKL(
        block_out_channels=config.vae.widths, layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    net.save_pretrained(tmp_path / "sd" / "vae")
    save_file(ldm_vae_state(net), tmp_path / "sd15.safetensors")
    theirs = AutoencoderKL.from_single_file(
        tmp_path / "sd15.safetensors", config=str(tmp_path / "sd" / "vae"), local_files_only=True
    ).state_dict()
    for source in (tmp_path / "sd", tmp_path / "sd" / "vae", tmp_path / "sd15.safetensors"):
        ours = load_sd15_vae(source, config).net.state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert load_sd15_vae(tmp_path, config) is None
    file = tmp_path / "sd" / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({old_attention(key): value for key, value in load_file(file).items()}, file)
    public = load_sd15_vae(tmp_path / "sd", config).net.state_dict()
    assert all(torch.equal(public[key], theirs[key]) for key in theirs)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_sd15_vae(tmp_path / "sd", config)
    file.unlink()
    with pytest.raises(
        CheckpointError, match=r"none of diffusion_pytorch_model.safetensors.*download the folder again"
    ):
        load_sd15_vae(tmp_path / "sd", config)


def old_attention(key):
    """The names in public SD 1.5 folders."""
    for new, old in ((".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")):
        key = key.replace(new, old)
    return key


def test_pickled_code_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("owned",))

    torch.save({"state_dict": {"x": Trap()}}, tmp_path / "mm.ckpt")
    with pytest.raises(CheckpointError, match="more than tensors"):
        read_state(tmp_path / "mm.ckpt")
    torch.save({"state_dict": {"module.x": torch.ones(2)}}, tmp_path / "ok.ckpt")
    assert list(read_state(tmp_path / "ok.ckpt")) == ["x"]
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_state(tmp_path / "bad.safetensors")
    with pytest.raises(InputError, match="no file"):
        read_state(tmp_path / "absent.ckpt")


@pytest.mark.slow
def test_init_command_at_full_size(tmp_path):
    state = diffusers_unet(replace(SD15)).half().state_dict()
    save_file(state, tmp_path / "unet.safetensors")
    out = tmp_path / "sd15.safetensors"
    command = [sys.executable, "-m", "emo_core", "weights"]
    subprocess.run([*command, "init", "--sd15", tmp_path / "unet.safetensors", "--out", out], cwd=ROOT, check=True)
    info = json.loads(subprocess.run([*command, "info", out], cwd=ROOT, check=True, capture_output=True).stdout)
    assert info["config"]["name"] == "sd15" and info["parameters"]["emo.reference_net"] > 800e6
