"""Build an `sd15` checkpoint from Stable Diffusion 1.5 and, optionally, an AnimateDiff motion module.

Tables of (pattern, replacement) rename the keys. SD 1.5 is a diffusers folder, or one file with the older ldm keys.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...errors import CheckpointError, InputError
from ..config import SD15, EMOConfig
from ..models.emo import EMO
from ..models.temporal import sinusoids
from .checkpoint import describe_mismatch
from .keys import read_state, rename

LDM_PREFIX = "model.diffusion_model."

LDM_RESNET = (
    (r"\.in_layers\.0\.", ".norm1."),
    (r"\.in_layers\.2\.", ".conv1."),
    (r"\.emb_layers\.1\.", ".time_emb_proj."),
    (r"\.out_layers\.0\.", ".norm2."),
    (r"\.out_layers\.3\.", ".conv2."),
    (r"\.skip_connection\.", ".conv_shortcut."),
)
"""Keys inside a residual block: ldm -> diffusers."""

DIFFUSERS = (
    (r"^(down|up)_blocks\.(\d+)\.resnets\.(\d+)\.", r"\1.\2.sites.\3.resnet."),
    (r"^(down|up)_blocks\.(\d+)\.attentions\.(\d+)\.", r"\1.\2.sites.\3.spatial."),
    (r"^(down|up)_blocks\.(\d+)\.(?:down|up)samplers\.0\.", r"\1.\2.sampler."),
    (r"^mid_block\.resnets\.0\.", "mid_site.resnet."),
    (r"^mid_block\.resnets\.1\.", "mid_resnet."),
    (r"^mid_block\.attentions\.0\.", "mid_site.spatial."),
)
"""Keys of the UNet: diffusers' UNet2DConditionModel -> EMO."""

ANIMATEDIFF = (
    (r"^(down|up)_blocks\.(\d+)\.motion_modules\.(\d+)\.temporal_transformer\.", r"\1.\2.sites.\3.temporal."),
    (r"^mid_block\.motion_modules\.0\.temporal_transformer\.", "mid_site.temporal."),
    (r"\.temporal\.transformer_blocks\.0\.", ".temporal."),
)
"""Keys of the motion module: AnimateDiff -> EMO's temporal modules."""

TEXT = re.compile(r"\.transformer_blocks\.0\.attn2\.")
"""SD 1.5's text cross-attention, which EMO does not have."""


def ldm_table(config: EMOConfig) -> tuple[tuple[str, str], ...]:
    """Keys of the UNet: ldm -> diffusers. Ldm's block numbers follow from the number of levels and layers."""
    levels, layers = len(config.unet.widths), config.unet.layers_per_block
    rows = [
        (r"^time_embed\.0\.", "time_embedding.linear_1."),
        (r"^time_embed\.2\.", "time_embedding.linear_2."),
        (r"^input_blocks\.0\.0\.", "conv_in."),
        (r"^out\.0\.", "conv_norm_out."),
        (r"^out\.2\.", "conv_out."),
        (r"^middle_block\.0\.", "mid_block.resnets.0."),
        (r"^middle_block\.1\.", "mid_block.attentions.0."),
        (r"^middle_block\.2\.", "mid_block.resnets.1."),
    ]
    for level in range(levels):
        for layer in range(layers):
            block = level * (layers + 1) + layer + 1
            rows.append((rf"^input_blocks\.{block}\.0\.", f"down_blocks.{level}.resnets.{layer}."))
            rows.append((rf"^input_blocks\.{block}\.1\.", f"down_blocks.{level}.attentions.{layer}."))
        # `op` is part of the pattern, as a resnet may have the same block number.
        rows.append(
            (rf"^input_blocks\.{(level + 1) * (layers + 1)}\.0\.op\.", f"down_blocks.{level}.downsamplers.0.conv.")
        )
        for layer in range(layers + 1):
            block = level * (layers + 1) + layer
            rows.append((rf"^output_blocks\.{block}\.0\.", f"up_blocks.{level}.resnets.{layer}."))
            rows.append((rf"^output_blocks\.{block}\.[12]\.conv\.", f"up_blocks.{level}.upsamplers.0.conv."))
            rows.append((rf"^output_blocks\.{block}\.1\.", f"up_blocks.{level}.attentions.{layer}."))
    return (*rows, *LDM_RESNET)


