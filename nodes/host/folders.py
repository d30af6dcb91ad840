"""The host's folders."""

from pathlib import Path

import folder_paths

from ...emo_core.errors import InputError

MODEL_FOLDER = "emo"
"""The pack's folder in `models`."""


def register_model_folder(name: str, endings: set[str]) -> None:
    """Register `models/<name>` with the host. Folders that extra_model_paths.yaml has added are kept."""
    folder_paths.add_model_folder_path(name, str(models_folder() / name))
    folders, _ = folder_paths.folder_names_and_paths[name]
    folder_paths.folder_names_and_paths[name] = (folders, endings)


def folder_files(name: str) -> list[str]:
    """Names of the files in `models/<name>`."""
    return folder_paths.get_filename_list(name)


def folder_path(name: str, file: str) -> Path:
    """A file of `models/<name>`. The host raises if there is none."""
    return Path(folder_paths.get_full_path_or_raise(name, file))


def model_folder(name: str) -> Path:
    """The first of the folders of `models/<name>`, which new files go to."""
    return Path(folder_paths.get_folder_paths(name)[0])


def pack_models() -> list[str]:
    """Names of the files in the pack's model folder."""
    return folder_files(MODEL_FOLDER)


def pack_model_path(name: str) -> Path:
    """A file of the pack's model folder. The host raises if there is none."""
    return folder_path(MODEL_FOLDER, name)


def models_folder() -> Path:
    """The folder that contains one folder per kind of model."""
    return Path(folder_paths.models_dir)


def input_folder() -> Path:
    """The folder that Load Image and Load Audio read from."""
    return Path(folder_paths.get_input_directory())


def output_folder() -> Path:
    """The folder that the host's savers write to."""
    return Path(folder_paths.get_output_directory())


def next_output(prefix: str, suffix: str) -> Path:
    """An unused name in the output folder, numbered as the host's savers do it. The folder is made.

    Raises:
        InputError: if it cannot be made.
    """
    try:
        folder, name, number, _, _ = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())
    except OSError as error:
        raise InputError(
            f"filename_prefix: cannot make the folder of {prefix!r} in {output_folder()} ({error.strerror}); give another one"
        ) from error
    return Path(folder) / f"{name}_{number:05}_{suffix}"


def temporary_folder() -> Path:
    """A folder that the host empties when it starts and stops."""
    return Path(folder_paths.get_temp_directory())
