"""Progress bar, latent preview and Cancel, at every denoising step."""

from collections.abc import Callable
from typing import Any

import comfy.model_management as mm
import comfy.utils
import latent_preview
from comfy.cli_args import LatentPreviewMethod, args
from comfy.latent_formats import SD15
from PIL import Image
from torch import Tensor

from ...emo_core.emo.sampling.sampler import Step
from .model import EmoModel
from .vae import EmoVAE

Preview = tuple[str, Image.Image, int]
"""A preview for the host's progress bar: format, picture, largest side in pixels."""


class StepProgress:
    """The callback of the sampler: moves the bar, shows a preview, raises the host's interrupt after Cancel."""

    def __init__(self, model: EmoModel, total: int, done: int = 0) -> None:
        """Start a bar over `total` steps, of which `done` are finished."""
        self._bar = comfy.utils.ProgressBar(total)
        self._total = total
        self._done = done
        self._preview = _previewer(model)
        decodes = isinstance(model.vae, EmoVAE) and args.preview_method != LatentPreviewMethod.NoPreviews
        self.models = [model.vae.patcher] if decodes else []
        """Models that the previews need loaded."""

    def __call__(self, step: Step) -> None:
        """Count a step, and preview the clip's last frame."""
        mm.throw_exception_if_processing_interrupted()
        self._done += 1
        self._bar.update_absolute(self._done, self._total, self._preview(step))

    def skip(self, steps: int) -> None:
        """Count the steps of a clip that is finished already."""
        mm.throw_exception_if_processing_interrupted()
        self._done += steps
        self._bar.update_absolute(self._done, self._total)


def _previewer(model: EmoModel) -> Callable[[Step], Preview | None]:
    """Draws a clip's last frame: the host's previewer for SD 1.5 latents, or the small VAE of emo-mini, which is as fast and shows the real picture."""
    if args.preview_method == LatentPreviewMethod.NoPreviews:
        return lambda step: None  # The step computes its preview only if it is read.
    if isinstance(model.vae, EmoVAE):
        return lambda step: _decode(model, step.preview[-1:])
    host: Any = latent_preview.get_previewer(model.network.load_device, SD15())
    if host is None:
        return lambda step: None
    return lambda step: host.decode_latent_to_preview_image("JPEG", step.preview[-1:])


def _decode(model: EmoModel, latents: Tensor) -> Preview:
    frame = model.vae.decode_loaded(latents / model.config.vae.scaling_factor)[0]
    pixels = (frame * 255).round().byte().cpu().numpy()
    return "JPEG", Image.fromarray(pixels), latent_preview.MAX_PREVIEW_RESOLUTION
