"""Open what a run is given, and refuse early what cannot work."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...audio.encoder import load_encoder
from ...dataset.shards import Dataset
from ...errors import CheckpointError, InputError
from ..config import EMOConfig, SpeedConfig
from ..models.emo import EMO
from ..weights.checkpoint import Checkpoint, load_checkpoint
from .batches import check_dataset, stage_frames
from .cache import Encoders, check_cache
from .objective import Frozen
from .stages import StageConfig
from .train import Trainee

FEW = 4
"""Denoising steps of a distilled model, unless its user says otherwise."""


def begin(
    dataset: Dataset,
    init: Path,
    run: Path,
    stage: StageConfig,
    *,
    audio_encoder: Path | None = None,
    fresh: bool = False,
    resumed: EMOConfig | None = None,
) -> Trainee:
    """Load a checkpoint and match it with a dataset.

    Args:
        dataset: what to learn from.
        init: an EMO checkpoint.
        run: where the run goes.
        stage: what is going to be trained.
        audio_encoder: a local wav2vec2, where the checkpoint brings none.
        fresh: start the network from random weights; autoencoder and audio encoder are kept.
        resumed: the config that a run to be resumed was begun with: framing and speeds of what it has learnt from stay.

    Raises:
        InputError: for a dataset that does not fit, or a checkpoint without guidance to distil.
        CheckpointError: for a checkpoint that lacks a part, or is none.
    """
    checkpoint = load_checkpoint(init)
    frozen = frozen_parts(checkpoint, audio_encoder)
    config = with_dataset_framing(checkpoint.config, dataset)
    check_dataset(dataset, config, stage_frames(config, stage))
    check_cache(dataset, Encoders(config, frozen, torch.device("cpu")))
    untrained = fresh or not speed_is_trained(checkpoint.emo)
    if "speed" in stage.conditions and untrained and dataset.speed_quantiles:
        config = replace(config, speed=speed_buckets(config.speed, dataset.fastest))
    teacher = None
    if stage.guided:
        if config.diffusion.guidance == "joint" or config.diffusion.audio_scale == 1:
            raise InputError(
                "init: this stage distils a separate audio guidance; the checkpoint has none, or a scale of 1"
            )
        teacher = checkpoint.emo
        config = replace(config, diffusion=replace(config.diffusion, audio_scale=1.0, steps=FEW))
    config = resumed or config
    torch.manual_seed(stage.seed)
    emo = EMO(config)
    if not fresh:
        emo.load_state_dict(checkpoint.emo.state_dict())
    return Trainee(emo, frozen, dataset, run, teacher)


def frozen_parts(checkpoint: Checkpoint, audio_encoder: Path | None) -> Frozen:
    """The autoencoder and audio encoder of a checkpoint.

    Raises:
        CheckpointError: where one is missing.
    """
    if checkpoint.vae is None:
        raise CheckpointError(f"init: {checkpoint.path} has no VAE; build it with `python -m emo_core weights init`")
    encoder = checkpoint.audio_encoder
    if audio_encoder is not None:
        encoder = load_encoder(audio_encoder, checkpoint.config.audio)
    if encoder is None:
        audio = checkpoint.config.audio
        raise CheckpointError(
            f"init: {checkpoint.path} has no audio encoder; give a local wav2vec2 with {audio.layers} layers of width "
            f"{audio.width} (--audio-encoder)"
        )
    return Frozen(checkpoint.vae, encoder)


def speed_is_trained(emo: EMO) -> bool:
    """Speed attention starts at zero; anything else has been trained with the checkpoint's buckets."""
    return any(bool(value.any()) for name, value in emo.named_parameters() if ".attn_speed.to_out." in name)


def speed_buckets(config: SpeedConfig, fastest: float) -> SpeedConfig:
    """Buckets evenly from rest to `fastest`, which is the 95 % quantile of what is trained on; radii as wide as the gaps.

    The number of buckets stays, as it is a shape of the network.
    """
    count, fastest = len(config.centres), max(fastest, 1e-3)
    centres = np.linspace(0, fastest, count)
    gap = float(centres[1] - centres[0])
    return replace(config, centres=tuple(round(float(c), 4) for c in centres), radii=(round(gap, 4),) * count)


def resized(config: EMOConfig, size: int) -> EMOConfig:
    """The same network for pictures of another size; its layers take any.

    Raises:
        InputError: for a size that is not whole in latents.
    """
    try:
        return replace(config, image_size=size)
    except ValueError as error:
        raise InputError(f"size: {error}") from error


def with_dataset_framing(config: EMOConfig, dataset: Dataset) -> EMOConfig:
    """The model's config, saying where faces are in the pictures that it learns from."""
    return replace(config, face_share=dataset.face_share, face_centre=dataset.face_centre)
