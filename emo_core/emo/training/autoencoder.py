"""Stage `vae`: train the small autoencoder of `tiny` models on a dataset's pictures, on demand against a discriminator.

SD 1.5's autoencoder needs no training; a small one reconstructs only faces like those of its dataset.

Shape legend: B crops per step, s their side, C h w latent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...training.batches import Place, drawn_batches, moved
from ...training.discriminator import BETAS, RATE, Discriminator, discriminator_loss, generator_loss
from ...training.log import TrainingLog
from ...training.loop import Settings, train
from ...training.schedule import Limits, Schedule
from ...training.task import Learner, Task
from ..models.vae import VAE
from .pictures import Pictures, crops, crops_with_latents
from .reconstruction import PSNR, coarse_loss, detail_loss, moments_loss, picture_loss, reconstruction_psnr
from .stages import precision_of

NOISE = 0.05
"""Standard deviation of the noise on latents: a diffusion model leaves as much behind."""
MOMENTS, DETAIL = 0.05, 10.0
"""Weight of the pull towards unit variance, and of detail where generated latents are decoded."""
WARM_UP, EMA = 0.03, 0.999
"""Share of the run until the full learning rate; decay of the moving average."""
HEAD_START = 0.05
"""Share of the run in which the discriminator trains and the autoencoder does not see its loss."""
EVERY = 500
"""Steps between lines of the log, validations and checkpoints."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoencoderSettings:
    """How the autoencoder trains."""

    batch: int = 8
    """Crops per step."""
    decoder_only: bool = False
    """Freeze the encoder, for a network that was trained on its latents."""
    precision: str = "auto"
    """auto, no or bf16; see `StageConfig.precision`."""
    learning_rate: float = 1e-3
    """Largest learning rate, with cosine decay."""
    adversarial: float = 0.0
    """Weight of the discriminator's loss beside the others; 0 trains without one."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Crops:
    """A batch: B crops to encode and, behind them, as many with latents or none."""

    images: Tensor
    """(B or 2B, 3, s, s) in [-1, 1]"""
    weight: Tensor
    """(B, 1, s, s) of each pixel of the first B."""
    latents: Tensor | None
    """(B, C, h, w) of the other B."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Crops":
        """On another device."""
        return moved(self, device)


