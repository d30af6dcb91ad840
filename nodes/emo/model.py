"""An EMO model under the host's memory management, which chooses device and precision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management as mm
import torch
from comfy.model_patcher import ModelPatcher
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...emo_core.emo.config import EMOConfig
from ...emo_core.emo.models.vae import VAE
from ...emo_core.emo.sampling.denoiser import Denoiser
from ...emo_core.emo.weights.checkpoint import checkpoint_size, load_checkpoint
from ...emo_core.errors import CheckpointError
from ..host.layers import host_layers
from ..host.patcher import managed
from .clip_files import ClipFiles
from .clip_key import model_identity
from .clip_store import ClipStore
from .folders import clip_folder
from .vae import EmoVAE, host_vae

PRECISIONS = [torch.float16, torch.bfloat16, torch.float32]


@dataclass(frozen=True, slots=True)
class EmoModel:
    """The value of EMO_MODEL sockets. It is frozen, because many nodes share it."""

    name: str
    config: EMOConfig
    network: ModelPatcher
    """Of a `Denoiser`."""
    encoder: ModelPatcher | None
    """Of an `AudioEncoder`; None if the checkpoint contains none."""
    vae: Any | None
    """The checkpoint's VAE with the host's interface; None if the checkpoint contains none."""
    clips: ClipStore
    """Clips that this model has finished."""

    @property
    def patcher(self) -> ModelPatcher:
        """The network. The host's cache looks for this name: under memory pressure it drops old models first."""
        return self.network

    def get_models(self) -> list[ModelPatcher]:
        """All models. The host keeps those of the running prompt in memory."""
        parts = (self.network, self.encoder, self.vae and self.vae.patcher)
        return [part for part in parts if part is not None]

    def is_dynamic(self) -> bool:
        """Whether the host moves all weights piece by piece. Older hosts do not ask."""
        return all(model.is_dynamic() for model in self.get_models())

    def load_denoiser(self, passes: int, others: list[ModelPatcher]) -> Denoiser:
        """Load the network for a clip.

        ReferenceNet and Backbone are one model for the host. Load nothing else until the clip is finished: the host could
        unload the network for it.

        Args:
            passes: number of guidance passes.
            others: models that the steps need beside the network.
        """
        mm.load_models_gpu([self.network, *others], memory_required=self.working_memory(passes))
        return self.network.model

    def working_memory(self, passes: int) -> float:
        """Bytes of activations, by the host's rule for SD 1.5 (comfy/model_base.py), over all frames of all passes."""
        area = passes * self.config.temporal.frames * self.config.latent_size**2
        return area * self.network.model.dtype.itemsize * 0.01 * 2**20

    @torch.no_grad()
    def encode_sound(self, samples: Tensor) -> Tensor:
        """(1, S) samples at 16 kHz to wav2vec features (1, T, L, D)."""
        mm.load_models_gpu([self.encoder], force_full_load=True)  # transformers' layers cannot stream their weights.
        return self.encoder.model(samples.to(self.encoder.load_device))


def load_model(path: Path) -> EmoModel:
    """Load a checkpoint onto the host's offload device, in the host's precision.

    Raises:
        InputError, CheckpointError: if the file is not a complete EMO checkpoint.
    """
    device = mm.get_torch_device()
    dtype = mm.unet_dtype(device, checkpoint_size(path), PRECISIONS)
    dtype = mm.unet_manual_cast(dtype, device, PRECISIONS) or dtype
    checkpoint = load_checkpoint(path, dtype=dtype, vae_dtype=torch.float32, ops=host_layers(device))
    encoder, folder = checkpoint.audio_encoder, clip_folder()
    return EmoModel(
        name=checkpoint.config.name,
        config=checkpoint.config,
        network=managed(Denoiser(checkpoint.emo), device, mm.unet_offload_device()),
        encoder=encoder and managed(encoder, mm.text_encoder_device(), mm.text_encoder_offload_device()),
        vae=None if checkpoint.vae is None else _vae(checkpoint.vae, path),
        clips=ClipStore(model_identity(path), None if folder is None else ClipFiles(folder)),
    )


def reload_vae(path: Path, disable_dynamic: bool = False) -> ModelPatcher:
    """Load a checkpoint's VAE again: the host asks for a second copy on another GPU. It makes its own kind of patcher."""
    return _vae(load_checkpoint(path, vae_dtype=torch.float32).vae, path).patcher


def _vae(vae: VAE, path: Path) -> Any:
    adapter = EmoVAE if vae.config.kind == "tiny" else host_vae
    return adapter(vae, (reload_vae, (path,)))


def missing_vae(model: EmoModel) -> ExecutionBlocker:
    """The loader's VAE output for a checkpoint without VAE: it stops the nodes wired to it, with this message."""
    return ExecutionBlocker(f"{model.name} contains no VAE; use Load VAE with a Stable Diffusion 1.5 VAE instead")


def require_encoder(model: EmoModel) -> EmoModel:
    """Return the model if it contains an audio encoder.

    Raises:
        CheckpointError: if it contains none.
    """
    if model.encoder is None:
        audio = model.config.audio
        raise CheckpointError(
            f"{model.name} contains no audio encoder; wire the host's Audio Encoder Encode to `encoded_audio`, with a "
            f"wav2vec2 of {audio.layers} layers of width {audio.width}"
        )
    return model
