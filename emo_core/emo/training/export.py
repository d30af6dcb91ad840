"""From a run to a checkpoint that `animate` opens: the averaged network with its autoencoder and audio encoder."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from ...audio.encoder import load_encoder, with_encoder
from ...errors import CheckpointError, InputError
from ...files import file_digest, write_json
from ...training.checkpoints import advice, latest, read_progress
from ..config import EMOConfig
from ..weights.checkpoint import load_checkpoint, save_checkpoint

RUN = "run.json"
NETWORK_FILE = "emo.safetensors"
"""The averaged network in a checkpoint of a run."""


def write_run(run: Path, init: Path, audio_encoder: Path | None, stage: dict, data: Path) -> None:
    """Write down the files and options that a run starts with."""
    run.mkdir(parents=True, exist_ok=True)
    content = {
        "init": str(init.resolve()),
        "init_digest": file_digest(init),
        "audio_encoder": None if audio_encoder is None else str(audio_encoder.resolve()),
        "data": str(data.resolve()),
        "stage": stage,
    }
    write_json(run / RUN, content)


def read_run(run: Path) -> dict:
    """Read the file of `write_run`.

    Raises:
        InputError: if there is no run.
    """
    try:
        return json.loads((run / RUN).read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"run: {run} is no training run ({error}); give the folder that `train --out` wrote"
        ) from error


def run_config(checkpoint: Path) -> EMOConfig:
    """The network's config in a checkpoint of a run.

    Raises:
        CheckpointError: if it cannot be read.
    """
    try:
        with safe_open(checkpoint / NETWORK_FILE, "pt") as file:
            return EMOConfig.from_json(file.metadata()["config"])
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise _damaged(checkpoint, error) from error


def _damaged(checkpoint: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"run: {checkpoint / NETWORK_FILE} is damaged ({error}); {advice(checkpoint)}")


def export(run: Path, out: Path, *, dtype: torch.dtype = torch.float16, init: Path | None = None) -> int:
    """Write the newest checkpoint of a run for inference.

    Args:
        run: the run's folder.
        out: the .safetensors.
        dtype: of the stored weights.
        init: source of autoencoder and audio encoder, if the run's first checkpoint has moved.

    Returns:
        the exported step.

    Raises:
        InputError: if there is no run of a network's stage, or the file cannot be written.
        CheckpointError: if the run's weights are damaged.
    """
    if out.suffix != ".safetensors":
        raise InputError(f"out: got {out}; expected a name ending in .safetensors")
    start = read_run(run)
    if start["stage"]["stage"] == "vae":
        raise InputError(f"run: {run} is of stage vae, which needs no export; use its model.safetensors")
    checkpoint = latest(run)
    source, config = load_checkpoint(init or Path(start["init"])), run_config(checkpoint)
    try:
        parts = {"emo": load_file(checkpoint / NETWORK_FILE)}
    except (SafetensorError, OSError) as error:
        raise _damaged(checkpoint, error) from error
    if source.vae is not None:
        parts["vae"] = source.vae
    if start["audio_encoder"]:  # The run was trained with it, whether or not the first checkpoint has one.
        parts["audio_encoder"] = load_encoder(Path(start["audio_encoder"]), config.audio)
        config = replace(config, audio=with_encoder(config.audio, parts["audio_encoder"]))
    elif source.audio_encoder is not None:
        parts["audio_encoder"] = source.audio_encoder
    step = read_progress(checkpoint).step
    notes = {"trained": json.dumps({"stage": start["stage"]["stage"], "steps": step})}
    save_checkpoint(out, config, parts, dtype=dtype, notes=notes)
    return step
