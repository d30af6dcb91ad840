"""Conditions: the one object that crosses from the inputs (face, audio, speed) to the sampler and the trainer."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a batch of clips is generated from.

    Shape legend: B clips, F frames, M motion frames, C latent channels, H W latent side, S side of the mask,
    W = 2m + 1 frames in a window, L wav2vec layers, D their width.
    """

    reference: Tensor
    """(B, C, H, W) latent of the portrait."""
    motion: Tensor | None
    """(B, M, C, H, W) latents of the previous clip's last frames; None leaves the temporal modules out (images)."""
    motion_known: Tensor | None = None
    """(B,) False where there is no previous clip: its maps are zeros. None: all known."""
    audio: Tensor | None = None
    """(B, F, W, L, D) windows of wav2vec features; None leaves the audio layers out."""
    mask: Tensor | None = None
    """(B, 1, S, S) face region in [0, 1]; None adds nothing to the latents."""
    identity: Tensor | None = None
    """(B, E) face embedding; None is an unknown face (zeros). Read by models with identity tokens only."""
    regions: tuple[Tensor, ...] | None = None
    """Per level of the UNet, finest first: (B, F, 3, h, w), how much of what the voice does belongs to the whole picture (pose), to
    the face, to the lips. Needed by models whose audio layers have regions."""
    region_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of pose, face and lips."""
    speed: Tensor | None = None
    """(B, F + 2m) head rotation speed with its m neighbours; None leaves the speed layers out."""
