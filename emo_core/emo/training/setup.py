"""Set up a run from a dataset and a checkpoint, and refuse early those that do not fit each other."""

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
from .train import StageRun

FEW = 4
"""Default denoising steps of a distilled model."""


def setup_stage(
    dataset: Dataset,
    init: Path,
    folder: Path,
    stage: StageConfig,
    *,
    audio_encoder: Path | None = None,
    fresh: bool = False,
    resumed: EMOConfig | None = None,
) -> StageRun:
    """Load a checkpoint and match it with a dataset.

    Args:
        dataset: to train on.
        init: an EMO checkpoint.
        folder: of the run.
        stage: to train.
        audio_encoder: a local wav2vec2, if the checkpoint has none.
        fresh: start the network from random weights; autoencoder and audio encoder stay.
        resumed: the config of a run to resume, whose framing and speeds stay though the dataset may have changed.

    Raises:
        InputError: for a dataset that does not fit or has no labels for the stage, or a checkpoint without guidance to distil.
        CheckpointError: for a checkpoint that lacks a part, or is none.
    """
    checkpoint = load_checkpoint(init)
    frozen = frozen_parts(checkpoint, audio_encoder)
    config = with_dataset_framing(checkpoint.config, dataset)
    check_dataset(dataset, config, stage_frames(config, stage))
    check_cache(dataset, Encoders(config, frozen, torch.device("cpu")))
    if "emotion" in stage.conditions:
        config = with_emotions(config, dataset, stage, fresh=fresh)
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
    if not fresh:  # Emotion layers that the checkpoint does not have start at zero.
        emo.load_state_dict(emo.state_dict() | checkpoint.emo.state_dict())
    return StageRun(emo, frozen, dataset, folder, teacher)


def frozen_parts(checkpoint: Checkpoint, audio_encoder: Path | None) -> Frozen:
    """The autoencoder and audio encoder of a checkpoint.

    Raises:
        CheckpointError: if one is missing.
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
    """Whether speed attention was trained, with the checkpoint's buckets; it starts at zero."""
    return any(bool(value.any()) for name, value in emo.named_parameters() if ".attn_speed.to_out." in name)


def speed_buckets(config: SpeedConfig, fastest: float) -> SpeedConfig:
    """Buckets evenly from rest to `fastest`, the 95 % quantile of the dataset's speeds; radii as wide as the gaps.

    The number of buckets stays, as it is a shape of the network.
    """
    count, fastest = len(config.centres), max(fastest, 1e-3)
    centres = np.linspace(0, fastest, count)
    gap = float(centres[1] - centres[0])
    return replace(config, centres=tuple(round(float(c), 4) for c in centres), radii=(round(gap, 4),) * count)


def with_emotions(config: EMOConfig, dataset: Dataset, stage: StageConfig, *, fresh: bool = False) -> EMOConfig:
    """The model's config with the emotions of a dataset; a model without emotion layers gets them if the stage trains them.

    Raises:
        InputError: for a dataset without emotions or with one that the layers do not read, or a model without layers in a stage that
            does not train them.
    """
    emotion, trains = config.emotion, "emotion" in stage.trains
    if not dataset.emotions:
        raise InputError(
            f"data: no clip of {dataset.folder} is labelled with an emotion; label it: `python -m emo_core label`"
        )
    if not emotion.layers and not trains:
        raise InputError(
            f"config: emotion is a condition, but {config.name} has no emotion layers, and this stage does not train them; "
            "begin with stage emotion"
        )
    if strange := [name for name in dataset.emotions if name not in emotion.names]:
        raise InputError(
            f"data: {dataset.folder} is labelled with {strange[0]}; the emotion layers of {config.name} read "
            f"{', '.join(emotion.names)}"
        )
    known = {*dataset.emotions, *(() if fresh else emotion.trained)} if trains else {*emotion.trained}
    try:
        return replace(
            config,
            emotion=replace(emotion, layers=True, trained=tuple(name for name in emotion.names if name in known)),
        )
    except ValueError as error:
        raise InputError(f"init: {error}; choose a checkpoint of the paper's blocks") from error


def resized(config: EMOConfig, size: int) -> EMOConfig:
    """The same network for pictures of another size; its layers take any.

    Raises:
        InputError: for a size that is no whole number of latent cells.
    """
    try:
        return replace(config, image_size=size)
    except ValueError as error:
        raise InputError(f"size: {error}") from error


def with_dataset_framing(config: EMOConfig, dataset: Dataset) -> EMOConfig:
    """The model's config with the place of faces in the dataset's pictures."""
    return replace(config, face_share=dataset.face_share, face_centre=dataset.face_centre)
