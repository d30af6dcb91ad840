"""The conditions of a batch of clips: the one object that crosses from the inputs to the network.

Shape legend: B clips, M motion frames, C latent channels, H W latent side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Conditions:
    """Values by the name of their condition (`table.CONDITIONS`), and the motion frames."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """A condition that is missing, or None, leaves its layers out. The shapes stand in each condition's file."""
    motion: Tensor | None = None
    """(B, M, C, H, W) latents of the previous clip's last frames; None leaves the temporal modules out (images)."""
    motion_known: Tensor | None = None
    """(B,) False if there is no previous clip: its maps are zeros. None: all known."""

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def replaced(self, **values: Any) -> "Conditions":
        """The same with other values."""
        return replace(self, values={**self.values, **values})
