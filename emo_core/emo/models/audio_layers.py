"""From windows of wav2vec features to the tokens that the audio layers attend to (paper section 3.2).

Shape legend: B clips, F frames, W = 2m + 1 frames in a window, L wav2vec layers, D their width, T tokens.
"""

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ..config import AudioConfig
from .attention import TORCH, Layers


class AudioProjection(nn.Module):
    """A_gen(f) = {A(f-m) .. A(f+m)}, all layers concatenated -> MLP -> tokens."""

    def __init__(self, config: AudioConfig, *, ops: Layers = TORCH) -> None:
        super().__init__()
        self.tokens = config.tokens
        inputs = (2 * config.window + 1) * config.layers * config.width
        self.proj1 = ops.Linear(inputs, config.hidden)
        self.proj2 = ops.Linear(config.hidden, config.hidden)
        self.proj3 = ops.Linear(config.hidden, config.tokens * config.token_width)
        self.norm = ops.LayerNorm(config.token_width)

    def forward(self, windows: Tensor) -> Tensor:
        """(B, F, W, L, D) to (B, F, T, token_width)."""
        x = rearrange(windows, "b f w l d -> b f (w l d)")
        x = functional.relu(self.proj2(functional.relu(self.proj1(x))))
        return self.norm(rearrange(self.proj3(x), "b f (t d) -> b f t d", t=self.tokens))
