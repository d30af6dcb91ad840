"""Files of the face motion nodes: models that speak, and saved motions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..host.folders import input_folder, output_folder, pack_model_path, pack_models
from ..host.safetensors_header import metadata_of

BUILT_IN = "emote-mini (built in)"
BUILT_IN_FILE = Path(__file__).resolve().parents[2] / "models" / "emote-mini.safetensors"
MODEL_FORMAT = "emote-"
"""Start of the metadata `format` of a model that speaks."""
MOTION_FORMAT = "face-motion-"
"""Start of the metadata `format` of a motion."""
STYLE = "average"
"""Way of speaking that every model has."""
BY_PATH = "by path"
"""Choice of a motion file that is named by its path."""
SAVED = "face_motion"
"""Folder in the output folder that motions are saved to, if the user names no other."""
OUTPUT = " [output]"
"""Mark of a file in the output folder, as the host writes it."""


def speech_models() -> list[str]:
    """Names for the menu, the built-in one first. Other kinds of checkpoints in `models/emo` are left out."""
    return [BUILT_IN, *(name for name in pack_models() if _speaks(name))]


def speech_model_path(name: str) -> Path:
    """The file of a model. The host raises if there is none."""
    return BUILT_IN_FILE if name == BUILT_IN else pack_model_path(name)


def styles() -> list[str]:
    """Ways of speaking of all models, the common one first."""
    found = {style for name in speech_models() for style in _styles(name)}
    return [STYLE, *sorted(found - {STYLE})]


def motion_files() -> list[str]:
    """Names for the menu of motions: those in the input folder, and those that Save Face Motion has written by default."""
    written = (f"{SAVED}/{name}" for name in _motions(output_folder() / SAVED, OUTPUT))
    return [*_motions(input_folder()), *written, BY_PATH]


def motion_path(file: str, path: str) -> Path:
    """The file of a choice of the menu, or of a path: whole, or below the output folder."""
    if file == BY_PATH:
        return output_folder() / Path(path.strip().strip("\"'")).expanduser()
    if file.endswith(OUTPUT):
        return output_folder() / file.removesuffix(OUTPUT)
    return input_folder() / file


def _motions(folder: Path, mark: str = "") -> list[str]:
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    formats = (str(metadata_of(path).get("format", "")) for path in files)
    return [path.name + mark for path, kind in zip(files, formats, strict=True) if kind.startswith(MOTION_FORMAT)]


def _speaks(name: str) -> bool:
    return str(_about(name).get("format", "")).startswith(MODEL_FORMAT)


def _about(name: str) -> Mapping[str, Any]:
    """Metadata of a model; empty for a file that the host's list still names after it is gone."""
    try:
        return metadata_of(speech_model_path(name))
    except FileNotFoundError:
        return {}


def _styles(name: str) -> list[str]:
    try:
        names = json.loads(_about(name).get("config", "{}")).get("styles", ())
    except (ValueError, AttributeError, TypeError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
