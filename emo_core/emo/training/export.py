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
from ...training.checkpoints import AVERAGE, latest, read_progress, without
from ..config import EMOConfig
from ..weights.checkpoint import load_checkpoint, save_checkpoint

RUN = "run.json"


def write_run(run: Path, init: Path, audio_encoder: Path | None, stage: dict, data: Path) -> None:
    """Write down what a run was begun with."""
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
    """Read what `write_run` wrote.

    Raises:
        InputError: where there is no run.
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
        CheckpointError: where it cannot be read.
    """
    try:
        with safe_open(checkpoint / AVERAGE, "pt") as file:
            return EMOConfig.from_json(file.metadata()["config"])
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise _damaged(checkpoint, error) from error


def _damaged(checkpoint: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"run: {checkpoint / AVERAGE} is damaged ({error}); {without(checkpoint)}")


def export(run: Path, out: Path, *, dtype: torch.dtype = torch.float16, init: Path | None = None) -> int:
    """Write the newest checkpoint of a run for inference.

    Args:
        run: the run's folder.
        out: the .safetensors.
        dtype: the weights are stored in it.
        init: where autoencoder and audio encoder come from, if the file the run began with has moved.

    Returns:
        the step that was exported.

    Raises:
        InputError: where there is no run, or the file cannot be written.
        CheckpointError: where the run's weights are damaged.
    """
    if out.suffix != ".safetensors":
        raise InputError(f"out: got {out}; expected a name ending in .safetensors")
    begun, found = read_run(run), latest(run)
    source = load_checkpoint(init or Path(begun["init"]))
    config = run_config(found)
    try:
        weights = load_file(found / AVERAGE)
    except (SafetensorError, OSError) as error:
        raise _damaged(found, error) from error
    parts = {"emo": weights}
    if source.vae is not None:
        parts["vae"] = source.vae
    if begun["audio_encoder"]:  # Given with `train`, it was heard with, whatever the first checkpoint brings.
        parts["audio_encoder"] = load_encoder(Path(begun["audio_encoder"]), config.audio)
        config = replace(config, audio=with_encoder(config.audio, parts["audio_encoder"]))
    elif source.audio_encoder is not None:
        parts["audio_encoder"] = source.audio_encoder
    step = read_progress(found).step
    notes = {"trained": json.dumps({"stage": begun["stage"]["stage"], "steps": step})}
    save_checkpoint(out, config, parts, dtype=dtype, notes=notes)
    return step
