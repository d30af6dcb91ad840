"""Shape of the audio features that a model reads."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioFeaturesConfig:
    """The encoder's layers, and the window of frames around each video frame."""

    layers: int = 12
    """Transformer layers of wav2vec whose outputs are read."""
    width: int = 768
    """Width of each of those outputs."""
    window: int = 2
    """m: a frame reads the features of frames f-m .. f+m."""
    encoder: str = ""
    """JSON of the transformers Wav2Vec2Config if the checkpoint ships its encoder, else empty."""
