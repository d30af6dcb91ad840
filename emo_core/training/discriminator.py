"""An adversary for the autoencoder, so that it draws skin and teeth where squared errors alone would blur them.

Shape legend: B pictures, s their side.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTHS = (64, 128, 256)
RATE, BETAS = 4e-4, (0.5, 0.9)
HEAD_START = 0.05
"""Share of a run in which only the critic learns from the other's pictures."""


class Discriminator(nn.Module):
    """Says of every patch of a picture whether it is photographed (PatchGAN, arXiv 1611.07004; spectral norms, 1802.05957)."""

    def __init__(self) -> None:
        super().__init__()
        layers, before = [], 3
        for width in WIDTHS:
            layers += [spectral_norm(nn.Conv2d(before, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
            before = width
        self.net = nn.Sequential(*layers, spectral_norm(nn.Conv2d(before, 1, 3, 1, 1)))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, s, s) in [-1, 1] to (B, 1, s / 8, s / 8), positive where it believes."""
        return self.net(pictures)


class Adversary:
    """A critic that learns beside the one it judges."""

    def __init__(self, weight: float, device: torch.device) -> None:
        """`weight` is the pull at the last layer relative to that of the other losses (arXiv 2012.09841, equation 7)."""
        self.weight = weight
        self.critic = Discriminator().to(device)
        self._optimiser = torch.optim.AdamW(self.critic.parameters(), RATE, betas=BETAS)

    def loss(self, made: Tensor, other: Tensor, last: nn.Parameter) -> Tensor:
        """What the maker of `made` (B, 3, s, s) has to lower beside its `other` loss; `last` is the weight of its last layer."""
        self.critic.requires_grad_(False)
        doubted = -self.critic(made).mean()
        self.critic.requires_grad_(True)
        pulls = [torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (other, doubted)]
        return self.weight * (pulls[0] / (pulls[1] + 1e-6)).clamp(max=1e4).detach() * doubted

    def learn(self, true: Tensor, made: Tensor) -> None:
        """One step of the critic, with hinge losses."""
        believed, doubted = self.critic(torch.cat([true, made.detach()])).chunk(2)
        loss = (1 - believed).relu().mean() + (1 + doubted).relu().mean()
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
