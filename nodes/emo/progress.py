"""Progress bar, latent preview and Cancel, all at every denoising step."""

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
"""What the host's progress bar takes: format, picture, largest side."""


class StepProgress:
    """Told of each step; raises the host's interrupt when the user has pressed Cancel."""

    def __init__(self, model: EmoModel, total: int, done: int = 0) -> None:
        """A bar over `total` steps, of which `done` are behind."""
        self._bar = comfy.utils.ProgressBar(total)
        self._total = total
        self._done = done
        self._preview = _previewer(model)
        own = isinstance(model.vae, EmoVAE) and args.preview_method != LatentPreviewMethod.NoPreviews
        self.models = [model.vae.patcher] if own else []
        """What the previews need loaded."""

    def __call__(self, step: Step) -> None:
        """Count a step, show the clip's last frame as it looks now."""
        mm.throw_exception_if_processing_interrupted()
        self._done += 1
        self._bar.update_absolute(self._done, self._total, self._preview(step.preview[-1:]))


def frame_progress(total: int) -> Callable[[int], None]:
    """A bar over frames; it is told how many are done."""
    bar = comfy.utils.ProgressBar(total)

    def report(done: int) -> None:
        mm.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    return report


def _previewer(model: EmoModel) -> Callable[[Tensor], Preview | None]:
    """The host's previewer for SD 1.5 latents; emo-mini's own VAE is as quick, and shows the real picture."""
    if args.preview_method == LatentPreviewMethod.NoPreviews:
        return lambda latents: None
    if isinstance(model.vae, EmoVAE):
        return lambda latents: _picture(model, latents)
    host: Any = latent_preview.get_previewer(model.network.load_device, SD15())
    return lambda latents: host and host.decode_latent_to_preview_image("JPEG", latents)


def _picture(model: EmoModel, latents: Tensor) -> Preview:
    frame = model.vae.decode_loaded(latents / model.config.vae.scaling_factor)[0]
    pixels = (frame * 255).round().byte().cpu().numpy()
    return "JPEG", Image.fromarray(pixels), latent_preview.MAX_PREVIEW_RESOLUTION