class Reconstruction(nn.Module):
    """The autoencoder's pass over a batch as one `forward`, which is what distributed wrappers synchronise."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, images: Tensor, latents: Tensor | None) -> tuple[Tensor, Tensor]:
        """Encode images (B, 3, s, s), decode them with noise, and more latents (B, C, h, w) or None beside them.

        Returns:
            latents of the images (B, C, h, w), decoded pictures (B or 2B, 3, s, s).
        """
        encoded = self.vae.encode(images)
        noisy = encoded + NOISE * torch.randn_like(encoded)
        return encoded, self.vae.decode(noisy if latents is None else torch.cat([noisy, latents]))


class AutoencoderTask(Task):
    """The autoencoder, after its discriminator if there is one."""

    def __init__(
        self,
        vae: VAE,
        pictures: Pictures,
        held_out: Pictures,
        settings: AutoencoderSettings,
        generated: Pictures | None,
    ) -> None:
        self._vae, self._settings = vae, settings
        self._pictures, self._generated = pictures, generated
        self._validation = held_out if len(held_out.frames) else pictures
        vae.requires_grad_(True)
        vae.net.encoder.requires_grad_(not settings.decoder_only)
        parameters = [value for value in vae.parameters() if value.requires_grad]
        autoencoder = Learner(
            network=Reconstruction(vae),
            optimiser=torch.optim.AdamW(parameters, settings.learning_rate, betas=(0.9, 0.99)),
            schedule=Schedule(
                rate=settings.learning_rate, warm_up_share=WARM_UP, decay="cosine", decay_from=0.0, decay_to=0.01
            ),
            ema=EMA,
            clip=1.0,
        )
        self._discriminator = Discriminator() if settings.adversarial else None
        self.learners = (autoencoder,)
        if self._discriminator is not None:
            optimiser = torch.optim.AdamW(self._discriminator.parameters(), RATE, betas=BETAS)
            discriminator = Learner(
                network=self._discriminator, optimiser=optimiser, schedule=Schedule(rate=RATE), name="discriminator"
            )
            self.learners = (discriminator, autoencoder)

    def prepare(self, place: Place) -> None:
        self._pictures, self._validation = self._pictures.to(place.device), self._validation.to(place.device)
        self._generated = None if self._generated is None else self._generated.to(place.device)

    def batches(self, place: Place, consumed: int) -> Iterator[Crops]:
        return drawn_batches(self._draw, place, consumed, seed=self._settings.seed)

    def _draw(self, generator: torch.Generator) -> Crops:
        count = self._settings.batch
        images, weight, names = crops(self._pictures, count, generator)
        if self._generated is None:
            return Crops(images, weight, None, names)
        more, latents = crops_with_latents(self._generated, count, generator)
        return Crops(torch.cat([images, more]), weight, latents, names)

    def losses(self, batch: Crops, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        """The discriminator's, if there is one, then the autoencoder's."""
        count = self._settings.batch
        latents, output = (part.float() for part in networks[-1](batch.images[:count], batch.latents))
        if self._discriminator is not None:
            yield discriminator_loss(networks[0], batch.images, output)
        loss = picture_loss(output[:count], batch.images[:count], batch.weight) + MOMENTS * moments_loss(latents)
        if batch.latents is not None:
            loss = loss + coarse_loss((output - batch.images)[count:]) + DETAIL * detail_loss(output, batch.images)
        if self._discriminator is not None and share >= HEAD_START:
            weight = self._settings.adversarial
            loss = loss + generator_loss(self._discriminator, output, loss, last_weight(self._vae), weight)
        yield loss

    def validate(self, step: int, log: TrainingLog) -> None:
        psnr = self.psnr()
        log.write(step, psnr=psnr.picture, mouth_psnr=psnr.mouth)

    def psnr(self) -> PSNR:
        """Of held-out pictures, or of the training pictures if none are held out."""
        return reconstruction_psnr(self._vae, self._validation)


def last_weight(vae: VAE) -> nn.Parameter:
    """Weight of the decoder's last convolution."""
    *_, weight = (value for value in vae.net.decoder.parameters() if value.ndim == 4)
    return weight


def train_autoencoder(
    vae: VAE,
    pictures: tuple[Pictures, Pictures],
    limits: Limits,
    settings: AutoencoderSettings = AutoencoderSettings(),
    *,
    folder: Path | None = None,
    resume: bool = False,
    generated: Pictures | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> PSNR:
    """Train on pictures; then the autoencoder holds the averaged weights, and no gradient reaches them.

    Args:
        vae: of kind `tiny`.
        pictures: of the model's size, to train on and to validate with; the latter may be none.
        limits: when to end.
        settings: batch, learning rate and the like.
        folder: for checkpoints and log; None writes none.
        resume: continue from the newest checkpoint in the folder.
        generated: pictures with latents, of which each step decodes as many again; they train coarse scales and detail.
        report: gets lines of progress.

    Returns:
        PSNR at the end.

    Raises:
        InputError: for another kind.
        Cancelled, TrainingError: see `loop.train`.
    """
    if vae.config.kind != "tiny":
        raise InputError("stage vae: this model has Stable Diffusion's autoencoder, which needs no training")
    task = AutoencoderTask(vae, *pictures, settings, generated)
    loop_settings = Settings(
        batch=settings.batch,
        precision=precision_of(settings.precision),
        log_every=EVERY,
        save_every=EVERY,
        validate_every=EVERY,
    )
    train(task, loop_settings, limits, folder, resume=resume, report=report)
    vae.eval().requires_grad_(False)
    return task.psnr()
