"""Checkpoint files: round trip, strictness, refusals."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from emo_core.emo.config import MINI, PRESETS, SD15, EMOConfig, TemporalConfig, UNetConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import decode_frames
from emo_core.emo.weights.checkpoint import checkpoint_info, load_checkpoint, save_checkpoint
from emo_core.errors import CheckpointError, InputError
from tests.conftest import CONFIG, random_conditions, random_latents


def rewrite(source, target, change):
    """Copy a checkpoint with its tensors changed."""
    with safe_open(source, "pt") as file:
        metadata = file.metadata()
    weights = load_file(source)
    change(weights)
    save_file(weights, target, metadata)
    return target


def test_round_trip_keeps_every_number(checkpoint, tmp_path):
    first = load_checkpoint(checkpoint)
    assert first.config == CONFIG and first.vae is not None and first.audio_encoder is not None
    parts = {"emo": first.emo, "vae": first.vae, "audio_encoder": first.audio_encoder}
    save_checkpoint(tmp_path / "again.safetensors", first.config, parts, dtype=torch.float32)
    second = load_checkpoint(tmp_path / "again.safetensors")
    conditions, latents, t = random_conditions(CONFIG), random_latents(CONFIG), torch.tensor([300])
    with torch.no_grad():
        a, b = (c.emo(latents, t, c.emo.context(conditions)) for c in (first, second))
    assert torch.equal(a, b)


def test_loaded_model_equals_the_saved_one(tmp_path):
    torch.manual_seed(5)
    emo = EMO(CONFIG).eval()
    save_checkpoint(tmp_path / "m.safetensors", CONFIG, {"emo": emo}, dtype=torch.float32)
    loaded = load_checkpoint(tmp_path / "m.safetensors")
    assert loaded.vae is None and loaded.audio_encoder is None
    conditions, latents, t = random_conditions(CONFIG), random_latents(CONFIG), torch.tensor([300])
    with torch.no_grad():
        assert torch.equal(
            emo(latents, t, emo.context(conditions)), loaded.emo(latents, t, loaded.emo.context(conditions))
        )


def test_position_tables_are_real_though_the_model_is_built_on_the_meta_device(checkpoint):
    """They are in no checkpoint."""
    torch.manual_seed(0)
    built = dict(EMO(CONFIG).named_buffers())
    loaded = dict(load_checkpoint(checkpoint).emo.named_buffers())
    assert built.keys() == loaded.keys() and any(name.endswith(".positions") for name in built)
    assert all(torch.equal(loaded[name], table) for name, table in built.items())


def test_load_in_bfloat16_keeps_the_audio_encoder_in_float32(checkpoint):
    loaded = load_checkpoint(checkpoint, dtype=torch.bfloat16)
    assert next(loaded.emo.parameters()).dtype == torch.bfloat16
    assert next(loaded.audio_encoder.parameters()).dtype == torch.float32


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_survives_json(preset):
    assert EMOConfig.from_json(PRESETS[preset].to_json()) == PRESETS[preset]


def test_config_of_another_version_is_refused():
    fields = json.loads(SD15.to_json())
    with pytest.raises(CheckpointError, match=r"unknown fields.*hologram"):
        EMOConfig.from_json(json.dumps({**fields, "hologram": 1}))
    fields["unet"]["widths"] = [320, 641, 1280, 1280]
    with pytest.raises(CheckpointError, match="641 must be a multiple"):
        EMOConfig.from_json(json.dumps(fields))


def test_impossible_configs_are_refused():
    with pytest.raises(ValueError, match="same levels"):
        UNetConfig(widths=(32, 64))
    with pytest.raises(ValueError, match="n \\+ f <= max_positions"):
        TemporalConfig(frames=30, motion_frames=4)
    with pytest.raises(ValueError, match="v_prediction"):
        replace(SD15, diffusion=replace(SD15.diffusion, zero_terminal_snr=True))
    with pytest.raises(ValueError, match="image_size=500"):
        replace(SD15, image_size=500)
    with pytest.raises(ValueError, match="latent channels"):
        replace(MINI, unet=SD15.unet)


def test_unknown_missing_and_misshaped_keys_are_listed(checkpoint, tmp_path):
    def spoil(weights):
        weights["emo.backbone.nonsense"] = torch.zeros(1)
        del weights["emo.backbone.conv_in.bias"]
        weights["emo.backbone.conv_out.bias"] = torch.zeros(7)

    with pytest.raises(CheckpointError) as error:
        load_checkpoint(rewrite(checkpoint, tmp_path / "bad.safetensors", spoil))
    message = str(error.value)
    assert "1 unknown (emo.backbone.nonsense)" in message
    assert "1 missing (emo.backbone.conv_in.bias)" in message
    assert "emo.backbone.conv_out.bias (7,) instead of (4,)" in message


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file at"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_a_truncated_file_is_refused(checkpoint, tmp_path):
    half = tmp_path / "half.safetensors"
    half.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_checkpoint(half)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_are_refused(tmp_path, zipped):
    path = tmp_path / "model.safetensors"
    torch.save({"weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="is a pickle"):
        load_checkpoint(path)


def test_a_header_that_begins_like_a_pickle_is_no_pickle(tmp_path):
    """The file's first byte is the low byte of its header's length: 0x80 in one of 32 files."""
    for padding in range(300):
        path = tmp_path / "m.safetensors"
        save_file({"x": torch.zeros(1)}, path, {"format": "emo-1", "note": "n" * padding})
        if path.read_bytes()[0] == 0x80:
            with pytest.raises(CheckpointError, match="not an EMO checkpoint"):
                load_checkpoint(path)
            return
    pytest.fail("no header length ended in 0x80")


def test_half_precision_model_decodes_to_float32(checkpoint):
    loaded = load_checkpoint(checkpoint)
    latents = random_latents(CONFIG)[0]
    exact = decode_frames(loaded.vae, latents)
    half = decode_frames(loaded.vae.to(torch.bfloat16), latents)
    assert half.dtype == torch.float32 and (half - exact).abs().mean() < 0.02


def test_other_safetensors_are_refused(tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / "lora.safetensors")
    with pytest.raises(CheckpointError, match="not an EMO checkpoint"):
        load_checkpoint(tmp_path / "lora.safetensors")


def test_an_unwritable_path_is_refused_and_leaves_no_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "m.safetensors", CONFIG, {"emo": EMO(CONFIG)})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_info_gives_config_size_and_parameters(checkpoint):
    info = checkpoint_info(checkpoint)
    assert info.config == CONFIG and info.size == checkpoint.stat().st_size and len(info.sha256) == 64
    assert info.parameters["emo.backbone"] == sum(p.numel() for p in EMO(CONFIG).backbone.parameters())
    assert info.dtypes == ("F32",)


class LateLinear(torch.nn.Linear):
    """A linear layer of newer hosts: no weights before they are loaded."""

    def __init__(self, inputs, outputs, bias=True):
        super().__init__(inputs, outputs, bias)
        self.weight, self.bias = None, None
        self._sizes = (outputs, inputs, bias)

    def _load_from_state_dict(self, state, prefix, metadata, strict, missing, unexpected, errors):
        outputs, inputs, bias = self._sizes
        self.weight = torch.nn.Parameter(torch.empty(outputs, inputs), requires_grad=False)
        self.bias = torch.nn.Parameter(torch.empty(outputs), requires_grad=False) if bias else None
        super()._load_from_state_dict(state, prefix, metadata, strict, missing, unexpected, errors)


class LateLayers:
    Linear, Conv2d = LateLinear, torch.nn.Conv2d
    GroupNorm, LayerNorm = torch.nn.GroupNorm, torch.nn.LayerNorm
    attention = staticmethod(torch.nn.functional.scaled_dot_product_attention)


def test_layers_of_a_host_hold_the_same_weights(checkpoint):
    """Some hosts' layers have no weights before loading."""
    plain, other = load_checkpoint(checkpoint).emo, load_checkpoint(checkpoint, ops=LateLayers).emo
    assert sum(isinstance(module, LateLinear) for module in other.modules()) > 50
    expected = plain.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in other.state_dict().items())
    assert set(other.state_dict()) == set(expected)
