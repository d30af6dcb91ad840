"""Import of Hallo's and Hallo2's `net.pth`: tensors are renamed, and those without influence are left out.

The result is compared with the model's own keys; unknown and missing keys are errors.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...errors import CheckpointError
from ..config import HALLO, EMOConfig
from ..models.emo import EMO
from .checkpoint import describe_mismatch
from .keys import open_state, rename
from .sd15 import ANIMATEDIFF, DIFFUSERS

TABLE = (
    (r"\.transformer_blocks\.0\.norm2\.", ".transformer_blocks.0.norm_id."),
    (r"\.transformer_blocks\.0\.attn2\.", ".transformer_blocks.0.attn_id."),
    (r"^(down|up)_blocks\.(\d+)\.audio_modules\.(\d+)\.", r"\1.\2.sites.\3.regions."),
    (r"^mid_block\.audio_modules\.0\.", "mid_site.regions."),
    (r"(\.regions\.transformer_blocks\.0)\.norm_id\.", r"\1.norm2."),
    (r"\.attn2_(\d)\.", r".heads.\1."),
    (r"\.zero_conv_full\.", ".zeros.0."),
    (r"\.zero_conv_face\.", ".zeros.1."),
    (r"\.zero_conv_lip\.", ".zeros.2."),
    *DIFFUSERS,
    *ANIMATEDIFF,
)
"""Keys inside both UNets: Hallo -> EMO."""
PARTS = {
    "reference_unet": "reference_net",
    "denoising_unet": "backbone",
    "face_locator": "face_locator",
    "imageproj": "identity_projection",
    "audioproj": "audio_projection",
}
"""Top-level modules: Hallo -> EMO."""
UNETS = ("reference_unet", "denoising_unet")
LEFT_OUT = (
    re.compile(r"\.pos_encoder\.pe$"),
    re.compile(r"^denoising_unet\.(down_blocks\.3|up_blocks\.0)\.motion_modules\."),
)
"""Position tables, which are computed, and the temporal modules of the deepest level, which Hallo never runs."""


def load_hallo(path: Path, config: EMOConfig = HALLO) -> dict[str, Tensor]:
    """Read a `net.pth` (or the same as .safetensors) as the state of an `EMO`; tensors stay on disk until they are used.

    Raises:
        InputError: if there is no file.
        CheckpointError: if it cannot be read safely, or is not Hallo's.
    """
    return hallo_state(open_state(path), config)


def hallo_state(state: Mapping[str, Tensor], config: EMOConfig = HALLO) -> dict[str, Tensor]:
    """Rename Hallo's tensors.

    Raises:
        CheckpointError: if keys are unknown, missing or misshaped, or the file is from another project.
    """
    _check_kind(state)
    ours: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        if not any(pattern.search(key) for pattern in LEFT_OUT):
            part, _, rest = key.partition(".")
            parts.setdefault(part, {})[rest] = value
    for part, tensors in parts.items():
        named = rename(tensors, TABLE) if part in UNETS else tensors
        ours |= {f"{PARTS.get(part, part)}.{key}": _flat(key, value) for key, value in named.items()}
    with torch.device("meta"):
        expected = {key: tuple(value.shape) for key, value in EMO(config).state_dict().items()}
    problems = describe_mismatch({key: tuple(value.shape) for key, value in ours.items()}, expected)
    if problems:
        raise CheckpointError(
            f"hallo: this is not a whole net.pth: {problems}; download it again from the Hallo release"
        )
    return ours


def _flat(key: str, value: Tensor) -> Tensor:
    """The weights of a 1x1 convolution over tokens, as those of a linear layer."""
    return value[:, :, 0, 0] if ".zeros." in key and value.ndim == 4 else value


def _check_kind(state: Mapping[str, Tensor]) -> None:
    if any(".attn1_5." in key for key in state):
        raise CheckpointError("hallo: this file is a part of V-Express (it has attn1_5); give Hallo's net.pth")
    if not any(key.startswith("denoising_unet.") and ".audio_modules." in key for key in state):
        modules = ", ".join(sorted({key.partition(".")[0] for key in state})[:6])
        raise CheckpointError(
            f"hallo: no denoising_unet with audio_modules in this file (it has: {modules}); give net.pth of Hallo or Hallo2"
        )
