"""Folders of EMO's files: checkpoints in `models/emo`, face embeddings in the input folder."""

import os
from pathlib import Path

from ...emo_core.emo.config import EMO_MINI, EMO_MINI_FEW
from ..host.folders import (
    MODEL_FOLDER,
    input_folder,
    models_folder,
    pack_model_path,
    pack_models,
    register_model_folder,
)

BUILT_IN = "emo-mini (built in)"
FEW_STEP = "emo-mini-few (built in)"
BUILT_IN_FILES = {BUILT_IN: EMO_MINI, FEW_STEP: EMO_MINI_FEW}
"""Checkpoints that come with the pack."""
CLIP_FOLDER_VARIABLE = "EMO_CLIP_CACHE"
"""Environment variable with the folder that finished clips are stored in; empty or not set: they are kept in memory only."""


def register_folders() -> None:
    """Register `models/emo` with the host."""
    register_model_folder(MODEL_FOLDER, {".safetensors"})


def checkpoints() -> list[str]:
    """Names for the loader's menu, the built-in ones first."""
    return [*BUILT_IN_FILES, *pack_models()]


def checkpoint_path(name: str) -> Path:
    """The file of a checkpoint. The host raises if there is none."""
    return BUILT_IN_FILES.get(name) or pack_model_path(name)


def embeddings() -> list[str]:
    """Names of the face embeddings in the input folder."""
    return sorted(path.name for path in input_folder().glob("*.npy"))


def embedding_path(name: str) -> Path:
    """The file of a face embedding."""
    return input_folder() / name


def clip_folder() -> Path | None:
    """The folder for finished clips, if the user has named one."""
    name = os.environ.get(CLIP_FOLDER_VARIABLE, "").strip()
    return Path(name).expanduser() if name else None


def insightface_folders() -> tuple[Path, ...]:
    """Folders that may contain insightface's models: those of other packs, then insightface's own."""
    return models_folder() / "insightface", Path("~/.insightface").expanduser()
