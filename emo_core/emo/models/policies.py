"""The policy of each model."""

from ..config import EMOConfig
from .peers.hallo import HalloPolicy
from .reference_policy import PaperPolicy, ReferencePolicy


def policy_of(config: EMOConfig) -> ReferencePolicy:
    """The paper's, or that of the peer whose blocks the config names."""
    return HalloPolicy() if config.block.reference == "concat" else PaperPolicy()
