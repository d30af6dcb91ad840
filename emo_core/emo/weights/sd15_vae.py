"""Import of SD 1.5's autoencoder from a diffusers folder or a single ldm file."""

import json
import re
from pathlib import Path

from torch import Tensor

from ...errors import CheckpointError
from ..config import SD15, EMOConfig
from ..models.vae import VAE
from .checkpoint import describe_mismatch
from .keys import read_state, rename

LDM_PREFIX = "first_stage_model."
FILES = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
)
"""Weight files of a diffusers folder; the first one found is read."""
OLD_ATTENTION = (
    (r"\.attentions\.0\.query\.", ".attentions.0.to_q."),
    (r"\.attentions\.0\.key\.", ".attentions.0.to_k."),
    (r"\.attentions\.0\.value\.", ".attentions.0.to_v."),
    (r"\.attentions\.0\.proj_attn\.", ".attentions.0.to_out.0."),
)
"""Keys of diffusers before 0.17, which the public SD 1.5 folders and sd-vae-ft-mse still have."""


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


def load_sd15_vae(path: Path, config: EMOConfig = SD15) -> VAE | None:
    """Read SD 1.5's autoencoder; None if there is none at `path`.

    Args:
        path: a diffusers folder with `vae/`, that folder itself, or a single ldm .safetensors.
        config: of the model; its VAE must be of kind `kl`.

    Raises:
        CheckpointError: if its file is missing or damaged, or its keys or shapes are wrong.
    """
    path = Path(path)
    if path.is_file():
        state = _from_ldm(read_state(path), len(config.vae.widths))
    elif folder := _folder_of(path):
        state = _read_folder(folder)
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


def _folder_of(path: Path) -> Path | None:
    """The folder of the autoencoder itself: `vae/` inside `path`, or `path`, as that of sd-vae-ft-mse."""
    if (path / "vae").is_dir():
        return path / "vae"
    return path if _class_name(path) == "AutoencoderKL" else None


def _class_name(folder: Path) -> str:
    """`_class_name` of a folder's config.json; empty if there is none."""
    config = folder / "config.json"
    try:
        fields = json.loads(config.read_text()) if config.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"SD 1.5 autoencoder: {config} cannot be read: {error}; download it again") from error
    return str(fields.get("_class_name", "")) if isinstance(fields, dict) else ""


def _read_folder(folder: Path) -> dict[str, Tensor]:
    for name in FILES:
        if (folder / name).is_file():
            return rename(read_state(folder / name), OLD_ATTENTION)
    raise CheckpointError(f"SD 1.5 autoencoder: none of {', '.join(FILES)} is in {folder}; download the folder again")
