"""The host's command line."""

import argparse
import enum


class LatentPreviewMethod(enum.Enum):
    NoPreviews = "none"
    Latent2RGB = "latent2rgb"


args = argparse.Namespace(preview_method=LatentPreviewMethod.NoPreviews, cache_none=False, cpu=True)
