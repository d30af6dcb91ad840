"""An EMO model in the host's hands: it decides device, precision, and what stays in the GPU's memory."""

from dataclasses import dataclass
from pathlib import Path

import comfy.model_management as mm
import comfy.ops
import torch
from comfy.model_patcher import ModelPatcher
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...emo_core.emo.config import EMOConfig
from ...emo_core.emo.sampling.denoiser import Denoiser
from ...emo_core.emo.weights.checkpoint import checkpoint_size, load_checkpoint
from ...emo_core.errors import CheckpointError
from .vae import EmoVAE, host_vae

PRECISIONS = [torch.float16, torch.bfloat16, torch.float32]


@dataclass(frozen=True, slots=True)
class EmoModel:
    """What travels over EMO_MODEL sockets; frozen, so that nodes cannot disturb each other."""

    name: str
    config: EMOConfig
    network: ModelPatcher
    """Of a `Denoiser`."""
    encoder: ModelPatcher | None
    """Of an `AudioEncoder`; None: the checkpoint brings none."""
    vae: object | None
    """The checkpoint's own, with the host's interface."""

    def denoiser(self, passes: int, beside: list[ModelPatcher]) -> Denoiser:
        """The network, on its device and ready for a clip with so many guidance passes.

        Until the clip is done nothing else may be asked for, or it could be pushed out: ReferenceNet and Backbone are one
        model for the host, and what else the steps need is given as `beside`.
        """
        mm.load_models_gpu([self.network, *beside], memory_required=self.working_memory(passes))
        return self.network.model

    def working_memory(self, passes: int) -> float:
        """Bytes for activations: the host's rule for SD 1.5 (comfy/model_base.py), over all frames of all passes."""
        area = passes * self.config.temporal.frames * self.config.latent_size**2
        return area * self.network.model.dtype.itemsize * 0.01 * 2**20

    @torch.no_grad()
    def encode_sound(self, samples: Tensor) -> Tensor:
        """(1, S) samples at 16 kHz to wav2vec features (1, T, L, D)."""
        mm.load_models_gpu([self.encoder], force_full_load=True)  # transformers' layers cannot stream their weights.
        return self.encoder.model(samples.to(self.encoder.load_device))


def load_model(path: Path) -> EmoModel:
    """Open a checkpoint on the host's terms; weights wait on its offload device.

    Raises:
        InputError, CheckpointError: where the file cannot be used.
    """
    device = mm.get_torch_device()
    dtype = mm.unet_dtype(device, checkpoint_size(path), PRECISIONS)
    dtype = mm.unet_manual_cast(dtype, device, PRECISIONS) or dtype
    loaded = load_checkpoint(path, dtype=dtype, vae_dtype=torch.float32, ops=comfy.ops.disable_weight_init)
    encoder = loaded.audio_encoder
    return EmoModel(
        name=loaded.config.name,
        config=loaded.config,
        network=ModelPatcher(Denoiser(loaded.emo), device, mm.unet_offload_device()),
        encoder=encoder and ModelPatcher(encoder, mm.text_encoder_device(), mm.text_encoder_offload_device()),
        vae=None if loaded.vae is None else _vae(loaded.vae),
    )


def _vae(vae: torch.nn.Module) -> object:
    return EmoVAE(vae) if vae.config.kind == "tiny" else host_vae(vae)


def missing_vae(model: EmoModel) -> ExecutionBlocker:
    """Stops what is wired to the loader's VAE output, with a reason."""
    return ExecutionBlocker(f"{model.name} brings no VAE: use Load VAE with one for Stable Diffusion 1.5 instead")


def needs_encoder(model: EmoModel) -> EmoModel:
    """Return the model if it brings its audio encoder.

    Raises:
        CheckpointError: otherwise.
    """
    if model.encoder is None:
        audio = model.config.audio
        raise CheckpointError(
            f"{model.name} brings no audio encoder; wire the host's Audio Encoder Encode to `encoded_audio`, with a "
            f"wav2vec2 of {audio.layers} layers of width {audio.width}"
        )
    return model
