"""Files of avatars: in `models/emo_avatars`, and the one that comes with the pack."""

from pathlib import Path

from ..host.folders import folder_files, folder_path, model_folder, register_model_folder

FOLDER = "emo_avatars"
SUFFIX = ".avatar.safetensors"
BUILT_IN = "s4 (built in)"
BUILT_IN_FILE = Path(__file__).resolve().parents[2] / "models" / f"s4{SUFFIX}"


def register_avatars() -> None:
    """Register `models/emo_avatars` with the host."""
    register_model_folder(FOLDER, {".safetensors"})


def avatars() -> list[str]:
    """Names for the menu, the built-in one first."""
    return [BUILT_IN, *(name for name in folder_files(FOLDER) if name.endswith(SUFFIX))]


def avatar_file(name: str) -> Path:
    """The file of an avatar. The host raises if there is none."""
    return BUILT_IN_FILE if name == BUILT_IN else folder_path(FOLDER, name)


def new_avatars() -> Path:
    """The folder that trained avatars are written to."""
    return model_folder(FOLDER)
