"""Import of SD 1.5's autoencoder from a diffusers folder or a single ldm file."""

import json
import re
from pathlib import Path

from diffusers import AutoencoderKL
from torch import Tensor

from ...errors import CheckpointError
from ..config import SD15, EMOConfig
from ..models.vae import VAE
from .checkpoint import describe_mismatch
from .keys import read_state, rename

LDM_PREFIX = "first_stage_model."


def ldm_vae_table(levels: int) -> tuple[tuple[str, str], ...]:
    """Keys of the autoencoder: ldm -> diffusers' AutoencoderKL. Ldm numbers the decoder's levels from the finest one."""
    up = tuple(
        row
        for level in range(levels)
        for row in (
            (rf"^decoder\.up\.{level}\.block\.", f"decoder.up_blocks.{levels - 1 - level}.resnets."),
            (rf"^decoder\.up\.{level}\.upsample\.", f"decoder.up_blocks.{levels - 1 - level}.upsamplers.0."),
        )
    )
    return (
        *up,
        (r"^encoder\.down\.(\d+)\.block\.", r"encoder.down_blocks.\1.resnets."),
        (r"^encoder\.down\.(\d+)\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0."),
        (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
        (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
        (r"\.mid\.attn_1\.norm\.", ".mid_block.attentions.0.group_norm."),
        (r"\.mid\.attn_1\.proj_out\.", ".mid_block.attentions.0.to_out.0."),
        (r"\.mid\.attn_1\.([qkv])\.", r".mid_block.attentions.0.to_\1."),
        (r"\.norm_out\.", ".conv_norm_out."),
        (r"\.nin_shortcut\.", ".conv_shortcut."),
    )


def _is_autoencoder(folder: Path) -> bool:
    """Whether the folder has the autoencoder itself, as that of sd-vae-ft-mse."""
    config = folder / "config.json"
    return config.is_file() and json.loads(config.read_text()).get("_class_name") == "AutoencoderKL"


def load_sd15_vae(path: Path, config: EMOConfig = SD15) -> VAE | None:
    """Read SD 1.5's autoencoder; None if there is none at `path`.

    Args:
        path: a diffusers folder with `vae/`, or a single ldm .safetensors.
        config: of the model; its VAE must be of kind `kl`.

    Raises:
        CheckpointError: if its keys or shapes are wrong.
    """
    folder = Path(path) / "vae"
    if not folder.is_dir() and _is_autoencoder(Path(path)):
        folder = Path(path)
    if folder.is_dir():
        try:  # `low_cpu_mem_usage` needs accelerate.
            state = AutoencoderKL.from_pretrained(folder, local_files_only=True, low_cpu_mem_usage=False).state_dict()
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"SD 1.5 autoencoder in {folder}: cannot be read: {error}; download it again"
            ) from error
    elif Path(path).is_file():
        state = _from_ldm(read_state(Path(path)), len(config.vae.widths))
    else:
        return None
    if not state:
        return None
    vae = VAE(config.vae)
    expected = {key: tuple(value.shape) for key, value in vae.net.state_dict().items()}
    problems = describe_mismatch({key: tuple(value.shape) for key, value in state.items()}, expected)
    if problems:
        raise CheckpointError(f"SD 1.5 autoencoder in {path}: {problems}; give the autoencoder of Stable Diffusion 1.5")
    vae.net.load_state_dict(state)
    return vae


def _from_ldm(state: dict[str, Tensor], levels: int) -> dict[str, Tensor]:
    own = {key.removeprefix(LDM_PREFIX): value for key, value in state.items() if key.startswith(LDM_PREFIX)}
    renamed = rename(own, ldm_vae_table(levels))
    # ldm's attention projections are 1x1 convolutions, diffusers' are linear layers.
    attention = re.compile(r"\.attentions\.0\.to_.*weight$")
    return {
        key: value[:, :, 0, 0] if attention.search(key) and value.ndim == 4 else value for key, value in renamed.items()
    }