def load_sd15_unet(path: Path, config: EMOConfig = SD15) -> dict[str, Tensor]:
    """Read SD 1.5's UNet into diffusers key names.

    Args:
        path: a diffusers folder (with `unet/`), that `unet` folder, or a single .safetensors (diffusers or ldm keys).
        config: gives the number of levels and layers.

    Raises:
        InputError: if there is no usable file at `path`.
    """
    state = read_state(_unet_file(Path(path)))
    if any(key.startswith(LDM_PREFIX) for key in state):
        state = {k.removeprefix(LDM_PREFIX): v for k, v in state.items() if k.startswith(LDM_PREFIX)}
    if "input_blocks.0.0.weight" in state:
        state = rename(state, ldm_table(config))
    return state


def build_emo(unet: Mapping[str, Tensor], motion: Mapping[str, Tensor] | None = None, config: EMOConfig = SD15) -> EMO:
    """Build an EMO that denoises as SD 1.5 does without text: each new layer starts as the identity.

    Args:
        unet: SD 1.5's UNet, with diffusers keys.
        motion: AnimateDiff's motion module, with its own keys; None for temporal modules that start as the identity.
        config: of the model.

    Raises:
        CheckpointError: if keys are unknown, missing or misshaped.
    """
    emo = EMO(config)
    ours = {key: value for key, value in rename(unet, DIFFUSERS).items() if not TEXT.search(key)}
    norm2 = {key for key in ours if ".transformer_blocks.0.norm2." in key}
    backbone = {key: value for key, value in ours.items() if key not in norm2}
    reference = {key: value for key, value in ours.items() if not key.startswith(("conv_norm_out.", "conv_out."))}
    for key, value in list(backbone.items()):
        # Reference-attention starts as a copy of self-attention, but for its output, which stays zero.
        if ".attn1.to_out." not in key and (".attn1." in key or ".norm1." in key) and ".spatial." in key:
            backbone[key.replace(".attn1.", ".attn_ref.").replace(".norm1.", ".norm_ref.")] = value
    temporal = {} if motion is None else _temporal(motion)
    has_middle = any(key.startswith("mid_site.") for key in temporal)  # AnimateDiff v3 has no middle module.
    own = {
        key: value
        for key, value in emo.backbone.state_dict().items()
        if re.search(r"\.(attn_audio|norm_audio|norm_speed|attn_speed)\.|\.attn_ref\.to_out\.", key)
        or (".temporal." in key and (motion is None or (key.startswith("mid_site.") and not has_middle)))
    }
    _load(emo.reference_net, reference, "SD 1.5 UNet, for ReferenceNet")
    _load(emo.backbone, {**own, **backbone, **temporal}, "SD 1.5 UNet and motion module, for the Backbone")
    return emo


def _temporal(motion: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """AnimateDiff's tensors with EMO's keys. Its position tables are compared with the formula and left out."""
    temporal = {}
    for key, value in rename(motion, ANIMATEDIFF).items():
        if not key.endswith(".pos_encoder.pe"):
            temporal[key] = value
        elif not _is_sinusoid(value):
            raise CheckpointError(
                f"motion module: {key} is not the usual sinusoid; give AnimateDiff v2 or v3 for SD 1.5"
            )
    return temporal


def _is_sinusoid(table: Tensor) -> bool:
    if table.ndim != 3 or table.shape[2] % 2:
        return False
    return torch.allclose(table[0].float(), sinusoids(*table.shape[1:]), atol=1e-2)


def _load(module: torch.nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    problems = describe_mismatch({key: tuple(value.shape) for key, value in state.items()}, expected)
    if problems:
        raise CheckpointError(f"{name}: {problems}; give Stable Diffusion 1.5 and AnimateDiff v2 or v3 weights")
    module.load_state_dict(dict(state))


def _unet_file(path: Path) -> Path:
    if path.is_file():
        return path
    for folder in (path / "unet", path):
        for name in ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"):
            if (folder / name).is_file():
                return folder / name
    raise InputError(
        f"SD 1.5: no usable file at {path}; give its diffusers folder (with unet/diffusion_pytorch_model.safetensors) "
        "or its single .safetensors file"
    )
