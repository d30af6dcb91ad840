"""The host's folders."""

from pathlib import Path

import folder_paths


def register_model_folder(name: str, endings: set[str]) -> None:
    """Register `models/<name>` with the host. Folders that extra_model_paths.yaml has added are kept."""
    folder_paths.add_model_folder_path(name, str(models_folder() / name))
    folders, _ = folder_paths.folder_names_and_paths[name]
    folder_paths.folder_names_and_paths[name] = (folders, endings)


def models_folder() -> Path:
    """The folder that contains one folder per kind of model."""
    return Path(folder_paths.models_dir)


def input_folder() -> Path:
    """The folder that Load Image and Load Audio read from."""
    return Path(folder_paths.get_input_directory())


def temporary_folder() -> Path:
    """A folder that the host empties when it starts and stops."""
    return Path(folder_paths.get_temp_directory())
